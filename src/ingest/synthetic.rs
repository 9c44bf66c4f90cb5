//! Test cameras of this server's own: the `demo` command.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    task::spawn_blocking,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    net::Lifetime,
    relay::{CameraId, Producer, Publisher, Registry, Stamp, Transport},
    synth::{Pattern, Variant},
};

/// Between two frames: 30 a second.
const PERIOD: Duration = Duration::from_nanos(1_000_000_000 / 30);

/// The demo's cameras: id, name for people, picture.
const DEMO: [(&str, &str, Variant); 2] = [
    ("demo-clock", "Demo: clock", Variant::Clock),
    ("demo-bars", "Demo: colour bars", Variant::Bars),
];

/// How long one of the demo's cameras is offline before it shows the test picture again. Who connects anew,
/// or pushes a still now and then, finds it as they left it: longer than [`super::stills::LEASE`].
const FREE_AFTER: Duration = Duration::from_secs(15);

/// Between two looks whether it is.
const LOOK: Duration = Duration::from_secs(1);

/// Starts the demo's cameras, until shutdown. Who publishes one of them has it, and the test picture is back
/// [`FREE_AFTER`] they have left.
pub fn start_demo(registry: &Arc<Registry>, lifetime: &Lifetime) {
    for (i, (id, name, variant)) in DEMO.into_iter().enumerate() {
        let camera = TestCamera {
            registry: registry.clone(),
            id: CameraId::parse(id).expect("a test parses the demo's ids"),
            publisher: Publisher {
                name: Some(name.into()),
                ..Publisher::over(Transport::Synthetic)
            },
            pattern: Arc::new(Mutex::new(Pattern::new(640, 480, variant))),
            n: 0,
            // The cameras take turns, so that their cost is spread.
            start: Instant::now() + PERIOD * i as u32 / DEMO.len() as u32,
        };
        lifetime.tasks.spawn(camera.run(lifetime.shutdown.clone()));
    }
}

struct TestCamera {
    registry: Arc<Registry>,
    id: CameraId,
    publisher: Publisher,
    /// Drawn on another thread, one picture at a time.
    pattern: Arc<Mutex<Pattern>>,
    /// Of the newest picture.
    n: u64,
    start: Instant,
}

/// Why no picture follows for now.
enum End {
    /// A publisher took the camera.
    Taken,
    Shutdown,
    Failed,
}

impl TestCamera {
    async fn run(mut self, shutdown: CancellationToken) {
        let mut producer = match self.registry.publish(&self.id, self.publisher.clone()) {
            Ok(producer) => producer,
            Err(error) => return tracing::warn!(camera = %self.id, %error, "no test camera"),
        };
        loop {
            match self.publish(Arc::new(producer), &shutdown).await {
                End::Taken => tracing::info!(camera = %self.id, "a publisher took the test camera"),
                End::Shutdown | End::Failed => return,
            }
            let Some(taken) = shutdown.run_until_cancelled(self.retake()).await else { return };
            producer = taken;
        }
    }

    /// Takes the camera again once nobody else has published it for a while.
    async fn retake(&self) -> Producer {
        loop {
            tokio::time::sleep(LOOK).await;
            if !self.is_free() {
                continue;
            }
            // None if somebody was faster; an error passes, or shutdown ends this.
            let taken = self.registry.publish_unless_online(&self.id, self.publisher.clone());
            if let Ok(Some(producer)) = taken {
                return producer;
            }
        }
    }

    fn is_free(&self) -> bool {
        self.registry.get(self.id.as_str()).is_none_or(|camera| {
            // One that the server connects to is offline while nobody watches, and would not be connected to
            // again.
            let is_pulled = camera.link().status().is_some();
            !is_pulled && camera.offline_for().is_some_and(|time| time >= FREE_AFTER)
        })
    }

    /// Draws and publishes until there is a reason not to.
    async fn publish(&mut self, producer: Arc<Producer>, shutdown: &CancellationToken) -> End {
        let mut ticks = interval_at(self.start.max(Instant::now()), PERIOD);
        // After a pause the newest picture counts, not those that were missed.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = producer.replaced() => return End::Taken,
                () = shutdown.cancelled() => return End::Shutdown,
            }
            self.n += 1;
            // A millisecond or two of computing would hold up the connections of this thread.
            let (to, pattern, n) = (producer.clone(), self.pattern.clone(), self.n);
            let drawn = spawn_blocking(move || {
                let captured_us = to.unix_us();
                let mut buf = vec![0; to.headroom()];
                pattern.lock().frame_behind(&mut buf, captured_us, n);
                // The cache keeps the buffer, spare room and all.
                buf.shrink_to_fit();
                to.publish(buf, Stamp { publisher_seq: Some(n), captured_us })
            });
            match drawn.await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    tracing::debug!(camera = %self.id, %error, "a test picture was refused");
                }
                Err(error) => {
                    tracing::error!(camera = %self.id, %error, "a test camera failed");
                    return End::Failed;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::stills::{LEASE, Stills},
        *,
    };
    use crate::{
        relay::{Camera, Clock, Limits, LinkState, LinkStatus, Presence},
        wire::{envelope, jpeg},
    };

    #[tokio::test]
    async fn the_demo_publishes_two_cameras_until_shutdown() {
        let registry = Registry::new(Limits::default(), Clock::system());
        let lifetime = Lifetime::default();
        start_demo(&registry, &lifetime);
        for (id, name, _) in DEMO {
            let camera = loop {
                match registry.get(id) {
                    Some(camera) => break camera,
                    None => tokio::task::yield_now().await,
                }
            };
            let mut consumer = camera.consumer();
            let first = consumer.next().await;
            let second = consumer.next().await;
            drop((first, second));
            let seen = camera.snapshot();
            assert_eq!((seen.name.as_str(), seen.width, seen.height), (name, Some(640), Some(480)));
            assert!(camera.latest().is_some_and(|latest| latest.captured_us > 0));
        }
        lifetime.shutdown.cancel();
        lifetime.tasks.close();
        lifetime.tasks.wait().await;
        for camera in registry.list() {
            assert!(matches!(camera.presence(), Presence::Offline { .. }));
        }
    }

    /// A demo, and its clock.
    async fn demo(lifetime: &Lifetime) -> (Arc<Registry>, Arc<Camera>) {
        let registry = Registry::new(Limits::default(), Clock::system());
        start_demo(&registry, lifetime);
        let mut changes = registry.changes();
        loop {
            match registry.get("demo-clock") {
                Some(clock) => return (registry, clock),
                None => changes.changed().await.unwrap(),
            }
        }
    }

    fn is_synthetic(camera: &Camera) -> bool {
        matches!(camera.presence(), Presence::Online { transport: Transport::Synthetic, .. })
    }

    #[tokio::test(start_paused = true)]
    async fn who_pushes_stills_has_the_camera_again_after_who_took_it_from_them() {
        let lifetime = Lifetime::default();
        let (registry, clock) = demo(&lifetime).await;
        let stills = Stills::new(registry.clone());
        let push = |fill| {
            let mut buf = vec![0; envelope::headroom(clock.id().as_str().len())];
            buf.extend(jpeg::skeleton(64, 48, 200, fill));
            stills.publish(clock.id(), Publisher::over(Transport::Http), buf, &lifetime)
        };
        push(1).unwrap();
        let newer = registry.publish(clock.id(), Publisher::over(Transport::WebRtc)).unwrap();
        assert_eq!(push(2).unwrap_err().code, "replaced");
        drop(newer);
        // As late as a lease allows.
        tokio::time::sleep(LEASE - Duration::from_millis(1)).await;
        push(3).unwrap();
        assert!(!is_synthetic(&clock));
    }

    #[tokio::test(start_paused = true)]
    async fn a_camera_that_the_server_connects_to_is_not_taken_while_it_is_offline() {
        let lifetime = Lifetime::default();
        let (registry, clock) = demo(&lifetime).await;
        clock.link().report(Some(LinkStatus {
            state: LinkState::Standby,
            reconnects: 0,
            failures: 0,
            last_error: None,
            next_retry_us: None,
        }));
        drop(registry.publish(clock.id(), Publisher::over(Transport::Rtsp)).unwrap());
        tokio::time::sleep(2 * FREE_AFTER).await;
        assert!(!is_synthetic(&clock));
        clock.link().report(None);
        tokio::time::sleep(2 * LOOK).await;
        assert!(is_synthetic(&clock), "no change of any camera is needed for it");
    }

    #[tokio::test(start_paused = true)]
    async fn the_test_picture_is_back_when_who_took_its_camera_has_left() {
        let lifetime = Lifetime::default();
        let (registry, clock) = demo(&lifetime).await;
        let mut consumer = clock.consumer();
        for name in ["Phone", "Webcam"] {
            assert!(consumer.next().await.is_some() && is_synthetic(&clock));
            let publisher =
                Publisher { name: Some(name.into()), ..Publisher::over(Transport::Http) };
            let other = registry.publish(clock.id(), publisher).unwrap();
            // As long as they stay, though they send nothing.
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert!(!other.is_replaced());
            assert_eq!(clock.name(), name);
            consumer.skip_to(clock.latest().unwrap().seq);
            drop(other);
            // Who connects anew has no test pictures in between.
            tokio::time::sleep(FREE_AFTER - LOOK).await;
            assert!(!is_synthetic(&clock));
        }
        assert!(consumer.next().await.is_some() && is_synthetic(&clock));
        assert_eq!(clock.name(), "Demo: clock");

        // Nor while nobody has it, once the server is to end.
        let other = registry.publish(clock.id(), Publisher::over(Transport::Http)).unwrap();
        lifetime.shutdown.cancel();
        lifetime.tasks.close();
        lifetime.tasks.wait().await;
        drop(other);
        assert!(matches!(clock.presence(), Presence::Offline { .. }));
    }
}

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
    relay::{CameraId, Producer, PublishError, Publisher, Registry, Stamp, Transport},
    synth::{Pattern, Variant},
};

/// Between two frames: 30 a second.
const PERIOD: Duration = Duration::from_nanos(1_000_000_000 / 30);

/// The demo's cameras: id, name for people, picture.
const DEMO: [(&str, &str, Variant); 2] = [
    ("demo-clock", "Demo: clock", Variant::Clock),
    ("demo-bars", "Demo: colour bars", Variant::Bars),
];

/// Starts the demo's cameras, until shutdown. Who publishes one of them has it, and the test picture is back
/// when they have left.
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
        let mut taken = self.registry.publish(&self.id, self.publisher.clone());
        loop {
            let producer = match taken {
                Ok(producer) => Arc::new(producer),
                Err(error) => return tracing::warn!(camera = %self.id, %error, "no test camera"),
            };
            match self.publish(producer, &shutdown).await {
                End::Taken => tracing::info!(camera = %self.id, "a publisher took the test camera"),
                End::Shutdown | End::Failed => return,
            }
            let Some(free) = shutdown.run_until_cancelled(self.retake()).await else { return };
            taken = free;
        }
    }

    /// Takes the camera again once nobody else publishes it.
    async fn retake(&self) -> Result<Producer, PublishError> {
        let mut changes = self.registry.changes();
        loop {
            // One that the server connects to is not there at times, and would not be connected to again.
            let camera = self.registry.get(self.id.as_str());
            let is_pulled = camera.is_some_and(|camera| camera.link().status().is_some());
            if !is_pulled
                && let Some(producer) =
                    self.registry.publish_unless_online(&self.id, self.publisher.clone())?
            {
                return Ok(producer);
            }
            changes.changed().await.expect("the registry, which tells of them, is held here");
        }
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
    use super::*;
    use crate::relay::{Clock, Limits, Presence};

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

    #[tokio::test(start_paused = true)]
    async fn the_test_picture_is_back_when_who_took_its_camera_has_left() {
        let registry = Registry::new(Limits::default(), Clock::system());
        let lifetime = Lifetime::default();
        start_demo(&registry, &lifetime);
        let mut changes = registry.changes();
        let clock = loop {
            match registry.get("demo-clock") {
                Some(camera) => break camera,
                None => changes.changed().await.unwrap(),
            }
        };
        let is_synthetic = || matches!(clock.presence(), Presence::Online { transport, .. } if transport == Transport::Synthetic);
        let mut consumer = clock.consumer();
        for name in ["Phone", "Webcam"] {
            assert!(consumer.next().await.is_some() && is_synthetic());
            let publisher =
                Publisher { name: Some(name.into()), ..Publisher::over(Transport::Http) };
            let other = registry.publish(clock.id(), publisher).unwrap();
            // As long as they stay, though they send nothing.
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert!(!other.is_replaced());
            assert_eq!(clock.name(), name);
            consumer.skip_to(clock.latest().unwrap().seq);
            drop(other);
        }
        assert!(consumer.next().await.is_some() && is_synthetic());
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

//! Test cameras of this server's own: the `demo` command.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::spawn_blocking,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    net::Lifetime,
    relay::{CameraId, Publisher, Registry, Stamp, Transport},
    synth::{Pattern, Variant},
};

/// Between two frames: 30 a second.
const PERIOD: Duration = Duration::from_nanos(1_000_000_000 / 30);

/// The demo's cameras: id, name for people, picture.
const DEMO: [(&str, &str, Variant); 2] = [
    ("demo-clock", "Demo: clock", Variant::Clock),
    ("demo-bars", "Demo: colour bars", Variant::Bars),
];

/// Starts the demo's cameras. Each ends when a publisher takes its camera, or at shutdown.
pub fn start_demo(registry: &Arc<Registry>, lifetime: &Lifetime) {
    for (i, (id, name, variant)) in DEMO.into_iter().enumerate() {
        let id = CameraId::parse(id).expect("a test parses the demo's ids");
        let publisher =
            Publisher { name: Some(name.into()), ..Publisher::over(Transport::Synthetic) };
        // The cameras take turns, so that their cost is spread.
        let start = Instant::now() + PERIOD * i as u32 / DEMO.len() as u32;
        let pattern = Pattern::new(640, 480, variant);
        let (registry, shutdown) = (registry.clone(), lifetime.shutdown.clone());
        lifetime.tasks.spawn(publish(registry, id, publisher, pattern, start, shutdown));
    }
}

async fn publish(
    registry: Arc<Registry>,
    id: CameraId,
    publisher: Publisher,
    mut pattern: Pattern,
    start: Instant,
    shutdown: CancellationToken,
) {
    let producer = match registry.publish(&id, publisher) {
        Ok(producer) => Arc::new(producer),
        Err(error) => return tracing::warn!(camera = %id, %error, "no test camera"),
    };
    let mut ticks = interval_at(start, PERIOD);
    // After a pause the newest picture counts, not those that were missed.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for n in 1.. {
        tokio::select! {
            _ = ticks.tick() => {}
            () = producer.replaced() => {
                return tracing::info!(camera = %id, "a publisher took the test camera");
            }
            () = shutdown.cancelled() => return,
        }
        // A millisecond or two of computing would hold up the connections of this thread.
        let to = producer.clone();
        let drawn = spawn_blocking(move || {
            let captured_us = to.unix_us();
            let mut buf = vec![0; to.headroom()];
            pattern.frame_behind(&mut buf, captured_us, n);
            // The cache keeps the buffer, spare room and all.
            buf.shrink_to_fit();
            let published = to.publish(buf, Stamp { publisher_seq: Some(n), captured_us });
            (pattern, published)
        });
        match drawn.await {
            Ok((returned, published)) => {
                pattern = returned;
                if let Err(error) = published {
                    tracing::debug!(camera = %id, %error, "a test picture was refused");
                }
            }
            Err(error) => return tracing::error!(camera = %id, %error, "a test camera failed"),
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
}

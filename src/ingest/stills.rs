//! Cameras that push one picture a request: each stays online for a while after its last.
//!
//! Belongs here: who holds such a camera between two requests. Does not: HTTP.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    net::{ApiError, Lifetime},
    relay::{CameraId, DropReason, Outcome, Presence, Producer, Publisher, Registry, Stamp},
    wire::{envelope, jpeg},
};

/// How long a camera stays online after a still.
pub const LEASE: Duration = Duration::from_secs(10);

/// The leases. As many as cameras can be known ([`crate::relay::Limits::max_cameras`]): each holds
/// the producer of another camera. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stills {
    registry: Arc<Registry>,
    leases: Arc<Mutex<HashMap<CameraId, Lease>>>,
}

#[derive(Debug)]
struct Lease {
    producer: Producer,
    until: Instant,
}

impl Stills {
    /// None yet.
    pub fn new(registry: Arc<Registry>) -> Self {
        Self { registry, leases: Arc::default() }
    }

    /// Publishes the JPEG that stands in `buf` behind [`envelope::headroom`] free bytes, and keeps
    /// the camera online for [`LEASE`].
    ///
    /// The first still takes the camera over. When a newer publisher takes it then, further stills
    /// are refused as `replaced` for as long as that one is online and the stills go on.
    pub fn publish(
        &self,
        id: &CameraId,
        publisher: Publisher,
        buf: Vec<u8>,
        lifetime: &Lifetime,
    ) -> Result<Outcome, ApiError> {
        let mut leases = self.leases.lock();
        if let Some(lease) = leases.get_mut(id) {
            lease.until = lease.producer.now() + LEASE;
            if !lease.producer.is_replaced() {
                return lease.producer.publish(buf, Stamp::default()).map_err(ApiError::from);
            }
            if matches!(lease.producer.camera().presence(), Presence::Online { .. }) {
                let message = format!("a newer publisher took camera {id}");
                return Err(ApiError::new("replaced", message));
            }
        }
        // Looked at before the camera is taken: what is no picture takes nothing from anybody.
        let picture = &buf[envelope::headroom(id.as_str().len())..];
        if let Err(error) = jpeg::inspect(picture, &self.registry.limits().frame) {
            self.refused(id, error.code());
            return Err(ApiError::new(error.code(), error.to_string()));
        }
        let producer = self.registry.publish(id, publisher)?;
        let outcome = producer.publish(buf, Stamp::default())?;
        self.keep(leases.entry(id.clone()), producer, lifetime);
        Ok(outcome)
    }

    /// Counts a picture that was refused before it could be published.
    pub fn refused(&self, id: &CameraId, code: &str) {
        let camera = self.registry.get(id.as_str());
        if let Some((camera, reason)) = camera.zip(DropReason::from_code(code)) {
            camera.count(reason, 1);
        }
    }

    /// Keeps a camera online for [`LEASE`] whose one still came in another way.
    pub fn adopt(&self, producer: Producer, lifetime: &Lifetime) {
        let id = producer.camera().id().clone();
        self.keep(self.leases.lock().entry(id), producer, lifetime);
    }

    fn keep(&self, place: Entry<'_, CameraId, Lease>, producer: Producer, lifetime: &Lifetime) {
        let until = producer.now() + LEASE;
        let lease = Lease { producer, until };
        match place {
            // Its task runs already.
            Entry::Occupied(mut place) => drop(place.insert(lease)),
            Entry::Vacant(place) => {
                let id = place.key().clone();
                place.insert(lease);
                let expiry = self.clone().expire(id, lifetime.shutdown.clone());
                lifetime.tasks.spawn(expiry);
            }
        }
    }

    /// Ends one camera's lease when it is due.
    async fn expire(self, id: CameraId, shutdown: CancellationToken) {
        loop {
            let Some(until) = self.leases.lock().get(&id).map(|lease| lease.until) else { return };
            let reason = tokio::select! {
                () = tokio::time::sleep_until(until.into()) => "no picture came for 10 s",
                () = shutdown.cancelled() => "server shutting down",
            };
            let mut leases = self.leases.lock();
            // A still may have come in between.
            let over = leases.get(&id).is_none_or(|lease| lease.producer.now() >= lease.until);
            if over || shutdown.is_cancelled() {
                if let Some(lease) = leases.remove(&id) {
                    lease.producer.close(reason);
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::{Clock, Limits, Transport};

    struct Bench {
        registry: Arc<Registry>,
        stills: Stills,
        lifetime: Lifetime,
        id: CameraId,
    }

    fn bench() -> Bench {
        let registry = Registry::new(Limits::default(), Clock::starting_at(1));
        let stills = Stills::new(registry.clone());
        let id = CameraId::parse("door").unwrap();
        Bench { registry, stills, lifetime: Lifetime::default(), id }
    }

    impl Bench {
        fn push(&self, fill: u8) -> Result<Outcome, ApiError> {
            let mut buf = vec![0; envelope::headroom(4)];
            buf.extend(jpeg::skeleton(64, 48, 200, fill));
            let publisher = Publisher::over(Transport::Http);
            self.stills.publish(&self.id, publisher, buf, &self.lifetime)
        }

        fn online(&self) -> bool {
            let camera = self.registry.get("door").unwrap();
            matches!(camera.presence(), Presence::Online { .. })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_camera_stays_online_10_s_after_its_last_still() {
        let bench = bench();
        bench.push(1).unwrap();
        for fill in 2..5 {
            tokio::time::sleep(Duration::from_millis(9_900)).await;
            assert!(bench.online());
            bench.push(fill).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(10_001)).await;
        assert!(!bench.online());
        assert!(bench.stills.leases.lock().is_empty());
        assert_eq!(bench.push(9), Ok(Outcome::Published { seq: 5 }), "numbers go on");
    }

    #[tokio::test(start_paused = true)]
    async fn stills_give_way_to_a_newer_publisher_and_come_back_after_it() {
        let bench = bench();
        bench.push(1).unwrap();
        let newer = bench.registry.publish(&bench.id, Publisher::over(Transport::WebRtc)).unwrap();
        for fill in 2..9 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert_eq!(bench.push(fill).unwrap_err().code, "replaced");
        }
        drop(newer);
        assert!(!bench.online());
        bench.push(9).unwrap();
        assert!(bench.online());
        tokio::time::sleep(Duration::from_secs(11)).await;
        assert!(!bench.online());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_picture_takes_no_camera() {
        let bench = bench();
        let streaming =
            bench.registry.publish(&bench.id, Publisher::over(Transport::WebRtc)).unwrap();
        let mut buf = vec![0; envelope::headroom(4)];
        buf.extend(b"hello");
        let publisher = Publisher::over(Transport::Http);
        let refused = bench.stills.publish(&bench.id, publisher, buf, &bench.lifetime);
        assert_eq!(refused.unwrap_err().code, "not_jpeg");
        assert!(!streaming.is_replaced());
        assert_eq!(bench.registry.get("door").unwrap().snapshot().drops["not_jpeg"], 1);
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_ends_the_leases() {
        let bench = bench();
        bench.push(1).unwrap();
        bench.lifetime.shutdown.cancel();
        bench.lifetime.tasks.close();
        bench.lifetime.tasks.wait().await;
        assert!(!bench.online());
    }
}

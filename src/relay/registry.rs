//! All cameras: hands out producers and cameras, forgets what nobody needs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use dashmap::DashMap;
use parking_lot::{Mutex, MutexGuard};
use thiserror::Error;
use tokio::sync::watch;

use super::{
    Camera, CameraId, Clock, Orders, Producer, Publisher, link::Trials, scaled::Counter,
    track::Budget,
};
use crate::{telemetry::Seldom, wire::jpeg};

/// Between two lines of publishers that are refused.
const REFUSALS_PERIOD: Duration = Duration::from_secs(60);

/// The relay's bounds.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of one frame.
    pub frame: jpeg::Limits,
    /// How far back a camera's cache reaches. Default 10 s.
    pub cache_age: Duration,
    /// Bytes of one camera's cache. Default 64 MiB: 10 s of 30 fps at 200 KB.
    pub cache_bytes: usize,
    /// Bytes of all caches together. Default 512 MiB.
    pub cache_total_bytes: usize,
    /// Cameras known at a time, offline ones included. Default 1000.
    pub max_cameras: usize,
    /// How long an offline camera that nobody watches is remembered. Default 24 h.
    pub forget_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: jpeg::Limits::default(),
            cache_age: Duration::from_secs(10),
            cache_bytes: 64 << 20,
            cache_total_bytes: 512 << 20,
            max_cameras: 1000,
            forget_after: Duration::from_secs(24 * 3600),
        }
    }
}

/// Why nobody may publish a camera now. The texts go to the publisher.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PublishError {
    /// At the limit, and all of them online or configured.
    #[error("{0} cameras are online or configured, the most this server takes (--max-cameras)")]
    TooManyCameras(usize),
    /// On the way down.
    #[error("the server is shutting down; connect again in some seconds")]
    Draining,
}

impl PublishError {
    /// The stable error code of `docs/protocol.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooManyCameras(_) => "too_many_cameras",
            Self::Draining => "draining",
        }
    }
}

/// All cameras of this server.
#[derive(Debug)]
pub struct Registry {
    cameras: DashMap<CameraId, Arc<Camera>>,
    /// Held while a camera is added or forgotten, so that the count cannot pass its bound.
    pub(super) membership: Mutex<()>,
    limits: Limits,
    budget: Arc<Budget>,
    counter: Counter,
    orders: Mutex<Option<Orders>>,
    clock: Clock,
    changes: watch::Sender<u64>,
    draining: AtomicBool,
    pub(super) trials: Trials,
    /// For lines of publishers refused for want of room.
    refusals: Seldom,
}

impl Registry {
    /// An empty one.
    pub fn new(limits: Limits, clock: Clock) -> Arc<Self> {
        let budget = Budget {
            total: AtomicUsize::new(0),
            cameras: AtomicUsize::new(0),
            age: limits.cache_age,
            camera_bytes: limits.cache_bytes,
            total_bytes: limits.cache_total_bytes,
        };
        let (counter, orders) = Counter::new(clock);
        Arc::new(Self {
            cameras: DashMap::new(),
            membership: Mutex::new(()),
            limits,
            budget: Arc::new(budget),
            counter,
            orders: Mutex::new(Some(orders)),
            clock,
            changes: watch::Sender::new(0),
            draining: AtomicBool::new(false),
            trials: Trials::default(),
            refusals: Seldom::new(1, REFUSALS_PERIOD),
        })
    }

    /// Takes a camera over: the newest publisher with the right to it owns it, the older one's
    /// [`Producer::replaced`] resolves and its frames are refused.
    pub fn publish(
        self: &Arc<Self>,
        id: &CameraId,
        publisher: Publisher,
    ) -> Result<Producer, PublishError> {
        self.hand_out(self.membership.lock(), id, publisher)
    }

    /// As [`Self::publish`], but takes the camera from nobody: `None` while somebody publishes it.
    pub fn publish_unless_online(
        self: &Arc<Self>,
        id: &CameraId,
        publisher: Publisher,
    ) -> Result<Option<Producer>, PublishError> {
        let membership = self.membership.lock();
        if self.get(id.as_str()).is_some_and(|camera| camera.offline_for().is_none()) {
            return Ok(None);
        }
        self.hand_out(membership, id, publisher).map(Some)
    }

    fn hand_out(
        self: &Arc<Self>,
        membership: MutexGuard<'_, ()>,
        id: &CameraId,
        publisher: Publisher,
    ) -> Result<Producer, PublishError> {
        if self.draining.load(Relaxed) {
            return Err(PublishError::Draining);
        }
        let (over, from) = (publisher.transport, publisher.from.map(tracing::field::display));
        let camera = self.get_or_add(id)?;
        // Under the lock too, or a sweep could forget the camera in between.
        let (tenure, taken) = camera.take_over(publisher);
        drop(membership);
        self.changed();
        if let Some(unsaid) = camera.talk.event() {
            if taken {
                tracing::info!(camera = %id, %over, from, "camera taken over by a newer publisher{unsaid}");
            } else {
                tracing::info!(camera = %id, %over, from, "camera online{unsaid}");
            }
        }
        Ok(Producer::new(self.clone(), camera, tenure))
    }

    /// Whether [`Self::publish`] would hand out this camera now. Takes nothing from anybody.
    pub fn admits(&self, id: &CameraId) -> Result<(), PublishError> {
        if self.draining.load(Relaxed) {
            return Err(PublishError::Draining);
        }
        let room = self.cameras.contains_key(id)
            || self.cameras.len() < self.limits.max_cameras
            || self.list().iter().any(|camera| camera.spare_for().is_some());
        if room { Ok(()) } else { Err(self.full(id)) }
    }

    /// A camera, if it is configured, or was ever published here and not forgotten.
    pub fn get(&self, id: &str) -> Option<Arc<Camera>> {
        self.cameras.get(id).map(|camera| camera.value().clone())
    }

    /// All cameras, in the order of their ids.
    pub fn list(&self) -> Vec<Arc<Camera>> {
        let mut cameras: Vec<_> = self.cameras.iter().map(|entry| entry.value().clone()).collect();
        cameras.sort_by(|a, b| a.id().cmp(b.id()));
        cameras
    }

    /// A number that changes whenever a camera comes, goes on- or offline, or is forgotten. A
    /// reader compares what it knows with [`Self::list`].
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The scaled pictures that viewers ask for, for the one who makes them; `None` from the second
    /// call on.
    pub fn orders(&self) -> Option<Orders> {
        self.orders.lock().take()
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The relay's time.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Bytes that all caches hold.
    pub fn cache_bytes(&self) -> usize {
        self.budget.total.load(Relaxed)
    }

    /// Whether no publisher is taken any more.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// No publisher is taken any more.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Ages the caches of cameras that get no frames, forgets those long offline, and logs what was
    /// held back of those that come and go. To be called once a second.
    pub fn sweep(&self) {
        for camera in self.list() {
            camera.track.sweep(self.clock.now());
            camera.say_overdue();
            if camera.idle_for().is_some_and(|idle| idle >= self.limits.forget_after) {
                let _membership = self.membership.lock();
                // Looked at again: it may have come back since.
                if camera.idle_for().is_some_and(|idle| idle >= self.limits.forget_after) {
                    self.forget(&camera);
                }
            }
        }
    }

    pub(super) fn changed(&self) {
        self.changes.send_modify(|version| *version += 1);
    }

    fn full(&self, refused: &CameraId) -> PublishError {
        let error = PublishError::TooManyCameras(self.limits.max_cameras);
        if let Some(unsaid) = self.refusals.event() {
            tracing::warn!(camera = %refused, "publisher refused: {error}{unsaid}");
        }
        error
    }

    /// Under the membership lock.
    pub(super) fn get_or_add(&self, id: &CameraId) -> Result<Arc<Camera>, PublishError> {
        if let Some(camera) = self.get(id.as_str()) {
            return Ok(camera);
        }
        if self.cameras.len() >= self.limits.max_cameras {
            // Watched or not: a wall that shows all cameras would keep every id that ever was.
            let cameras = self.list();
            let spare = cameras.iter().filter_map(|camera| Some((camera.spare_for()?, camera)));
            let oldest = spare.max_by_key(|(offline_for, _)| *offline_for);
            match oldest {
                Some((_, oldest)) => self.forget(oldest),
                None => return Err(self.full(id)),
            }
        }
        let camera = Arc::new(Camera::new(
            id.clone(),
            self.budget.clone(),
            self.counter.clone(),
            self.clock,
        ));
        self.cameras.insert(id.clone(), camera.clone());
        self.budget.cameras.fetch_add(1, Relaxed);
        Ok(camera)
    }

    /// Forgets a camera that nobody publishes or has configured. False when there is none.
    pub fn forget_offline(&self, id: &CameraId) -> bool {
        let _membership = self.membership.lock();
        let camera = self.get(id.as_str()).filter(|camera| camera.spare_for().is_some());
        camera.is_some_and(|camera| {
            self.forget(&camera);
            true
        })
    }

    /// Under the membership lock.
    pub(super) fn forget(&self, camera: &Arc<Camera>) {
        // By identity: under its id may stand another by now, published since the caller looked.
        if self.cameras.remove_if(camera.id(), |_, found| Arc::ptr_eq(found, camera)).is_some() {
            self.budget.cameras.fetch_sub(1, Relaxed);
            camera.close();
            self.changed();
        }
    }
}

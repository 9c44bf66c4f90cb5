//! A track: one producer, many consumers, and whether anybody watches.
//!
//! A camera has `jpeg`, as it was published, and a track for each of its rungs that somebody watches
//! (`scaled`); in both the newest frame wins. Its video is in `video`. What is made only while somebody
//! watches follows a track's [`Demand`] and knows nothing of who stands behind it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    Bell, Frame, Latest, Rope,
    bell::Pull,
    meter::Meter,
    ring::{Bounds, Ring},
};

/// What the caches of all cameras share.
#[derive(Debug)]
pub(super) struct Budget {
    /// Bytes held by all cameras.
    pub total: AtomicUsize,
    /// Cameras there are.
    pub cameras: AtomicUsize,
    pub age: Duration,
    pub camera_bytes: usize,
    pub total_bytes: usize,
}

impl Budget {
    /// What one camera may hold now. When all together hold too much, those above an equal share
    /// give up their oldest frames, so a camera that comes late still gets its cache.
    fn bounds(&self) -> Bounds {
        let share = self.total_bytes / self.cameras.load(Relaxed).max(1);
        let over = self.total.load(Relaxed) > self.total_bytes;
        let bytes = if over { self.camera_bytes.min(share) } else { self.camera_bytes };
        Bounds { age: self.age, bytes }
    }
}

#[derive(Debug)]
pub(super) struct Track {
    slot: watch::Sender<Slot>,
    viewers: watch::Sender<usize>,
    pub(super) state: Mutex<State>,
    budget: Arc<Budget>,
}

#[derive(Debug, Default)]
struct Slot {
    latest: Option<Arc<Latest>>,
    /// Frames so far. Of a rung their numbers have gaps, as it leaves some out.
    count: u64,
    /// The camera was forgotten; a consumer of it will see nothing more.
    closed: bool,
}

/// What changes with every frame.
#[derive(Debug)]
pub(super) struct State {
    pub ring: Ring,
    pub meter: Meter,
    /// Of the newest frame; 0 before the first.
    pub seq: u64,
    /// When the newest frame, or the same bytes again, came last.
    pub confirmed_at: Option<Instant>,
    /// Who is told of each new frame; a few writers at the most.
    ropes: Vec<Arc<Pull>>,
}

impl Track {
    pub(super) fn new(budget: Arc<Budget>, now: Instant) -> Self {
        Self {
            slot: watch::Sender::default(),
            viewers: watch::Sender::default(),
            state: Mutex::new(State {
                ring: Ring::new(),
                meter: Meter::new(now),
                seq: 0,
                confirmed_at: None,
                ropes: Vec::new(),
            }),
            budget,
        }
    }

    /// Makes `frame` the newest, under the lock that the caller holds on the state.
    pub(super) fn push(&self, state: &mut State, latest: Arc<Latest>) {
        let frame = Frame::clone(&latest);
        state.seq = frame.seq;
        state.confirmed_at = Some(frame.received_at);
        state.meter.add(frame.jpeg_len(), frame.received_at);
        state.ring.push(frame, self.budget.bounds(), &self.budget.total);
        // Under the lock, so that frames reach the consumers in the order of their numbers.
        self.slot.send_modify(|slot| {
            slot.latest = Some(latest);
            slot.count += 1;
        });
        state.ropes.retain(|rope| rope.pull());
    }

    /// Rings `bell` with `key` at each frame from now on, for as long as the rope lives.
    pub(super) fn hang(&self, bell: &Bell, key: usize) -> Rope {
        let (rope, pull) = bell.rope(key);
        self.state.lock().ropes.push(pull);
        rope
    }

    pub(super) fn latest(&self) -> Option<Arc<Latest>> {
        self.slot.borrow().latest.clone()
    }

    fn newest(&self) -> Option<(Arc<Latest>, u64)> {
        let slot = self.slot.borrow();
        Some((slot.latest.clone()?, slot.count))
    }

    /// Evicts what has aged, for cameras that get no frames.
    pub(super) fn sweep(&self, now: Instant) {
        self.state.lock().ring.evict(now, self.budget.bounds(), &self.budget.total);
    }

    /// Forgets what was, as if it were new.
    pub(super) fn clear(&self, now: Instant) {
        let mut state = self.state.lock();
        state.ring.clear(&self.budget.total);
        state.meter = Meter::new(now);
        self.slot.send_modify(|slot| slot.latest = None);
    }

    /// The camera is forgotten.
    pub(super) fn close(&self) {
        self.state.lock().ring.clear(&self.budget.total);
        self.slot.send_modify(|slot| (slot.latest, slot.closed) = (None, true));
    }

    pub(super) fn viewers(&self) -> usize {
        *self.viewers.borrow()
    }

    pub(super) fn consumer(&self) -> Consumer {
        Consumer { slot: self.slot.subscribe(), cursor: 0, count: 0 }
    }

    pub(super) fn viewing(&self) -> Viewing {
        Viewing::new(&self.viewers)
    }

    pub(super) fn demand(&self) -> Demand {
        Demand::new(&self.viewers)
    }
}

/// What [`Consumer::next`] brings.
#[derive(Debug, Clone)]
#[must_use]
pub struct Next {
    /// The newest frame.
    pub frame: Arc<Latest>,
    /// Frames between this and the consumer's frame before, which it will not see.
    pub skipped: u64,
}

/// A reader of a track, with its own cursor. It holds one frame at the most: the newest.
#[derive(Debug)]
pub struct Consumer {
    slot: watch::Receiver<Slot>,
    /// The number of the frame returned last.
    cursor: u64,
    /// How many frames the track had had by then.
    count: u64,
}

impl Consumer {
    /// The newest frame after the one returned last; the first call returns the newest cached one at
    /// once. `None` when the camera was forgotten. Cancel safe.
    pub async fn next(&mut self) -> Option<Next> {
        loop {
            if let Some(next) = self.newer() {
                return Some(next);
            }
            if self.slot.borrow().closed || self.slot.changed().await.is_err() {
                return None;
            }
        }
    }

    /// What [`Self::next`] would return without waiting.
    pub fn newer(&mut self) -> Option<Next> {
        let (latest, count) = {
            let slot = self.slot.borrow_and_update();
            (slot.latest.clone(), slot.count)
        };
        let frame = latest.filter(|frame| frame.seq > self.cursor)?;
        let skipped = if self.cursor == 0 { 0 } else { count.saturating_sub(self.count + 1) };
        (self.cursor, self.count) = (frame.seq, count);
        Some(Next { frame, skipped })
    }

    /// The frame returned last, if there is no newer one.
    pub fn again(&self) -> Option<Arc<Latest>> {
        self.slot.borrow().latest.clone().filter(|frame| frame.seq == self.cursor)
    }

    /// Frames up to this number will not be returned.
    pub fn skip_to(&mut self, seq: u64) {
        let slot = self.slot.borrow();
        // Of those above it only the newest is still to be had.
        let above = slot.latest.as_ref().is_some_and(|latest| latest.seq > seq);
        (self.cursor, self.count) = (seq, slot.count.saturating_sub(u64::from(above)));
    }
}

/// One track to look at, for who reads many of them and keeps its own cursors.
#[derive(Debug, Clone)]
pub struct Feed(Arc<Track>);

impl Feed {
    pub(super) fn new(track: Arc<Track>) -> Self {
        Self(track)
    }

    /// The newest frame, however old; `None` before the first, and of a rung that is only just being
    /// made.
    pub fn latest(&self) -> Option<Arc<Latest>> {
        self.0.latest()
    }

    /// The newest frame, and how many there were up to it: of a rung their numbers have gaps.
    pub fn newest(&self) -> Option<(Arc<Latest>, u64)> {
        self.0.newest()
    }

    /// A reader that starts with the newest frame.
    pub fn consumer(&self) -> Consumer {
        self.0.consumer()
    }

    /// Rings `bell` with `key` at each frame from now on, for as long as the rope lives.
    pub fn hang(&self, bell: &Bell, key: usize) -> Rope {
        self.0.hang(bell, key)
    }
}

/// Somebody watches, for as long as this lives.
#[derive(Debug)]
pub struct Viewing {
    viewers: watch::Sender<usize>,
}

impl Viewing {
    pub(super) fn new(viewers: &watch::Sender<usize>) -> Self {
        viewers.send_modify(|viewers| *viewers += 1);
        Self { viewers: viewers.clone() }
    }
}

impl Drop for Viewing {
    fn drop(&mut self) {
        self.viewers.send_modify(|viewers| *viewers -= 1);
    }
}

/// Whether anybody watches a track, for what is made on demand.
#[derive(Debug, Clone)]
pub struct Demand {
    viewers: watch::Receiver<usize>,
}

impl Demand {
    pub(super) fn new(viewers: &watch::Sender<usize>) -> Self {
        Self { viewers: viewers.subscribe() }
    }

    /// Waits until somebody watches.
    pub async fn wanted(&mut self) {
        // The track is gone when the sender is: then nobody will ever watch.
        if self.viewers.wait_for(|&viewers| viewers > 0).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether somebody watches now.
    pub fn is_wanted(&self) -> bool {
        *self.viewers.borrow() > 0
    }

    /// Waits until nobody has watched for `linger` on end.
    pub async fn unwanted_for(&mut self, linger: Duration) {
        loop {
            if self.viewers.wait_for(|&viewers| viewers == 0).await.is_err() {
                return;
            }
            let wanted = self.viewers.wait_for(|&viewers| viewers > 0);
            match tokio::time::timeout(linger, wanted).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }
}

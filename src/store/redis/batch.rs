//! What waits to be written, and when it is due. No I/O: operations and instants come in, entries
//! to write go out.
//!
//! Bounded by what it is: one frame and one client's state for each camera, and the relay bounds the
//! cameras. The newest wins. A camera that is being written is held until that is done, so
//! that flushes over several connections cannot put an older frame over a newer one.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry as Place},
    sync::Arc,
    time::{Duration, Instant},
};

use super::keys::Client;
use crate::relay::{CameraId, Latest};

/// How long an operation waits for others. Long enough for three frames of a camera of 25 or 30 fps
/// that come a little early or late; the last of them is then a few milliseconds old.
pub(super) const WINDOW: Duration = Duration::from_millis(80);
/// Operations that end a window early, and the most that one flush carries.
pub(super) const MAX_OPERATIONS: usize = 10;
/// JPEG bytes that one flush carries, unless a single frame has more: what a link of 64 Mbit/s
/// takes within the second that Redis has for its answer.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// What is to be written of one camera.
#[derive(Debug)]
pub(super) struct Entry {
    pub camera: CameraId,
    pub frame: Option<Arc<Latest>>,
    pub client: Option<Client>,
}

impl Entry {
    pub(super) fn bytes(&self) -> usize {
        self.frame.as_ref().map_or(0, |frame| frame.jpeg_len())
    }
}

/// Counts of frames that were not written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lost {
    /// A newer one came within the window, or while the one before was being written.
    pub coalesced: u64,
    /// Redis was away, or they had aged.
    pub dropped: u64,
}

#[derive(Debug, Default)]
pub(super) struct Batch {
    slots: HashMap<CameraId, Slot>,
    /// Cameras with something to write that are not being written, in the order they came.
    queue: VecDeque<CameraId>,
    /// Operations of the cameras in the queue.
    ready: usize,
    lost: Lost,
    frame_ttl: Duration,
    away: bool,
}

#[derive(Debug)]
struct Slot {
    frame: Option<Arc<Latest>>,
    client: Option<Client>,
    since: Instant,
    is_writing: bool,
    /// The relay forgot the camera while it was being written: nothing is to be put back.
    is_forgotten: bool,
}

impl Slot {
    fn operations(&self) -> usize {
        usize::from(self.frame.is_some()) + usize::from(self.client.is_some())
    }
}

impl Batch {
    /// Frames older than `frame_ttl` are not written: their key would have expired by now.
    pub(super) fn new(frame_ttl: Duration) -> Self {
        Self { frame_ttl, ..Self::default() }
    }

    pub(super) fn lost(&self) -> Lost {
        self.lost
    }

    /// While Redis is away, what is replaced counts as dropped and not as coalesced.
    pub(super) fn set_away(&mut self, away: bool) {
        self.away = away;
    }

    /// A newer frame of a camera.
    pub(super) fn push_frame(&mut self, camera: &CameraId, frame: Arc<Latest>, now: Instant) {
        let replaced = self.push(camera, now, |slot| slot.frame.replace(frame).is_some());
        self.replaced(u64::from(replaced));
    }

    /// The newest state of a client.
    pub(super) fn push_client(&mut self, camera: &CameraId, client: Client, now: Instant) {
        self.push(camera, now, |slot| slot.client = Some(client));
    }

    /// Frames that the relay replaced before they came here.
    pub(super) fn replaced(&mut self, frames: u64) {
        let count = if self.away { &mut self.lost.dropped } else { &mut self.lost.coalesced };
        *count += frames;
    }

    /// When the next entries are due; `None` when nothing waits.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let first = self.slots.get(self.queue.front()?)?;
        let full = self.ready >= MAX_OPERATIONS;
        Some(if full { first.since } else { first.since + WINDOW })
    }

    /// The entries that have waited longest, as many as one flush carries, due or not. Each is to
    /// come back through [`Self::done`] or [`Self::put_back`].
    pub(super) fn take(&mut self, now: Instant) -> Vec<Entry> {
        let (mut entries, mut operations, mut bytes) = (Vec::new(), 0, 0);
        while let Some(camera) = self.queue.front() {
            let Some(slot) = self.slots.get_mut(camera) else {
                self.queue.pop_front();
                continue;
            };
            let aged = |frame: &Arc<Latest>| {
                now.saturating_duration_since(frame.received_at) >= self.frame_ttl
            };
            if slot.frame.take_if(|frame| aged(frame)).is_some() {
                self.ready -= 1;
                self.lost.dropped += 1;
            }
            let more = slot.frame.as_ref().map_or(0, |frame| frame.jpeg_len());
            let fits =
                operations + slot.operations() <= MAX_OPERATIONS && bytes + more <= MAX_BYTES;
            if !fits && !entries.is_empty() {
                break;
            }
            let Some(camera) = self.queue.pop_front() else { break };
            if slot.operations() == 0 {
                self.slots.remove(&camera);
                continue;
            }
            (operations, bytes) = (operations + slot.operations(), bytes + more);
            slot.is_writing = true;
            entries.push(Entry { camera, frame: slot.frame.take(), client: slot.client.take() });
        }
        self.ready -= operations;
        entries
    }

    /// Redis has answered; `refused` frames were not stored.
    pub(super) fn done(&mut self, entries: Vec<Entry>, refused: u64) {
        self.lost.dropped += refused;
        for entry in entries {
            self.written(entry.camera, |_| ());
        }
    }

    /// Redis has not answered: what is still the newest of its camera waits again.
    pub(super) fn put_back(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            let mut dropped = 0;
            self.written(entry.camera, |slot| {
                if slot.is_forgotten || slot.frame.is_some() {
                    dropped = u64::from(entry.frame.is_some());
                } else {
                    slot.frame = entry.frame;
                }
                if !slot.is_forgotten {
                    slot.client = slot.client.or(entry.client);
                }
            });
            self.lost.dropped += dropped;
        }
    }

    /// The relay has forgotten the camera: what waits of it is not written.
    pub(super) fn forget(&mut self, camera: &CameraId) {
        let Some(slot) = self.slots.get_mut(camera) else { return };
        self.lost.dropped += u64::from(slot.frame.is_some());
        if slot.is_writing {
            (slot.frame, slot.client, slot.is_forgotten) = (None, None, true);
        } else {
            self.ready -= slot.operations();
            self.slots.remove(camera);
            self.queue.retain(|queued| queued != camera);
        }
    }

    /// The end: the clients' states that wait. Frames are dropped.
    pub(super) fn into_clients(mut self) -> (Vec<(CameraId, Client)>, Lost) {
        let frames = self.slots.values().filter(|slot| slot.frame.is_some()).count();
        self.lost.dropped += frames as u64;
        let client = |(camera, slot): (_, Slot)| slot.client.map(|client| (camera, client));
        (self.slots.into_iter().filter_map(client).collect(), self.lost)
    }

    fn push<T>(
        &mut self,
        camera: &CameraId,
        now: Instant,
        change: impl FnOnce(&mut Slot) -> T,
    ) -> T {
        let slot = match self.slots.entry(camera.clone()) {
            Place::Occupied(place) => place.into_mut(),
            Place::Vacant(place) => {
                self.queue.push_back(camera.clone());
                place.insert(Slot {
                    frame: None,
                    client: None,
                    since: now,
                    is_writing: false,
                    is_forgotten: false,
                })
            }
        };
        slot.is_forgotten = false;
        let before = slot.operations();
        if before == 0 {
            slot.since = now;
        }
        let result = change(slot);
        if !slot.is_writing {
            self.ready += slot.operations() - before;
        }
        result
    }

    /// A camera is no longer being written; what waits of it after `change` queues up.
    fn written(&mut self, camera: CameraId, change: impl FnOnce(&mut Slot)) {
        let Some(slot) = self.slots.get_mut(&camera) else { return };
        change(slot);
        slot.is_writing = false;
        let operations = slot.operations();
        if operations == 0 {
            self.slots.remove(&camera);
        } else {
            self.ready += operations;
            self.queue.push_back(camera);
        }
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;

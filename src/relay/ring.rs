//! The cache of one camera: the last seconds of frames, bounded in age and bytes.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::Frame;

/// Bounds of one camera's cache. The newest frame always stays.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub age: Duration,
    pub bytes: usize,
}

/// Frames in the order of their `seq`, oldest first.
#[derive(Debug)]
pub(super) struct Ring {
    frames: VecDeque<Frame>,
    bytes: usize,
}

impl Ring {
    pub(super) fn new() -> Self {
        Self { frames: VecDeque::new(), bytes: 0 }
    }

    /// Adds the newest frame and evicts what is over the bounds. `total` counts the bytes of all
    /// cameras.
    pub(super) fn push(&mut self, frame: Frame, bounds: Bounds, total: &AtomicUsize) {
        self.bytes += frame.cost();
        total.fetch_add(frame.cost(), Relaxed);
        let now = frame.received_at;
        self.frames.push_back(frame);
        self.evict(now, bounds, total);
    }

    /// Evicts what is too old or too much, oldest first, but never the newest frame.
    pub(super) fn evict(&mut self, now: Instant, bounds: Bounds, total: &AtomicUsize) {
        while self.frames.len() > 1 {
            let oldest = &self.frames[0];
            let aged = now.saturating_duration_since(oldest.received_at) > bounds.age;
            if !aged && self.bytes <= bounds.bytes {
                break;
            }
            let cost = oldest.cost();
            self.frames.pop_front();
            self.bytes -= cost;
            total.fetch_sub(cost, Relaxed);
        }
        // Ten seconds at 30 fps need 300 places; a burst of tiny frames must not pin more for good.
        if self.frames.capacity() > 4 * self.frames.len().max(64) {
            self.frames.shrink_to(2 * self.frames.len());
        }
    }

    /// Forgets everything, as the camera is forgotten.
    pub(super) fn clear(&mut self, total: &AtomicUsize) {
        total.fetch_sub(self.bytes, Relaxed);
        self.frames.clear();
        self.bytes = 0;
    }

    pub(super) fn newest(&self) -> Option<&Frame> {
        self.frames.back()
    }

    /// The frame with this number.
    pub(super) fn numbered(&self, seq: u64) -> Option<&Frame> {
        let index = self.frames.binary_search_by_key(&seq, |frame| frame.seq).ok()?;
        self.frames.get(index)
    }

    /// The frame that was newest at `then`.
    pub(super) fn at(&self, then: Instant) -> Option<&Frame> {
        let after = self.frames.partition_point(|frame| frame.received_at <= then);
        after.checked_sub(1).map(|index| &self.frames[index])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

//! What has been sent to viewers since the start, over all doors.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Frames and bytes handed over for viewers; clones count together.
#[derive(Debug, Clone, Default)]
pub struct Sent(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    frames: AtomicU64,
    bytes: AtomicU64,
}

impl Sent {
    /// One frame, in a message or part of this many bytes.
    pub(super) fn frame(&self, bytes: usize) {
        self.0.frames.fetch_add(1, Relaxed);
        self.0.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Frames so far.
    pub fn frames(&self) -> u64 {
        self.0.frames.load(Relaxed)
    }

    /// Bytes of them, headers included.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Relaxed)
    }
}

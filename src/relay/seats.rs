//! How many may watch a camera at a time, over all outputs together.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use parking_lot::Mutex;
use thiserror::Error;

/// The camera has as many viewers as it may have. The text goes to the viewer, with 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "stream at capacity: this camera may have {limit} at a time (max_viewers); try again later"
)]
pub struct AtCapacity {
    /// Viewers it may have.
    pub limit: u32,
}

impl AtCapacity {
    /// The stable error code of `docs/protocol.md`.
    pub fn code(self) -> &'static str {
        "at_capacity"
    }
}

/// The seats of one camera.
#[derive(Debug, Default)]
pub(super) struct Seats {
    taken: Arc<Mutex<u32>>,
    /// 0 is no limit.
    limit: AtomicU32,
}

impl Seats {
    pub(super) fn limit_to(&self, limit: u32) {
        self.limit.store(limit, Relaxed);
    }

    pub(super) fn take(&self) -> Result<Seat, AtCapacity> {
        let limit = self.limit.load(Relaxed);
        let mut taken = self.taken.lock();
        if limit > 0 && *taken >= limit {
            return Err(AtCapacity { limit });
        }
        *taken += 1;
        Ok(Seat { taken: self.taken.clone() })
    }

    pub(super) fn taken(&self) -> u32 {
        *self.taken.lock()
    }
}

/// One viewer of a camera, whatever the output, for as long as this lives.
#[derive(Debug)]
pub struct Seat {
    taken: Arc<Mutex<u32>>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        *self.taken.lock() -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_than_the_limit_is_refused_until_somebody_leaves() {
        let seats = Seats::default();
        let crowd: Vec<_> = (0..5).map(|_| seats.take().unwrap()).collect();
        seats.limit_to(5);
        assert_eq!(seats.take().unwrap_err(), AtCapacity { limit: 5 });
        drop(crowd);
        assert_eq!(seats.taken(), 0);
        let seat = seats.take().unwrap();
        seats.limit_to(1);
        assert!(seats.take().is_err());
        drop(seat);
        assert!(seats.take().is_ok());
    }
}

//! The relay's time: a steady instant for intervals, Unix microseconds for stamps.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where the time comes from. Cheap to clone.
///
/// Instants are tokio's, so that a test that pauses the runtime's time moves them by hand.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    fixed: Option<(Instant, u64)>,
}

impl Clock {
    /// The system's clock; a step of the wall clock moves the stamps, never the intervals.
    pub fn system() -> Self {
        Self { fixed: None }
    }

    /// A wall clock that says `unix_us` now and then follows the steady one. For tests.
    pub fn starting_at(unix_us: u64) -> Self {
        Self { fixed: Some((tokio::time::Instant::now().into_std(), unix_us)) }
    }

    /// The steady time.
    pub fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    /// Unix microseconds.
    pub fn unix_us(&self) -> u64 {
        let elapsed = match self.fixed {
            Some((start, _)) => self.now().saturating_duration_since(start),
            None => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        };
        self.fixed.map_or(0, |(_, us)| us) + u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
    }
}

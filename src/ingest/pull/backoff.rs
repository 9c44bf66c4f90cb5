//! How long to wait before a camera is connected to again.

use std::time::Duration;

use rand::Rng as _;

/// Before the first try after a failure.
const FIRST: Duration = Duration::from_millis(500);

/// Longest wait for a camera that was never there: it may be a wrong address.
const LONGEST: Duration = Duration::from_secs(30);

/// Longest wait for one that has been there: with it, and a second to connect, a camera that comes
/// back is seen again within 3 s.
const LONGEST_RETURN: Duration = Duration::from_millis(1500);

/// Waits that double, each cut by chance by up to a half, so that cameras that failed together are not
/// tried together.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    has_been_live: bool,
}

impl Backoff {
    /// It was connected and sent something: waits begin anew.
    pub(super) fn worked(&mut self) {
        (self.failures, self.has_been_live) = (0, true);
    }

    /// Whether the last attempt did not work.
    pub(super) fn is_retry(&self) -> bool {
        self.failures > 0
    }

    /// It failed; how long to wait now.
    pub(super) fn failed(&mut self) -> Duration {
        let longest = if self.has_been_live { LONGEST_RETURN } else { LONGEST };
        let whole = FIRST.saturating_mul(1 << self.failures.min(16)).min(longest);
        self.failures += 1;
        whole.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(backoff: &mut Backoff) -> Vec<f64> {
        (0..9).map(|_| backoff.failed().as_secs_f64()).collect()
    }

    #[test]
    fn waits_double_up_to_half_a_minute_also_for_the_first_dial() {
        let waits = waits(&mut Backoff::default());
        for (wait, whole) in waits.iter().zip([0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]) {
            assert!((whole / 2.0..=whole).contains(wait), "{wait} of {whole}");
        }
    }

    #[test]
    fn a_camera_that_has_been_there_is_looked_for_every_second_or_so() {
        let mut backoff = Backoff::default();
        waits(&mut backoff);
        backoff.worked();
        assert!(!backoff.is_retry());
        let waits = waits(&mut backoff);
        assert!(waits[0] <= 0.5 && waits.iter().all(|&wait| wait <= 1.5), "{waits:?}");
    }
}

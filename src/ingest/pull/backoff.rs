//! How long to wait before a camera is connected to again.

use std::time::Duration;

use rand::Rng as _;
use tokio::time::Instant;

/// Before the first try after a failure.
const FIRST: Duration = Duration::from_millis(500);

/// Longest wait for a camera that was never there: it may be a wrong address.
const LONGEST: Duration = Duration::from_secs(30);

/// Longest wait for one that has been there: with it, and a second to connect, a camera that comes
/// back is seen again within 3 s.
const LONGEST_RETURN: Duration = Duration::from_millis(1500);

/// A connection that brought pictures for less than this did not work: some cameras send one picture
/// and break.
const STEADY: Duration = Duration::from_secs(2);

/// Waits that double, each cut by chance by up to a half, so that cameras that failed together are not
/// tried together.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    has_been_live: bool,
    /// When the newest connection began to bring pictures; `None` since it failed.
    live_since: Option<Instant>,
}

impl Backoff {
    /// It is connected and sent something: waits begin anew if that lasts.
    pub(super) fn worked(&mut self) {
        (self.live_since, self.has_been_live) = (Some(Instant::now()), true);
    }

    /// Whether the last attempt did not work.
    pub(super) fn is_retry(&self) -> bool {
        self.failures > 0 && self.live_since.is_none()
    }

    /// It refused the login, which only a person can mend; how long to wait now. Cameras lock out who
    /// tries more often.
    pub(super) fn refused(&mut self) -> Duration {
        self.failed();
        LONGEST
    }

    /// It failed; how long to wait now.
    pub(super) fn failed(&mut self) -> Duration {
        if self.live_since.take().is_some_and(|since| since.elapsed() >= STEADY) {
            self.failures = 0;
        }
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

    #[tokio::test(start_paused = true)]
    async fn a_camera_that_has_been_there_is_looked_for_every_second_or_so() {
        let mut backoff = Backoff::default();
        waits(&mut backoff);
        backoff.worked();
        assert!(!backoff.is_retry());
        tokio::time::advance(STEADY).await;
        let waits = waits(&mut backoff);
        assert!(backoff.is_retry());
        assert!(waits[0] <= 0.5 && waits.iter().all(|&wait| wait <= 1.5), "{waits:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_breaks_at_once_each_time_does_not_begin_the_waits_anew() {
        let mut backoff = Backoff::default();
        waits(&mut backoff);
        for _ in 0..20 {
            backoff.worked();
            tokio::time::advance(STEADY / 2).await;
            let wait = backoff.failed().as_secs_f64();
            assert!((0.75..=1.5).contains(&wait), "{wait}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_login_waits_longest_also_where_it_has_been_there() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.refused(), LONGEST);
        assert!(backoff.is_retry());
        backoff.worked();
        assert_eq!((backoff.refused(), backoff.refused()), (LONGEST, LONGEST));
    }
}

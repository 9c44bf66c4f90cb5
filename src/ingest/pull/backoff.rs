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
const STEADY: Duration = Duration::from_secs(10);

/// Waits that double, each cut by chance by up to a half, so that cameras that failed together are not
/// tried together. Those of a camera that is not there and of one that breaks each time are two rows: one
/// that breaks once after a night away is not taken for one that always does.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    /// Attempts on end without a picture.
    away: u32,
    /// Connections on end that did not last.
    brief: u32,
    has_been_live: bool,
    last_failed: bool,
    /// When the connection began to bring pictures; `None` without one.
    live_since: Option<Instant>,
}

impl Backoff {
    /// It is connected and sent something: waits begin anew if that lasts.
    pub(super) fn worked(&mut self) {
        self.live_since = Some(Instant::now());
        (self.has_been_live, self.last_failed, self.away) = (true, false, 0);
    }

    /// Whether the last attempt did not work.
    pub(super) fn is_retry(&self) -> bool {
        self.last_failed
    }

    /// The connection was given up without its fault.
    pub(super) fn left(&mut self) {
        if self.live_since.take().is_some_and(|since| since.elapsed() >= STEADY) {
            self.brief = 0;
        }
    }

    /// It refused the login, or its certificate is not trusted, which only a person can mend; how long to
    /// wait now. Cameras lock out who tries more often.
    pub(super) fn refused(&mut self) -> Duration {
        self.failed();
        LONGEST
    }

    /// It failed; how long to wait now.
    pub(super) fn failed(&mut self) -> Duration {
        self.last_failed = true;
        let was_live = self.live_since.is_some();
        self.left();
        let (before, longest) = match (was_live, self.has_been_live) {
            (true, _) => (&mut self.brief, LONGEST),
            (false, true) => (&mut self.away, LONGEST_RETURN),
            (false, false) => (&mut self.away, LONGEST),
        };
        let whole = FIRST.saturating_mul(1 << (*before).min(16)).min(longest);
        *before += 1;
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

    /// What it waits after a connection that lasted so long.
    async fn after(backoff: &mut Backoff, lasted: Duration) -> f64 {
        backoff.worked();
        tokio::time::advance(lasted).await;
        backoff.failed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_breaks_after_a_picture_each_time_is_tried_less_and_less() {
        let mut backoff = Backoff::default();
        after(&mut backoff, STEADY).await;
        backoff.left();
        for whole in [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] {
            let wait = after(&mut backoff, STEADY / 2).await;
            assert!((whole / 2.0..=whole).contains(&wait), "{wait} of {whole}");
        }
        let wait = after(&mut backoff, STEADY).await;
        assert!(wait <= 0.5, "{wait} after one that lasted");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_away_between_its_breaks_is_still_looked_for_every_second_or_so() {
        let mut backoff = Backoff::default();
        for _ in 0..7 {
            after(&mut backoff, STEADY / 2).await;
        }
        let away = waits(&mut backoff);
        assert!(away[0] <= 0.5 && away.iter().all(|&wait| wait <= 1.5), "{away:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_night_away_or_without_viewers_says_nothing_of_how_long_it_lasts() {
        let mut backoff = Backoff::default();
        after(&mut backoff, STEADY * 9).await;
        for _ in 0..400 {
            backoff.failed();
        }
        let wait = after(&mut backoff, STEADY / 2).await;
        assert!(wait <= 1.0, "{wait}");
        backoff.worked();
        backoff.left();
        assert!(!backoff.is_retry());
        tokio::time::advance(STEADY * 9).await;
        // Not what it waits after a connection that lasted, nor after one that broke.
        backoff.failed();
        let wait = after(&mut backoff, STEADY / 2).await;
        assert!((1.0..=2.0).contains(&wait), "{wait}");
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

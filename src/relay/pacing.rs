//! How often a viewer is due for a frame. Sans clock: time comes in.

use std::time::{Duration, Instant};

/// Lets frames through at no more than a rate, without dropping frames of a source at that very
/// rate whose frames jitter.
///
/// A schedule of due times is kept (GCRA, ITU-T I.371 annex A, with a tolerance of half an
/// interval): a frame up to half an interval early is let through and the schedule still moves by a
/// whole one, so the mean rate holds.
#[derive(Debug, Clone)]
pub struct Pacer {
    interval: Duration,
    due: Option<Instant>,
}

impl Pacer {
    /// `fps` is a frame rate above zero; anything else means no limit.
    pub fn new(fps: f64) -> Self {
        let interval = if fps.is_finite() && fps > 0.0 {
            // Half a percent faster than asked, so that clocks that differ a little do not beat.
            Duration::from_secs_f64((1.0 / (fps * 1.005)).min(3600.0))
        } else {
            Duration::ZERO
        };
        Self { interval, due: None }
    }

    /// When the next frame may go; `None` for at once.
    pub fn due_at(&self, now: Instant) -> Option<Instant> {
        let earliest = self.due?.checked_sub(self.interval / 2)?;
        (earliest > now).then_some(earliest)
    }

    /// A frame goes now.
    pub fn sent(&mut self, now: Instant) {
        // After a pause the schedule starts again; it never saves up a burst.
        let base = match self.due {
            Some(due) if due + self.interval / 2 >= now => due,
            _ => now,
        };
        self.due = Some(base + self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Pacer {
        fn take(&mut self, now: Instant) -> bool {
            let due = self.due_at(now).is_none();
            if due {
                self.sent(now);
            }
            due
        }
    }

    fn passed(source_fps: f64, jitter_ms: f64, limit: f64, frames: u32) -> f64 {
        let start = Instant::now();
        let mut pacer = Pacer::new(limit);
        let mut sent = 0;
        for i in 0..frames {
            // A fixed pattern of early and late frames, the same each run.
            let jitter = jitter_ms * f64::from((i * 7 + i * i) % 11) / 10.0;
            let at = f64::from(i) / source_fps + jitter / 1000.0;
            sent += u32::from(pacer.take(start + Duration::from_secs_f64(at)));
        }
        f64::from(sent) / f64::from(frames) * source_fps
    }

    #[test]
    fn a_source_at_the_limit_loses_nothing_to_jitter() {
        assert_eq!(passed(30.0, 10.0, 30.0, 900), 30.0);
        assert!(passed(30.1, 10.0, 30.0, 9000) > 29.9);
    }

    #[test]
    fn a_faster_source_is_held_to_the_limit() {
        for (source, limit) in [(60.0, 30.0), (30.0, 20.0), (30.0, 1.0), (25.0, 24.0), (30.0, 7.0)]
        {
            let fps = passed(source, 0.0, limit, 3000);
            assert!(fps <= limit * 1.01 && fps >= limit * 0.97, "{source} at {limit}: {fps}");
        }
    }

    #[test]
    fn a_pause_saves_up_no_burst() {
        let start = Instant::now();
        let mut pacer = Pacer::new(10.0);
        assert!(pacer.take(start));
        let later = start + Duration::from_secs(60);
        let burst = (0..10).filter(|&ms| pacer.take(later + Duration::from_millis(ms))).count();
        assert_eq!(burst, 1);
    }

    #[test]
    fn no_limit_lets_everything_through() {
        let now = Instant::now();
        for fps in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut pacer = Pacer::new(fps);
            assert!((0..100).all(|_| pacer.take(now)), "{fps}");
        }
    }
}

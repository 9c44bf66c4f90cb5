//! Frames and bytes a second, over the last few seconds.

use std::time::{Duration, Instant};

const BUCKETS: usize = 8;
const BUCKET: Duration = Duration::from_millis(250);

/// A sliding window of two seconds in buckets of a quarter: fixed size, one addition a frame.
#[derive(Debug)]
pub(super) struct Meter {
    started: Instant,
    /// Index of the bucket written last, counted since `started`.
    newest: u64,
    buckets: [(u32, u64); BUCKETS],
}

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        Self { started: now, newest: 0, buckets: [(0, 0); BUCKETS] }
    }

    pub(super) fn add(&mut self, bytes: usize, now: Instant) {
        self.turn(now);
        let (frames, total) = &mut self.buckets[self.newest as usize % BUCKETS];
        *frames += 1;
        *total += bytes as u64;
    }

    /// (frames, bytes) a second. The bucket being filled does not count, so the figure is steady.
    pub(super) fn per_second(&mut self, now: Instant) -> (f64, f64) {
        self.turn(now);
        let full = self.newest.min(BUCKETS as u64 - 1);
        if full == 0 {
            return (0.0, 0.0);
        }
        let (mut frames, mut bytes) = (0, 0);
        for index in self.newest - full..self.newest {
            let (f, b) = self.buckets[index as usize % BUCKETS];
            frames += f;
            bytes += b;
        }
        let seconds = full as f64 * BUCKET.as_secs_f64();
        (f64::from(frames) / seconds, bytes as f64 / seconds)
    }

    fn turn(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.started).as_millis();
        let index = (elapsed / BUCKET.as_millis()) as u64;
        for empty in (self.newest + 1..=index).take(BUCKETS) {
            self.buckets[empty as usize % BUCKETS] = (0, 0);
        }
        // A gap longer than the window has cleared every bucket above.
        self.newest = self.newest.max(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_reads_as_its_rate_and_silence_as_zero() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let mut now = start;
        for _ in 0..90 {
            meter.add(1000, now);
            now += Duration::from_micros(33_333);
        }
        let (fps, bytes) = meter.per_second(now);
        assert!((fps - 30.0).abs() < 1.5, "{fps}");
        assert!((bytes - 30_000.0).abs() < 1500.0, "{bytes}");
        assert_eq!(meter.per_second(now + Duration::from_secs(60)), (0.0, 0.0));
    }
}

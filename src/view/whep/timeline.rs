//! The times of a camera's units as one RTP clock.
//!
//! Each generation of units has a clock of its own, and a viewer begins with pictures that are already
//! old. Numbers and an `Instant` in, RTP times out.

use std::time::Instant;

use crate::relay::TICKS;

/// Between pictures that are only decoded to reach the newest one: 1 ms. A browser would show them in
/// their own time, and stay as far behind for long, if they were sent with it.
const HURRY: u32 = 90;

/// See the module's header.
#[derive(Debug)]
pub(super) struct Timeline {
    generation: Option<u64>,
    /// RTP time less the units' time; `None` until the newest unit is reached.
    offset: Option<u32>,
    /// The newest RTP time, and when it was given.
    last: (u32, Instant),
}

impl Timeline {
    /// Begins at any number, which RFC 3550 wants to be random.
    pub(super) fn new(start: u32, now: Instant) -> Self {
        Self { generation: None, offset: None, last: (start, now) }
    }

    /// The RTP time of a picture of `generation` to be shown at `pts`, behind which `waiting` more are
    /// there already.
    pub(super) fn stamp(&mut self, generation: u64, pts: i64, waiting: usize, now: Instant) -> u32 {
        let (last, at) = self.last;
        let time = if self.generation != Some(generation) {
            self.generation = Some(generation);
            self.offset = None;
            // As much later as it came later.
            last.wrapping_add(ticks(now.saturating_duration_since(at)).max(HURRY))
        } else if let Some(offset) = self.offset {
            let time = offset.wrapping_add(pts as u32);
            // A camera that repeats a time must not make two pictures one.
            let is_later = time.wrapping_sub(last).wrapping_sub(1) < u32::MAX / 2;
            if is_later { time } else { last.wrapping_add(1) }
        } else {
            last.wrapping_add(HURRY)
        };
        if self.offset.is_none() && waiting == 0 {
            self.offset = Some(time.wrapping_sub(pts as u32));
        }
        self.last = (time, now);
        time
    }
}

fn ticks(duration: std::time::Duration) -> u32 {
    (duration.as_millis() as i64).wrapping_mul(TICKS / 1000) as u32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn pictures_that_are_old_are_hurried_through_and_then_the_cameras_time_counts() {
        let now = Instant::now();
        let mut line = Timeline::new(u32::MAX - 100, now);
        let times: Vec<u32> =
            (0..4).map(|n| line.stamp(1, i64::from(n) * 3000, 3 - n as usize, now)).collect();
        let steps: Vec<u32> = times.windows(2).map(|two| two[1].wrapping_sub(two[0])).collect();
        assert_eq!(steps, [90, 90, 90]);
        let next = line.stamp(1, 4 * 3000, 0, now);
        assert_eq!(next.wrapping_sub(times[3]), 3000);
        assert_eq!(line.stamp(1, 6 * 3000, 0, now).wrapping_sub(next), 6000);
    }

    #[test]
    fn a_new_generation_goes_on_as_much_later_as_it_came_whatever_its_clock_says() {
        let now = Instant::now();
        let mut line = Timeline::new(0, now);
        let before = line.stamp(1, 1_000_000, 0, now);
        let after = line.stamp(2, -5, 0, now + Duration::from_secs(2));
        assert_eq!(after - before, 180_000);
        assert_eq!(line.stamp(2, 2995, 0, now + Duration::from_secs(2)) - after, 3000);
    }

    #[test]
    fn time_never_stands_still_or_goes_back() {
        let now = Instant::now();
        let mut line = Timeline::new(0, now);
        let first = line.stamp(1, 9000, 0, now);
        assert_eq!(line.stamp(1, 9000, 0, now), first + 1);
        assert_eq!(line.stamp(1, 3000, 0, now), first + 2);
        assert_eq!(line.stamp(1, 12_000, 0, now), first + 3000);
    }
}

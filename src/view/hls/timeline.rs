//! Decode times: units come with the times that they are shown at, in the order they are decoded in.
//!
//! Without B-frames the two orders are one, and so are the times. With them, decode times have to
//! grow and may not be later than what is shown. The times of showing, sorted and moved back by as many
//! pictures as one is ever early by, are such times; nothing has to be waited for to know them.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::relay::TICKS;

/// Most pictures that one may come early by: what decoders have room for (H.264 annex A, H.265 annex A).
const MAX_DEPTH: usize = 16;

/// Times further apart than this belong to different recordings: the camera's clock was set.
const MAX_STEP: i64 = 10 * TICKS;

/// Pictures closer than this, 1 ms, are so by a lack of room for them and say nothing of the pace.
const MIN_STEP: i64 = TICKS / 1000;

/// A pts that fits to none before. What follows needs a new timeline, from a key frame on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Jump;

/// The times of one generation, in ticks of [`TICKS`] a second, from 0.
#[derive(Debug)]
pub(super) struct Timeline {
    /// The pts that stands for 0.
    origin: i64,
    /// How many pictures one is early by at most, as far as is known.
    depth: usize,
    /// Those shown later than the newest decode time, and that one's successor.
    shown_later: BinaryHeap<Reverse<i64>>,
    last: Option<i64>,
    /// Between two pictures, smoothed.
    frame: i64,
}

impl Timeline {
    /// Learns from the pts of the first pictures, at best six or more, the first of which is a key frame.
    pub(super) fn learn(first: &[i64]) -> Self {
        let early = |n: usize| first[..n].iter().filter(|before| **before > first[n]).count();
        let depth = (0..first.len()).map(early).max().unwrap_or_default().min(MAX_DEPTH);
        let mut sorted = first.to_vec();
        sorted.sort_unstable();
        let mut steps: Vec<_> = sorted.windows(2).map(|pair| pair[1] - pair[0]).collect();
        steps.sort_unstable();
        // The middle one: pictures that are still to come leave gaps between those that are there.
        let step = match depth {
            0 => steps.get(steps.len() / 2),
            _ => steps.first(),
        };
        let frame = step.copied().unwrap_or(TICKS / 25).clamp(1, MAX_STEP);
        let origin = first.first().copied().unwrap_or_default() - depth as i64 * frame;
        Self { origin, depth, shown_later: BinaryHeap::new(), last: None, frame }
    }

    /// A pts on this timeline.
    pub(super) fn shown_at(&self, pts: i64) -> i64 {
        pts - self.origin
    }

    /// How long a picture is shown, as it seems at present.
    pub(super) fn frame(&self) -> i64 {
        self.frame
    }

    /// When the newest picture is decoded.
    pub(super) fn last(&self) -> Option<i64> {
        self.last
    }

    /// How many pictures one is early by at most.
    #[cfg(test)]
    fn depth(&self) -> usize {
        self.depth
    }

    /// When the next picture is decoded; always later than the one before.
    pub(super) fn decode_at(&mut self, pts: i64) -> Result<i64, Jump> {
        let shown = self.shown_at(pts);
        // No order of decoding explains a picture from further back: the camera's clock was set.
        let furthest = TICKS.max((MAX_DEPTH as i64 + 1) * self.frame);
        if self.last.is_some_and(|last| shown - last > MAX_STEP || last - shown > furthest) {
            return Err(Jump);
        }
        if self.last.is_some_and(|last| shown < last) && self.depth < MAX_DEPTH {
            // Earlier than was thought possible. From here on everything is decoded that much sooner.
            self.depth += 1;
        }
        self.shown_later.push(Reverse(shown));
        let due = if self.shown_later.len() > self.depth {
            self.shown_later.pop().map(|Reverse(due)| due)
        } else {
            let begun = self.last.filter(|last| *last < shown).map(|last| last + self.frame);
            Some(begun.unwrap_or(0))
        };
        let due = due.unwrap_or_default();
        let dts = self.last.map_or(due, |last| due.max(last + 1));
        if let Some(step) = self.last.map(|last| dts - last).filter(|step| *step > MIN_STEP) {
            // One pause is no new pace.
            self.frame = (self.frame + (step.min(2 * self.frame) - self.frame) / 8).max(1);
        }
        self.last = Some(dts);
        Ok(dts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decode times of pictures with these numbers, at 30 a second, and how late each is shown.
    fn decoded(order: &[i64], known: usize) -> (Vec<i64>, Vec<i64>) {
        let pts: Vec<_> = order.iter().map(|n| 500_000 + n * 3000).collect();
        let mut timeline = Timeline::learn(&pts[..known]);
        let dts: Vec<_> = pts.iter().map(|pts| timeline.decode_at(*pts).unwrap()).collect();
        let offsets = pts.iter().zip(&dts).map(|(pts, dts)| timeline.shown_at(*pts) - dts);
        (dts.clone(), offsets.collect())
    }

    #[test]
    fn without_b_frames_a_picture_is_decoded_when_it_is_shown() {
        let (dts, offsets) = decoded(&[0, 1, 2, 3, 4, 5, 6, 7], 6);
        assert_eq!(dts, (0..8).map(|n| n * 3000).collect::<Vec<_>>());
        assert!(offsets.iter().all(|offset| *offset == 0));
    }

    #[test]
    fn with_b_frames_decode_times_are_even_and_never_after_showing() {
        for order in
            [vec![0, 3, 1, 2, 6, 4, 5, 9, 7, 8], vec![0, 4, 2, 1, 3, 8, 6, 5, 7, 12, 10, 9, 11]]
        {
            let (dts, offsets) = decoded(&order, 6);
            assert_eq!(dts, (0..order.len() as i64).map(|n| n * 3000).collect::<Vec<_>>());
            assert!(offsets.iter().all(|offset| *offset >= 0), "{offsets:?}");
        }
    }

    #[test]
    fn b_frames_that_begin_late_are_adapted_to() {
        let order: Vec<_> = (0..8).chain([10, 8, 9, 13, 11, 12, 16, 14, 15, 19, 17, 18]).collect();
        let (dts, offsets) = decoded(&order, 6);
        assert!(dts.windows(2).all(|pair| pair[0] < pair[1]), "{dts:?}");
        assert!(offsets[12..].iter().all(|offset| *offset >= 0), "{offsets:?}");
    }

    #[test]
    fn times_are_exact_after_hours_of_a_camera_whose_clock_is_off() {
        let pts: Vec<i64> = (0..400_000).map(|n| n * 300_123 / 100).collect();
        let mut timeline = Timeline::learn(&pts[..6]);
        for pts in pts {
            assert_eq!(timeline.decode_at(pts).unwrap(), pts);
        }
        assert!((3000..=3002).contains(&timeline.frame()));
    }

    #[test]
    fn a_camera_that_slows_down_is_followed() {
        let mut timeline = Timeline::learn(&[0, 3000, 6000, 9000]);
        for n in 0..40 {
            timeline.decode_at(n * 18_000).unwrap();
        }
        assert!((17_000..=18_000).contains(&timeline.frame()), "{}", timeline.frame());
        assert_eq!(timeline.depth(), 0);
    }

    #[test]
    fn a_clock_that_is_set_is_a_jump_and_equal_times_are_not() {
        let mut timeline = Timeline::learn(&[0, 3000]);
        assert_eq!(timeline.decode_at(0), Ok(0));
        assert_eq!(timeline.decode_at(0), Ok(1));
        assert_eq!(timeline.decode_at(20 * TICKS), Err(Jump));
        assert_eq!(timeline.decode_at(-20 * TICKS), Err(Jump));
        assert_eq!(timeline.decode_at(3000), Ok(3000));
    }
}

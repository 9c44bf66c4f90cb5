//! How long parts and segments are to be: what a playlist says once and may not change.

use crate::relay::TICKS;

/// What a part is to be, in ticks.
const PART: i64 = TICKS / 5;
/// Pictures need not come as evenly as the parts are to be.
const JITTER: i64 = TICKS / 200;
/// The shortest segment, in ticks, where the target duration allows it.
const SHORTEST_SEGMENT: i64 = TICKS / 2;
/// The target duration while nothing is known of the camera: most have a key frame every second or two.
pub(super) const DEFAULT_TARGET_S: u32 = 2;
/// Longer groups of pictures are cut.
pub(super) const MAX_TARGET_S: u32 = 10;

/// What a playlist may not change, once it has said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Targets {
    /// `EXT-X-TARGETDURATION`, in seconds: no segment's duration, rounded, is above it.
    pub segment_s: u32,
    /// `PART-TARGET`, in ticks: no part is longer.
    pub part: i64,
}

impl Targets {
    pub(super) fn new(segment_s: u32, frame: i64) -> Self {
        let pictures = ((PART + frame / 2) / frame).max(1);
        // In whole milliseconds, as it is written.
        let millisecond = TICKS / 1000;
        let part = (pictures * frame + JITTER + millisecond - 1) / millisecond * millisecond;
        Self { segment_s, part }
    }

    /// So that seven segments are three target durations, which is what a window may not be below.
    pub(super) fn shortest_segment(self) -> i64 {
        SHORTEST_SEGMENT.max(i64::from(self.segment_s) * TICKS / 2)
    }

    /// Rounded, this is still the target duration.
    pub(super) fn longest_segment(self) -> i64 {
        i64::from(self.segment_s) * TICKS + TICKS * 4 / 10
    }
}

/// The target duration for a camera that has a key frame so often.
pub(super) fn target_s(group_ticks: i64) -> u32 {
    let seconds = (group_ticks + TICKS / 2) / TICKS;
    u32::try_from(seconds).unwrap_or(MAX_TARGET_S).clamp(1, MAX_TARGET_S)
}

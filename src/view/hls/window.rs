//! The newest segments of a camera: what of them a playlist shows, and what can still be had.
//!
//! Belongs here: numbers, names, order, and the bounds of time and bytes. Does not: how parts are made
//! (`packager`), or how a playlist is written (`playlist`).

use std::{collections::VecDeque, sync::Arc, time::Instant};

use bytes::Bytes;

use super::{
    packager::{NewPart, Presentation},
    targets::Targets,
};
use crate::relay::TICKS;

/// Most bytes of one camera's segments, shown or not: 16 s at 4 Mbit/s. Beyond, the window gets
/// shorter than it should be, down to one segment.
const MAX_BYTES: usize = 8 << 20;

/// Fewest whole segments that are shown, once there were so many.
const MIN_SEGMENTS: usize = 3;

/// 2026-01-01, Unix seconds.
const NUMBERS_BEGIN: u64 = 1_767_225_600;

/// A segment, whole or in the making.
#[derive(Debug)]
pub(super) struct Segment {
    /// Media sequence number.
    pub number: u64,
    /// Oldest first.
    pub parts: Vec<Part>,
    /// Ticks; `None` while it is in the making.
    pub duration: Option<i64>,
    /// What it is made of.
    pub presentation: Arc<Presentation>,
    /// Names the initialization section: the number of the first segment that it is for.
    pub init: u64,
    /// Whether it has nothing to do with the one before.
    pub is_discontinuous: bool,
    /// Unix microseconds: when its first picture came.
    pub wall_us: u64,
    /// When its last part came.
    pub newest: Instant,
}

impl Segment {
    /// All of it.
    pub(super) fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.bytes.len()).sum()
    }

    /// Ticks, so far.
    pub(super) fn length(&self) -> i64 {
        self.duration.unwrap_or_else(|| self.parts.iter().map(|part| part.duration).sum())
    }
}

/// A part of a segment.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Grows by one a part, over all segments: so the next part's name is known even when it is not
    /// known yet which segment it belongs to.
    pub number: u64,
    /// `moof` and `mdat`.
    pub bytes: Bytes,
    /// Ticks.
    pub duration: i64,
    /// Whether there is a key frame in it.
    pub is_independent: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Window {
    /// Whole ones, then at most one in the making.
    segments: VecDeque<Segment>,
    /// How many at the front playlists no longer show.
    hidden: usize,
    bytes: usize,
    next_segment: u64,
    next_part: u64,
    /// Discontinuities that playlists no longer show.
    discontinuities: u64,
    presentation: Option<(Arc<Presentation>, u64)>,
    is_discontinuous: bool,
    targets: Option<Targets>,
    clock: WallClock,
    /// Unix microseconds, of the newest segment.
    newest_us: u64,
}

/// What a request for one part finds.
#[derive(Debug)]
pub(super) enum Found {
    Here(Bytes),
    /// It is the one that comes next.
    Soon,
    /// It is gone, or was never announced.
    No,
}

impl Window {
    /// Numbers go by the time, so that players which come back to a window that was begun anew
    /// meanwhile find higher ones, as they have to. Segments are half a second or longer and parts
    /// a millisecond, so the time is always ahead.
    pub(super) fn new(unix_us: u64) -> Self {
        let since = unix_us.saturating_sub(NUMBERS_BEGIN * 1_000_000);
        Self {
            segments: VecDeque::new(),
            hidden: 0,
            bytes: 0,
            next_segment: since / 500_000,
            next_part: since / 1000,
            discontinuities: 0,
            presentation: None,
            is_discontinuous: false,
            targets: None,
            clock: WallClock::default(),
            newest_us: 0,
        }
    }

    /// What follows has nothing to do with what was.
    pub(super) fn begin(&mut self, presentation: Arc<Presentation>, targets: Targets) {
        self.targets = Some(targets);
        self.is_discontinuous = !self.segments.is_empty();
        self.presentation = Some((presentation, self.next_segment));
        self.clock = WallClock::default();
    }

    /// The next part; `unix_us` is when its first unit came.
    pub(super) fn add(&mut self, part: NewPart, unix_us: u64) {
        let Some((presentation, init)) = self.presentation.clone() else { return };
        let newest = part.units.1.received_at;
        if self.segments.back().is_none_or(|segment| segment.duration.is_some()) {
            // A new beginning has a new clock: no date may go back for it.
            let wall_us = self.clock.wall_us(part.shown_at, unix_us).max(self.newest_us + 1000);
            self.newest_us = wall_us;
            if self.is_discontinuous && self.hidden == self.segments.len() {
                // Nothing that is shown stands before it.
                self.discontinuities += 1;
            }
            self.segments.push_back(Segment {
                number: self.next_segment,
                parts: Vec::new(),
                duration: None,
                presentation,
                init,
                is_discontinuous: std::mem::take(&mut self.is_discontinuous),
                wall_us,
                newest,
            });
            self.next_segment += 1;
        }
        let number = self.next_part;
        self.next_part += 1;
        self.bytes += part.bytes.len();
        let NewPart { bytes, duration, is_independent, .. } = part;
        if let Some(segment) = self.segments.back_mut() {
            segment.newest = newest;
            segment.parts.push(Part { number, bytes, duration, is_independent });
        }
        self.shed();
    }

    /// The segment in the making is complete.
    pub(super) fn end(&mut self, duration: i64) {
        if let Some(segment) = self.segments.back_mut() {
            segment.duration.get_or_insert(duration);
        }
        self.hide();
        self.shed();
    }

    /// Playlists show nothing of what was any more; for a while it can still be had. What comes has to
    /// [begin](Self::begin) anew.
    pub(super) fn rest(&mut self) {
        while self.hidden < self.segments.len() {
            self.hide_one();
        }
    }

    /// What is shown, oldest first; the last one may be in the making.
    pub(super) fn shown(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.segments.iter().skip(self.hidden)
    }

    /// Whole segments that are shown.
    pub(super) fn whole(&self) -> usize {
        self.shown().filter(|segment| segment.duration.is_some()).count()
    }

    /// What a playlist may not change; known with the first part.
    pub(super) fn targets(&self) -> Option<Targets> {
        self.targets
    }

    /// For `EXT-X-DISCONTINUITY-SEQUENCE`.
    pub(super) fn discontinuities(&self) -> u64 {
        self.discontinuities
    }

    /// The number of the segment in the making, or of the one to come, and how many parts it has.
    pub(super) fn edge(&self) -> (u64, usize) {
        match self.segments.back().filter(|segment| segment.duration.is_none()) {
            Some(segment) => (segment.number, segment.parts.len()),
            None => (self.next_segment, 0),
        }
    }

    /// The number of the part to come.
    pub(super) fn next_part(&self) -> u64 {
        self.next_part
    }

    /// When the newest part came.
    pub(super) fn newest(&self) -> Option<Instant> {
        self.segments.back().map(|segment| segment.newest)
    }

    /// The parts of a whole segment.
    pub(super) fn segment(&self, number: u64) -> Option<Vec<Bytes>> {
        let segment = self.segments.iter().find(|segment| segment.number == number)?;
        segment.duration?;
        Some(segment.parts.iter().map(|part| part.bytes.clone()).collect())
    }

    /// Whether this segment has so many parts, counted from 0.
    pub(super) fn has_part(&self, segment: u64, part: u64) -> bool {
        let segment = self.segments.iter().find(|it| it.number == segment);
        segment.is_some_and(|segment| part < segment.parts.len() as u64)
    }

    /// One part.
    pub(super) fn part(&self, number: u64) -> Found {
        if number == self.next_part {
            return Found::Soon;
        }
        let mut parts = self.segments.iter().rev().flat_map(|segment| &segment.parts);
        match parts.find(|part| part.number == number) {
            Some(part) => Found::Here(part.bytes.clone()),
            None => Found::No,
        }
    }

    /// The initialization section that has this name.
    pub(super) fn init(&self, number: u64) -> Option<Bytes> {
        let segment = self.segments.iter().find(|segment| segment.init == number)?;
        Some(segment.presentation.init.clone())
    }

    /// Takes the oldest segments out of the playlist, which has to keep three target durations.
    fn hide(&mut self) {
        let Some(targets) = self.targets else { return };
        let least = 3 * i64::from(targets.segment_s) * TICKS;
        let whole = |segment: &&Segment| segment.duration.is_some();
        let mut length: i64 = self.shown().filter(whole).map(Segment::length).sum();
        let mut count = self.whole();
        while count > MIN_SEGMENTS {
            let Some(first) = self.segments.get(self.hidden) else { break };
            length -= first.length();
            if length < least {
                break;
            }
            self.hide_one();
            count -= 1;
        }
    }

    fn hide_one(&mut self) {
        // The discontinuity that is counted as gone is that of the segment which is then the first.
        self.hidden += 1;
        if self.segments.get(self.hidden).is_some_and(|first| first.is_discontinuous) {
            self.discontinuities += 1;
        }
    }

    /// Frees what nobody can still ask for, and more where there is no room.
    fn shed(&mut self) {
        let shown: i64 = self.shown().map(Segment::length).sum();
        loop {
            let hidden = self.segments.iter().take(self.hidden).skip(1);
            let since: i64 = hidden.map(Segment::length).sum();
            // Whoever has the last playlist that shows it may ask for so long.
            let is_over = self.hidden > 0
                && self.segments.front().is_some_and(|first| since > shown + first.length());
            let is_tight = self.bytes > MAX_BYTES && self.segments.len() > 2;
            if !is_over && !is_tight {
                return;
            }
            if self.hidden == 0 {
                self.hide_one();
            }
            let Some(old) = self.segments.pop_front() else { return };
            self.hidden -= 1;
            self.bytes -= old.bytes();
        }
    }
}

/// Turns the camera's time into that of the wall.
#[derive(Debug, Default)]
struct WallClock {
    /// Unix microseconds of the camera's 0.
    zero_us: Option<i64>,
}

impl WallClock {
    /// When what is shown at `ticks` came, which was at `unix_us` or a little before: a network delays,
    /// so one time alone would make segments jump to and fro, and cameras' clocks drift, so the first
    /// one alone would go wrong.
    fn wall_us(&mut self, ticks: i64, unix_us: u64) -> u64 {
        let at = ticks * 1000 / (TICKS / 1000);
        let seen = i64::try_from(unix_us).unwrap_or(i64::MAX) - at;
        let zero = match self.zero_us {
            Some(zero) if (seen - zero).abs() < 1_000_000 => zero + (seen - zero) / 16,
            _ => seen,
        };
        self.zero_us = Some(zero);
        (zero + at).unsigned_abs()
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;

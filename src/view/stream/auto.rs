//! Which size a viewer gets that leaves it to the server. Sans I/O: time comes in.
//!
//! It starts with the smallest rung that is as wide as the picture is shown and has all frames that the viewer
//! wants. When frames gain age on their way, or a third of them has to be left out, it goes a rung lower; when
//! all has been good for a while, a rung higher. A climb that failed makes the next one wait twice as long, so
//! that a link between two rungs does not swing.

use std::time::{Duration, Instant};

use crate::{
    relay::{Quality, Rung},
    wire::stream::Counts,
};

/// Over this much time acknowledgements are judged together: one late frame is noise.
const WINDOW: Duration = Duration::from_secs(1);
/// A frame that gained more age than this on its way is late. `Flow` lets a queue of 60 ms stand; at
/// 30 fps this is one frame more.
const LATE: Duration = Duration::from_millis(100);
/// After a change, frames of before it are still on their way, and the link's queue drains.
const SETTLE: Duration = Duration::from_secs(1);
/// How long all has to be good before a climb.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same after climbs that failed, at the most.
const MAX_PATIENCE: Duration = Duration::from_secs(80);
/// A climb that has to be taken back within this time, beyond the patience it took, has failed.
const PROBATION: Duration = Duration::from_secs(10);

/// The sizes to choose from, largest first.
const STEPS: [Quality; 4] = [
    Quality::Source,
    Quality::Rung(Rung::HIGH),
    Quality::Rung(Rung::MEDIUM),
    Quality::Rung(Rung::LOW),
];

/// The size that a viewer asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Fixed(Quality),
    /// As the link allows, up to this.
    Auto(Quality),
}

impl Size {
    /// From `quality` and `width` of a subscription to at most `fps` frames a second. The error is for
    /// the viewer.
    pub(super) fn read(
        quality: Option<&str>,
        width: Option<u32>,
        fps: f64,
    ) -> Result<Self, String> {
        if width == Some(0) {
            return Err("width: use a number above 0".to_owned());
        }
        // A wall of small pictures runs as smoothly as a large one: a rung of fewer frames is for slow links.
        let is_smooth = |rung: &Rung| rung.max_fps() >= fps;
        let is_wide = |rung: &Rung| width.is_some_and(|width| u32::from(rung.width()) >= width);
        let fits = |quality: &&Quality| match quality {
            Quality::Source => true,
            Quality::Rung(rung) => is_wide(rung) && is_smooth(rung),
        };
        // The source always fits.
        let top = STEPS.iter().rev().find(fits).copied().unwrap_or_default();
        match quality {
            None if width.is_none() => Ok(Self::Fixed(Quality::Source)),
            None | Some("auto") => Ok(Self::Auto(top)),
            Some(name) => Quality::named(name)
                .map(Self::Fixed)
                .ok_or_else(|| "quality: use source, high, medium, low or auto".to_owned()),
        }
    }

    /// What follows the link from `now` on, if anything does.
    pub(super) fn auto(self, now: Instant) -> Option<Auto> {
        matches!(self, Self::Auto(_)).then(|| Auto::new(now))
    }

    /// What is to be sent of a camera whose pictures are `width` pixels wide, where that is known.
    pub(super) fn quality(self, auto: Option<&Auto>, width: Option<u16>) -> Quality {
        let down = auto.map_or(0, |auto| auto.down);
        self.steps(width).take(down + 1).last().unwrap_or_default()
    }

    /// How many steps down there are.
    pub(super) fn depth(self, width: Option<u16>) -> usize {
        self.steps(width).count() - 1
    }

    /// What it may be, best first. Rungs that are no narrower than the camera are the source itself.
    fn steps(self, width: Option<u16>) -> impl Iterator<Item = Quality> {
        let smaller = move |step: &Quality| match (step, width) {
            (Quality::Rung(rung), Some(width)) => rung.width() < width,
            (Quality::Rung(_), None) => true,
            (Quality::Source, _) => false,
        };
        let (top, last) = match self {
            Self::Fixed(quality) => (quality, 0),
            Self::Auto(top) if smaller(&top) => (top, STEPS.len()),
            Self::Auto(_) => (Quality::Source, STEPS.len()),
        };
        let below = STEPS.iter().position(|step| *step == top).map_or(STEPS.len(), |at| at + 1);
        let below = STEPS[below.min(last)..last].iter().copied().filter(smaller);
        std::iter::once(top).chain(below)
    }
}

/// How far below its top a viewer is kept, by its acknowledgements.
#[derive(Debug)]
pub(super) struct Auto {
    /// Steps.
    down: usize,
    /// What is judged next; none until things have settled.
    window: Option<Window>,
    settled_at: Instant,
    /// Since when all is good.
    good_since: Instant,
    /// How long it has to be before the next climb.
    patience: Duration,
    climbed_at: Option<Instant>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    /// At its start.
    counts: Counts,
    acks: u32,
    late: u32,
}

impl Window {
    fn from(since: Instant, counts: Counts) -> Self {
        Self { since, counts, acks: 0, late: 0 }
    }
}

impl Auto {
    fn new(now: Instant) -> Self {
        Self {
            down: 0,
            window: None,
            settled_at: now,
            good_since: now,
            patience: PATIENCE,
            climbed_at: None,
        }
    }

    /// A frame was shown that gained `delay` of age on its way; `counts` are the subscription's, and
    /// there are `depth` steps down. True when another size may be the right one now.
    pub(super) fn acked(
        &mut self,
        now: Instant,
        delay: Duration,
        counts: Counts,
        depth: usize,
    ) -> bool {
        if now < self.settled_at {
            return false;
        }
        let window = self.window.get_or_insert_with(|| Window::from(now, counts));
        window.acks += 1;
        window.late += u32::from(delay > LATE);
        if now.saturating_duration_since(window.since) < WINDOW {
            return false;
        }
        let sent = counts.sent - window.counts.sent;
        let left_out = counts.behind - window.counts.behind;
        let is_bad = 2 * window.late > window.acks || 2 * left_out > sent;
        self.window = Some(Window::from(now, counts));
        if is_bad { self.lower(now, depth) } else { self.is_good(now) }
    }

    fn lower(&mut self, now: Instant, depth: usize) -> bool {
        match self.climbed_at.take().map(|at| now.saturating_duration_since(at)) {
            Some(held) if held < self.patience + PROBATION => {
                self.patience = (2 * self.patience).min(MAX_PATIENCE);
            }
            Some(_) => self.patience = PATIENCE,
            None => {}
        }
        self.down = (self.down + 1).min(depth);
        self.settle(now);
        true
    }

    fn is_good(&mut self, now: Instant) -> bool {
        let is_patient = now.saturating_duration_since(self.good_since) >= self.patience;
        if self.down == 0 || !is_patient {
            return false;
        }
        self.down -= 1;
        self.climbed_at = Some(now);
        self.settle(now);
        true
    }

    fn settle(&mut self, now: Instant) {
        self.window = None;
        self.settled_at = now + SETTLE;
        self.good_since = now;
    }
}

#[cfg(test)]
#[path = "auto_tests.rs"]
mod tests;

//! The rungs of a camera: which smaller pictures of it can be had.
//!
//! Belongs here: the ladder. Does not: scaling (`media`), or who watches which rung.

use std::fmt;

/// One step of [`LADDER`].
#[derive(Debug)]
struct Step {
    name: &'static str,
    width: u16,
    jpeg_quality: u8,
    max_fps: f64,
}

/// Few and fixed, so that whatever widths viewers ask for, a camera has a handful of encodings.
static LADDER: [Step; 6] = [
    // A thumbnail: what it saves in frames goes to the cameras that somebody looks at.
    Step { name: "low", width: 320, jpeg_quality: 60, max_fps: 10.0 },
    Step { name: "480", width: 480, jpeg_quality: 65, max_fps: f64::INFINITY },
    Step { name: "medium", width: 640, jpeg_quality: 70, max_fps: f64::INFINITY },
    Step { name: "960", width: 960, jpeg_quality: 75, max_fps: f64::INFINITY },
    Step { name: "high", width: 1280, jpeg_quality: 80, max_fps: f64::INFINITY },
    Step { name: "1920", width: 1920, jpeg_quality: 80, max_fps: f64::INFINITY },
];

/// A size that a camera's pictures are scaled to. Ordered by width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rung(u8);

impl Rung {
    /// 320 wide, at most 10 frames a second.
    pub const LOW: Self = Self(0);
    /// 640 wide.
    pub const MEDIUM: Self = Self(2);
    /// 1280 wide.
    pub const HIGH: Self = Self(4);

    /// The smallest that is at least `width` pixels wide; `None` when only the source may be.
    pub fn at_least(width: u32) -> Option<Self> {
        let at = LADDER.iter().position(|step| u32::from(step.width) >= width)?;
        u8::try_from(at).ok().map(Self)
    }

    /// As the API says it: `low`, `medium`, `high`, or the width of those without a name.
    pub fn name(self) -> &'static str {
        self.step().name
    }

    /// Pixels across the picture as it is shown. A narrower source stays as it is.
    pub fn width(self) -> u16 {
        self.step().width
    }

    /// 1 to 100.
    pub fn jpeg_quality(self) -> u8 {
        self.step().jpeg_quality
    }

    /// Most frames a second; infinite where there is no limit.
    pub fn max_fps(self) -> f64 {
        self.step().max_fps
    }

    fn step(self) -> &'static Step {
        &LADDER[usize::from(self.0)]
    }
}

/// Which of a camera's pictures somebody watches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Quality {
    /// As they were published.
    #[default]
    Source,
    /// Scaled.
    Rung(Rung),
}

impl Quality {
    /// `source`, `high`, `medium` or `low`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "source" => Some(Self::Source),
            "high" => Some(Self::Rung(Rung::HIGH)),
            "medium" => Some(Self::Rung(Rung::MEDIUM)),
            "low" => Some(Self::Rung(Rung::LOW)),
            _ => None,
        }
    }

    /// The smallest that is at least `width` pixels wide.
    pub fn at_least(width: u32) -> Self {
        Rung::at_least(width).map_or(Self::Source, Self::Rung)
    }

    /// Whether its pictures show more than the other's, so far as the camera has it.
    pub fn is_above(self, other: Self) -> bool {
        match (self, other) {
            (_, Self::Source) => false,
            (Self::Source, Self::Rung(_)) => true,
            (Self::Rung(rung), Self::Rung(other)) => rung > other,
        }
    }

    /// As the API says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Rung(rung) => rung.name(),
        }
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_width_gets_the_smallest_rung_that_is_not_narrower() {
        for (width, name) in [
            (0, "low"),
            (320, "low"),
            (321, "480"),
            (640, "medium"),
            (1280, "high"),
            (1281, "1920"),
            (1921, "source"),
            (u32::MAX, "source"),
        ] {
            assert_eq!(Quality::at_least(width).name(), name, "{width}");
        }
    }

    #[test]
    fn the_names_are_those_of_the_ladder() {
        for name in ["source", "high", "medium", "low"] {
            assert_eq!(Quality::named(name).map(Quality::name), Some(name));
        }
        assert!(Quality::named("480").is_none() && Quality::named("auto").is_none());
        assert!(LADDER.windows(2).all(|pair| pair[0].width < pair[1].width));
    }

    #[test]
    fn the_source_is_above_every_rung_and_a_wider_rung_above_a_narrower() {
        let falling = [Quality::Source, Quality::Rung(Rung::HIGH), Quality::Rung(Rung::LOW)];
        for (at, quality) in falling.iter().enumerate() {
            for (other_at, other) in falling.iter().enumerate() {
                assert_eq!(quality.is_above(*other), at < other_at, "{quality} {other}");
            }
        }
    }
}

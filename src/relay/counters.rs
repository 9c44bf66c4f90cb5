//! Counts of what was dropped, by reason.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Serialize, Serializer, ser::SerializeMap};

/// Why a frame, or a message that should have been one, went no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum DropReason {
    /// No JPEG.
    NotJpeg,
    /// A JPEG without its end.
    Truncated,
    /// A JPEG coding that viewers cannot show.
    Unsupported,
    /// Over the pixel limit.
    TooManyPixels,
    /// Over the byte limit.
    TooLarge,
    /// A part that contradicts itself or its frame.
    BadPart,
    /// A frame whose parts did not all come in time.
    Incomplete,
    /// A frame that came after a newer one.
    Late,
    /// The same bytes as the frame before; kept alive, not sent again.
    Duplicate,
    /// Left out by a viewer's fps limit.
    Paced,
    /// Left out because the viewer was behind.
    Behind,
}

impl DropReason {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::NotJpeg,
        Self::Truncated,
        Self::Unsupported,
        Self::TooManyPixels,
        Self::TooLarge,
        Self::BadPart,
        Self::Incomplete,
        Self::Late,
        Self::Duplicate,
        Self::Paced,
        Self::Behind,
    ];

    /// As in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotJpeg => "not_jpeg",
            Self::Truncated => "truncated",
            Self::Unsupported => "unsupported_jpeg",
            Self::TooManyPixels => "too_many_pixels",
            Self::TooLarge => "too_large",
            Self::BadPart => "bad_part",
            Self::Incomplete => "incomplete",
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::Paced => "paced",
            Self::Behind => "behind",
        }
    }

    /// The reason that goes with an error code of `docs/protocol.md`.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == code)
    }
}

/// A count a reason.
#[derive(Debug, Default)]
pub struct Drops([AtomicU64; DropReason::ALL.len()]);

impl Drops {
    /// Adds to one count.
    pub fn add(&self, reason: DropReason, n: u64) {
        self.0[reason as usize].fetch_add(n, Relaxed);
    }

    /// One count.
    pub fn get(&self, reason: DropReason) -> u64 {
        self.0[reason as usize].load(Relaxed)
    }

    /// The counts above zero.
    pub fn nonzero(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.into_iter().map(|reason| (reason, self.get(reason))).filter(|&(_, n)| n > 0)
    }
}

impl Serialize for Drops {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (reason, n) in self.nonzero() {
            map.serialize_entry(reason.name(), &n)?;
        }
        map.end()
    }
}

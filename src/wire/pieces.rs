//! What the splitters of endless bodies ([`mjpeg`](super::mjpeg), [`multipart`](super::multipart))
//! have in common: the frame being filled, and what comes out.
//!
//! Belongs here: one frame's buffer and its bound. Does not: where a frame starts or ends.

use thiserror::Error;

/// Room made for the first frame of a stream, in bytes; later ones start with the size of the last.
const FIRST_GUESS: usize = 64 << 10;

/// A frame that grows beyond this many times the limit is no frame; the stream ends.
const ENDLESS: u64 = 4;

/// A frame may keep memory beyond its bytes, which the cache counts, of at most one part in so many.
const SPARE: usize = 8;

/// Gives back what a complete frame's buffer holds too much.
pub fn trim(buf: &mut Vec<u8>) {
    if buf.capacity() > buf.len() + buf.len() / SPARE {
        buf.shrink_to_fit();
    }
}

/// Room for the frame after one of `len` bytes: half of what it may keep unused, so that one as large
/// or a little smaller needs no trimming.
pub fn room_after(len: usize) -> usize {
    len + len / (2 * SPARE)
}

/// What a splitter found in the bytes given to it.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Piece {
    /// The headroom asked for, then what should be a JPEG.
    Frame(Vec<u8>),
    /// A frame over the byte limit: thrown away as it came.
    TooLarge {
        /// Announced, or counted up to the end.
        bytes: u64,
    },
    /// Bytes that start like a JPEG and go on otherwise: thrown away.
    Garbage,
    /// The sender said that nothing follows.
    End,
}

/// Why a stream cannot go on. The texts go to the publisher.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SplitError {
    /// Neither of the two kinds of stream, or one that turned into something else.
    #[error("{0} bytes without a frame; send JPEGs one after the other, or multipart")]
    NoFrames(u64),
    /// The multipart boundary does not come.
    #[error("{0} bytes without the multipart boundary; is it the one of the Content-Type?")]
    NoBoundary(u64),
    /// A part's header without end.
    #[error("a part's header is over {0} bytes")]
    LongHeader(usize),
    /// A frame without end.
    #[error("a frame of more than {0} bytes has no end; the limit is {1} (--max-frame-bytes)")]
    Endless(u64, usize),
}

impl SplitError {
    /// The stable error code of `docs/protocol.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoFrames(_) => "not_jpeg",
            Self::NoBoundary(_) | Self::LongHeader(_) => "bad_request",
            Self::Endless(..) => "too_large",
        }
    }
}

/// The frame being filled. Holds at most `max_bytes`; what is longer is only counted.
#[derive(Debug)]
pub(super) struct FrameBuf {
    headroom: usize,
    max_bytes: usize,
    buf: Vec<u8>,
    /// Bytes of this frame so far.
    seen: u64,
    /// Bytes it is said to have.
    announced: u64,
    guess: usize,
}

impl FrameBuf {
    pub(super) fn new(max_bytes: usize, headroom: usize) -> Self {
        let guess = FIRST_GUESS.min(max_bytes);
        Self { headroom, max_bytes, buf: Vec::new(), seen: 0, announced: 0, guess }
    }

    pub(super) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Starts a frame of this size, if that is known.
    pub(super) fn start(&mut self, len: Option<u64>) {
        (self.seen, self.announced) = (0, len.unwrap_or(0));
        let known = len.and_then(|len| usize::try_from(len).ok());
        let room = known.filter(|&len| len <= self.max_bytes).unwrap_or(self.guess);
        self.buf = Vec::with_capacity(self.headroom + room);
        self.buf.resize(self.headroom, 0);
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), SplitError> {
        self.seen = self.seen.saturating_add(bytes.len() as u64);
        if self.seen > ENDLESS.saturating_mul(self.max_bytes as u64) {
            return Err(SplitError::Endless(self.seen, self.max_bytes));
        }
        if self.too_large() {
            self.buf.truncate(self.headroom);
        } else {
            self.buf.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Takes bytes off the end again that turned out to be none of the frame's.
    pub(super) fn drop_last(&mut self, bytes: usize) {
        let len = self.buf.len().saturating_sub(bytes).max(self.headroom);
        self.buf.truncate(len);
    }

    /// Takes off the carriage return that belongs to the delimiter behind the frame.
    pub(super) fn drop_carriage_return(&mut self) {
        if self.buf.len() > self.headroom && self.buf.last() == Some(&b'\r') {
            self.buf.pop();
        }
    }

    /// The frame is complete.
    pub(super) fn take(&mut self) -> Piece {
        let mut buf = std::mem::take(&mut self.buf);
        if self.too_large() {
            return Piece::TooLarge { bytes: self.seen.max(self.announced) };
        }
        let len = buf.len().saturating_sub(self.headroom);
        self.guess = room_after(len).min(self.max_bytes);
        trim(&mut buf);
        Piece::Frame(buf)
    }

    fn too_large(&self) -> bool {
        self.seen.max(self.announced) > self.max_bytes as u64
    }
}

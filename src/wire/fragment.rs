//! Frames in parts: splitting for a publisher, reassembly for the server.
//!
//! The layout and the rules are in `docs/protocol.md`, *Binary messages from a publisher*. Sans
//! I/O: time comes in as an `Instant`. Belongs here: parts and their bounds. Does not: whether the
//! frame is a good JPEG.

use std::time::{Duration, Instant};

use thiserror::Error;

use super::jpeg;

/// Bytes of a part's header.
pub const HEADER_LEN: usize = 28;
/// Most parts of one frame: 4 MiB in parts of 4 KiB.
pub const MAX_PARTS: u16 = 1024;
/// Most incomplete frames of one publisher: a third of a second at 30 fps is far beyond the 150 ms
/// that a part may travel.
pub const MAX_PENDING_FRAMES: usize = 8;
/// How long a frame may wait for its next part.
pub const PART_TIMEOUT: Duration = Duration::from_secs(1);

const VERSION: u8 = 1;
const KIND_PART: u8 = 2;

/// A part's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartHeader {
    /// Index of this part, from 0.
    pub part: u16,
    /// Parts of the frame.
    pub parts: u16,
    /// Bytes of the whole JPEG.
    pub frame_len: u32,
    /// The publisher's frame number.
    pub seq: u64,
    /// Unix microseconds on the server's clock; 0 if unknown.
    pub captured_us: u64,
}

/// Why a binary message cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PartError {
    /// Neither kind of message.
    #[error("a binary message must be a JPEG (FF D8 ...) or a part (01 02 ...); this is neither")]
    NeitherKind,
    /// Ends inside the header.
    #[error("a part's header has {HEADER_LEN} bytes; this message has {0}")]
    Short(usize),
    /// Counts that cannot be.
    #[error("part {part} of {parts}: there are 1 to {MAX_PARTS} parts, numbered from 0")]
    Count {
        /// As sent.
        part: u16,
        /// As sent.
        parts: u16,
    },
    /// A payload of the wrong length.
    #[error("part {part} of {parts} of a {frame_len}-byte frame carries {got} bytes, not {want}")]
    Length {
        /// As sent.
        part: u16,
        /// As sent.
        parts: u16,
        /// As sent.
        frame_len: u32,
        /// As sent.
        got: usize,
        /// By the header.
        want: usize,
    },
    /// Fields that differ from those of the frame's first part.
    #[error("part {part} of frame {seq} contradicts the parts before it")]
    Contradiction {
        /// As sent.
        part: u16,
        /// As sent.
        seq: u64,
    },
    /// A frame over the byte limit.
    #[error("frame of {frame_len} bytes is over the limit of {max_bytes} (--max-frame-bytes)")]
    TooLarge {
        /// As sent.
        frame_len: u32,
        /// The limit.
        max_bytes: usize,
    },
}

impl PartError {
    /// The stable error code of `docs/protocol.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NeitherKind => "not_jpeg",
            Self::TooLarge { .. } => "too_large",
            _ => "bad_part",
        }
    }
}

impl PartHeader {
    /// Reads a part's header and checks it against itself and the payload.
    pub fn read(message: &[u8], max_bytes: usize) -> Result<(Self, &[u8]), PartError> {
        if !message.starts_with(&[VERSION, KIND_PART]) {
            return Err(PartError::NeitherKind);
        }
        let Some((head, payload)) = message.split_first_chunk::<HEADER_LEN>() else {
            return Err(PartError::Short(message.len()));
        };
        let header = Self {
            part: u16::from_le_bytes([head[2], head[3]]),
            parts: u16::from_le_bytes([head[4], head[5]]),
            frame_len: u32::from_le_bytes([head[8], head[9], head[10], head[11]]),
            seq: le64(head, 12),
            captured_us: le64(head, 20),
        };
        let Self { part, parts, frame_len, .. } = header;
        if parts == 0 || parts > MAX_PARTS || part >= parts {
            return Err(PartError::Count { part, parts });
        }
        if frame_len as usize > max_bytes {
            return Err(PartError::TooLarge { frame_len, max_bytes });
        }
        let want = header.payload_len();
        if want == 0 || payload.len() != want {
            return Err(PartError::Length { part, parts, frame_len, got: payload.len(), want });
        }
        Ok((header, payload))
    }

    /// Writes the header.
    pub fn write(&self) -> [u8; HEADER_LEN] {
        let mut head = [0; HEADER_LEN];
        head[0] = VERSION;
        head[1] = KIND_PART;
        head[2..4].copy_from_slice(&self.part.to_le_bytes());
        head[4..6].copy_from_slice(&self.parts.to_le_bytes());
        head[8..12].copy_from_slice(&self.frame_len.to_le_bytes());
        head[12..20].copy_from_slice(&self.seq.to_le_bytes());
        head[20..28].copy_from_slice(&self.captured_us.to_le_bytes());
        head
    }

    /// Bytes of every part but the last.
    fn stride(&self) -> usize {
        (self.frame_len as usize).div_ceil(usize::from(self.parts))
    }

    /// Where this part's bytes start in the frame.
    fn offset(&self) -> usize {
        usize::from(self.part) * self.stride()
    }

    /// Bytes this part has to carry; 0 says that the header is impossible.
    fn payload_len(&self) -> usize {
        let rest = (self.frame_len as usize).saturating_sub(self.offset());
        // The last part must not be empty either, or its frame has more parts than it needs.
        let last = usize::from(self.parts - 1) * self.stride();
        if last >= self.frame_len as usize { 0 } else { rest.min(self.stride()) }
    }
}

/// Splits a frame into messages of at most `max_message` bytes, headers included.
///
/// `None` when the frame is empty or would need more than [`MAX_PARTS`].
pub fn split(jpeg: &[u8], seq: u64, captured_us: u64, max_message: usize) -> Option<Vec<Vec<u8>>> {
    let room = max_message.checked_sub(HEADER_LEN).filter(|&room| room > 0)?;
    let frame_len = u32::try_from(jpeg.len()).ok().filter(|&len| len > 0)?;
    let parts = u16::try_from(jpeg.len().div_ceil(room)).ok().filter(|&n| n <= MAX_PARTS)?;
    let stride = jpeg.len().div_ceil(usize::from(parts));
    // Even parts can need fewer than counted: 10 bytes in 6 parts are 5 of 2.
    let parts = u16::try_from(jpeg.len().div_ceil(stride)).ok()?;
    let message = |(part, chunk): (usize, &[u8])| {
        let part = u16::try_from(part).expect("at most MAX_PARTS chunks");
        let header = PartHeader { part, parts, frame_len, seq, captured_us };
        [&header.write()[..], chunk].concat()
    };
    Some(jpeg.chunks(stride).enumerate().map(message).collect())
}

/// What a binary message turned out to be.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Push {
    /// The message itself is a JPEG.
    Bare,
    /// A frame is complete.
    Whole(Whole),
    /// Kept; more parts are due.
    Incomplete,
    /// A part of a frame that is complete, overtaken or given up. Dropped.
    Late,
}

/// A reassembled frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Whole {
    /// The headroom asked for, then the JPEG.
    pub buf: Vec<u8>,
    /// The publisher's frame number.
    pub seq: u64,
    /// Unix microseconds on the server's clock; 0 if unknown.
    pub captured_us: u64,
}

/// Puts the parts of one publisher's frames together.
///
/// Parts are written straight to their place behind `headroom` free bytes, so that the finished
/// buffer becomes the viewers' message without a further copy. Incomplete frames hold at most
/// `2 × max_frame_bytes` and [`MAX_PENDING_FRAMES`].
#[derive(Debug)]
pub struct Reassembler {
    max_frame_bytes: usize,
    headroom: usize,
    /// In the order of `seq`.
    pending: Vec<Pending>,
    /// Frames up to here are done with.
    finished_seq: Option<u64>,
    incomplete: u64,
    late: u64,
}

#[derive(Debug)]
struct Pending {
    first: PartHeader,
    buf: Vec<u8>,
    have: Vec<bool>,
    missing: u16,
    touched: Instant,
}

impl Reassembler {
    /// For one publisher's session; a new session starts with a new one.
    pub fn new(max_frame_bytes: usize, headroom: usize) -> Self {
        Self {
            max_frame_bytes,
            headroom,
            pending: Vec::new(),
            finished_seq: None,
            incomplete: 0,
            late: 0,
        }
    }

    /// Takes one binary message.
    pub fn push(&mut self, message: &[u8], now: Instant) -> Result<Push, PartError> {
        if jpeg::starts_like_jpeg(message) {
            return Ok(Push::Bare);
        }
        let (header, payload) = PartHeader::read(message, self.max_frame_bytes)?;
        self.expire(now);
        if self.finished_seq.is_some_and(|finished| header.seq <= finished) {
            // A part of an overtaken frame; only its first is worth a count.
            self.late += u64::from(header.part == 0);
            return Ok(Push::Late);
        }
        let at = match self.pending.binary_search_by_key(&header.seq, |p| p.first.seq) {
            // Most frames: nothing to wait for, and no byte to write twice.
            Err(older) if header.parts == 1 => {
                let mut buf = Vec::with_capacity(self.headroom + payload.len());
                buf.resize(self.headroom, 0);
                buf.extend_from_slice(payload);
                self.pending.drain(..older);
                return Ok(self.finish(buf, &header, older));
            }
            Ok(at) => at,
            Err(at) => match self.admit(header, at, now) {
                Some(at) => at,
                None => return Ok(Push::Late),
            },
        };
        let pending = &mut self.pending[at];
        if !pending.takes(&header) {
            return Err(PartError::Contradiction { part: header.part, seq: header.seq });
        }
        pending.place(&header, payload, self.headroom, now);
        if pending.missing > 0 {
            return Ok(Push::Incomplete);
        }
        // Older frames can no longer be shown: a newer one is on its way to the viewers.
        let Some(done) = self.pending.drain(..=at).next_back() else {
            return Ok(Push::Incomplete);
        };
        Ok(self.finish(done.buf, &done.first, at))
    }

    /// A frame is complete, and so many older ones will never be.
    fn finish(&mut self, buf: Vec<u8>, first: &PartHeader, overtaken: usize) -> Push {
        self.incomplete += overtaken as u64;
        self.finished_seq = Some(first.seq);
        Push::Whole(Whole { buf, seq: first.seq, captured_us: first.captured_us })
    }

    /// Drops the frames whose next part did not come in [`PART_TIMEOUT`].
    pub fn expire(&mut self, now: Instant) {
        let before = self.pending.len();
        self.pending.retain(|p| now.saturating_duration_since(p.touched) < PART_TIMEOUT);
        self.incomplete += (before - self.pending.len()) as u64;
    }

    /// Frames that were never completed, since the last call.
    pub fn take_incomplete(&mut self) -> u64 {
        std::mem::take(&mut self.incomplete)
    }

    /// Frames that came after a newer one, since the last call.
    pub fn take_late(&mut self) -> u64 {
        std::mem::take(&mut self.late)
    }

    /// Bytes held for incomplete frames.
    pub fn pending_bytes(&self) -> usize {
        self.pending.iter().map(|p| p.first.frame_len as usize).sum()
    }

    /// Makes room for a new frame that belongs at `at`, the oldest going first. `None` when the new
    /// frame is itself the oldest.
    fn admit(&mut self, header: PartHeader, mut at: usize, now: Instant) -> Option<usize> {
        let budget = 2 * self.max_frame_bytes;
        let len = header.frame_len as usize;
        while self.pending.len() >= MAX_PENDING_FRAMES || self.pending_bytes() + len > budget {
            self.incomplete += 1;
            if at == 0 {
                return None;
            }
            self.pending.remove(0);
            at -= 1;
        }
        self.pending.insert(
            at,
            Pending {
                first: header,
                buf: vec![0; self.headroom + len],
                have: vec![false; usize::from(header.parts)],
                missing: header.parts,
                touched: now,
            },
        );
        Some(at)
    }
}

impl Pending {
    fn takes(&self, header: &PartHeader) -> bool {
        header.parts == self.first.parts
            && header.frame_len == self.first.frame_len
            && header.captured_us == self.first.captured_us
    }

    fn place(&mut self, header: &PartHeader, payload: &[u8], headroom: usize, now: Instant) {
        let have = &mut self.have[usize::from(header.part)];
        if !std::mem::replace(have, true) {
            let at = headroom + header.offset();
            self.buf[at..at + payload.len()].copy_from_slice(payload);
            self.missing -= 1;
            self.touched = now;
        }
    }
}

fn le64(bytes: &[u8; HEADER_LEN], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}

#[cfg(test)]
#[path = "fragment_tests.rs"]
mod tests;

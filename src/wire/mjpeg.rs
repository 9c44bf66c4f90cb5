//! JPEGs one after the other (`video/x-motion-jpeg`, what `ffmpeg -f mjpeg` writes): finds where
//! each ends.
//!
//! A JPEG says nowhere how long it is, so its markers are followed (ITU-T T.81, annex B): segments
//! by their length, which steps over the thumbnails in them, picture data up to a marker. Belongs
//! here: that walk. Does not: whether the picture is any good.

use memchr::memchr;

use super::pieces::{FrameBuf, Piece, SplitError};

/// Bytes between two JPEGs before the stream is taken for something else: twice what any sender
/// pads to.
const MAX_BETWEEN: u64 = 64 << 10;

/// What [`Scanner::scan`] says of the bytes given to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// All of them belong to the JPEG, and it goes on.
    More,
    /// The JPEG ends before this index.
    End(usize),
    /// The bytes from this index on belong to no JPEG.
    Broken(usize),
    /// The two bytes before this index, one of which may have come earlier, start another JPEG.
    Restart(usize),
}

/// Follows the markers of one JPEG, from its start.
#[derive(Debug, Clone)]
pub(super) struct Scanner(State);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// `FF` of the start marker is due.
    Start,
    /// `D8` of it.
    StartCode,
    /// `FF` of any marker.
    Marker,
    /// What stands behind it; `FF` again is fill.
    Code,
    /// First byte of a segment's length.
    LenHigh {
        scan: bool,
    },
    /// Second byte.
    LenLow {
        scan: bool,
        high: u8,
    },
    /// Inside a segment; picture data follows it if `scan`.
    Segment {
        scan: bool,
        left: usize,
    },
    Picture,
    /// After an `FF` in picture data.
    PictureCode,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self(State::Start)
    }

    /// For when the start marker was seen already.
    fn started() -> Self {
        Self(State::Marker)
    }

    pub(super) fn scan(&mut self, bytes: &[u8]) -> Found {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            self.0 = match self.0 {
                State::Start if byte == 0xFF => State::StartCode,
                State::StartCode if byte == 0xD8 => State::Marker,
                State::Marker if byte == 0xFF => State::Code,
                State::Start | State::StartCode | State::Marker => return Found::Broken(at),
                State::Code => match byte {
                    0xFF => State::Code,
                    // TEM and RSTn stand alone.
                    0x01 | 0xD0..=0xD7 => State::Marker,
                    0xD8 => return self.restart(at),
                    0xD9 => return Found::End(at + 1),
                    0x00 => return Found::Broken(at),
                    code => State::LenHigh { scan: code == 0xDA },
                },
                State::LenHigh { scan } => State::LenLow { scan, high: byte },
                State::LenLow { scan, high } => {
                    match usize::from(u16::from_be_bytes([high, byte])) {
                        0 | 1 => return Found::Broken(at),
                        2 if scan => State::Picture,
                        2 => State::Marker,
                        len => State::Segment { scan, left: len - 2 },
                    }
                }
                State::Segment { scan, left } => {
                    let here = left.min(bytes.len() - at);
                    at += here;
                    self.0 = match left - here {
                        0 if scan => State::Picture,
                        0 => State::Marker,
                        left => State::Segment { scan, left },
                    };
                    continue;
                }
                State::Picture => {
                    let Some(marker) = memchr(0xFF, &bytes[at..]) else { break };
                    at += marker;
                    State::PictureCode
                }
                State::PictureCode => match byte {
                    0xFF => State::PictureCode,
                    // A stuffed FF, or a restart marker.
                    0x00 | 0xD0..=0xD7 => State::Picture,
                    0xD8 => return self.restart(at),
                    0xD9 => return Found::End(at + 1),
                    // The next scan of a progressive picture, or a table before it.
                    code => State::LenHigh { scan: code == 0xDA },
                },
            };
            at += 1;
        }
        Found::More
    }

    fn restart(&mut self, at: usize) -> Found {
        self.0 = State::Marker;
        Found::Restart(at + 1)
    }
}

/// Cuts a stream of JPEGs. Holds at most one frame.
#[derive(Debug)]
pub struct Splitter {
    frame: FrameBuf,
    state: Where,
}

#[derive(Debug)]
enum Where {
    Between { skipped: u64, after_ff: bool },
    Inside(Scanner),
}

const BETWEEN: Where = Where::Between { skipped: 0, after_ff: false };

impl Splitter {
    /// Frames of at most `max_bytes`, each behind `headroom` free bytes.
    pub fn new(max_bytes: usize, headroom: usize) -> Self {
        Self { frame: FrameBuf::new(max_bytes, headroom), state: BETWEEN }
    }

    /// Takes bytes off the front of `input` up to the next piece. `None` when all are taken.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Piece>, SplitError> {
        while !input.is_empty() {
            match &mut self.state {
                Where::Between { skipped, after_ff } => {
                    if *after_ff && input[0] == 0xD8 {
                        *input = &input[1..];
                        self.begin()?;
                        continue;
                    }
                    let step = memchr(0xFF, input).map_or(input.len(), |ff| ff + 1);
                    *after_ff = input[step - 1] == 0xFF;
                    *skipped += step as u64;
                    if *skipped > MAX_BETWEEN {
                        return Err(SplitError::NoFrames(*skipped));
                    }
                    *input = &input[step..];
                }
                Where::Inside(scanner) => match scanner.scan(input) {
                    Found::More => {
                        self.frame.append(input)?;
                        *input = &[];
                    }
                    Found::End(end) => {
                        self.frame.append(&input[..end])?;
                        *input = &input[end..];
                        self.state = BETWEEN;
                        return Ok(Some(self.frame.take()));
                    }
                    Found::Broken(at) => {
                        *input = &input[at..];
                        self.state = BETWEEN;
                        return Ok(Some(Piece::Garbage));
                    }
                    Found::Restart(after) => {
                        self.frame.append(&input[..after])?;
                        self.frame.drop_last(2);
                        *input = &input[after..];
                        let cut_short = self.frame.take();
                        self.begin()?;
                        return Ok(Some(cut_short));
                    }
                },
            }
        }
        Ok(None)
    }

    /// The stream has ended; a frame that it cut short is handed out to be counted.
    pub fn finish(&mut self) -> Option<Piece> {
        let inside = matches!(self.state, Where::Inside(_));
        self.state = BETWEEN;
        inside.then(|| self.frame.take())
    }

    fn begin(&mut self) -> Result<(), SplitError> {
        self.frame.start(None);
        self.state = Where::Inside(Scanner::started());
        self.frame.append(&[0xFF, 0xD8])
    }
}

#[cfg(test)]
#[path = "mjpeg_tests.rs"]
pub(super) mod tests;

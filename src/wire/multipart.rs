//! `multipart/x-mixed-replace` as cameras and ffmpeg write it (RFC 2046, 5.1, and what is sent in
//! its name): finds where each part ends.
//!
//! By its `Content-Length` where it has one; else by the JPEG's own end marker, so that a frame
//! need not wait for the boundary behind it; else by that boundary. Belongs here: boundaries and
//! part headers. Does not: whether a part is a good JPEG.

use memchr::{memchr, memmem};

use super::{
    mjpeg::{Found, Scanner},
    pieces::{FrameBuf, Piece, SplitError},
};

/// Longest line that can be a boundary, in bytes. RFC 2046 allows 70 characters.
const MAX_LINE: usize = 256;

/// Longest boundary, dashes included: room is left on its line for the closing dashes and blanks.
const MAX_BOUNDARY: usize = 200;

/// Longest header of one part, in bytes: ten times what any camera sends.
const MAX_HEADER: usize = 8 << 10;

/// Bytes without a boundary before the stream is taken for something else, on top of one frame's.
const MAX_BETWEEN: u64 = 64 << 10;

/// Cuts a multipart body. Holds at most one frame and one line.
#[derive(Debug)]
pub struct Splitter {
    frame: FrameBuf,
    /// As in the Content-Type; empty where that says none.
    said: Vec<u8>,
    /// With the leading `--`; empty until the body's first delimiter has told it.
    boundary: Vec<u8>,
    line: Line,
    state: Where,
}

#[derive(Debug)]
enum Where {
    /// Before a boundary.
    Between {
        skipped: u64,
    },
    Header {
        bytes: usize,
        length: Option<u64>,
    },
    /// In a part that says how long it is.
    Counted {
        left: u64,
    },
    /// In a part that does not. `tail` are the last bytes seen, in which a delimiter may start.
    Open {
        scanner: Option<Scanner>,
        tail: Vec<u8>,
    },
    Ended,
}

impl Splitter {
    /// `boundary` as in the Content-Type; without one, the body's first line tells it. Frames have
    /// at most `max_bytes`, each stands behind `headroom` free bytes.
    pub fn new(boundary: Option<&str>, max_bytes: usize, headroom: usize) -> Self {
        let said = boundary.filter(|b| !b.is_empty() && b.len() + 2 <= MAX_BOUNDARY);
        Self {
            frame: FrameBuf::new(max_bytes, headroom),
            said: said.unwrap_or_default().into(),
            boundary: Vec::new(),
            line: Line::default(),
            state: Where::Between { skipped: 0 },
        }
    }

    /// Takes bytes off the front of `input` up to the next piece. `None` when all are taken.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Piece>, SplitError> {
        while !input.is_empty() {
            let piece = match &mut self.state {
                Where::Between { .. } => self.between(input)?,
                Where::Header { .. } => self.header(input)?,
                Where::Counted { left } => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    *left -= here as u64;
                    let done = *left == 0;
                    self.frame.append(&input[..here])?;
                    *input = &input[here..];
                    done.then(|| self.part_ended())
                }
                Where::Open { .. } => self.open(input)?,
                Where::Ended => {
                    *input = &[];
                    None
                }
            };
            if piece.is_some() {
                return Ok(piece);
            }
        }
        Ok(None)
    }

    /// The body has ended; a part that it cut short is handed out, to be judged or counted.
    pub fn finish(&mut self) -> Option<Piece> {
        let inside = matches!(self.state, Where::Counted { .. } | Where::Open { .. });
        self.state = Where::Ended;
        inside.then(|| self.frame.take())
    }

    fn between(&mut self, input: &mut &[u8]) -> Result<Option<Piece>, SplitError> {
        let Where::Between { skipped } = &mut self.state else { return Ok(None) };
        let before = input.len();
        let complete = self.line.read(input);
        *skipped += (before - input.len()) as u64;
        if *skipped > MAX_BETWEEN + self.frame.max_bytes() as u64 {
            return Err(SplitError::NoBoundary(*skipped));
        }
        if !complete {
            return Ok(None);
        }
        let line = self.line.take();
        if self.boundary.is_empty() {
            self.boundary = self.delimiter(&line).unwrap_or_default().into();
        }
        Ok(self.at_boundary(&line))
    }

    /// The delimiter that a body's line shows, if it is the first of it.
    fn delimiter<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        let dashed = line.strip_prefix(b"--")?;
        if self.said.is_empty() {
            return (3..=MAX_BOUNDARY).contains(&line.len()).then_some(line);
        }
        // By the RFC the delimiter is two dashes and the boundary, which may begin with dashes of
        // its own, as browsers' do. Some cameras write the delimiter itself into the Content-Type.
        let within = |text: &[u8]| matches!(text.strip_prefix(&self.said[..]), Some(b"" | b"--"));
        let len = if within(dashed) {
            2 + self.said.len()
        } else if within(line) {
            self.said.len()
        } else {
            return None;
        };
        Some(&line[..len])
    }

    /// Whether the line is a boundary, and then on to what follows it.
    fn at_boundary(&mut self, line: &[u8]) -> Option<Piece> {
        let rest = line.strip_prefix(&self.boundary[..]).filter(|_| !self.boundary.is_empty());
        match rest {
            Some(b"") => self.state = Where::Header { bytes: 0, length: None },
            Some(b"--") => {
                self.state = Where::Ended;
                return Some(Piece::End);
            }
            _ => {}
        }
        None
    }

    fn header(&mut self, input: &mut &[u8]) -> Result<Option<Piece>, SplitError> {
        let Where::Header { bytes, length } = &mut self.state else { return Ok(None) };
        let before = input.len();
        let complete = self.line.read(input);
        *bytes += before - input.len();
        if *bytes > MAX_HEADER {
            return Err(SplitError::LongHeader(MAX_HEADER));
        }
        if !complete {
            return Ok(None);
        }
        let line = self.line.take();
        if let Some(announced) = content_length(&line) {
            *length = Some(announced);
            return Ok(None);
        }
        if !line.is_empty() {
            // A part without a body, or any other field.
            return Ok(self.at_boundary(&line));
        }
        // Zero is what those write who do not know.
        let length = length.filter(|&length| length > 0);
        self.frame.start(length);
        let believable = length.filter(|&length| length <= self.frame.max_bytes() as u64);
        self.state = match believable {
            Some(left) => Where::Counted { left },
            // The line end before the body is that of a delimiter, should the body be empty.
            None => Where::Open { scanner: Some(Scanner::new()), tail: vec![b'\n'] },
        };
        Ok(None)
    }

    fn open(&mut self, input: &mut &[u8]) -> Result<Option<Piece>, SplitError> {
        let Where::Open { scanner, tail } = &mut self.state else { return Ok(None) };
        let found = scanner.as_mut().map_or(Found::More, |scanner| scanner.scan(input));
        let end = match found {
            Found::End(end) => Some(end),
            Found::More => None,
            // No JPEG, or two in one part: left to the boundary.
            Found::Broken(_) | Found::Restart(_) => {
                *scanner = None;
                None
            }
        };
        let part = &input[..end.unwrap_or(input.len())];
        let delimiter = [b"\n", &self.boundary[..]].concat();
        if let Some((body, over, used)) = find(tail, part, &delimiter) {
            self.frame.append(&part[..body])?;
            self.frame.drop_last(over);
            self.frame.drop_carriage_return();
            *input = &input[used..];
            let piece = self.part_ended();
            // The rest of the boundary's line may say that it is the last.
            self.line.bytes.extend_from_slice(&self.boundary);
            return Ok(Some(piece));
        }
        let seen = [tail, &part[part.len().saturating_sub(delimiter.len())..]].concat();
        *tail = seen[seen.len().saturating_sub(delimiter.len() - 1)..].to_vec();
        self.frame.append(part)?;
        *input = &input[part.len()..];
        Ok(end.map(|_| self.part_ended()))
    }

    fn part_ended(&mut self) -> Piece {
        self.state = Where::Between { skipped: 0 };
        self.frame.take()
    }
}

/// Finds `delimiter` in `part`, or across its start, `tail` having come before. Returns how much of
/// `part` is body, how many bytes given out before are not, and the index behind the delimiter.
fn find(tail: &[u8], part: &[u8], delimiter: &[u8]) -> Option<(usize, usize, usize)> {
    let head = &part[..part.len().min(delimiter.len() - 1)];
    let seam = [tail, head].concat();
    if let Some(at) = memmem::find(&seam, delimiter).filter(|&at| at < tail.len()) {
        return Some((0, tail.len() - at, at + delimiter.len() - tail.len()));
    }
    memmem::find(part, delimiter).map(|at| (at, 0, at + delimiter.len()))
}

fn content_length(line: &[u8]) -> Option<u64> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    let named = name.trim().eq_ignore_ascii_case("content-length");
    named.then(|| value.trim().parse().ok()).flatten()
}

/// One line, as it comes. A line over [`MAX_LINE`] is read to its end and not kept.
#[derive(Debug, Default)]
struct Line {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Line {
    /// Takes bytes off `input` up to the line's end. True when it is complete.
    fn read(&mut self, input: &mut &[u8]) -> bool {
        let end = memchr(b'\n', input);
        let text = &input[..end.unwrap_or(input.len())];
        if self.bytes.len() + text.len() > MAX_LINE {
            self.too_long = true;
            self.bytes.clear();
        } else if !self.too_long {
            self.bytes.extend_from_slice(text);
        }
        *input = &input[end.map_or(input.len(), |end| end + 1)..];
        end.is_some()
    }

    /// The complete line without its end and trailing blanks. One that was too long comes as a text
    /// that is neither empty nor a boundary.
    fn take(&mut self) -> Vec<u8> {
        if std::mem::take(&mut self.too_long) {
            self.bytes.clear();
            return b"(too long)".to_vec();
        }
        let mut line = std::mem::take(&mut self.bytes);
        line.truncate(line.trim_ascii_end().len());
        line
    }
}

#[cfg(test)]
#[path = "multipart_tests.rs"]
mod tests;

//! `Transfer-Encoding: chunked` (RFC 9112, 7.1): finds the body's bytes between the lines that say how
//! many follow.
//!
//! Belongs here: the bytes of the coding. Does not: whether a request has it, or reading it.

use memchr::memchr;
use thiserror::Error;

/// Longest line of the coding, extensions included, in bytes; nobody sends more than the number.
const MAX_LINE: usize = 4 << 10;

/// Longest trailer, in bytes.
const MAX_TRAILER: usize = 16 << 10;

/// The bytes are not in chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the body's chunks are malformed: {0}")]
pub struct Malformed(&'static str);

/// Takes a body out of its chunks. Holds no bytes.
#[derive(Debug, Clone)]
pub struct Chunks(State);

#[derive(Debug, Clone, Copy)]
enum State {
    /// In the line before a chunk.
    Size {
        /// Of the digits so far, if there are any.
        size: Option<u64>,
        /// Only digits have come; what follows them is an extension, or blank.
        digits: bool,
        bytes: usize,
    },
    Data(u64),
    /// The line end behind the data.
    DataEnd,
    /// Behind the last chunk. `blank` until the line has anything on it.
    Trailer {
        blank: bool,
        bytes: usize,
    },
    Done,
}

const SIZE: State = State::Size { size: None, digits: true, bytes: 0 };

impl Default for Chunks {
    fn default() -> Self {
        Self(SIZE)
    }
}

impl Chunks {
    /// Takes bytes off the front of `input` up to the end of the next run of body bytes, which it
    /// returns. `None` when all are taken, or at the end of the body; what stands behind that is left.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
        while let Some((&byte, rest)) = input.split_first() {
            match self.0 {
                State::Data(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let (data, rest) = input.split_at(here);
                    *input = rest;
                    let left = left - here as u64;
                    self.0 = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(Some(data));
                }
                State::Size { size, digits, bytes } => {
                    *input = rest;
                    self.0 = size_line(byte, size, digits, bytes)?;
                }
                State::DataEnd => {
                    *input = rest;
                    match byte {
                        b'\r' => {}
                        b'\n' => self.0 = SIZE,
                        _ => return Err(Malformed("a chunk is longer than it says")),
                    }
                }
                State::Trailer { blank, bytes } => {
                    let end = memchr(b'\n', input);
                    let line = &input[..end.unwrap_or(input.len())];
                    let (blank, bytes) = (blank && matches!(line, b"" | b"\r"), bytes + line.len());
                    if bytes > MAX_TRAILER {
                        return Err(Malformed("the trailer is too long"));
                    }
                    *input = &input[end.map_or(input.len(), |end| end + 1)..];
                    self.0 = match end {
                        Some(_) if blank => State::Done,
                        Some(_) => State::Trailer { blank: true, bytes },
                        None => State::Trailer { blank, bytes },
                    };
                }
                State::Done => break,
            }
        }
        Ok(None)
    }

    /// Whether the body is complete.
    pub fn is_done(&self) -> bool {
        matches!(self.0, State::Done)
    }
}

fn size_line(byte: u8, size: Option<u64>, digits: bool, bytes: usize) -> Result<State, Malformed> {
    if bytes == MAX_LINE {
        return Err(Malformed("a line before a chunk is too long"));
    }
    let bytes = bytes + 1;
    if let Some(digit) = char::from(byte).to_digit(16).filter(|_| digits) {
        let before = size.unwrap_or(0);
        if before >> 60 != 0 {
            return Err(Malformed("a chunk is too long"));
        }
        return Ok(State::Size { size: Some(before << 4 | u64::from(digit)), digits, bytes });
    }
    let size = size.ok_or(Malformed("a chunk does not say how long it is"))?;
    match byte {
        b'\n' if size == 0 => Ok(State::Trailer { blank: true, bytes: 0 }),
        b'\n' => Ok(State::Data(size)),
        b';' | b'\r' | b' ' | b'\t' => Ok(State::Size { size: Some(size), digits: false, bytes }),
        _ if digits => Err(Malformed("a chunk's length is no hexadecimal number")),
        _ => Ok(State::Size { size: Some(size), digits, bytes }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body when its bytes come `step` at a time, and what is left behind its end.
    fn decode(bytes: &[u8], step: usize) -> Result<(Vec<u8>, bool, usize), Malformed> {
        let (mut chunks, mut body, mut left) = (Chunks::default(), Vec::new(), 0);
        for mut input in bytes.chunks(step) {
            while let Some(data) = chunks.next(&mut input)? {
                body.extend_from_slice(data);
            }
            left += input.len();
        }
        Ok((body, chunks.is_done(), left))
    }

    #[test]
    fn bodies_are_the_same_however_their_bytes_come() {
        for (bytes, body, done, left) in [
            (&b"5\r\nhello\r\n0\r\n\r\n"[..], &b"hello"[..], true, 0),
            (
                b"5\r\nhello\r\nA;name=\"x\"\r\n, world 10\r\n00\r\nX: y\r\n\r\nGET",
                b"hello, world 10",
                true,
                3,
            ),
            (b"5 \r\nhello\r\n0\r\n\r\n", b"hello", true, 0),
            (b"5\nhello\n0\n\n", b"hello", true, 0),
            (b"5\r\nhel", b"hel", false, 0),
            (b"5\r\nhello\r\n0\r\nX", b"hello", false, 0),
            (b"5\r\nhello\r\n0\r\n\rX\r\n", b"hello", false, 0),
            (b"", b"", false, 0),
        ] {
            for step in 1..=bytes.len().max(1) {
                assert_eq!(decode(bytes, step), Ok((body.into(), done, left)), "by {step}");
            }
        }
    }

    #[test]
    fn what_is_not_in_chunks_is_refused() {
        let long = [b"1;".as_slice(), &[b'x'; MAX_LINE]].concat();
        let trailer = [b"0\r\n".as_slice(), &b"X: y\r\n".repeat(MAX_TRAILER / 4)].concat();
        for bytes in [
            b"hello\r\n".as_slice(),
            b"\r\nhello",
            b"-1\r\n",
            b"5x\r\n",
            b"5\r\nhello5\r\n",
            b"11111111111111111\r\n",
            b"\xFF\xD8\xFF\xE0",
            &long,
            &trailer,
        ] {
            for step in [1, 2, 7, bytes.len()] {
                assert!(decode(bytes, step).is_err(), "{:?} by {step}", bytes.escape_ascii());
            }
        }
    }
}

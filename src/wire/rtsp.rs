//! Where RTSP messages (RFC 2326) and the frames between them begin and end, so that a peer that announces
//! or sends too much is stopped before anybody keeps it.
//!
//! Belongs here: the bounds. Does not: what the messages say; what is no RTSP in a finer sense passes.

use thiserror::Error;

/// Longest start line and headers of a message, in bytes: some twenty times what cameras send.
pub const MAX_HEAD: usize = 16 << 10;

/// Longest body of a message, in bytes: descriptions of streams have a few thousand.
pub const MAX_BODY: usize = 256 << 10;

/// Bytes before the payload of an interleaved frame: `$`, channel, and two of length.
const FRAME_HEAD: usize = 4;

/// Why what comes is not taken any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unfit {
    /// Neither a message nor a frame.
    #[error("not RTSP")]
    NotRtsp,
    /// More than [`MAX_HEAD`].
    #[error("a header of more than {} KiB", MAX_HEAD >> 10)]
    LongHead,
    /// More than [`MAX_BODY`].
    #[error("a message of more than {} KiB", MAX_BODY >> 10)]
    LongBody,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Between,
    /// The first bytes of a frame: how many are there, and the length as far as it is.
    Frame(usize, usize),
    Head,
    /// So many bytes of a frame or body are to come.
    Payload(usize),
}

/// Follows one direction of a connection. Keeps a message's head, and nothing else.
#[derive(Debug, Default)]
pub struct Framing {
    state: State,
    head: Vec<u8>,
}

impl Framing {
    /// Looks at what came next, however it is cut. After an error the connection is of no use.
    pub fn take(&mut self, mut input: &[u8]) -> Result<(), Unfit> {
        while let Some(&first) = input.first() {
            let used = match self.state {
                State::Between => match first {
                    b'\r' | b'\n' => 1,
                    b'$' => self.to(State::Frame(1, 0), 1),
                    b'A'..=b'Z' => self.to(State::Head, 0),
                    _ => return Err(Unfit::NotRtsp),
                },
                State::Frame(have, length) => {
                    let length = length << 8 | usize::from(first);
                    match have + 1 {
                        // The channel is no part of the length.
                        2 => self.to(State::Frame(2, 0), 1),
                        FRAME_HEAD => self.to(State::Payload(length), 1),
                        have => self.to(State::Frame(have, length), 1),
                    }
                }
                State::Payload(left) => {
                    let used = left.min(input.len());
                    self.to(State::Payload(left - used), used)
                }
                State::Head => self.head(input)?,
            };
            if let State::Payload(0) = self.state {
                self.state = State::Between;
            }
            input = &input[used..];
        }
        Ok(())
    }

    fn to(&mut self, state: State, used: usize) -> usize {
        self.state = state;
        used
    }

    /// Up to the end of a line.
    fn head(&mut self, input: &[u8]) -> Result<usize, Unfit> {
        let end = memchr::memchr(b'\n', input).map(|at| at + 1);
        let used = end.unwrap_or(input.len());
        if self.head.len() + used > MAX_HEAD {
            return Err(Unfit::LongHead);
        }
        self.head.extend_from_slice(&input[..used]);
        if end.is_some() {
            if !self.head.ends_with(b"\r\n") {
                return Err(Unfit::NotRtsp);
            }
            if self.head.ends_with(b"\r\n\r\n") {
                self.state = State::Payload(content_length(&self.head)?);
                self.head.clear();
            }
        }
        Ok(used)
    }
}

/// Of a whole head. Whoever reads the message next must not find another length than this, so what can
/// be read in two ways is refused.
fn content_length(head: &[u8]) -> Result<usize, Unfit> {
    let mut found = None;
    for line in head.split(|&byte| byte == b'\n').skip(1) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if !name.trim_ascii().eq_ignore_ascii_case(b"content-length") {
            continue;
        }
        let value = std::str::from_utf8(value.trim_ascii()).ok();
        let length = value.and_then(|value| value.parse::<u64>().ok()).ok_or(Unfit::NotRtsp)?;
        if found.replace(length).is_some() {
            return Err(Unfit::NotRtsp);
        }
    }
    let length = found.unwrap_or(0);
    usize::try_from(length).ok().filter(|&length| length <= MAX_BODY).ok_or(Unfit::LongBody)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8] = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\ncontent-LENGTH: \t5 \r\nX: y\r\n\r\n$\0\0\x09x\
        $\x01\x00\x03abc$\x02\x00\x00\r\n\r\nGET_PARAMETER * RTSP/1.0\r\nCSeq: 2\r\n\r\nRTSP/1.0 404 No\r\n\r\n";

    /// Cut in two at every place, and byte by byte.
    fn taken(bytes: &[u8]) -> Result<(), Unfit> {
        let at_once = Framing::default().take(bytes);
        for cut in 0..bytes.len() {
            let mut framing = Framing::default();
            let (before, after) = bytes.split_at(cut);
            let both = framing.take(before).and_then(|()| framing.take(after));
            assert_eq!(both, at_once, "cut at {cut}");
        }
        let mut framing = Framing::default();
        let single = bytes.chunks(1).try_for_each(|byte| framing.take(byte));
        assert_eq!(single, at_once, "byte by byte");
        if at_once.is_ok() {
            assert!(matches!(framing.state, State::Between), "{:?}", framing.state);
        }
        at_once
    }

    #[test]
    fn messages_and_frames_pass_however_they_are_cut() {
        assert_eq!(taken(GOOD), Ok(()));
        let long = [&b"$\x00\xff\xff"[..], &[b'$'; 0xffff], GOOD].concat();
        assert_eq!(Framing::default().take(&long), Ok(()));
        let body = format!("RTSP/1.0 200 OK\r\nContent-Length: {MAX_BODY}\r\n\r\n");
        let mut framing = Framing::default();
        assert_eq!(framing.take(body.as_bytes()), Ok(()));
        assert_eq!(framing.take(&vec![0; MAX_BODY]), Ok(()), "none of it is looked at");
        assert_eq!(framing.take(GOOD), Ok(()));
    }

    #[test]
    fn a_body_that_is_announced_too_long_ends_it_before_it_comes() {
        for length in ["262145", "2147483648", "18446744073709551615"] {
            let head = format!("RTSP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n");
            assert_eq!(taken(head.as_bytes()), Err(Unfit::LongBody), "{length}");
        }
    }

    #[test]
    fn headers_end_or_the_connection_does() {
        let line = b"X-More: and more\r\n";
        let mut framing = Framing::default();
        let mut sent = 0;
        framing.take(b"RTSP/1.0 200 OK\r\n").unwrap();
        while framing.take(line).is_ok() {
            sent += line.len();
            assert!(framing.head.len() <= MAX_HEAD && sent <= MAX_HEAD);
        }
        assert_eq!(framing.take(line), Err(Unfit::LongHead));
        assert_eq!(Framing::default().take(&[b'A'; MAX_HEAD + 1]), Err(Unfit::LongHead));
    }

    #[test]
    fn what_is_no_rtsp_or_can_be_read_in_two_ways_is_refused() {
        for bytes in [
            &b"\0"[..],
            b"$\0\0\x01a\xff",
            b"http/1.1 200 OK\r\n",
            b"RTSP/1.0 200 OK\nCSeq: 1\n\n",
            b"RTSP/1.0 200 OK\r\nContent-Length: x\r\n\r\n",
            b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"RTSP/1.0 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
            b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\ncontent-length : 9\r\n\r\n",
        ] {
            assert_eq!(taken(bytes), Err(Unfit::NotRtsp), "{bytes:?}");
        }
    }
}

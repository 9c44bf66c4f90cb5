//! The reading side of a WebSocket whose client sends large binary messages, and sends them often.
//!
//! A stream under tungstenite that takes whole masked binary messages out of what is read, each
//! straight into a buffer of its own behind free room: one read and one pass of unmasking, where
//! tungstenite reads in pieces and its user copies once more. All other bytes reach tungstenite as
//! they came (text, control frames, fragments, messages over the limit, and whatever breaks the
//! protocol), so what those mean and how they end a connection stays its business.
//!
//! RFC 6455, section 5.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{BufMut as _, Bytes};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    sync::mpsc,
};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};

use super::upgrade::server_config;
use crate::wire::pieces::{room_after, trim};

/// Room made for the first message; later ones get that of the one before and some, so that a message
/// is one read as a rule.
const FIRST_GUESS: usize = 16 << 10;

/// Room besides, so that many small messages are one read too.
const SLACK: usize = 1 << 10;

/// What tungstenite asks for at a time. It clears as much before every read, and all that passes as a
/// rule are short texts.
const READ_BUFFER: usize = 2 << 10;

/// See the module's header.
///
/// At most one message waits: nothing more is read until it is taken, so the order of messages is
/// kept if whoever polls the stream then takes the message before polling again. Messages are thrown
/// away once nobody can take them.
#[derive(Debug)]
pub struct Intake<S> {
    stream: S,
    messages: mpsc::Sender<Vec<u8>>,
    headroom: usize,
    max_message: usize,
    /// What is read and not given on stands from `at`.
    buf: Vec<u8>,
    at: usize,
    /// Of the message taken last: its header's length, and its own.
    last: (usize, usize),
    state: State,
    /// A fragmented message is not complete, so that a whole one is against the protocol.
    in_fragments: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// At the start of a frame.
    Start,
    /// In a binary message that is taken out.
    Message(Head),
    /// This many more bytes go to tungstenite.
    Passing(u64),
}

/// What stands before a frame's payload.
#[derive(Debug, Clone, Copy)]
struct Head {
    first: u8,
    /// Bytes of the header itself.
    len: usize,
    payload: u64,
    mask: Option<[u8; 4]>,
}

impl Head {
    /// `None` when it is not complete.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (&first, &second) = (bytes.first()?, bytes.get(1)?);
        let (payload, at) = match second & 0x7F {
            126 => (u64::from(u16::from_be_bytes(*bytes[2..].first_chunk()?)), 4),
            127 => (u64::from_be_bytes(*bytes[2..].first_chunk()?), 10),
            short => (u64::from(short), 2),
        };
        if second & 0x80 == 0 {
            return Some(Self { first, len: at, payload, mask: None });
        }
        let mask = *bytes.get(at..)?.first_chunk()?;
        Some(Self { first, len: at + 4, payload, mask: Some(mask) })
    }
}

impl<S> Intake<S> {
    /// Reads from `stream`, of which `read` has been read already. Messages of up to `max_message`
    /// bytes are handed out, each behind `headroom` free bytes.
    pub fn new(
        stream: S,
        read: &Bytes,
        headroom: usize,
        max_message: usize,
    ) -> (Self, mpsc::Receiver<Vec<u8>>) {
        let (messages, taken) = mpsc::channel(1);
        let mut intake = Self {
            stream,
            messages,
            headroom,
            max_message,
            buf: Vec::new(),
            at: 0,
            last: (0, FIRST_GUESS.min(max_message)),
            state: State::Start,
            in_fragments: false,
        };
        intake.renew(read);
        (intake, taken)
    }

    /// Where unread bytes should start, so that the payload behind them stands in its place.
    fn base(&self) -> usize {
        self.headroom.saturating_sub(self.last.0)
    }

    /// Starts a new buffer with these bytes in it.
    fn renew(&mut self, begun: &[u8]) {
        let room = room_after(self.last.1) + SLACK;
        self.at = self.base();
        self.buf = Vec::with_capacity(self.headroom + room.max(begun.len()));
        self.buf.resize(self.at, 0);
        self.buf.extend_from_slice(begun);
    }

    /// Looks at the frame that starts here.
    fn start(&mut self, head: Head) {
        let allowed = head.payload <= self.max_message as u64;
        if head.first == 0x82
            && head.mask.is_some()
            && allowed
            && head.payload > 0
            && !self.in_fragments
        {
            self.state = State::Message(head);
            return;
        }
        let sound = match head.first & 0x7F {
            // Continuation, text, binary: the last bit of the first byte says whether more follows.
            0..=2 => {
                self.in_fragments = head.first & 0x80 == 0;
                true
            }
            // Control frames may stand between fragments.
            8..=10 => true,
            _ => false,
        };
        self.state = State::Passing(if sound && allowed && head.mask.is_some() {
            head.len as u64 + head.payload
        } else {
            // Ends the connection, so where a next frame would start is nobody's question.
            u64::MAX
        });
    }

    /// Hands the message out that has been read completely, `payload` bytes behind `header`.
    fn complete(&mut self, header: usize, payload: usize, mask: [u8; 4]) {
        let (from, headroom) = (self.at + header, self.headroom);
        let begun = self.buf.split_off(from + payload);
        unmask(&mut self.buf[from..], mask);
        if from != headroom {
            // The header is not as long as the last one.
            self.buf.resize(self.buf.len().max(headroom + payload), 0);
            self.buf.copy_within(from..from + payload, headroom);
            self.buf.truncate(headroom + payload);
        }
        trim(&mut self.buf);
        // There is room, or nobody to take it.
        let _ = self.messages.try_send(std::mem::take(&mut self.buf));
        self.last = (header, payload);
        self.state = State::Start;
        self.renew(&begun);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Intake<S> {
    /// The server's WebSocket over it, for everything else that the client says.
    pub async fn socket(self) -> WebSocketStream<Self> {
        let config = server_config(self.max_message).read_buffer_size(READ_BUFFER);
        WebSocketStream::from_raw_socket(self, Role::Server, Some(config)).await
    }
}

impl<S: AsyncRead + Unpin> Intake<S> {
    /// Reads more, up to `want` bytes in the buffer behind `at`, or what it has room for. False at the
    /// end of the stream.
    fn poll_fill(&mut self, cx: &mut Context<'_>, want: usize) -> Poll<io::Result<bool>> {
        let base = self.base();
        if self.at > base {
            self.buf.copy_within(self.at.., base);
            self.buf.truncate(self.buf.len() - (self.at - base));
            self.at = base;
        }
        let have = self.buf.len() - self.at;
        self.buf.reserve_exact(want.saturating_sub(have).max(1));
        let spare = self.buf.capacity() - self.buf.len();
        let mut room = (&mut self.buf).limit(spare);
        let read = ready!(pin!(self.stream.read_buf(&mut room)).poll(cx))?;
        Poll::Ready(Ok(read > 0))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Intake<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.messages.capacity() == 0 && !this.messages.is_closed() {
                // Whoever polls takes the message and polls again.
                return Poll::Pending;
            }
            let have = this.buf.len() - this.at;
            let want = match this.state {
                State::Start => match Head::read(&this.buf[this.at..]) {
                    Some(head) => {
                        this.start(head);
                        continue;
                    }
                    None => 0,
                },
                State::Message(Head { len, payload, mask, .. }) => {
                    let payload = usize::try_from(payload).unwrap_or(usize::MAX);
                    if have >= len + payload {
                        this.complete(len, payload, mask.unwrap_or_default());
                        continue;
                    }
                    len + payload
                }
                State::Passing(left) if have > 0 => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX);
                    let here = here.min(have).min(out.remaining());
                    out.put_slice(&this.buf[this.at..this.at + here]);
                    this.at += here;
                    let left = left - here as u64;
                    this.state = if left == 0 { State::Start } else { State::Passing(left) };
                    return Poll::Ready(Ok(()));
                }
                State::Passing(_) => 0,
            };
            if !ready!(this.poll_fill(cx, want))? {
                if have == 0 || matches!(this.state, State::Passing(_)) {
                    return Poll::Ready(Ok(()));
                }
                // Cut off: tungstenite judges what is there.
                this.state = State::Passing(u64::MAX);
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Intake<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Takes the mask off (RFC 6455, 5.3), in steps that the compiler makes vectors of.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    const STEP: usize = 32;
    let wide: [u8; STEP] = std::array::from_fn(|index| mask[index % 4]);
    let mut steps = payload.chunks_exact_mut(STEP);
    for step in &mut steps {
        step.iter_mut().zip(&wide).for_each(|(byte, mask)| *byte ^= mask);
    }
    steps.into_remainder().iter_mut().zip(&wide).for_each(|(byte, mask)| *byte ^= mask);
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;

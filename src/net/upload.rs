//! A request's body, read past HTTP where that is cheaper.
//!
//! Belongs here: who may read a body so, how it is framed, and the buffer it passes through. Does not:
//! what its bytes mean.

use std::{cell::Cell, convert::Infallible, future::poll_fn, io, mem, ops::Range, task::Poll};

use axum::{
    body::{Body, HttpBody as _},
    extract::{FromRequest, Request},
    http::{HeaderMap, Version, header},
};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::io::ReadBuf;

use super::head_first::{Taken, Undecided};
use crate::wire::chunks::Chunks;

/// Bytes read at a time. One buffer of this size serves all bodies of a thread: it stays in the CPU's
/// cache, where a buffer for each body would not.
const SCRATCH: usize = 64 << 10;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A body of which nothing has been read.
#[derive(Debug)]
pub struct Upload {
    body: Body,
    direct: Option<(Undecided, Framing)>,
}

impl<S: Sync> FromRequest<S> for Upload {
    type Rejection = Infallible;

    async fn from_request(mut request: Request, _: &S) -> Result<Self, Infallible> {
        let undecided = request.extensions_mut().remove::<Undecided>();
        let direct = undecided.zip(Framing::of(request.version(), request.headers()));
        Ok(Self { body: request.into_body(), direct })
    }
}

impl Upload {
    /// To be read through HTTP, which can serve another request on the connection afterwards.
    pub fn through_http(self) -> Inflow {
        Inflow(Way::Http { body: self.body, data: Bytes::new() })
    }

    /// To be read from the socket itself where that can be, for what is long: the connection ends with
    /// the answer.
    pub fn direct(self) -> Inflow {
        let Self { body, direct } = self;
        let taken = direct.and_then(|(undecided, framing)| Some((undecided.take()?, framing)));
        match taken {
            Some((bytes, framing)) => {
                // HTTP learns from its body's drop that nobody wants it from there.
                drop(body);
                Inflow(Way::Direct(Direct::new(bytes, framing)))
            }
            None => Inflow(Way::Http { body, data: Bytes::new() }),
        }
    }
}

/// A body as it comes.
#[derive(Debug)]
pub struct Inflow(Way);

#[derive(Debug)]
enum Way {
    Http { body: Body, data: Bytes },
    Direct(Direct),
}

impl Inflow {
    /// The next bytes, never none of them; `None` at the end. Fails when the client is gone before that,
    /// or breaks the framing. Cancel safe.
    pub async fn next(&mut self) -> io::Result<Option<&[u8]>> {
        match &mut self.0 {
            Way::Http { body, data } => {
                *data = loop {
                    match body.frame().await.transpose().map_err(io::Error::other)? {
                        None => return Ok(None),
                        Some(frame) => match frame.into_data() {
                            Ok(data) if !data.is_empty() => break data,
                            // Nothing, or trailers.
                            _ => {}
                        },
                    }
                };
                Ok(Some(data))
            }
            Way::Direct(direct) => {
                let found = direct.next().await?;
                Ok(found.map(|range| &direct.buf[range]))
            }
        }
    }

    /// Reads on only to throw away, whatever the bytes are. Returns how many; 0 at the end.
    pub async fn discard(&mut self) -> io::Result<usize> {
        match &mut self.0 {
            Way::Http { .. } => Ok(self.next().await?.map_or(0, <[u8]>::len)),
            Way::Direct(direct) => direct.discard().await,
        }
    }

    /// Whether all of it has been read.
    pub fn is_done(&self) -> bool {
        match &self.0 {
            Way::Http { body, .. } => body.is_end_stream(),
            Way::Direct(direct) => direct.framing.is_done(),
        }
    }
}

/// Where a body ends.
#[derive(Debug)]
enum Framing {
    /// After this many bytes.
    Length(u64),
    Chunks(Chunks),
}

impl Framing {
    /// `None` for what is left to HTTP: heads that are unusual, and clients that wait for a word of it.
    fn of(version: Version, headers: &HeaderMap) -> Option<Self> {
        let only = |name: header::HeaderName| {
            let mut values = headers.get_all(name).into_iter();
            values.next().filter(|_| values.next().is_none())?.to_str().ok()
        };
        if version != Version::HTTP_11 || headers.contains_key(header::EXPECT) {
            return None;
        }
        let length = headers.contains_key(header::CONTENT_LENGTH);
        if !headers.contains_key(header::TRANSFER_ENCODING) {
            let length: u64 = only(header::CONTENT_LENGTH)?.parse().ok()?;
            // HTTP takes none for the end of the request, and would wait for the next.
            return (length > 0).then_some(Self::Length(length));
        }
        let chunked = only(header::TRANSFER_ENCODING)?.eq_ignore_ascii_case("chunked");
        (chunked && !length).then(|| Self::Chunks(Chunks::default()))
    }

    fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunks(chunks) => chunks.is_done(),
        }
    }

    /// The next run of the body's bytes in `input`, as [`Chunks::next`].
    fn next<'a>(&mut self, input: &mut &'a [u8]) -> io::Result<Option<&'a [u8]>> {
        match self {
            Self::Length(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                let (data, rest) = input.split_at(here);
                (*left, *input) = (*left - here as u64, rest);
                Ok((here > 0).then_some(data))
            }
            Self::Chunks(chunks) => chunks.next(input).map_err(io::Error::other),
        }
    }
}

/// A body that is read from its socket.
#[derive(Debug)]
struct Direct {
    bytes: Taken,
    framing: Framing,
    /// The thread's buffer while there is anything in it, or what HTTP has read already.
    buf: Vec<u8>,
    unread: Range<usize>,
}

impl Direct {
    fn new(bytes: Taken, framing: Framing) -> Self {
        let buf = bytes.begun();
        Self { bytes, framing, unread: 0..buf.len(), buf }
    }

    /// Where the next bytes of the body stand in the buffer.
    async fn next(&mut self) -> io::Result<Option<Range<usize>>> {
        loop {
            let mut input = &self.buf[self.unread.clone()];
            if let Some(data) = self.framing.next(&mut input)? {
                let end = self.unread.end - input.len();
                self.unread.start = end;
                // A run of bytes ends where reading it has stopped.
                return Ok(Some(end - data.len()..end));
            }
            self.unread = 0..0;
            give_back(mem::take(&mut self.buf));
            if self.framing.is_done() {
                return Ok(None);
            }
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn discard(&mut self) -> io::Result<usize> {
        self.fill().await?;
        let read = self.unread.len();
        self.unread = 0..0;
        give_back(mem::take(&mut self.buf));
        Ok(read)
    }

    /// False at the end of the stream.
    async fn fill(&mut self) -> io::Result<bool> {
        poll_fn(|cx| {
            let mut scratch = SPARE.take();
            scratch.resize(SCRATCH, 0);
            let mut out = ReadBuf::new(&mut scratch);
            let polled = self.bytes.poll_read(cx, &mut out);
            let read = out.filled().len();
            if read == 0 {
                give_back(scratch);
            } else {
                (self.buf, self.unread) = (scratch, 0..read);
            }
            match polled {
                Poll::Ready(read_well) => Poll::Ready(read_well.map(|()| read > 0)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        give_back(mem::take(&mut self.buf));
    }
}

/// Keeps a buffer for the next body that is read on this thread.
fn give_back(buf: Vec<u8>) {
    if buf.len() == SCRATCH {
        SPARE.set(buf);
    }
}

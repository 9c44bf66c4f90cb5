//! A request whose body does not have to go through HTTP.
//!
//! HTTP reads a body into buffers of its own and hands them from task to task, which costs an endless
//! body more than all that is done with it. So this stream gives HTTP the head of a connection's first
//! request, and while its client may go on with a body, holds the rest back until it is known who reads
//! it: a handler that [takes it over](super::Upload), or HTTP once no handler can.
//!
//! Belongs here: whose the bytes of a connection are. Does not: how a body is framed.

use std::{
    io, mem,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, Waker, ready},
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The stream under HTTP, see the module's header.
#[derive(Debug)]
pub(super) struct HeadFirst<S>(Arc<Mutex<Shared<S>>>);

#[derive(Debug)]
struct Shared<S> {
    stream: S,
    turn: Turn,
    /// What was read behind the head.
    begun: Vec<u8>,
    /// HTTP, while it must wait.
    waiting: Option<Waker>,
}

/// Who reads what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// HTTP, of which nothing is known yet.
    Start,
    /// HTTP, up to the end of a head. `blank` while nothing stands in the current line.
    Head { blank: bool },
    /// Nobody before it is known whose the body is.
    Undecided,
    /// HTTP, for good.
    Http,
    /// A handler, for good.
    Taken,
}

impl<S> HeadFirst<S> {
    pub(super) fn new(stream: S) -> Self {
        let shared = Shared { stream, turn: Turn::Start, begun: Vec::new(), waiting: None };
        Self(Arc::new(Mutex::new(shared)))
    }

    /// To ask for a body with that is not decided about.
    pub(super) fn bodies(&self) -> Bodies<S> {
        Bodies(Arc::downgrade(&self.0))
    }

    /// The stream; `None` where a handler has a body of it.
    pub(super) fn into_inner(self) -> Option<S> {
        Arc::into_inner(self.0).map(|shared| shared.into_inner().stream)
    }
}

impl<S> Shared<S> {
    /// Looks at what HTTP has just read. Returns how much of it HTTP may have.
    fn inspect(&mut self, read: &[u8]) -> usize {
        if self.turn == Turn::Start {
            // `POST` and `PUT`: nothing else has a body here.
            self.turn = match read.first() {
                None => return 0,
                Some(b'P') => Turn::Head { blank: false },
                Some(_) => Turn::Http,
            };
        }
        let Turn::Head { mut blank } = self.turn else { return read.len() };
        for (at, &byte) in read.iter().enumerate() {
            match byte {
                b'\n' if blank => {
                    self.turn = Turn::Undecided;
                    self.begun = read[at + 1..].to_vec();
                    return at + 1;
                }
                b'\n' => blank = true,
                b'\r' => {}
                _ => blank = false,
            }
        }
        self.turn = Turn::Head { blank };
        read.len()
    }

    /// Lets HTTP have the body. Returns whom to wake for that.
    fn release(&mut self) -> Option<Waker> {
        if self.turn != Turn::Undecided {
            return None;
        }
        self.turn = Turn::Http;
        self.waiting.take()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadFirst<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let shared = &mut *self.0.lock();
        match shared.turn {
            Turn::Start | Turn::Head { .. } => {
                let before = out.filled().len();
                ready!(Pin::new(&mut shared.stream).poll_read(cx, out))?;
                let allowed = shared.inspect(&out.filled()[before..]);
                out.set_filled(before + allowed);
                Poll::Ready(Ok(()))
            }
            Turn::Undecided | Turn::Taken => {
                shared.waiting = Some(cx.waker().clone());
                Poll::Pending
            }
            Turn::Http if shared.begun.is_empty() => {
                Pin::new(&mut shared.stream).poll_read(cx, out)
            }
            Turn::Http => {
                let here = shared.begun.len().min(out.remaining());
                out.put_slice(&shared.begun[..here]);
                shared.begun.drain(..here);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadFirst<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.lock().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.lock().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.lock().stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().stream).poll_shutdown(cx)
    }
}

/// Of one connection, see [`HeadFirst::bodies`]. Does not keep the connection open.
#[derive(Debug, Clone)]
pub(super) struct Bodies<S>(Weak<Mutex<Shared<S>>>);

impl<S> Bodies<S> {
    /// The body of the request whose head was read last, if it may still be taken over.
    pub(super) fn undecided(&self) -> Option<Undecided<S>> {
        let shared = self.0.upgrade()?;
        let undecided = shared.lock().turn == Turn::Undecided;
        undecided.then(|| Undecided(Arc::new(Decision(shared))))
    }
}

/// A body about which it is not decided whether HTTP reads it. HTTP does once all clones are dropped.
#[derive(Debug)]
pub(super) struct Undecided<S = TcpStream>(Arc<Decision<S>>);

#[derive(Debug)]
struct Decision<S>(Arc<Mutex<Shared<S>>>);

impl<S> Clone for Undecided<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> Drop for Decision<S> {
    fn drop(&mut self) {
        let http = self.0.lock().release();
        if let Some(http) = http {
            http.wake();
        }
    }
}

impl<S> Undecided<S> {
    /// Takes the body away from HTTP, which can then only write. `None` when somebody did already.
    pub(super) fn take(self) -> Option<Taken<S>> {
        let mut shared = self.0.0.lock();
        if shared.turn != Turn::Undecided {
            return None;
        }
        shared.turn = Turn::Taken;
        drop(shared);
        Some(Taken(self.0.0.clone()))
    }
}

/// All that a client sends behind a head.
#[derive(Debug)]
pub(super) struct Taken<S = TcpStream>(Arc<Mutex<Shared<S>>>);

impl<S: AsyncRead + Unpin> Taken<S> {
    /// What HTTP's reading of the head brought with it; empty afterwards.
    pub(super) fn begun(&self) -> Vec<u8> {
        mem::take(&mut self.0.lock().begun)
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().stream).poll_read(cx, out)
    }
}

#[cfg(test)]
#[path = "head_first_tests.rs"]
mod tests;

//! A TCP stream that ends when its reader takes nothing for too long.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use super::answering::{Answering, Request};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// How long a peer may read nothing while there is something to write.
const PATIENCE: Duration = Duration::from_secs(30);

/// Passes everything through, and fails a write that has waited [`PATIENCE`] for room.
///
/// HTTP bodies are pulled as the socket drains; one whose client stopped reading would otherwise
/// hold its connection, and count as a viewer, for as long as the client likes.
#[derive(Debug)]
pub(super) struct GiveUp<S> {
    stream: S,
    /// Made at the first write that has to wait; most connections never have one.
    waiting: Option<Pin<Box<Sleep>>>,
    /// While a write waits: the connection is not idle, though its answer may be off its hands.
    stalled: Option<Request>,
    answering: Answering,
}

impl<S> GiveUp<S> {
    pub(super) fn new(stream: S, answering: Answering) -> Self {
        Self { stream, waiting: None, stalled: None, answering }
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    fn settle<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        if self.stalled.is_none() {
            self.stalled = Some(self.answering.begin());
            waiting.as_mut().reset(Instant::now() + PATIENCE);
        }
        ready!(waiting.as_mut().poll(cx));
        let message = "the client has read nothing for 30 s";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, message)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for GiveUp<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for GiveUp<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.settle(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.settle(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_write_fails_after_30_s_without_a_read_and_any_read_starts_anew() {
        let (here, mut there) = duplex(10);
        let mut stream = GiveUp::new(here, Answering::default());
        let start = Instant::now();
        let reading = tokio::spawn(async move {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(29)).await;
                there.read_exact(&mut [0; 10]).await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        let error = stream.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), 3 * 29 + 30);
        reading.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_with_nothing_to_write_may_rest() {
        let (here, mut there) = duplex(10);
        let mut stream = GiveUp::new(here, Answering::default());
        stream.write_all(&[0; 10]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        there.read_exact(&mut [0; 10]).await.unwrap();
        stream.write_all(&[0; 10]).await.unwrap();
    }
}

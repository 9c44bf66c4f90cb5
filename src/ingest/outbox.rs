//! Reading and writing one WebSocket without either waiting for the other.
//!
//! Belongs here: messages on their way out. Does not: what they say, or when a connection ends.

use std::{collections::VecDeque, future::poll_fn, pin::Pin, task::Poll};

use futures_util::{Sink as _, SinkExt as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message},
};

/// Messages waiting for a client that does not read. A publisher gets one a second unasked; more
/// than this means that it asks without reading, and it is to be cut off.
const CAPACITY: usize = 64;

/// See the module's header.
#[derive(Debug, Default)]
pub struct Outbox(VecDeque<Message>);

impl Outbox {
    /// Puts a message behind the others. Whoever fills the outbox looks at [`Self::is_over`].
    pub fn push(&mut self, message: Message) {
        self.0.push_back(message);
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether more waits than a client that reads can have waiting.
    pub fn is_over(&self) -> bool {
        self.0.len() > CAPACITY
    }

    /// Writes what waits and returns what comes in, `None` at the end. Neither waits for the
    /// other, so a client that does not read is still heard. Cancel safe.
    pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut WebSocketStream<S>,
    ) -> Option<Result<Message, Error>> {
        let mut socket = Pin::new(socket);
        poll_fn(|cx| {
            while !self.0.is_empty() {
                match socket.as_mut().poll_ready(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                    Poll::Pending => break,
                }
                if let Some(message) = self.0.pop_front()
                    && let Err(error) = socket.as_mut().start_send(message)
                {
                    return Poll::Ready(Some(Err(error)));
                }
            }
            if let Poll::Ready(Err(error)) = socket.as_mut().poll_flush(cx) {
                return Poll::Ready(Some(Err(error)));
            }
            socket.as_mut().poll_next(cx)
        })
        .await
    }

    /// Writes all that waits.
    ///
    /// # Errors
    /// When the socket is gone.
    pub async fn flush<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        socket: &mut WebSocketStream<S>,
    ) -> Result<(), Error> {
        for message in self.0 {
            socket.feed(message).await?;
        }
        socket.flush().await
    }
}

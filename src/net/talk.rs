//! A WebSocket as the ingest doors use it: reading and writing at once, bounded, with heartbeat.

use std::{
    collections::VecDeque, future::poll_fn, net::SocketAddr, pin::Pin, task::Poll, time::Duration,
};

use futures_util::{Sink as _, SinkExt as _, Stream as _};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, Interval, MissedTickBehavior, Sleep, interval, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error as SocketError, Message, error::ProtocolError},
};

use super::{close, heartbeat};

/// Messages waiting for a peer that does not read. It gets about one a second unasked; more than
/// this means that it asks without reading, and it is cut off.
const OUTBOX: usize = 64;

/// How long a peer may take to read what is waiting before its close frame.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// How a conversation ended that the server did not end itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The peer closed, or its connection is lost.
    Gone,
    /// It sent a message over the limit.
    TooLarge,
    /// It sent what is against the WebSocket protocol (RFC 6455).
    Malformed,
    /// Nothing was heard for [`heartbeat::SILENCE`].
    Silent,
    /// More is waiting for it than is kept.
    NotReading,
}

/// One side of a conversation. Pings are sent and answered in passing.
#[derive(Debug)]
pub struct Talk<S> {
    socket: WebSocketStream<S>,
    outbox: VecDeque<Message>,
    heard: Instant,
    /// Looks at `heard` when it is over; set again only then, as a timer costs more than a look.
    silence: Pin<Box<Sleep>>,
    ping: Interval,
    peer: Option<SocketAddr>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    /// Starts the heartbeat.
    pub fn new(socket: WebSocketStream<S>) -> Self {
        let mut ping = interval(heartbeat::PERIOD);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        let heard = Instant::now();
        let silence = Box::pin(sleep_until(heard + heartbeat::SILENCE));
        Self { socket, outbox: VecDeque::new(), heard, silence, ping, peer: None }
    }

    /// With the peer's address, where that is known.
    pub fn with_peer(self, peer: Option<SocketAddr>) -> Self {
        Self { peer, ..self }
    }

    /// The peer's address, where that is known.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The peer has sent something that does not come through [`Self::next`].
    pub fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// Queues a text; it goes out during [`Self::next`].
    pub fn say(&mut self, text: String) {
        self.outbox.push_back(Message::text(text));
    }

    /// Queues a text that is of no use late: dropped when the peer is behind with its reading.
    pub fn mention(&mut self, text: String) {
        if self.outbox.is_empty() {
            self.say(text);
        }
    }

    /// The next text or binary message. Writes what waits meanwhile; neither waits for the other.
    ///
    /// Cancel safe: a dropped call loses no message in either direction, and neither the time of
    /// the next ping nor how long the peer has been silent.
    pub async fn next(&mut self) -> Result<Message, Ended> {
        loop {
            if self.outbox.len() > OUTBOX {
                // It would not read them before the close either.
                self.outbox.clear();
                return Err(Ended::NotReading);
            }
            let message = tokio::select! {
                message = exchange(&mut self.socket, &mut self.outbox) => message,
                _ = self.ping.tick() => {
                    self.outbox.push_back(Message::Ping(bytes::Bytes::new()));
                    continue;
                }
                () = &mut self.silence => {
                    let until = self.heard + heartbeat::SILENCE;
                    if until <= Instant::now() {
                        return Err(Ended::Silent);
                    }
                    self.silence.as_mut().reset(until);
                    continue;
                }
            };
            self.heard();
            match message {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => return Ok(message),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) => {
                    // The answer to it is made by reading it, and still has to go out.
                    let _ = timeout(FLUSH_TIMEOUT, self.socket.flush()).await;
                    return Err(Ended::Gone);
                }
                None => return Err(Ended::Gone),
                Some(Err(SocketError::Capacity(_))) => return Err(Ended::TooLarge),
                Some(Err(error)) if is_malformed(&error) => {
                    tracing::debug!(%error, "WebSocket protocol broken");
                    return Err(Ended::Malformed);
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "WebSocket lost");
                    return Err(Ended::Gone);
                }
            }
        }
    }

    /// Writes what waits, then closes. Takes a few seconds at the most, whatever the peer does.
    pub async fn close(mut self, code: u16, reason: &str) {
        let outbox = std::mem::take(&mut self.outbox);
        let socket = &mut self.socket;
        let flushed = timeout(FLUSH_TIMEOUT, async move {
            for message in outbox {
                socket.feed(message).await?;
            }
            socket.flush().await
        });
        let _ = flushed.await;
        close(self.socket, code, reason).await;
    }
}

/// Whether an error tells of what the peer sent, and not of its connection.
fn is_malformed(error: &SocketError) -> bool {
    match error {
        SocketError::Protocol(error) => *error != ProtocolError::ResetWithoutClosingHandshake,
        SocketError::Utf8(_) => true,
        _ => false,
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    outbox: &mut VecDeque<Message>,
) -> Option<Result<Message, SocketError>> {
    let mut socket = Pin::new(socket);
    poll_fn(|cx| {
        while !outbox.is_empty() {
            match socket.as_mut().poll_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                Poll::Pending => break,
            }
            if let Some(message) = outbox.pop_front()
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

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use tokio::io::{DuplexStream, duplex};
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;
    use crate::net::{close_code, server_socket};

    async fn pair() -> (Talk<DuplexStream>, WebSocketStream<DuplexStream>) {
        let (here, there) = duplex(1 << 16);
        let server = server_socket(here, bytes::Bytes::new(), 1000).await;
        (Talk::new(server), WebSocketStream::from_raw_socket(there, Role::Client, None).await)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_answers_pings_stays_and_a_silent_one_is_given_up() {
        let (mut talk, mut peer) = pair().await;
        let start = Instant::now();
        let answering = async {
            let mut pings = 0;
            while start.elapsed() < Duration::from_secs(400) {
                let Ok(message) = timeout(Duration::from_secs(70), peer.next()).await else {
                    break;
                };
                pings += u32::from(matches!(message, Some(Ok(Message::Ping(_)))));
            }
            (pings, peer)
        };
        let (ended, (pings, _peer)) = tokio::join!(talk.next(), answering);
        assert_eq!((ended, pings), (Err(Ended::Silent), 7));
        // The pong to the last ping is never sent: the peer has stopped.
        assert_eq!(start.elapsed().as_secs(), 6 * 60 + 150);
    }

    #[tokio::test]
    async fn a_message_over_the_limit_ends_it_and_the_peer_still_hears_why() {
        let (mut talk, mut peer) = pair().await;
        let sending = tokio::spawn(async move {
            // More than the limit and more than the transport holds.
            let _ = peer.send(Message::binary(vec![0; 300_000])).await;
            let text = peer.next().await;
            let close = peer.next().await;
            (text, close)
        });
        let Err(ended) = talk.next().await else { panic!("taken") };
        assert_eq!(ended, Ended::TooLarge);
        talk.say("too large".into());
        talk.close(close_code::TOO_LARGE, "too large").await;
        let (text, closed) = sending.await.unwrap();
        assert_eq!(text.unwrap().unwrap(), Message::text("too large"));
        let Some(Ok(Message::Close(Some(frame)))) = closed else { panic!("{closed:?}") };
        assert_eq!(u16::from(frame.code), 1009);
    }

    /// What [`Talk::next`] yields when most of its calls are dropped before they are done.
    async fn next_in_slices(talk: &mut Talk<DuplexStream>) -> Result<Message, Ended> {
        loop {
            if let Ok(message) = timeout(Duration::from_millis(3), talk.next()).await {
                return message;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn dropped_calls_lose_no_message_either_way() {
        let (mut talk, mut peer) = pair().await;
        let asking = tokio::spawn(async move {
            let mut heard = Vec::new();
            for n in 0..100 {
                peer.send(Message::text(n.to_string())).await.unwrap();
                tokio::time::sleep(Duration::from_millis(7)).await;
            }
            while heard.len() < 100 {
                heard.push(peer.next().await.unwrap().unwrap());
            }
            heard
        });
        let mut told = Vec::new();
        while let Ok(message) = next_in_slices(&mut talk).await {
            talk.say(message.to_text().unwrap().to_owned());
            told.push(message);
        }
        assert_eq!(told, (0..100).map(|n| Message::text(n.to_string())).collect::<Vec<_>>());
        assert_eq!(asking.await.unwrap(), told);
    }

    #[tokio::test(start_paused = true)]
    async fn dropped_calls_put_off_neither_pings_nor_the_end_of_a_silent_peer() {
        let (mut talk, mut peer) = pair().await;
        let start = Instant::now();
        assert_eq!(next_in_slices(&mut talk).await, Err(Ended::Silent));
        assert_eq!(start.elapsed().as_secs(), 150);
        for _ in 0..2 {
            assert_eq!(peer.next().await.unwrap().unwrap(), Message::Ping(bytes::Bytes::new()));
        }
        assert!(timeout(Duration::from_secs(1), peer.next()).await.is_err(), "two pings in 150 s");
    }

    #[tokio::test]
    async fn a_peer_that_never_reads_is_cut_off() {
        let (mut talk, peer) = pair().await;
        for _ in 0..1000 {
            talk.say("x".repeat(1000));
        }
        assert_eq!(talk.next().await, Err(Ended::NotReading));
        let start = Instant::now();
        talk.close(close_code::CANNOT_SERVE, "not reading").await;
        assert!(start.elapsed() < Duration::from_secs(3), "nothing more is written before it");
        drop(peer);
    }
}

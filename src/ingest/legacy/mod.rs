//! The ingest socket of SkySentry v2: one legacy publisher, its frames and its WebRTC connection.
//!
//! Belongs here: what happens on each message, and how a connection ends. Does not: the messages'
//! JSON ([`wire::legacy`](crate::wire::legacy)), whose a frame is (`publisher`), or which dialect
//! a connection speaks ([`dialect`](super::dialect)).
//!
//! v2's pages open the data channel themselves, unordered, and send the same text messages over
//! whichever way is open: the channel, else the socket. The camera belongs to the socket, so a
//! channel that closes, stalled or not, takes nothing offline.

mod publisher;

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error as SocketError, Message},
};
use tokio_util::sync::CancellationToken;

use self::publisher::{Given, Publisher};
use super::{
    Ingest,
    frames::{Fault, Taken},
    outbox::Outbox,
    webrtc::{Event, Opener, Port, Session},
};
use crate::{
    net::{close, close_code, heartbeat},
    relay::PublishError,
    wire::legacy::{Body, FromPublisher, Problem, ToPublisher},
};

/// A client hears of what it sent wrongly at most this often.
const FAULT_PERIOD: Duration = Duration::from_secs(1);

/// Addresses kept for an offer that is still to come: a page may send its first before it.
const EARLY_CANDIDATES: usize = 32;

/// How long the last messages may take to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves one publisher, whose first message was read already, until its socket ends, the server
/// drains, or another takes its camera.
pub async fn serve<S>(
    socket: WebSocketStream<S>,
    first: &str,
    ingest: &Ingest,
    port: &Port,
    shutdown: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut connection = Connection {
        ingest,
        port,
        publisher: Publisher::default(),
        session: None,
        early: Vec::new(),
        outbox: Outbox::default(),
        fault_due: Instant::now(),
        heard: Instant::now(),
        socket,
    };
    let end = match connection.text(first).await {
        Ok(()) => connection.run(shutdown).await,
        Err(end) => end,
    };
    connection.finish(end).await;
}

/// How a connection ends. The camera goes offline with the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client's socket is gone.
    Gone,
    Draining,
    Replaced,
    Silent,
    TooLarge,
    NotReading,
    TooManyCameras,
}

impl End {
    /// In plain words, for viewers.
    fn reason(self) -> &'static str {
        match self {
            Self::Gone => "publisher disconnected",
            Self::Draining => "server shutting down",
            Self::Replaced => "replaced by a newer publisher",
            Self::Silent => "no sign of life from the publisher for 150 s",
            Self::TooLarge => "the publisher sent a message over the limit",
            Self::NotReading => "the publisher asks without reading the answers",
            Self::TooManyCameras => "the server has as many cameras as it takes",
        }
    }

    /// The close code that goes with it, if the server is the one to close.
    fn close_code(self) -> Option<u16> {
        match self {
            Self::Gone => None,
            Self::Draining => Some(close_code::GOING_AWAY),
            Self::Replaced => Some(close_code::REPLACED),
            Self::Silent => Some(close_code::SILENT),
            Self::TooLarge => Some(close_code::TOO_LARGE),
            Self::NotReading => Some(close_code::CANNOT_SERVE),
            Self::TooManyCameras => Some(close_code::TOO_MANY),
        }
    }

    /// The last message before the close, if there is something to do about it.
    fn last_word(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Draining => {
                Some(("draining", "the server is shutting down; connect again in some seconds"))
            }
            Self::Replaced => Some(("replaced", "a newer publisher took this camera")),
            Self::TooLarge => {
                Some(("too_large", "the message is over the limit; see --max-frame-bytes"))
            }
            Self::Gone | Self::Silent | Self::NotReading | Self::TooManyCameras => None,
        }
    }
}

struct Connection<'a, S> {
    ingest: &'a Ingest,
    port: &'a Port,
    publisher: Publisher,
    session: Option<Session>,
    early: Vec<String>,
    outbox: Outbox,
    fault_due: Instant,
    heard: Instant,
    socket: WebSocketStream<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<'_, S> {
    async fn run(&mut self, shutdown: CancellationToken) -> End {
        let mut ping = interval(heartbeat::PERIOD);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        loop {
            if self.outbox.is_over() {
                return End::NotReading;
            }
            let silence = tokio::time::sleep_until(self.heard + heartbeat::SILENCE);
            let step = tokio::select! {
                () = shutdown.cancelled() => Err(End::Draining),
                () = silence => Err(End::Silent),
                () = self.publisher.replaced() => Err(End::Replaced),
                message = self.outbox.exchange(&mut self.socket) => self.incoming(message).await,
                event = next_event(&mut self.session) => self.event(event).await,
                _ = ping.tick() => {
                    self.outbox.push(Message::Ping(bytes::Bytes::new()));
                    Ok(())
                }
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    fn say(&mut self, message: &ToPublisher<'_>) {
        self.outbox.push(Message::text(message.to_json()));
    }

    /// Answers a message that asked for something and cannot have it.
    fn refuse(&mut self, code: &str, message: &str) {
        self.say(&ToPublisher::Error { payload: Problem { message, code } });
    }

    /// Tells of something wrong that may come with every message.
    fn fault(&mut self, code: &str, message: &str) {
        let now = Instant::now();
        if now >= self.fault_due {
            self.fault_due = now + FAULT_PERIOD;
            self.refuse(code, message);
        }
    }

    async fn incoming(&mut self, message: Option<Result<Message, SocketError>>) -> Result<(), End> {
        match message {
            Some(Ok(message)) => {
                self.heard = Instant::now();
                match message {
                    Message::Text(text) => self.text(&text).await,
                    Message::Binary(picture) => self.binary(&picture),
                    Message::Close(_) => Err(End::Gone),
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
                }
            }
            Some(Err(SocketError::Capacity(_))) => Err(End::TooLarge),
            Some(Err(error)) => {
                tracing::debug!(%error, "legacy socket lost");
                Err(End::Gone)
            }
            None => Err(End::Gone),
        }
    }

    async fn event(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Text(text) => return self.text(&text).await,
            Event::Binary(picture) => return self.binary(&picture),
            Event::Opened | Event::ChannelClosed { stalled: false } => {}
            Event::ChannelClosed { stalled: true } => {
                self.fault("webrtc_failed", "the channel stalled and was closed; use this socket");
            }
            Event::Ended(end) => {
                self.session = None;
                self.fault("webrtc_failed", &end.to_string());
            }
        }
        Ok(())
    }

    /// A text message, over the socket or the channel.
    async fn text(&mut self, text: &str) -> Result<(), End> {
        let FromPublisher { client, body } = match FromPublisher::parse(text) {
            Ok(message) => message,
            Err(error) => {
                self.fault("bad_message", &error.to_string());
                return Ok(());
            }
        };
        let client = client.as_deref();
        match body {
            Body::Frame(frame) => {
                let given = self.publisher.frame(self.ingest, client, &frame);
                return self.settle(given);
            }
            Body::Registration => match self.publisher.register(client.unwrap_or_default()) {
                Ok(camera) => {
                    let camera = camera.clone();
                    self.say(&ToPublisher::Registered { client: camera.as_str() });
                }
                Err(Fault { code, message }) => self.refuse(code, &message),
            },
            Body::Offer { sdp } => self.offer(client, &sdp).await,
            Body::Candidate { candidate: Some(candidate) } => match &mut self.session {
                Some(session) => session.add_candidate(&candidate).await,
                None if self.early.len() < EARLY_CANDIDATES => self.early.push(candidate),
                None => {}
            },
            Body::Heartbeat => {
                let now_ms = self.ingest.registry.clock().unix_us() / 1000;
                self.say(&ToPublisher::heartbeat(now_ms));
            }
            Body::Candidate { candidate: None } | Body::Note => {}
        }
        Ok(())
    }

    fn binary(&mut self, picture: &[u8]) -> Result<(), End> {
        let given = self.publisher.binary(self.ingest, picture);
        self.settle(given)
    }

    fn settle(&mut self, given: Given) -> Result<(), End> {
        match given {
            Given::Taken(Taken::Ok | Taken::Refused(None)) => Ok(()),
            Given::Taken(Taken::Replaced) => Err(End::Replaced),
            // The camera's own limit of one a second has let it through.
            Given::Taken(Taken::Refused(Some(Fault { code, message }))) => {
                self.refuse(code, &message);
                Ok(())
            }
            Given::NoCamera(Fault { code, message }) => {
                self.fault(code, &message);
                Ok(())
            }
            Given::NotNow(PublishError::Draining) => Err(End::Draining),
            Given::NotNow(error @ PublishError::TooManyCameras(_)) => {
                self.refuse(error.code(), &error.to_string());
                Err(End::TooManyCameras)
            }
        }
    }

    async fn offer(&mut self, client: Option<&str>, sdp: &str) {
        if let Err(Fault { code, message }) = self.publisher.identify(client) {
            return self.refuse(code, &message);
        }
        match Session::answer(self.port, sdp, Opener::Page).await {
            Ok((mut session, answer)) => {
                for candidate in self.early.drain(..) {
                    session.add_candidate(&candidate).await;
                }
                self.say(&ToPublisher::answer(&answer));
                if let Some(old) = self.session.replace(session) {
                    tokio::spawn(old.close());
                }
            }
            Err(error) => self.refuse("webrtc_failed", &error.to_string()),
        }
    }

    async fn finish(mut self, end: End) {
        // The camera first: its viewers need not wait until the connections have said goodbye.
        self.publisher.close(end.reason());
        if let Some(session) = self.session.take() {
            tokio::spawn(session.close());
        }
        let Some(code) = end.close_code() else { return };
        if let Some((code, message)) = end.last_word() {
            self.refuse(code, message);
        }
        if end != End::NotReading {
            let _ = tokio::time::timeout(FLUSH_TIMEOUT, self.outbox.flush(&mut self.socket)).await;
        }
        close(self.socket, code, end.reason()).await;
    }
}

async fn next_event(session: &mut Option<Session>) -> Event {
    match session {
        Some(session) => session.next().await,
        None => std::future::pending().await,
    }
}

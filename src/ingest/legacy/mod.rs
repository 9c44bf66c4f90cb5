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
    time::Instant,
};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use self::publisher::{Given, Publisher};
use super::{
    Ingest,
    ending::End,
    frames::{Fault, Taken},
    webrtc::{Event, Opener, Port, Session},
};
use crate::{
    net::{Ended, Talk},
    wire::legacy::{Body, FromPublisher, Problem, ToPublisher},
};

/// A client hears of what it sent wrongly at most this often.
const FAULT_PERIOD: Duration = Duration::from_secs(1);

/// Addresses kept for an offer that is still to come: a page may send its first before it.
const EARLY_CANDIDATES: usize = 32;

/// Longest address kept, in bytes. Browsers' have about 150.
const MAX_CANDIDATE: usize = 1024;

/// Serves one publisher, whose first message was read already, until its socket ends, the server
/// drains, or another takes its camera.
pub async fn serve<S>(
    talk: Talk<S>,
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
        publisher: Publisher::connecting_from(talk.peer()),
        session: None,
        early: Vec::new(),
        fault_due: Instant::now(),
        talk,
    };
    let end = match connection.text(first).await {
        Ok(()) => connection.run(shutdown).await,
        Err(end) => end,
    };
    connection.finish(end).await;
}

struct Connection<'a, S> {
    ingest: &'a Ingest,
    port: &'a Port,
    publisher: Publisher,
    session: Option<Session>,
    early: Vec<String>,
    fault_due: Instant,
    talk: Talk<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<'_, S> {
    async fn run(&mut self, shutdown: CancellationToken) -> End {
        loop {
            let step = tokio::select! {
                () = shutdown.cancelled() => Err(End::draining()),
                () = self.publisher.replaced() => Err(End::replaced()),
                message = self.talk.next() => self.incoming(message).await,
                event = next_event(&mut self.session) => self.event(event).await,
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    fn say(&mut self, message: &ToPublisher<'_>) {
        self.talk.say(message.to_json());
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

    async fn incoming(&mut self, message: Result<Message, Ended>) -> Result<(), End> {
        match message {
            Ok(Message::Text(text)) => self.text(&text).await,
            Ok(picture) => self.binary(&picture.into_data()),
            Err(ended) => Err(End::of(ended, || {
                End::too_large("the publisher sent a message over the limit")
                    .saying("too_large", "the message is over the limit; see --max-frame-bytes")
            })),
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
                None if self.early.len() < EARLY_CANDIDATES && candidate.len() <= MAX_CANDIDATE => {
                    self.early.push(candidate);
                }
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
            Given::Taken(Taken::Replaced) => Err(End::replaced()),
            // The camera's own limit of one a second has let it through.
            Given::Taken(Taken::Refused(Some(Fault { code, message }))) => {
                self.refuse(code, &message);
                Ok(())
            }
            Given::NoCamera(Fault { code, message }) => {
                self.fault(code, &message);
                Ok(())
            }
            Given::Taken(Taken::NotNow(error)) => Err(error.into()),
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
        // The camera first, for its viewers; the connection last: a page whose channel closes before it
        // has heard why would take the camera back.
        self.publisher.close(&end.reason);
        if let Some(Fault { code, message }) = &end.error {
            self.refuse(code, message);
        }
        end.hang_up(self.talk).await;
        if let Some(session) = self.session {
            session.close().await;
        }
    }
}

async fn next_event(session: &mut Option<Session>) -> Event {
    match session {
        Some(session) => session.next().await,
        None => std::future::pending().await,
    }
}

//! The publish WebSocket, `/publish/{camera}`: binary messages are frames or parts of them.
//!
//! Belongs here: what is said on this socket and how it ends. Does not: the messages' layout
//! (`wire`), reassembly and publishing ([`FrameSink`]), heartbeat ([`Talk`]).

use std::time::Duration;

use axum::{extract::State, response::Response};
use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{MissedTickBehavior, interval},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};
use tokio_util::sync::CancellationToken;

use super::{
    Ingest,
    frames::{Fault, FrameSink, Taken},
    http_push::PublishQuery,
};
use crate::{
    net::{ApiError, Ended, Id, Lifetime, Query, Talk, WebSocketUpgrade, close_code},
    relay::{CameraId, PublishError, Publisher, Transport},
    wire::{
        fragment,
        signal::{FromPublisher, MAX_TEXT_BYTES, PROTOCOL, ToPublisher},
    },
};

/// Distance of the feedback messages.
const FEEDBACK_PERIOD: Duration = Duration::from_secs(1);

/// Takes the upgrade.
pub async fn upgrade(
    State(ingest): State<Ingest>,
    Id(camera): Id,
    Query(PublishQuery { name }): Query<PublishQuery>,
    lifetime: Lifetime,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let publisher = Publisher { transport: Transport::WebSocket, name };
    let max_message = ingest.registry.limits().frame.max_bytes + fragment::HEADER_LEN;
    // Text has its own limit; a frame limit below it must not make it smaller.
    let max_message = max_message.max(MAX_TEXT_BYTES);
    Ok(upgrade.on_socket(max_message, move |socket| async move {
        serve(socket, &camera, publisher, &ingest, lifetime.shutdown).await;
    }))
}

/// How a session ends, and what follows from that.
struct End {
    /// For viewers, in plain words.
    reason: String,
    /// Said to the publisher before the close.
    error: Option<Fault>,
    /// `None` when nobody is left to tell.
    close: Option<u16>,
}

impl End {
    fn plain(close: Option<u16>, reason: &str) -> Self {
        Self { reason: reason.to_owned(), error: None, close }
    }

    fn error(close: u16, code: &'static str, message: String) -> Self {
        Self { reason: message.clone(), error: Some(Fault { code, message }), close: Some(close) }
    }

    fn draining() -> Self {
        let error = PublishError::Draining;
        let end = Self::error(close_code::GOING_AWAY, error.code(), error.to_string());
        Self { reason: "server shutting down".into(), ..end }
    }

    fn replaced() -> Self {
        Self::plain(Some(close_code::REPLACED), "replaced by a newer publisher")
    }
}

/// Serves one publisher until its socket ends, the server drains, or another takes its camera.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<S>,
    camera: &str,
    publisher: Publisher,
    ingest: &Ingest,
    shutdown: CancellationToken,
) {
    let mut talk = Talk::new(socket);
    let end = match open(camera, publisher, ingest, &shutdown) {
        Ok(sink) => Session { ingest, sink, talk: &mut talk }.run(shutdown).await,
        Err(end) => end,
    };
    if let Some(Fault { code, message }) = &end.error {
        talk.say(ToPublisher::Error { code, message }.to_json());
    }
    if end.close == Some(close_code::REPLACED) {
        let message = "a newer publisher took this camera";
        talk.say(ToPublisher::Replaced { camera, message }.to_json());
    }
    if let Some(code) = end.close {
        talk.close(code, &end.reason).await;
    }
}

fn open(
    camera: &str,
    publisher: Publisher,
    ingest: &Ingest,
    shutdown: &CancellationToken,
) -> Result<FrameSink, End> {
    if shutdown.is_cancelled() {
        return Err(End::draining());
    }
    let id = CameraId::parse(camera).map_err(|error| {
        End::error(close_code::CANNOT_SERVE, "bad_camera_id", error.to_string())
    })?;
    match ingest.registry.publish(&id, publisher) {
        Ok(producer) => Ok(FrameSink::new(producer)),
        Err(PublishError::Draining) => Err(End::draining()),
        Err(error @ PublishError::TooManyCameras(_)) => {
            Err(End::error(close_code::TOO_MANY, error.code(), error.to_string()))
        }
    }
}

struct Session<'a, S> {
    ingest: &'a Ingest,
    sink: FrameSink,
    talk: &'a mut Talk<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, S> {
    /// The camera is offline when this returns.
    async fn run(mut self, shutdown: CancellationToken) -> End {
        let registry = &self.ingest.registry;
        let hello = ToPublisher::Hello {
            version: env!("CARGO_PKG_VERSION"),
            protocol: PROTOCOL,
            server_us: registry.clock().unix_us(),
            max_frame_bytes: registry.limits().frame.max_bytes,
        };
        self.talk.say(hello.to_json());
        let mut feedback = interval(FEEDBACK_PERIOD);
        feedback.set_missed_tick_behavior(MissedTickBehavior::Delay);
        feedback.reset();
        let end = loop {
            let step = tokio::select! {
                () = shutdown.cancelled() => Err(End::draining()),
                () = self.sink.producer().replaced() => Err(End::replaced()),
                message = self.talk.next() => match message {
                    Ok(Message::Text(text)) => self.text(&text),
                    Ok(message) => self.binary(&message.into_data()),
                    Err(ended) => Err(self.ended(ended)),
                },
                _ = feedback.tick() => {
                    self.feedback();
                    Ok(())
                }
            };
            if let Err(end) = step {
                break end;
            }
        };
        // The camera first: its viewers need not wait until the socket has said goodbye.
        self.sink.close(&end.reason);
        end
    }

    fn binary(&mut self, message: &Bytes) -> Result<(), End> {
        let taken = self.sink.message(message);
        self.settle(taken)
    }

    fn text(&mut self, text: &str) -> Result<(), End> {
        if text.len() > MAX_TEXT_BYTES {
            let message = format!("a text message has at most {MAX_TEXT_BYTES} bytes");
            return Err(End::error(close_code::TOO_LARGE, "too_large", message));
        }
        match FromPublisher::parse(text) {
            Ok(FromPublisher::Ping { t }) => {
                let server_us = self.ingest.registry.clock().unix_us();
                self.talk.say(ToPublisher::Pong { t: &t, server_us }.to_json());
                Ok(())
            }
            Ok(FromPublisher::Bye) => {
                Err(End::plain(Some(close_code::NORMAL), "publisher stopped"))
            }
            Ok(FromPublisher::Offer(_) | FromPublisher::Candidate { .. }) => {
                self.misplaced("WebRTC is set up on /signal; this socket takes frames".into())
            }
            Err(message) => self.misplaced(message),
        }
    }

    /// At most one answer a second: what sends frames as text does so thirty times.
    fn misplaced(&mut self, message: String) -> Result<(), End> {
        let taken = self.sink.refuse("bad_message", message);
        self.settle(taken)
    }

    fn settle(&mut self, taken: Taken) -> Result<(), End> {
        match taken {
            Taken::Ok | Taken::Refused(None) => Ok(()),
            Taken::Refused(Some(Fault { code, message })) => {
                self.talk.say(ToPublisher::Error { code, message: &message }.to_json());
                Ok(())
            }
            Taken::Replaced => Err(End::replaced()),
        }
    }

    fn feedback(&mut self) {
        let figures = self.sink.feedback();
        let camera = self.sink.producer().camera().id().as_str();
        self.talk.mention(ToPublisher::Feedback { camera, figures: &figures }.to_json());
    }

    fn ended(&self, ended: Ended) -> End {
        let reason = match ended {
            Ended::Gone => "publisher disconnected",
            Ended::Silent => "no sign of life from the publisher for 150 s",
            Ended::NotReading => "the publisher asks without reading the answers",
            Ended::TooLarge => {
                let max = self.sink.producer().limits().max_bytes;
                let message = format!("a message is over the limit of {max} (--max-frame-bytes)");
                return End::error(close_code::TOO_LARGE, "too_large", message);
            }
        };
        End::plain(ended.close_code(), reason)
    }
}

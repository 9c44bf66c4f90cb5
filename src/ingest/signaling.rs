//! The signaling WebSocket of `docs/protocol.md`: one publisher, its camera and its WebRTC session.
//!
//! Belongs here: what happens on each message, and in which order a session ends. Does not: the
//! upgrade and who may publish (done before), the connection itself ([`webrtc`](super::webrtc)),
//! or the legacy dialect.

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

use super::{
    Ingest,
    frames::{Fault, FrameSink, Taken},
    outbox::Outbox,
    webrtc::{Event, Opener, Port, Reliability, Session},
};
use crate::{
    net::{close, close_code, heartbeat},
    relay::{CameraId, PublishError, Publisher, Transport},
    wire::signal::{Channel, FromPublisher, MAX_TEXT_BYTES, Offer, PROTOCOL, ToPublisher},
};

/// Distance of the feedback messages.
const FEEDBACK_PERIOD: Duration = Duration::from_secs(1);

/// Serves one publisher until its socket ends, the server drains, or another takes its camera.
///
/// `first` is a text message that was read already, to tell the dialect.
pub async fn serve<S>(
    socket: WebSocketStream<S>,
    first: Option<String>,
    ingest: &Ingest,
    port: &Port,
    shutdown: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut connection = Connection {
        ingest,
        port,
        outbox: Outbox::default(),
        offered: None,
        heard: Instant::now(),
        socket,
    };
    let registry = &ingest.registry;
    connection.say(&ToPublisher::Hello {
        version: env!("CARGO_PKG_VERSION"),
        protocol: PROTOCOL,
        server_us: registry.clock().unix_us(),
        max_frame_bytes: registry.limits().frame.max_bytes,
    });
    let ended = match first {
        Some(text) => connection.text(&text).await,
        None => Ok(()),
    };
    let end = match ended {
        Ok(()) => connection.run(shutdown).await,
        Err(end) => end,
    };
    connection.finish(end).await;
}

/// How a connection ends. The camera goes offline with the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The publisher's socket is gone.
    Gone,
    /// It said `bye`.
    Bye,
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
            Self::Bye => "publisher stopped",
            Self::Draining => "server shutting down",
            Self::Replaced => "replaced by a newer publisher",
            Self::Silent => "no sign of life from the publisher for 150 s",
            Self::TooLarge => "the publisher sent a message over 64 KiB",
            Self::NotReading => "the publisher asks without reading the answers",
            Self::TooManyCameras => "the server has as many cameras as it takes",
        }
    }

    /// The close code that goes with it, if the server is the one to close.
    fn close_code(self) -> Option<u16> {
        match self {
            Self::Gone => None,
            Self::Bye => Some(1000),
            Self::Draining => Some(close_code::GOING_AWAY),
            Self::Replaced => Some(close_code::REPLACED),
            Self::Silent => Some(close_code::SILENT),
            Self::TooLarge => Some(close_code::TOO_LARGE),
            Self::NotReading => Some(close_code::CANNOT_SERVE),
            Self::TooManyCameras => Some(close_code::TOO_MANY),
        }
    }
}

/// The camera an offer was for, and its connection.
struct Offered {
    camera: CameraId,
    publisher: Publisher,
    session: Session,
    /// The camera itself, from the moment the channel is open: an offer that never connects
    /// takes nothing from a publisher that sends.
    sink: Option<FrameSink>,
}

struct Connection<'a, S> {
    ingest: &'a Ingest,
    port: &'a Port,
    outbox: Outbox,
    offered: Option<Offered>,
    heard: Instant,
    socket: WebSocketStream<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<'_, S> {
    async fn run(&mut self, shutdown: CancellationToken) -> End {
        let mut feedback = interval(FEEDBACK_PERIOD);
        feedback.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
                message = self.outbox.exchange(&mut self.socket) => self.incoming(message).await,
                event = next_event(&mut self.offered) => match event {
                    Some(event) => self.event(event),
                    None => Err(End::Replaced),
                },
                _ = feedback.tick() => {
                    self.feedback();
                    Ok(())
                }
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

    fn fault(&mut self, code: &str, message: &str) {
        self.say(&ToPublisher::Error { code, message });
    }

    async fn incoming(&mut self, message: Option<Result<Message, SocketError>>) -> Result<(), End> {
        match message {
            Some(Ok(message)) => {
                self.heard = Instant::now();
                match message {
                    Message::Text(text) => return self.text(&text).await,
                    Message::Binary(_) => {
                        let to = "frames go over the data channel; this socket takes text";
                        self.fault("bad_message", to);
                    }
                    Message::Close(_) => return Err(End::Gone),
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                }
                Ok(())
            }
            Some(Err(SocketError::Capacity(_))) => Err(End::TooLarge),
            Some(Err(error)) => {
                tracing::debug!(%error, "signaling socket lost");
                Err(End::Gone)
            }
            None => Err(End::Gone),
        }
    }

    async fn text(&mut self, text: &str) -> Result<(), End> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(End::TooLarge);
        }
        match FromPublisher::parse(text) {
            Ok(FromPublisher::Offer(offer)) => self.offer(offer).await,
            Ok(FromPublisher::Candidate { candidate: Some(candidate) }) => {
                if let Some(offered) = &mut self.offered {
                    offered.session.add_candidate(&candidate.candidate).await;
                }
            }
            Ok(FromPublisher::Candidate { candidate: None }) => {}
            Ok(FromPublisher::Ping { t }) => {
                let server_us = self.ingest.registry.clock().unix_us();
                self.say(&ToPublisher::Pong { t: &t, server_us });
            }
            Ok(FromPublisher::Bye) => return Err(End::Bye),
            Err(message) => self.fault("bad_message", &message),
        }
        Ok(())
    }

    async fn offer(&mut self, offer: Offer) {
        let camera = match CameraId::parse(&offer.camera) {
            Ok(camera) => camera,
            Err(error) => return self.fault("bad_camera_id", &error.to_string()),
        };
        let reliability = match reliability(offer.channel.unwrap_or_default()) {
            Ok(reliability) => reliability,
            Err(message) => return self.fault("bad_message", message),
        };
        match Session::answer(self.port, &offer.sdp, Opener::Server(reliability)).await {
            Ok((session, sdp)) => {
                let publisher = Publisher { transport: Transport::WebRtc, name: offer.name };
                let offered = Offered { camera, publisher, session, sink: None };
                self.say(&ToPublisher::Answer { camera: offered.camera.as_str(), sdp: &sdp });
                if let Some(old) = self.offered.replace(offered) {
                    old.end("the publisher started anew");
                }
            }
            Err(error) => self.fault("webrtc_failed", &error.to_string()),
        }
    }

    fn event(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Opened => return self.go_online(),
            Event::Binary(message) => {
                // Unordered: a frame can overtake the acknowledgement that opens the channel.
                self.go_online()?;
                let sink = self.offered.as_mut().and_then(|offered| offered.sink.as_mut());
                let taken = sink.map(|sink| sink.message(&message));
                return self.settle(taken);
            }
            Event::Text(_) => {
                let to = "the data channel takes binary messages".to_owned();
                let sink = self.offered.as_mut().and_then(|offered| offered.sink.as_mut());
                let taken = sink.map(|sink| sink.refuse("bad_message", to));
                return self.settle(taken);
            }
            Event::ChannelClosed { stalled: true } => {
                let to = "the page's channel stalled and was closed; use the one the server opens";
                self.fault("webrtc_failed", to);
            }
            Event::ChannelClosed { stalled: false } => {}
            Event::Ended(end) => {
                self.fault("webrtc_failed", &end.to_string());
                self.drop_session(&end.to_string());
            }
        }
        Ok(())
    }

    fn go_online(&mut self) -> Result<(), End> {
        let Some(offered) = self.offered.as_mut().filter(|offered| offered.sink.is_none()) else {
            return Ok(());
        };
        match self.ingest.registry.publish(&offered.camera, offered.publisher.clone()) {
            Ok(producer) => {
                offered.sink = Some(FrameSink::new(producer));
                Ok(())
            }
            Err(PublishError::Draining) => Err(End::Draining),
            Err(error @ PublishError::TooManyCameras(_)) => {
                self.fault(error.code(), &error.to_string());
                Err(End::TooManyCameras)
            }
        }
    }

    fn settle(&mut self, taken: Option<Taken>) -> Result<(), End> {
        match taken {
            Some(Taken::Replaced) => Err(End::Replaced),
            Some(Taken::Refused(Some(Fault { code, message }))) => {
                self.fault(code, &message);
                Ok(())
            }
            Some(Taken::Ok | Taken::Refused(None)) | None => Ok(()),
        }
    }

    fn feedback(&mut self) {
        let Some(offered) = &mut self.offered else { return };
        let Some(sink) = &mut offered.sink else { return };
        let figures = sink.feedback();
        // For a publisher that does not read, the newest figures are as good as all of them.
        if self.outbox.is_empty() {
            let camera = offered.camera.as_str();
            let message = ToPublisher::Feedback { camera, figures: &figures }.to_json();
            self.outbox.push(Message::text(message));
        }
    }

    fn drop_session(&mut self, reason: &str) {
        if let Some(offered) = self.offered.take() {
            offered.end(reason);
        }
    }

    async fn finish(mut self, end: End) {
        let camera = self.offered.as_ref().map(|offered| offered.camera.clone());
        self.drop_session(end.reason());
        let Some(code) = end.close_code() else { return };
        match (end, camera) {
            (End::Replaced, Some(camera)) => {
                let message = "a newer publisher took this camera";
                self.say(&ToPublisher::Replaced { camera: camera.as_str(), message });
            }
            (End::Draining, _) => {
                self.fault(
                    "draining",
                    "the server is shutting down; connect again in some seconds",
                );
            }
            _ => {}
        }
        if end != End::NotReading {
            let _ =
                tokio::time::timeout(FEEDBACK_PERIOD, self.outbox.flush(&mut self.socket)).await;
        }
        close(self.socket, code, end.reason()).await;
    }
}

impl Offered {
    /// The camera first: its viewers need not wait until the connection has said goodbye.
    fn end(self, reason: &str) {
        if let Some(sink) = self.sink {
            sink.close(reason);
        }
        tokio::spawn(self.session.close());
    }
}

fn reliability(channel: Channel) -> Result<Reliability, &'static str> {
    match (channel.max_packet_life_time_ms, channel.max_retransmits) {
        (None, None) => Ok(Reliability::default()),
        (Some(ms), None) => Ok(Reliability::LifetimeMs(ms)),
        (None, Some(n)) => Ok(Reliability::Retransmits(n)),
        (Some(_), Some(_)) => {
            Err("a channel has max_packet_life_time_ms or max_retransmits, not both")
        }
    }
}

async fn replaced(sink: Option<&FrameSink>) {
    match sink {
        Some(sink) => sink.producer().replaced().await,
        None => std::future::pending().await,
    }
}

/// What happens on the connection; `None` when another publisher has taken the camera.
async fn next_event(offered: &mut Option<Offered>) -> Option<Event> {
    match offered {
        Some(Offered { session, sink, .. }) => tokio::select! {
            event = session.next() => Some(event),
            () = replaced(sink.as_ref()) => None,
        },
        None => std::future::pending().await,
    }
}

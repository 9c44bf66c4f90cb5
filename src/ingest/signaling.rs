//! The signaling WebSocket of `docs/protocol.md`: one publisher, its camera and its WebRTC session.
//!
//! Belongs here: what happens on each message, and in which order a session ends. Does not: the
//! upgrade and who may publish (done before), the connection itself ([`webrtc`](super::webrtc)),
//! or the legacy dialect.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::{
    Ingest,
    claim::Claim,
    ending::End,
    frames::{Fault, FrameSink, Taken, feedback_times},
    webrtc::{Event, Opener, Port, Reliability, Session},
};
use crate::{
    net::{Ended, Talk},
    relay::{CameraId, Publisher, Transport},
    wire::signal::{Channel, FromPublisher, MAX_TEXT_BYTES, Offer, ToPublisher},
};

/// Serves one publisher until its socket ends, the server drains, or another takes its camera.
///
/// `first` is a text message that was read already, to tell the dialect.
pub async fn serve<S>(
    mut talk: Talk<S>,
    first: Option<String>,
    ingest: &Ingest,
    port: &Port,
    shutdown: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    talk.say(ingest.hello());
    let mut connection = Connection { ingest, port, offered: None, talk };
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

/// The camera an offer was for, and its connection.
struct Offered {
    camera: CameraId,
    publisher: Publisher,
    session: Session,
    /// From the moment the channel is open.
    sink: Option<FrameSink>,
}

struct Connection<'a, S> {
    ingest: &'a Ingest,
    port: &'a Port,
    offered: Option<Offered>,
    talk: Talk<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<'_, S> {
    async fn run(&mut self, shutdown: CancellationToken) -> End {
        let mut feedback = feedback_times();
        loop {
            let step = tokio::select! {
                () = shutdown.cancelled() => Err(End::draining()),
                message = self.talk.next() => self.incoming(message).await,
                event = next_event(&mut self.offered) => match event {
                    Some(event) => self.event(event),
                    None => Err(End::replaced()),
                },
                _ = feedback.tick() => {
                    self.feedback();
                    Ok(())
                }
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    fn say(&mut self, message: &ToPublisher<'_>) {
        self.talk.say(message.to_json());
    }

    fn fault(&mut self, code: &str, message: &str) {
        self.say(&ToPublisher::Error { code, message });
    }

    async fn incoming(&mut self, message: Result<Message, Ended>) -> Result<(), End> {
        match message {
            Ok(Message::Text(text)) => self.text(&text).await,
            Ok(_) => {
                let to = "frames go over the data channel; this socket takes text";
                self.fault("bad_message", to);
                Ok(())
            }
            Err(ended) => Err(End::of(ended, too_large)),
        }
    }

    async fn text(&mut self, text: &str) -> Result<(), End> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(too_large());
        }
        match FromPublisher::parse(text) {
            Ok(FromPublisher::Offer(offer)) => self.offer(offer).await,
            Ok(FromPublisher::Candidate { candidate: Some(candidate) }) => {
                if let Some(offered) = &mut self.offered {
                    offered.session.add_candidate(&candidate.candidate).await;
                }
            }
            Ok(FromPublisher::Candidate { candidate: None }) => {}
            Ok(FromPublisher::Ping { t }) => self.talk.say(self.ingest.pong(&t)),
            Ok(FromPublisher::Bye) => return Err(End::bye()),
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
                let (transport, from) = (Transport::WebRtc, self.talk.peer());
                let publisher = Publisher { transport, name: offer.name, from };
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
            Event::Opened => return self.open(),
            Event::Binary(message) => {
                // Unordered: a frame can overtake the acknowledgement that opens the channel.
                self.open()?;
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

    /// The camera is not taken before the first picture, but one that cannot be had is told now.
    fn open(&mut self) -> Result<(), End> {
        let Some(offered) = self.offered.as_mut().filter(|offered| offered.sink.is_none()) else {
            return Ok(());
        };
        let (camera, publisher) = (offered.camera.clone(), offered.publisher.clone());
        offered.sink = Some(FrameSink::new(Claim::new(&self.ingest.registry, camera, publisher)?));
        Ok(())
    }

    fn settle(&mut self, taken: Option<Taken>) -> Result<(), End> {
        match taken {
            Some(Taken::Replaced) => Err(End::replaced()),
            Some(Taken::NotNow(error)) => Err(error.into()),
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
        let camera = offered.camera.as_str();
        self.talk.mention(ToPublisher::Feedback { camera, figures: &figures }.to_json());
    }

    fn drop_session(&mut self, reason: &str) {
        if let Some(offered) = self.offered.take() {
            offered.end(reason);
        }
    }

    async fn finish(self, end: End) {
        let Some(Offered { camera, session, sink, .. }) = self.offered else {
            return end.tell(self.talk, None).await;
        };
        // The camera first, for its viewers; the connection last: a page whose channel closes before
        // it has heard why connects again, and takes back the camera that it was to leave.
        if let Some(sink) = sink {
            sink.close(&end.reason);
        }
        end.tell(self.talk, Some(camera.as_str())).await;
        session.close().await;
    }
}

fn too_large() -> End {
    let message = format!("a signaling message has at most {MAX_TEXT_BYTES} bytes");
    End::too_large("the publisher sent a message over 64 KiB").saying("too_large", message)
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
        Some(sink) => sink.claim().replaced().await,
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

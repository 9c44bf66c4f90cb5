//! The publish WebSocket, `/publish/{camera}`: binary messages are frames or parts of them.
//!
//! Belongs here: what is said on this socket and how it ends. Does not: the messages' layout
//! (`wire`), reading them without a copy ([`Intake`]), reassembly and publishing ([`FrameSink`]),
//! heartbeat ([`Talk`]).

use std::{future::poll_fn, pin::pin, task::Poll};

use axum::{extract::State, response::Response};
use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};
use tokio_util::sync::CancellationToken;

use super::{
    Ingest,
    claim::Claim,
    ending::End,
    frames::{Fault, FrameSink, Taken, feedback_times},
    http_push::PublishQuery,
};
use crate::{
    net::{ApiError, Ended, Id, Intake, Lifetime, Query, Talk, WebSocketUpgrade},
    relay::{CameraId, Publisher, Transport},
    wire::{
        envelope, fragment,
        signal::{FromPublisher, MAX_TEXT_BYTES, ToPublisher},
    },
};

/// Takes the upgrade.
pub async fn upgrade(
    State(ingest): State<Ingest>,
    Id(camera): Id,
    Query(PublishQuery { name }): Query<PublishQuery>,
    lifetime: Lifetime,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let publisher = Publisher { transport: Transport::WebSocket, name, from: upgrade.peer() };
    let max_message = ingest.registry.limits().frame.max_bytes + fragment::HEADER_LEN;
    // Text has its own limit; a frame limit below it must not make it smaller.
    let max_message = max_message.max(MAX_TEXT_BYTES);
    Ok(upgrade.on_upgrade(move |stream, read| async move {
        let headroom = envelope::headroom(camera.len());
        let (intake, frames) = Intake::new(stream, &read, headroom, max_message);
        serve(intake.socket().await, frames, &camera, publisher, &ingest, lifetime.shutdown).await;
    }))
}

/// Serves one publisher until its socket ends, the server drains, or another takes its camera.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<S>,
    frames: mpsc::Receiver<Vec<u8>>,
    camera: &str,
    publisher: Publisher,
    ingest: &Ingest,
    shutdown: CancellationToken,
) {
    let mut talk = Talk::new(socket);
    let end = match open(camera, publisher, ingest, &shutdown) {
        Ok(sink) => Session { ingest, sink, frames, talk: &mut talk }.run(shutdown).await,
        Err(end) => {
            // Nobody takes frames: left open, the first would keep the peer's close from being read.
            drop(frames);
            end
        }
    };
    end.tell(talk, Some(camera)).await;
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
    let id = CameraId::parse(camera)
        .map_err(|error| End::cannot_serve("bad_camera_id", error.to_string()))?;
    Ok(FrameSink::new(Claim::new(&ingest.registry, id, publisher)?))
}

struct Session<'a, S> {
    ingest: &'a Ingest,
    sink: FrameSink,
    /// Most binary messages, each behind the headroom of a frame.
    frames: mpsc::Receiver<Vec<u8>>,
    talk: &'a mut Talk<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, S> {
    /// The camera is offline when this returns.
    async fn run(mut self, shutdown: CancellationToken) -> End {
        self.talk.say(self.ingest.hello());
        let mut feedback = feedback_times();
        // Waits outside the loop: to begin one anew for each frame costs more than to look at it.
        let mut shutdown = pin!(shutdown.cancelled_owned());
        let end = loop {
            // In this order: a message is taken before the socket is read on, and none of the others
            // waits behind a publisher that never pauses.
            let step = tokio::select! {
                biased;
                () = &mut shutdown => Err(End::draining()),
                () = self.sink.claim().replaced() => Err(End::replaced()),
                _ = feedback.tick() => {
                    self.feedback();
                    Ok(())
                }
                message = self.talk.next() => match message {
                    Ok(Message::Text(text)) => self.text(&text),
                    Ok(message) => self.binary(&message.into_data()),
                    Err(ended) => Err(self.ended(ended)),
                },
                message = poll_fn(|_| waiting(&mut self.frames)) => {
                    self.talk.heard();
                    let taken = self.sink.owned(message);
                    self.settle(taken)
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
            return Err(too_large(message));
        }
        match FromPublisher::parse(text) {
            Ok(FromPublisher::Ping { t }) => {
                self.talk.say(self.ingest.pong(&t));
                Ok(())
            }
            Ok(FromPublisher::Bye) => {
                let figures = self.figures();
                self.talk.say(figures);
                Err(End::bye())
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
            Taken::NotNow(error) => Err(error.into()),
        }
    }

    fn feedback(&mut self) {
        let figures = self.figures();
        self.talk.mention(figures);
    }

    fn figures(&mut self) -> String {
        let figures = self.sink.feedback();
        let camera = self.sink.claim().camera().as_str();
        ToPublisher::Feedback { camera, figures: &figures }.to_json()
    }

    fn ended(&self, ended: Ended) -> End {
        let max = self.sink.claim().limits().max_bytes;
        End::of(ended, || {
            too_large(format!("a message is over the limit of {max} (--max-frame-bytes)"))
        })
    }
}

/// A message that the socket has just brought. No waker is left: only reading the socket brings one,
/// and that is this task's own doing.
fn waiting(frames: &mut mpsc::Receiver<Vec<u8>>) -> Poll<Vec<u8>> {
    frames.try_recv().map_or(Poll::Pending, Poll::Ready)
}

fn too_large(message: String) -> End {
    End::too_large(message.clone()).saying("too_large", message)
}

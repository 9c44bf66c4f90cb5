//! The reading half of one viewer: its messages become commands for its writer.
//!
//! Reading goes through tungstenite, which also makes the answers to pings and closes; those are
//! handed to the writer too, so that they never stand inside a frame.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use serde_json::error::Category;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::mpsc,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as WsError, Message,
        error::CapacityError,
        protocol::{Role, WebSocketConfig},
    },
};
use tokio_util::sync::{CancellationToken, PollSender};

use super::{
    auto::Size,
    messages,
    viewer::{Line, Wish},
    writer::Command,
};
use crate::{
    net::{close_code, heartbeat},
    relay::{CameraId, Clock},
    wire::{
        brief,
        stream::{MAX_TEXT, ServerMessage, ViewerMessage},
    },
};

/// Bytes read at once: a viewer's messages are short.
const READ_BUFFER: usize = 2 << 10;

/// The reading half of a viewer.
pub(super) struct Session {
    pub id: u64,
    pub commands: mpsc::Sender<Command>,
    pub max_fps: f64,
    pub clock: Clock,
    pub ended: CancellationToken,
}

impl Session {
    /// Reads until the viewer goes or its writer ends it.
    pub(super) async fn run(self, line: Arc<Line>, leftover: Bytes) {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_TEXT))
            .max_frame_size(Some(MAX_TEXT))
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(READ_BUFFER);
        let control = PollSender::new(self.commands.clone());
        let half = Half { id: self.id, line, control };
        let role = Role::Server;
        let mut socket =
            WebSocketStream::from_partially_read(half, leftover.into(), role, Some(config)).await;
        loop {
            let next = tokio::select! {
                next = tokio::time::timeout(heartbeat::SILENCE, socket.next()) => next,
                () = self.ended.cancelled() => break,
            };
            match next {
                Ok(Some(Ok(message))) => self.message(message).await,
                Ok(Some(Err(WsError::Capacity(CapacityError::MessageTooLong { .. })))) => {
                    let reason = "a viewer's message may have 64 KiB";
                    self.close(close_code::TOO_LARGE, reason).await;
                    break;
                }
                Ok(Some(Err(WsError::Protocol(error)))) => {
                    tracing::debug!(viewer = self.id, %error, "viewer broke the WebSocket protocol");
                    self.close(close_code::PROTOCOL, "not the WebSocket protocol").await;
                    break;
                }
                Ok(Some(Err(_)) | None) => break,
                Err(_) => {
                    self.close(close_code::SILENT, "no sign of life for 150 s").await;
                    break;
                }
            }
        }
        self.send(Command::Gone(self.id)).await;
    }

    async fn message(&self, message: Message) {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => {
                return self.refuse("viewers send text messages only; this one was binary").await;
            }
            // Pings are answered, and pongs are a sign of life, without our doing.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return,
        };
        match serde_json::from_str(&text) {
            Ok(message) => self.obey(message).await,
            Err(error) if error.classify() == Category::Data => {
                let error = brief(&error.to_string());
                self.refuse(&format!("not a message of this protocol: {error}")).await;
            }
            Err(error) => self.refuse(&format!("not JSON: {error}")).await,
        }
    }

    async fn obey(&self, message: ViewerMessage) {
        match message {
            ViewerMessage::Subscribe { camera, max_fps, width, quality } => {
                let fps = match max_fps {
                    Some(fps) if fps > 0.0 && fps.is_finite() => fps.min(self.max_fps),
                    Some(_) => return self.refuse("max_fps must be a number above 0").await,
                    None => self.max_fps,
                };
                let size = match Size::read(quality.as_deref(), width, fps) {
                    Ok(size) => size,
                    Err(error) => return self.refuse(&error).await,
                };
                if let Some(camera) = self.camera(&camera).await {
                    self.send(Command::Subscribe(self.id, camera, Wish { fps, size })).await;
                }
            }
            ViewerMessage::Unsubscribe { camera } => {
                if let Some(camera) = self.camera(&camera).await {
                    self.send(Command::Unsubscribe(self.id, camera)).await;
                }
            }
            ViewerMessage::Ack { camera, seq } => {
                // Nobody waits for the answer to an ack, so a wrong one is not worth an error.
                if let Ok(camera) = CameraId::parse(&camera) {
                    self.send(Command::Ack(self.id, camera, seq)).await;
                }
            }
            ViewerMessage::Ping { t } => {
                let pong = ServerMessage::Pong { t: &t, server_us: self.clock.unix_us() };
                self.send(Command::Text(self.id, messages::text(&pong))).await;
            }
        }
    }

    /// `Some(None)` for all cameras, `None` after telling what is wrong.
    async fn camera(&self, text: &str) -> Option<Option<CameraId>> {
        if text == "*" {
            return Some(None);
        }
        match CameraId::parse(text) {
            Ok(camera) => Some(Some(camera)),
            Err(error) => {
                self.error("bad_camera_id", &error.to_string()).await;
                None
            }
        }
    }

    async fn refuse(&self, message: &str) {
        self.error("bad_message", message).await;
    }

    async fn error(&self, code: &str, message: &str) {
        let error = ServerMessage::Error { code, message, camera: None };
        self.send(Command::Text(self.id, messages::text(&error))).await;
    }

    async fn close(&self, code: u16, reason: &'static str) {
        self.send(Command::Close(self.id, code, reason)).await;
    }

    async fn send(&self, command: Command) {
        // The writer is gone only when the server is.
        let _ = self.commands.send(command).await;
    }
}

/// Reads from the socket; what tungstenite writes, pongs and the answer to a close, goes to the
/// writer as one command a frame.
struct Half {
    id: u64,
    line: Arc<Line>,
    control: PollSender<Command>,
}

impl AsyncRead for Half {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.line.socket.poll_read_ready(cx))?;
            match self.line.socket.try_read(buf.initialize_unfilled()) {
                Ok(n) => {
                    buf.advance(n);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Half {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        frame: &[u8],
    ) -> Poll<io::Result<usize>> {
        // With a write buffer of 0 tungstenite writes each frame whole, in one call.
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        ready!(self.control.poll_reserve(cx)).map_err(gone)?;
        let command = Command::Control(self.id, BytesMut::from(frame).freeze());
        self.control.send_item(command).map_err(gone)?;
        Poll::Ready(Ok(frame.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

//! The ingest socket at `/`: listens for the first message, which tells whether the client speaks
//! the signaling protocol or that of SkySentry v2.
//!
//! Belongs here: the wait for that message. Does not: either dialect.

use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error as SocketError, Message, Utf8Bytes},
};
use tokio_util::sync::CancellationToken;

use super::{Ingest, legacy, signaling, webrtc::Port};
use crate::{
    net::{close, close_code, heartbeat},
    wire::{
        legacy::{is_legacy, max_message},
        signal::ToPublisher,
    },
};

/// What a client is told whose first message is of neither dialect.
const UNKNOWN: &str = "the first message must be JSON text with a type of docs/protocol.md: \
                       offer, or client-registration for older clients; \
                       frames alone go to /publish/{camera}";

/// Longest message on this socket, in bytes: legacy clients send frames as text.
pub fn max_socket_message(ingest: &Ingest) -> usize {
    max_message(ingest.registry.limits().frame.max_bytes)
}

/// Serves one publisher of either dialect, on a socket that takes [`max_socket_message`].
///
/// Nothing is said before the client speaks: a legacy client expects nothing but answers.
pub async fn serve<S>(
    mut socket: WebSocketStream<S>,
    ingest: &Ingest,
    port: &Port,
    shutdown: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    match first_message(&mut socket, &shutdown).await {
        First::Text(text) if is_legacy(&text) => {
            legacy::serve(socket, &text, ingest, port, shutdown).await;
        }
        First::Text(text) if is_signaling(&text) => {
            signaling::serve(socket, Some(text.to_string()), ingest, port, shutdown).await;
        }
        First::Text(_) | First::Binary => {
            let error = ToPublisher::Error { code: "bad_message", message: UNKNOWN };
            if socket.send(Message::text(error.to_json())).await.is_ok() {
                close(socket, close_code::CANNOT_SERVE, "neither dialect").await;
            }
        }
        First::Ended(Some((code, reason))) => close(socket, code, reason).await,
        First::Ended(None) => {}
    }
}

enum First {
    Text(Utf8Bytes),
    Binary,
    /// It ends before that; with the close code and reason, if the server is the one to close.
    Ended(Option<(u16, &'static str)>),
}

async fn first_message<S>(socket: &mut WebSocketStream<S>, shutdown: &CancellationToken) -> First
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut heard = Instant::now();
    let mut ping = interval(heartbeat::PERIOD);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.reset();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => {
                return First::Ended(Some((close_code::GOING_AWAY, "server shutting down")));
            }
            () = tokio::time::sleep_until(heard + heartbeat::SILENCE) => {
                return First::Ended(Some((close_code::SILENT, "no sign of life for 150 s")));
            }
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => return First::Text(text),
                Some(Ok(Message::Binary(_))) => return First::Binary,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => heard = Instant::now(),
                Some(Err(SocketError::Capacity(_))) => {
                    return First::Ended(Some((close_code::TOO_LARGE, "message too large")));
                }
                Some(Ok(Message::Close(_) | Message::Frame(_)) | Err(_)) | None => {
                    return First::Ended(None);
                }
            },
            _ = ping.tick() => {
                if socket.send(Message::Ping(bytes::Bytes::new())).await.is_err() {
                    return First::Ended(None);
                }
            }
        }
    }
}

/// Whether a message has a type of the signaling protocol; what else is wrong with it is told there.
fn is_signaling(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "type")]
        kind: String,
    }
    let head: Result<Head, _> = serde_json::from_str(text);
    head.is_ok_and(|head| matches!(head.kind.as_str(), "offer" | "candidate" | "ping" | "bye"))
}

//! The WebSocket upgrade (RFC 6455, section 4.2), handing over the bare TCP stream.

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    response::Response,
};
use bytes::Bytes;
use futures_util::SinkExt as _;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{ApiError, Lifetime, Peer, Place, Socket, head_first::HeadFirst, stalled::GiveUp};

/// Close codes of `docs/protocol.md`.
pub mod close_code {
    /// Both are done (RFC 6455).
    pub const NORMAL: u16 = 1000;
    /// The server is shutting down (RFC 6455).
    pub const GOING_AWAY: u16 = 1001;
    /// Not WebSocket frames (RFC 6455).
    pub const PROTOCOL: u16 = 1002;
    /// A message over the limit (RFC 6455).
    pub const TOO_LARGE: u16 = 1009;
    /// The request or dialect cannot be served.
    pub const CANNOT_SERVE: u16 = 4000;
    /// A newer publisher took the camera.
    pub const REPLACED: u16 = 4001;
    /// No sign of life.
    pub const SILENT: u16 = 4002;
    /// The viewer reads nothing.
    pub const NOT_READING: u16 = 4003;
    /// Too many cameras.
    pub const TOO_MANY: u16 = 4004;
}

/// The server's heartbeat: a ping this often, and a connection is given up after this silence.
pub mod heartbeat {
    use std::time::Duration;

    /// Between pings.
    pub const PERIOD: Duration = Duration::from_secs(60);
    /// Without any message or pong: two missed pings and some.
    pub const SILENCE: Duration = Duration::from_secs(150);
}

/// Longest message read from a client that is being refused.
const MAX_REFUSED_MESSAGE: usize = 64 << 10;

/// How long a peer may take to read what stands before its close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A request that asks for a WebSocket, checked.
#[derive(Debug)]
pub struct WebSocketUpgrade {
    on_upgrade: OnUpgrade,
    accept: String,
    lifetime: Lifetime,
    place: Option<Place>,
    peer: Option<SocketAddr>,
}

impl WebSocketUpgrade {
    /// Answers 101 and runs `serve` with the TCP stream and the bytes that were read beyond the
    /// request.
    pub fn on_upgrade<F>(
        self,
        serve: impl FnOnce(TcpStream, Bytes) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        let Self { on_upgrade, accept, lifetime, place, peer: _ } = self;
        lifetime.tasks.spawn(async move {
            let upgraded = match on_upgrade.await {
                Ok(upgraded) => upgraded,
                Err(error) => return tracing::debug!(%error, "client left during the upgrade"),
            };
            let parts = upgraded.downcast::<TokioIo<GiveUp<HeadFirst<TcpStream>>>>().ok();
            let bare = parts.and_then(|parts| {
                Some((parts.io.into_inner().into_inner().into_inner()?, parts.read_buf))
            });
            match bare {
                Some((stream, read)) => serve(stream, read).await,
                None => tracing::error!("a WebSocket came in over something that is not TCP"),
            }
            drop(place);
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, header::HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
        if let Ok(accept) = accept.parse() {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        response
    }

    /// As [`Self::on_upgrade`], for edges that read and write through one socket. Messages above
    /// `max_message` bytes end the connection.
    pub fn on_socket<F>(
        self,
        max_message: usize,
        serve: impl FnOnce(Socket) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        self.on_upgrade(move |stream, read| async move {
            serve(server_socket(stream, read, max_message).await).await;
        })
    }

    /// Accepts the upgrade only to say what is wrong: `error`, then close 4000. A page sees nothing
    /// of an HTTP error that answers its upgrade.
    pub fn refuse(self, error: ApiError) -> Response {
        self.on_socket(MAX_REFUSED_MESSAGE, move |mut socket| async move {
            let text = json!({"type": "error", "code": error.code, "message": error.message});
            if socket.send(Message::text(text.to_string())).await.is_ok() {
                close(socket, close_code::CANNOT_SERVE, &error.message).await;
            }
        })
    }

    /// Where the client connects from, where that is known.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The upgrade that a request asks for well.
    pub fn from_parts(parts: &mut Parts) -> Option<Self> {
        Self::check(parts).ok()
    }

    /// Whether a request asks for a WebSocket, well or badly.
    pub fn asked(headers: &HeaderMap) -> bool {
        token(headers, header::UPGRADE, "websocket")
    }

    fn check(parts: &mut Parts) -> Result<Self, ApiError> {
        let bad = |message: &str| ApiError::new("bad_request", message);
        if !Self::asked(&parts.headers) || !token(&parts.headers, header::CONNECTION, "upgrade") {
            let message = "this is a WebSocket; connect with ws:// or wss://";
            return Err(ApiError::new("upgrade_required", message));
        }
        if parts.method != Method::GET {
            return Err(bad("a WebSocket starts with GET"));
        }
        if parts.headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|v| v != "13") {
            return Err(bad("Sec-WebSocket-Version must be 13"));
        }
        let key = parts.headers.get(header::SEC_WEBSOCKET_KEY);
        let key = key.ok_or_else(|| bad("Sec-WebSocket-Key is missing"))?;
        let accept = derive_accept_key(key.as_bytes());
        let lifetime = parts.extensions.get::<Lifetime>().cloned().unwrap_or_default();
        // While draining HTTP says `Connection: close` in every answer, which is no upgrade.
        if lifetime.shutdown.is_cancelled() {
            let message = "the server is shutting down; connect again in some seconds";
            return Err(ApiError::new("draining", message));
        }
        let on_upgrade = parts.extensions.remove::<OnUpgrade>();
        let on_upgrade = on_upgrade.ok_or_else(|| bad("this connection cannot be upgraded"))?;
        let place = parts.extensions.get::<Place>().cloned();
        let Peer(peer) = Peer::of(parts);
        Ok(Self { on_upgrade, accept, lifetime, place, peer })
    }
}

impl<S: Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::check(parts)
    }
}

/// `None` for a request that asks for no upgrade, so that one path serves a page and a WebSocket.
impl<S: Sync> OptionalFromRequestParts<S> for WebSocketUpgrade {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, ApiError> {
        if Self::asked(&parts.headers) { Self::check(parts).map(Some) } else { Ok(None) }
    }
}

/// Whether a header's comma-separated list holds a token, in any case.
fn token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// A server's WebSocket over an upgraded stream. Messages above `max_message` bytes end the
/// connection; tungstenite's own default would be 64 MiB, with a write buffer without bound.
pub async fn server_socket<S>(stream: S, read: Bytes, max_message: usize) -> WebSocketStream<S>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let config = server_config(max_message);
    WebSocketStream::from_partially_read(stream, read.into(), Role::Server, Some(config)).await
}

/// The settings of [`server_socket`].
pub(super) fn server_config(max_message: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message))
        // 16 KiB instead of 128 KiB a connection; a frame of 30 KB is two reads.
        .read_buffer_size(16 << 10)
        .write_buffer_size(0)
        .max_write_buffer_size(1 << 20)
}

/// Ends a connection with a code and a reason, waiting a little for the peer to read it.
pub async fn close<S>(mut socket: WebSocketStream<S>, code: u16, reason: &str)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    // RFC 6455, 5.5: a control frame carries at most 125 bytes, two of them the code.
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let frame = CloseFrame { code: CloseCode::from(code), reason: reason[..end].into() };
    let closing = async {
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            // Read on until the peer's close, or a reset would take our last messages with it.
            while let Some(Ok(_)) = futures_util::StreamExt::next(&mut socket).await {}
        }
        // After an error, such as a message over the limit, the rest is no longer looked at.
        let mut scratch = vec![0; 16 << 10];
        while matches!(socket.get_mut().read(&mut scratch).await, Ok(1..)) {}
    };
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
}

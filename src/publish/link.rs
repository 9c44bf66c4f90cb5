//! The connection to the server: TCP, and the WebSocket on it.

use std::{io, time::Duration};

use socket2::SockRef;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{self, client::IntoClientRequest as _, protocol::WebSocketConfig},
};

use super::{End, Options, messages::Refusal};

/// For each of the connection and the upgrade.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest message taken from the server, which sends short texts only.
const MAX_MESSAGE: usize = 64 << 10;
/// What the kernel may hold unsent, in bytes, as far as it can be told. More would only be delay.
const SEND_BUFFER: usize = 128 << 10;
#[cfg(target_os = "linux")]
const NOT_SENT_LOW_WATER: u32 = 32 << 10;

pub(super) type Link = WebSocketStream<TcpStream>;

/// Connects. An error says whether trying again can help.
pub(super) async fn connect(options: &Options) -> Result<Link, End> {
    let (host, port) = (options.to.host.as_str(), options.to.port);
    let lost = |reason: &dyn std::fmt::Display| {
        End::Lost(format!("cannot reach the server at {host}:{port}: {reason}"))
    };
    let stream = match timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(lost(&error)),
        Err(_) => return Err(lost(&"no answer")),
    };
    bound(&stream).map_err(|error| lost(&error))?;
    let url = options.to.url(&options.camera, options.name.as_deref());
    let request = url.into_client_request().map_err(|error| End::Refused(error.to_string()))?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
        .write_buffer_size(0);
    match timeout(CONNECT_TIMEOUT, client_async_with_config(request, stream, Some(config))).await {
        Ok(Ok((link, _))) => Ok(link),
        Ok(Err(tungstenite::Error::Http(response))) => Err(refusal(&response)),
        Ok(Err(error)) => Err(lost(&error)),
        Err(_) => Err(lost(&"it took the connection and says nothing")),
    }
}

/// A frame that waits in the kernel is delay; one that waits in the slot is replaced by a newer.
fn bound(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_send_buffer_size(SEND_BUFFER)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(NOT_SENT_LOW_WATER)?;
    Ok(())
}

fn refusal(response: &http::Response<Option<Vec<u8>>>) -> End {
    let status = response.status();
    let body = response.body().as_deref().unwrap_or_default();
    let said = serde_json::from_slice::<Refusal>(body).ok().map(|refusal| refusal.error.message);
    let mut reason = said.unwrap_or_else(|| format!("it answers {status}"));
    if status == http::StatusCode::NOT_FOUND {
        reason += "; is this the server's publisher port?";
    }
    // 408, 409 and 429 pass by themselves, as does what the server says of its own state.
    let passing = status.is_server_error() || matches!(status.as_u16(), 408 | 409 | 429);
    if passing { End::Lost(reason) } else { End::Refused(reason) }
}

//! The ingest socket at `/`: listens for the first message, which tells whether the client speaks
//! the signaling protocol or that of SkySentry v2.
//!
//! Belongs here: the wait for that message. Does not: either dialect.

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::{Ingest, ending::End, legacy, signaling, webrtc::Port};
use crate::{
    net::Talk,
    wire::legacy::{is_legacy, max_message},
};

/// What a client is told whose first message is of neither dialect.
const UNKNOWN: &str = "the first message must be JSON text with a type of docs/protocol.md: \
                       offer, or client-registration for older clients; \
                       frames alone go to /publish/{camera}";

/// Longest message on this socket, in bytes: legacy clients send frames as text.
pub fn max_socket_message(ingest: &Ingest) -> usize {
    max_message(ingest.registry.limits().frame.max_bytes)
}

/// Serves one publisher of either dialect, over a socket that takes [`max_socket_message`].
///
/// Nothing is said before the client speaks: a legacy client expects nothing but answers.
pub async fn serve<S>(mut talk: Talk<S>, ingest: &Ingest, port: &Port, shutdown: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let first = tokio::select! {
        () = shutdown.cancelled() => Err(End::draining()),
        message = talk.next() => {
            message.map_err(|ended| End::of(ended, || End::too_large("message too large")))
        }
    };
    match first {
        Ok(Message::Text(text)) if is_legacy(&text) => {
            legacy::serve(talk, &text, ingest, port, shutdown).await;
        }
        Ok(Message::Text(text)) if is_signaling(&text) => {
            signaling::serve(talk, Some(text.to_string()), ingest, port, shutdown).await;
        }
        Ok(_) => {
            let end = End::cannot_serve("bad_message", UNKNOWN.to_owned());
            End { reason: "neither dialect".into(), ..end }.tell(talk, None).await;
        }
        // The error would be in one dialect or the other.
        Err(end) => end.hang_up(talk).await,
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

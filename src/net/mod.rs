//! Sockets under the doors: accepting, the WebSocket upgrade, WebRTC's one UDP port, encryption to cameras,
//! socket options, and the one mapping from errors to HTTP status.
//!
//! Belongs here: what both edges need of TCP, HTTP, WebSocket and WebRTC. Does not: cameras, frames, or
//! what a message says.

mod answering;
mod conditions;
mod error;
pub mod guard;
mod head_first;
mod intake;
mod listen;
mod options;
mod request;
mod stalled;
mod talk;
pub mod tls;
mod upgrade;
mod upload;
pub mod webrtc;

pub use conditions::{is_known, is_meant};
pub use error::ApiError;
pub use intake::Intake;
use listen::Place;
pub use listen::{Lifetime, bind, serve, serve_viewers};
pub use request::{Id, JsonObject, MaybeJsonObject, Peer, Query};
pub use talk::{Ended, Talk};
pub use upgrade::{WebSocketUpgrade, close, close_code, heartbeat, server_socket};
pub use upload::{Inflow, Upload};

/// A WebSocket as the ingest side uses it.
pub type Socket = tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>;

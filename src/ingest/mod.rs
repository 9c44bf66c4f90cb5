//! Doors in. Each turns what a publisher sends into frames for the camera it holds the producer of.
//!
//! Belongs here: publishers' protocols. Does not: viewers, the cache, or who may publish what.

mod claim;
pub mod dialect;
mod ending;
mod frames;
mod http_push;
mod legacy;
pub mod pull;
mod push_body;
mod refusals;
pub mod signaling;
mod stills;
pub mod synthetic;
pub mod webrtc;
mod websocket;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

use crate::{
    relay::Registry,
    wire::signal::{PROTOCOL, ToPublisher},
};

/// What every door in needs.
#[derive(Debug, Clone)]
pub struct Ingest {
    /// Hands out the producers.
    pub registry: Arc<Registry>,
}

impl Ingest {
    /// The first message to a publisher over a WebSocket.
    fn hello(&self) -> String {
        let hello = ToPublisher::Hello {
            version: env!("CARGO_PKG_VERSION"),
            protocol: PROTOCOL,
            server_us: self.registry.clock().unix_us(),
            max_frame_bytes: self.registry.limits().frame.max_bytes,
        };
        hello.to_json()
    }

    /// The answer to a `ping`.
    fn pong(&self, t: &serde_json::Number) -> String {
        ToPublisher::Pong { t, server_us: self.registry.clock().unix_us() }.to_json()
    }
}

/// The routes of `/publish`.
pub fn routes(ingest: &Ingest) -> Router {
    let push = post(http_push::push).put(http_push::push);
    let push = push.with_state(http_push::HttpPush::new(ingest.clone()));
    let socket = get(websocket::upgrade).with_state(ingest.clone());
    Router::new().route("/publish/{camera}", socket.merge(push))
}

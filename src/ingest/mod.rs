//! Doors in. Each turns what a publisher sends into frames for the camera it holds the producer of.
//!
//! Belongs here: publishers' protocols. Does not: viewers, the cache, or who may publish what.

pub mod dialect;
pub mod frames;
pub mod http_push;
pub mod legacy;
pub mod outbox;
pub mod signaling;
pub mod stills;
pub mod synthetic;
pub mod webrtc;
pub mod websocket;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

use crate::relay::Registry;

/// What every door in needs.
#[derive(Debug, Clone)]
pub struct Ingest {
    /// Hands out the producers.
    pub registry: Arc<Registry>,
}

/// The routes of `/publish`.
pub fn routes(ingest: &Ingest) -> Router {
    let push = post(http_push::push).put(http_push::push);
    let push = push.with_state(http_push::HttpPush::new(ingest.clone()));
    let socket = get(websocket::upgrade).with_state(ingest.clone());
    Router::new().route("/publish/{camera}", socket.merge(push))
}

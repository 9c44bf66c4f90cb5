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

use crate::{net::Route, relay::Registry};

/// What every door in needs.
#[derive(Debug, Clone)]
pub struct Ingest {
    /// Hands out the producers.
    pub registry: Arc<Registry>,
}

/// The routes of `/publish`.
pub fn routes(ingest: &Ingest) -> Vec<Route> {
    let push = http_push::HttpPush::new(ingest.clone());
    let publish = Route::at("/publish/{camera}");
    vec![publish.get(websocket::upgrade, ingest).push(http_push::push, &push)]
}

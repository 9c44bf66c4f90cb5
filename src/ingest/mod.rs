//! Doors in. Each turns what a publisher sends into frames for the camera it holds the producer of.
//!
//! Belongs here: publishers' protocols. Does not: viewers, the cache, or who may publish what.

pub mod dialect;
pub mod frames;
pub mod legacy;
pub mod outbox;
pub mod signaling;
pub mod synthetic;
pub mod webrtc;

use std::sync::Arc;

use crate::relay::Registry;

/// What every door in needs.
#[derive(Debug, Clone)]
pub struct Ingest {
    /// Hands out the producers.
    pub registry: Arc<Registry>,
}

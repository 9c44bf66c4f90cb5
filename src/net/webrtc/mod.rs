//! WebRTC as both edges use it: one UDP port for all connections, and a connection of the crate on it.
//!
//! Belongs here: routing datagrams, candidates in descriptions, the crate's settings. Does not: data
//! channels of publishers (`ingest`), RTP to viewers (`view`).

mod connection;
mod inbox;
mod one_port;
mod routes;
mod runtime;
pub mod sdp;
mod stun;

pub use connection::{CLOSE_TIMEOUT, Connection, Full, OpenError, Patience, Purpose, close_later};
pub use one_port::{Dropper, Port, PortStats};
pub use sdp::{CandidateError, Candidates};

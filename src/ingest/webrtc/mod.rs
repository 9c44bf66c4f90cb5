//! WebRTC data channels as an ingest: the transport only.
//!
//! [`Port`] is the one UDP port that all publishers share, [`Session`] one publisher's connection,
//! which yields messages. What a message means (parts, frames) and who may publish what is decided
//! by [`signaling`](super::signaling) and the relay.

mod connection;
mod inbox;
mod one_port;
mod routes;
mod runtime;
mod sdp;
mod session;
mod stall;
mod stun;

pub use connection::{Full, Reliability};
pub use one_port::{Dropper, Port, PortStats};
pub use sdp::{CandidateError, Candidates};
pub use session::{AnswerError, End, Event, FRAMES, OPEN_TIMEOUT, Opener, Session};

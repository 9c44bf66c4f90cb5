//! WebRTC data channels as an ingest: the transport only.
//!
//! [`Session`] is one publisher's connection over the one UDP [`Port`] of [`net::webrtc`], which yields
//! messages. What a message means (parts, frames) and who may publish what is decided by
//! [`signaling`](super::signaling) and the relay.
//!
//! [`net::webrtc`]: crate::net::webrtc

mod reliability;
mod session;
mod stall;

pub use crate::net::webrtc::{CandidateError, Candidates, Dropper, Full, Port, PortStats};
pub use reliability::Reliability;
pub use session::{AnswerError, End, Event, FRAMES, OPEN_TIMEOUT, Opener, Session};

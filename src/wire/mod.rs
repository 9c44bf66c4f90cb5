//! Bytes on the wire: pure functions and small state machines over byte slices.
//!
//! Belongs here: layouts, parsing, limits, the messages' types. Does not: sockets, clocks, async,
//! or any knowledge of who is connected.

pub mod envelope;
pub mod fragment;
pub mod iso8601;
pub mod jpeg;
pub mod legacy;
pub mod mjpeg;
pub mod multipart;
pub mod pieces;
pub mod signal;
pub mod stream;

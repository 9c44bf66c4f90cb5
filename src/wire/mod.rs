//! Bytes on the wire: pure functions and small state machines over byte slices.
//!
//! Belongs here: layouts, parsing, limits, the messages' types. Does not: sockets, clocks, async,
//! or any knowledge of who is connected.

pub mod chunks;
pub mod envelope;
pub mod exif;
pub mod fingerprint;
pub mod fmp4;
pub mod fragment;
pub mod huffman;
pub mod iso8601;
pub mod jpeg;
pub mod legacy;
pub mod mjpeg;
pub mod multipart;
pub mod pieces;
pub mod rtsp;
mod secret;
pub mod segments;
pub mod signal;
pub mod source_url;
pub mod stream;

pub use secret::Secret;

/// Most characters of a client's own words that an error says back to it.
const MAX_ECHO: usize = 200;

/// Cuts a text that holds a client's own words, so that an answer is never as long as what was sent.
pub(crate) fn brief(text: &str) -> String {
    match text.char_indices().nth(MAX_ECHO) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

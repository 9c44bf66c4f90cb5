//! Pictures made of cameras' video, only while somebody watches them.
//!
//! Belongs here: decoding, and how much of the processor it may take. Does not: who watches what
//! (`relay` knows), sockets, publishers, viewers.
//!
//! | file | what it does |
//! |---|---|
//! | `pictures` | a task for each camera with video: units in, pictures out |
//! | `h264` | one H.264 access unit to a JPEG |

#[cfg(feature = "openh264")]
mod h264;
#[cfg(not(feature = "openh264"))]
#[path = "no_h264.rs"]
mod h264;
mod pictures;

pub use pictures::{Decoders, Pictures};

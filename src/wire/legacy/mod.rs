//! The messages of SkySentry v2, whose clients work unmodified: JSON with base64 pictures.
//!
//! Belongs here: reading what its publishers send, writing what its publishers and viewers expect,
//! byte for byte. Does not: sockets, who is registered, or which pictures are good.
//! `tests/vectors/legacy.json` pins both directions.

mod inbound;
mod outbound;

pub use inbound::{
    Body, Frame, FromPublisher, PictureError, Unreadable, decode_picture, is_legacy, max_message,
};
pub use outbound::{
    CameraObject, Description, Problem, Timestamp, ToPublisher, camera_object, frame_update,
};

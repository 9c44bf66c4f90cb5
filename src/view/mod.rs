//! Doors out. Each reads the newest frames of the cameras and hands them on in its own wrapping.
//!
//! Belongs here: viewers' protocols, and the API, by which cameras are set up too. Does not:
//! publishers.

mod absent;
mod answers;
mod cameras;
mod catalog;
mod frame_jpg;
mod hls;
pub mod legacy_api;
mod links;
mod mjpeg;
mod openapi;
mod quality;
mod requests;
mod rest;
mod sent;
mod status;
pub mod stream;
pub mod whep;

use std::sync::Arc;

pub use catalog::{Managers, Setup};
pub use hls::Hls;
pub use rest::{Rest, routes};
pub use sent::Sent;

use crate::relay::Registry;

/// The places of what is made of a frame once for many viewers, see `Latest::encoded`.
mod encodings {
    /// A text message with the picture in base64.
    pub(super) const JSON: usize = 0;
    /// The same in the words of v2.
    pub(super) const LEGACY: usize = 1;
    /// What stands before the picture in an MJPEG stream.
    pub(super) const PART_HEADER: usize = 2;
}

/// What every door out needs.
#[derive(Debug, Clone)]
pub struct View {
    /// The cameras, to read.
    pub registry: Arc<Registry>,
    /// Most frames a second for one viewer and camera; viewers may ask for less.
    pub max_fps: f64,
}

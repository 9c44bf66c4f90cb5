//! The heart: cameras, their newest frame, and the last seconds of each.
//!
//! Belongs here: who publishes a camera, who watches which size of it, which frame is newest, what the
//! cache holds, how often a viewer is due, and the counts of what was dropped. Does not: sockets, HTTP,
//! Redis, auth, or any format but the one message that every frame is stored as.
//!
//! A [`Producer`] writes, each [`Consumer`] owns its cursor, the [`Registry`] only hands out
//! handles. Dropping the producer takes the camera offline. A camera's [`Rung`]s come and go with
//! their viewers; who makes them takes the [`Orders`]. A consumer never queues: it sees the
//! newest frame and how many it skipped.

mod bell;
mod camera;
mod clock;
mod configured;
mod counters;
mod frame;
mod id;
mod link;
mod meter;
mod pacing;
mod producer;
mod registry;
mod ring;
mod rung;
mod scaled;
mod seats;
mod snapshot;
mod tenure;
#[cfg(test)]
mod tests;
mod track;
mod video;

pub use bell::{Bell, Rope};
pub use camera::{Camera, Presence, Publisher, Transport};
pub use clock::Clock;
pub use configured::Configured;
pub use counters::{DropReason, Drops};
pub use frame::{Frame, Latest};
pub use id::{BadCameraId, CameraId};
pub use link::{
    Failure, Found, Link, LinkState, LinkStatus, Overrides, Protocol, Source, Trial, Wish,
};
pub use pacing::Pacer;
pub use producer::{Outcome, PictureMaker, Producer, Refused, Stamp, plausible};
pub use registry::{Limits, PublishError, Registry};
pub use rung::{Quality, Rung};
pub use scaled::{NotScaled, Orders, RungProducer, RungSnapshot, Still, Watch};
pub use seats::{AtCapacity, Seat};
pub use snapshot::{CacheSnapshot, Snapshot};
pub use track::{Consumer, Demand, Feed, Next, Viewing};
pub use video::{
    AudioFormat, Codec, Format, Medium, NextUnit, TICKS, Unit, VideoConsumer, VideoFormat,
    VideoSnapshot,
};

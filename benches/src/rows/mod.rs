//! The rows of the benchmark: each measures one thing that must hold, and says so in a section.

mod capacity;
mod copies;
mod fanout;
mod ingest;
mod joins;
mod latency;
mod memory;
mod pull;
mod redis;
mod slow;
mod thin;
mod turns;

use std::{io, time::Duration};

pub use self::{
    fanout::measure as fanout,
    ingest::{push as door, webrtc},
    turns::Figures,
};
use crate::report::Section;

/// How thoroughly to measure.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// How often everything is measured; figures are the medians.
    pub rounds: usize,
    /// Seconds of one measurement.
    pub seconds: u64,
    /// How long viewers and publishers come and go while memory is watched.
    pub soak: Duration,
}

/// What a row is run with; it names itself.
pub type Row = fn(Effort) -> io::Result<Section>;

/// All rows, in the order of the document.
pub const ROWS: &[(&str, Row)] = &[
    ("fanout", fanout::run),
    ("joins", joins::run),
    ("capacity", capacity::run),
    ("copies", copies::run),
    ("ingest", ingest::run),
    ("slow", slow::run),
    ("thin", thin::run),
    ("memory", memory::run),
    ("pull", pull::run),
    ("latency", latency::run),
    ("redis", redis::run),
];

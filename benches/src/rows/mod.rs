//! The rows of the benchmark: each measures one thing that must hold, and says so in a section.

mod fanout;
mod ingest;

use std::io;

use crate::report::Section;

/// How thoroughly to measure.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// How often everything is measured; figures are the medians.
    pub rounds: usize,
    /// Seconds of one measurement.
    pub seconds: u64,
}

/// What a row is run with; it names itself.
pub type Row = fn(Effort) -> io::Result<Section>;

/// All rows, in the order of the document.
pub const ROWS: &[(&str, Row)] = &[("fanout", fanout::run), ("ingest", ingest::run)];

//! The load: publishers and viewers over real sockets, in this process, away from the server's core.
//!
//! Belongs here: both ends of a camera as cheaply as they can be had, and the link between. Does not: what is measured.

mod hls;
mod proxy;
mod publishers;
pub mod rtsp;
mod senders;
mod viewers;

pub use hls::{Client, HlsViewer};
pub use proxy::{Link, Proxy};
pub use publishers::{Door, Publishers};
pub use senders::Senders;
pub use viewers::{Habits, Resumed, Viewers};

/// `value` at `share` (0 to 1) of sorted values.
pub fn percentile<T: Copy + Default>(sorted: &[T], share: f64) -> T {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}

/// The middle of some figures.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    percentile(&values, 0.5)
}

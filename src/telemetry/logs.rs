//! The log, on standard error.

use std::io::{self, IsTerminal as _};

use thiserror::Error;
use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt as _};

/// The filter cannot be read, or a log exists already.
#[derive(Debug, Error)]
#[error("cannot log with the filter {filter:?}: {reason}")]
pub struct BadFilter {
    filter: String,
    reason: String,
}

/// The WebRTC libraries log some twenty lines a connection, warnings for what every browser sends
/// among them. What matters of a connection, this server says itself. A filter that names one of
/// these has the last word.
///
/// The RTSP client's lines hold addresses with whatever is secret in them.
const QUIET: &str = "retina=off,webrtc=error,rtc=error,rtc_ice=error,rtc_dtls=error,rtc_sctp=error";

/// Sends this process's log to standard error: as text, with colours on a terminal, or as JSON.
pub fn init(filter: &str, json: bool) -> Result<(), BadFilter> {
    let bad = |reason: String| BadFilter { filter: filter.to_owned(), reason };
    let whole = format!("{QUIET},{filter}");
    let parsed = EnvFilter::builder().parse(whole).map_err(|error| bad(error.to_string()))?;
    let lines = fmt().with_env_filter(parsed).with_writer(io::stderr);
    let set = if json {
        lines.json().flatten_event(true).with_current_span(false).finish().try_init()
    } else {
        // Escape codes in a file or journal are noise.
        lines.with_ansi(io::stderr().is_terminal()).with_target(false).finish().try_init()
    };
    set.map_err(|error| bad(error.to_string()))
}

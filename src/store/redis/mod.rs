//! The Redis writer: the newest frame of each camera and who publishes, for readers of the keys in
//! `docs/redis.md`.
//!
//! Belongs here: batching, the connection, the keys. Does not: reading frames back, or anything
//! that publishers or viewers wait for. The writer is one more consumer of every camera and no
//! viewer: it holds the newest unwritten frame of each and nothing more, whatever Redis does.
//!
//! The way of a frame: `follow` takes it from the relay, `batch` keeps the newest of a window,
//! `flight` encodes and sends it over `link`. `circuit` knows whether Redis is there,
//! `cleanup` who is dead, `keys` what is written; `writer` drives them all.

mod batch;
mod circuit;
mod cleanup;
mod figures;
mod flight;
mod follow;
mod keys;
mod link;
mod writer;

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use figures::{Figures, Handle, State};

use crate::relay::Registry;

/// How `data` of `image:{id}` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Standard base64 with padding, what readers of these keys expect. A third more bytes.
    #[default]
    Base64,
    /// The JPEG's bytes.
    Raw,
}

/// Neither `base64` nor `raw`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("use base64 or raw")]
pub struct BadFormat;

impl FromStr for Format {
    type Err = BadFormat;

    fn from_str(text: &str) -> Result<Self, BadFormat> {
        match text {
            "base64" => Ok(Self::Base64),
            "raw" => Ok(Self::Raw),
            _ => Err(BadFormat),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base64 => "base64",
            Self::Raw => "raw",
        })
    }
}

/// What the writer needs to know.
#[derive(Clone)]
pub struct Settings {
    /// `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS with the system's
    /// certificates, or `unix:///path`.
    pub url: String,
    /// How pictures are written.
    pub format: Format,
    /// `image:{id}` expires so long after its last frame: the age of the relay's cache.
    pub frame_ttl: Duration,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password.
        let Self { url: _, format, frame_ttl } = self;
        f.debug_struct("Settings")
            .field("format", format)
            .field("frame_ttl", frame_ttl)
            .finish_non_exhaustive()
    }
}

/// The URL cannot be used. The text never repeats it: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "bad Redis URL: {0}; use redis://[user:password@]host[:port][/db], rediss:// for TLS, \
     or unix:///path/to/socket"
)]
pub struct BadRedisUrl(String);

/// The writer's slow intervals. Tests shorten them.
#[derive(Debug, Clone, Copy)]
pub struct Intervals {
    /// Between two looks for dead clients. Default 60 s.
    pub clean_up_every: Duration,
    /// A client that was not seen for so long is dead. Default 60 s.
    pub dead_after: Duration,
}

impl Default for Intervals {
    fn default() -> Self {
        Self { clean_up_every: Duration::from_secs(60), dead_after: Duration::from_secs(60) }
    }
}

/// Starts the writer. A Redis that cannot be reached is no error: the writer keeps trying.
///
/// On `shutdown` it marks this server's clients disconnected, which takes 1 s at the most, and ends.
///
/// # Errors
/// When the URL cannot be used.
///
/// # Panics
/// Outside a tokio runtime.
pub fn spawn(
    settings: Settings,
    registry: Arc<Registry>,
    shutdown: CancellationToken,
    tasks: &TaskTracker,
) -> Result<Handle, BadRedisUrl> {
    spawn_with(settings, Intervals::default(), registry, shutdown, tasks)
}

/// [`spawn`] with other intervals, for tests.
///
/// # Errors
/// When the URL cannot be used.
#[doc(hidden)]
pub fn spawn_with(
    settings: Settings,
    intervals: Intervals,
    registry: Arc<Registry>,
    shutdown: CancellationToken,
    tasks: &TaskTracker,
) -> Result<Handle, BadRedisUrl> {
    let link = link::Link::new(&settings.url)?;
    let handle = Handle::new(registry.clock().unix_us());
    let writer = writer::Writer::new(link, &settings, intervals, registry, handle.clone());
    tasks.spawn(writer.run(shutdown));
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_url_is_refused_without_repeating_it() {
        for url in ["", "localhost:6379", "http://u:hunter2@host", "redis://u:hunter2@host/x"] {
            let error = link::Link::new(url).err().expect(url).to_string();
            assert!(error.starts_with("bad Redis URL: "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn settings_do_not_show_the_password() {
        let settings = Settings {
            url: "redis://u:hunter2@host".into(),
            format: Format::Raw,
            frame_ttl: Duration::from_secs(10),
        };
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn formats_are_read_as_they_are_shown() {
        for format in [Format::Base64, Format::Raw] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!("jpeg".parse::<Format>(), Err(BadFormat));
    }
}

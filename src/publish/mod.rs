//! The `publish` command: a publisher in a process of its own, over the publish WebSocket.
//!
//! Belongs here: pictures from a test pattern, a folder or standard input, and bringing the newest
//! one to a server. Does not: anything of the server; this is its client.
//!
//! A source always holds the newest picture only. What the link is too slow for is skipped, never
//! queued.

mod clock;
mod link;
mod messages;
mod report;
mod session;
mod source;
mod target;

use std::{path::PathBuf, time::Duration};

use clap::Args;
use rand::Rng as _;
use thiserror::Error;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use report::Report;
use session::End;
use source::Source;
pub use target::Target;

/// First wait before connecting again; doubles with each failure.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait before connecting again.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// A connection that lived this long was a good one: the waits start over.
const STEADY: Duration = Duration::from_secs(10);

/// What to publish, and where.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Id of the camera, such as front-door
    pub camera: String,

    /// Publisher port of the server, as ws://HOST:PORT or http://HOST:PORT
    #[arg(long, value_name = "URL", value_parser = target::parse,
          default_value = "ws://127.0.0.1:8080")]
    pub to: Target,

    /// Name of the camera for people
    #[arg(long)]
    pub name: Option<String>,

    /// Frames a second of the pattern or the folder, 0.1 to 240
    #[arg(long, value_parser = fps, default_value = "30")]
    pub fps: f64,

    /// Size of the test pattern in pixels
    #[arg(long, value_name = "WxH", value_parser = size, default_value = "640x480")]
    pub size: (u16, u16),

    /// JPEG quality of the test pattern
    #[arg(long, default_value = "80", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub quality: u8,

    /// Publish the JPEG files of this folder, in the order of their names
    #[arg(long, value_name = "DIR", conflicts_with = "stdin")]
    pub folder: Option<PathBuf>,

    /// Begin again after the folder's last file
    #[arg(long = "loop", requires = "folder")]
    pub repeat: bool,

    /// Publish the MJPEG stream on standard input: JPEGs one after the other, or multipart
    #[arg(long)]
    pub stdin: bool,
}

/// Why publishing ended without having been asked to.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The pictures.
    #[error("{0}")]
    Source(#[from] source::SourceError),
    /// The server will not have them, now or later.
    #[error("the server refuses camera {camera}: {reason}")]
    Refused {
        /// As given.
        camera: String,
        /// The server's words.
        reason: String,
    },
    /// It had them one by one, and not one was good.
    #[error("all pictures of camera {camera} were refused ({refused}), the last one so: {why}")]
    AllRefused {
        /// As given.
        camera: String,
        /// How many.
        refused: u64,
        /// The server's words and code.
        why: String,
    },
    /// Somebody else publishes the camera now. Taking it back would only start a tug of war.
    #[error("{0}")]
    Replaced(String),
}

/// Publishes until the source ends, `stop` is cancelled, or the server refuses for good. Connects
/// again when the connection is lost. Pictures that were refused are told at the end; when there were no
/// others, as an error.
pub async fn run(options: Options, stop: CancellationToken) -> Result<(), PublishError> {
    let mut source = Source::start(&options)?;
    let mut report = Report::new(&options.camera);
    let mut failures = 0;
    loop {
        let began = Instant::now();
        let end = session::run(&options, &mut source, &mut report, &stop).await;
        report.disconnected();
        let reason = match end {
            End::Finished => {
                report.line();
                source.outcome()?;
                return sum_up(&mut report);
            }
            End::Stopped => return sum_up(&mut report),
            End::Replaced(message) => return Err(PublishError::Replaced(message)),
            End::Refused(reason) => {
                return Err(PublishError::Refused { camera: options.camera, reason });
            }
            End::Lost(reason) => reason,
        };
        if began.elapsed() >= STEADY {
            failures = 0;
        }
        let wait = backoff(failures);
        failures += 1;
        report.complain(&format!("{reason}; connecting again in {:.1} s", wait.as_secs_f64()));
        if timeout(wait, stop.cancelled()).await.is_ok() {
            return sum_up(&mut report);
        }
    }
}

fn sum_up(report: &mut Report) -> Result<(), PublishError> {
    if let Some(refused) = report.verdict()? {
        report.complain(&refused);
    }
    Ok(())
}

/// Drawn from the upper half below a bound that doubles, so that the publishers of a restarted
/// server neither come all at once nor hammer it.
fn backoff(failures: u32) -> Duration {
    let bound = FIRST_WAIT.saturating_mul(1 << failures.min(16)).min(MAX_WAIT);
    bound.mul_f64(rand::rng().random_range(0.5..=1.0))
}

fn fps(text: &str) -> Result<f64, String> {
    let fps = text.parse().ok().filter(|fps| (0.1..=240.0).contains(fps));
    fps.ok_or_else(|| "use frames a second from 0.1 to 240".into())
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let sides = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    let good = |side: &u16| (16..=8192).contains(side);
    sides
        .filter(|(w, h)| good(w) && good(h))
        .ok_or_else(|| "use WIDTHxHEIGHT such as 640x480, each from 16 to 8192".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_grow_to_a_bound_and_vary() {
        for (failures, bound) in [(0, 0.5), (1, 1.0), (3, 4.0), (5, 10.0), (u32::MAX, 10.0)] {
            let wait = backoff(failures).as_secs_f64();
            assert!((bound / 2.0..=bound).contains(&wait), "{failures}: {wait}");
        }
        let waits: Vec<_> = (0..10).map(|_| backoff(4)).collect();
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }

    #[test]
    fn sizes_are_two_numbers() {
        assert_eq!(size("1280x720"), Ok((1280, 720)));
        for bad in ["1280", "0x0", "1280×720", "99999x10"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}

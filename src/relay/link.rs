//! Cameras that the server connects to by itself: what is asked of such a connection, and how it is.
//!
//! Belongs here: what those who watch and those who connect have to tell each other, as they do not
//! know each other. Does not: connecting (`ingest::pull`), or what is kept of a camera (`store`).

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use parking_lot::Mutex;
use serde::Serialize;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Camera, Registry};
use crate::wire::{Secret, fingerprint::Fingerprint, source_url::SourceUrl};

/// Connections that may wait to be tried out.
const TRIALS_WAITING: usize = 16;

/// How a camera is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// RTSP.
    Rtsp {
        /// Whether the media come over UDP, and not in the RTSP connection.
        udp: bool,
    },
    /// MJPEG over HTTP.
    Mjpeg,
}

/// Where a camera is and how one logs in, secrets in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Where it is, as it may be shown.
    pub url: SourceUrl,
    /// Path and query as they go to the camera.
    pub path: Secret,
    /// Who logs in.
    pub username: Option<String>,
    /// With what.
    pub password: Option<Secret>,
    /// Of the one certificate that is trusted; without, those that the system trusts.
    pub fingerprint: Option<Fingerprint>,
}

/// What else than the configured address is to be used, until the connection is stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Another port.
    pub port: Option<u16>,
    /// Another path, as it may be shown and as it goes to the camera.
    pub path: Option<(String, Secret)>,
    /// Another user.
    pub username: Option<String>,
    /// Another password.
    pub password: Option<Secret>,
}

impl Overrides {
    /// The source with these in place of its own. A password that was set for another port or user
    /// does not go there.
    pub fn apply(&self, mut source: Source) -> Source {
        let Self { port, path, username, password } = self;
        let elsewhere = port.is_some_and(|port| port != source.url.port)
            || username.is_some() && *username != source.username;
        if elsewhere {
            source.password = None;
        }
        if let Some(port) = port {
            source.url.port = *port;
        }
        if let Some((shown, sent)) = path {
            source.url.path.clone_from(shown);
            source.path = sent.clone();
        }
        if username.is_some() {
            source.username.clone_from(username);
        }
        if password.is_some() {
            source.password.clone_from(password);
        }
        source
    }
}

/// When a camera is to be connected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Wish {
    /// As it is configured.
    #[default]
    Configured,
    /// Now, and until this is taken back.
    Started(Overrides),
    /// Not at all, whoever watches.
    Stopped,
}

/// How a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// Not connected, as nobody watches.
    Standby,
    /// On the way.
    Connecting,
    /// Pictures come.
    Streaming,
    /// Failed, and will be tried again.
    Waiting,
    /// Somebody stopped it.
    Stopped,
}

/// A connection at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkStatus {
    /// How it is.
    pub state: LinkState,
    /// Connections after the first that brought pictures, since the server started.
    pub reconnects: u64,
    /// Attempts that failed since the server started, those that broke off later included.
    pub failures: u64,
    /// Why the newest attempt failed or broke off, in words that a person can act on; `None` while
    /// pictures come.
    pub last_error: Option<Arc<Failure>>,
    /// Unix microseconds: when it is tried again, while it waits for that.
    pub next_retry_us: Option<u64>,
}

/// Why a camera cannot be connected to, or no longer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Failure {
    /// Stable, for programs: `refused`, `unreachable`, `timeout`, `unauthorized`, `untrusted`,
    /// `not_found`, `unsupported_codec`, `unsupported`, `refused_source`, `ended`, `stalled`, `bad_stream`.
    pub code: &'static str,
    /// For people: what it is, and what to do. Without anything secret.
    pub message: String,
    /// Of the certificate that is not trusted.
    pub fingerprint: Option<Fingerprint>,
}

impl Failure {
    /// Pairs a code with its words.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fingerprint: None }
    }
}

/// One camera's connection, as both sides see it.
#[derive(Debug)]
pub struct Link {
    /// `None` for a camera that the server does not connect to.
    status: watch::Sender<Option<LinkStatus>>,
    wish: watch::Sender<Wish>,
    /// The most that was reported.
    failures: AtomicU64,
}

impl Link {
    pub(super) fn new() -> Self {
        Self {
            status: watch::Sender::default(),
            wish: watch::Sender::default(),
            failures: AtomicU64::new(0),
        }
    }

    /// How it is; `None` for a camera that the server does not connect to.
    pub fn status(&self) -> Option<LinkStatus> {
        self.status.borrow().clone()
    }

    /// Tells of each change.
    pub fn watch(&self) -> watch::Receiver<Option<LinkStatus>> {
        self.status.subscribe()
    }

    /// Says how it is. For the one who connects.
    pub fn report(&self, status: Option<LinkStatus>) {
        if let Some(status) = &status {
            self.failures.fetch_max(status.failures, Relaxed);
        }
        self.status.send_if_modified(|now| {
            let changed = *now != status;
            *now = status;
            changed
        });
    }

    /// Attempts that failed up to now, with other settings too: whoever waits for the next failure compares
    /// with how many there were, so who connects goes on from here.
    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    /// When it is to be connected.
    pub fn wish(&self) -> watch::Receiver<Wish> {
        self.wish.subscribe()
    }

    /// Says when it is to be connected.
    pub fn ask(&self, wish: Wish) {
        self.wish.send_replace(wish);
    }
}

/// What a trial of a source found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// `h264`, `h265` or `mjpeg`.
    pub codec: &'static str,
    /// As in RFC 6381; `None` for MJPEG.
    pub codecs: Option<String>,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Pictures a second, in tenths, as far as a second or two tell.
    pub fps_tenths: u32,
    /// The sound's codec as in RFC 6381, where it can be passed on.
    pub audio: Option<String>,
    /// Milliseconds to the first picture.
    pub took_ms: u64,
}

/// A source to connect to once, to see whether it works.
#[derive(Debug)]
pub struct Trial {
    /// Where to.
    pub source: Source,
    /// Takes the answer.
    pub answer: oneshot::Sender<Result<Found, Failure>>,
}

/// Where trials are asked for.
#[derive(Debug)]
pub(super) struct Trials {
    asked: mpsc::Sender<Trial>,
    taken: Mutex<Option<mpsc::Receiver<Trial>>>,
}

impl Default for Trials {
    fn default() -> Self {
        let (asked, taken) = mpsc::channel(TRIALS_WAITING);
        Self { asked, taken: Mutex::new(Some(taken)) }
    }
}

impl Registry {
    /// Has a source connected to once. Takes as long as a camera may take to begin, and some seconds.
    pub async fn try_source(&self, source: Source) -> Result<Found, Failure> {
        let busy =
            || Failure::new("busy", "too many cameras are being tried; try again in some seconds");
        let (answer, answered) = oneshot::channel();
        self.trials.asked.try_send(Trial { source, answer }).map_err(|_| busy())?;
        answered.await.unwrap_or_else(|_| Err(busy()))
    }

    /// The trials asked for, for the one who connects. `None` the second time.
    pub fn trials(&self) -> Option<mpsc::Receiver<Trial>> {
        self.trials.taken.lock().take()
    }
}

impl Camera {
    /// Its connection, for a camera that the server connects to.
    pub fn link(&self) -> &Link {
        &self.link
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source {
            protocol: Protocol::Rtsp { udp: false },
            url: SourceUrl::parse("rtsp://192.0.2.7:554/stream1").unwrap().url,
            path: Secret::new("/stream1"),
            username: Some("admin".into()),
            password: Some(Secret::new("hunter2")),
            fingerprint: None,
        }
    }

    #[test]
    fn overrides_take_the_password_along_only_to_where_it_was_set_for() {
        let path = Some(("/live".to_owned(), Secret::new("/live")));
        let same = Overrides { path, port: Some(554), ..Overrides::default() };
        let there = same.apply(source());
        assert_eq!((&*there.url.path, there.password), ("/live", source().password));

        let other_port = Overrides { port: Some(8554), ..Overrides::default() };
        assert_eq!(other_port.apply(source()).password, None);
        let other_user = Overrides { username: Some("eve".into()), ..Overrides::default() };
        assert_eq!(other_user.apply(source()).password, None);
        let password = Some(Secret::new("new"));
        let both =
            Overrides { port: Some(8554), password: password.clone(), ..Overrides::default() };
        assert_eq!(
            (both.apply(source()).url.port, both.apply(source()).password),
            (8554, password)
        );
    }
}

//! What the writer tells of itself.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use serde::Serialize;

/// Whether Redis is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not tried yet, or the first try is under way.
    #[default]
    Connecting,
    /// The last flush was answered.
    Connected,
    /// The last one was not; the next try is due.
    Down,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Down => "down",
        })
    }
}

/// Counts since the start. Each frame that the relay publishes is counted once: as written,
/// coalesced or dropped.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// Whether Redis is there.
    pub state: State,
    /// Unix microseconds: since when.
    pub since_us: u64,
    /// Frames that Redis has confirmed.
    pub written: u64,
    /// Frames that a newer one replaced before they were due.
    pub coalesced: u64,
    /// Frames lost because Redis was away, refused them, or because they had aged.
    pub dropped: u64,
    /// Flushes that Redis has answered.
    pub flushes: u64,
    /// Commands sent, with those of the clean-up and of new connections. What the script of a flush
    /// calls inside Redis is none.
    pub commands: u64,
    /// Flushes that failed, and operations that Redis refused.
    pub errors: u64,
    /// The newest of these, without any password.
    pub last_error: Option<String>,
    /// Dead clients removed.
    pub cleaned: u64,
}

/// Reads the writer's figures. Cheap to clone; dropping it stops nothing.
#[derive(Debug, Clone)]
pub struct Handle(Arc<Mutex<Figures>>);

impl Handle {
    pub(super) fn new(now_us: u64) -> Self {
        Self(Arc::new(Mutex::new(Figures { since_us: now_us, ..Figures::default() })))
    }

    /// All figures at one moment.
    pub fn figures(&self) -> Figures {
        self.0.lock().clone()
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Figures)) {
        change(&mut self.0.lock());
    }
}

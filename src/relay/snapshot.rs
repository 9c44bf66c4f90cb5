//! A camera's figures at one moment.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use serde::Serialize;

use super::{Camera, CameraId, Presence, RungSnapshot, Transport, VideoSnapshot};

/// A camera's figures at one moment, as the API shows them.
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// The camera.
    pub id: CameraId,
    /// For people.
    pub name: String,
    /// Whether somebody publishes.
    pub online: bool,
    /// Unix microseconds: since when it is online or offline.
    pub since_us: u64,
    /// Why it is offline.
    pub reason: Option<Arc<str>>,
    /// How frames come in, while online.
    pub transport: Option<Transport>,
    /// Frames accepted since the server started.
    pub frames: u64,
    /// Frames a second over the last 2 s.
    pub fps: f64,
    /// JPEG bytes a second over the last 2 s.
    pub bytes_per_s: u64,
    /// Number of the newest frame; 0 before the first.
    pub seq: u64,
    /// Pixels, of the newest frame.
    pub width: Option<u16>,
    /// Pixels, of the newest frame.
    pub height: Option<u16>,
    /// Milliseconds since the newest frame, or the same bytes again.
    pub age_ms: Option<u64>,
    /// Who watches now.
    pub viewers: usize,
    /// Its video, while there is any.
    pub video: Option<VideoSnapshot>,
    /// What the cache holds.
    pub cache: CacheSnapshot,
    /// Scaled pictures of it that somebody watches.
    pub rungs: Vec<RungSnapshot>,
    /// Frames dropped, by reason; reasons without any are left out.
    pub drops: BTreeMap<&'static str, u64>,
}

/// What one camera's cache holds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct CacheSnapshot {
    /// Frames.
    pub frames: usize,
    /// Bytes of memory, with what each frame costs beside its picture.
    pub bytes: usize,
    /// Milliseconds between the oldest and the newest.
    pub span_ms: u64,
}

impl Camera {
    /// All figures at one moment.
    pub fn snapshot(&self) -> Snapshot {
        let now = self.clock.now();
        let (presence, name) = (self.presence(), self.name());
        let (online, since_us, reason, transport) = match presence {
            Presence::Online { since_us, transport } => (true, since_us, None, Some(transport)),
            Presence::Offline { since_us, reason } => (false, since_us, Some(reason), None),
        };
        let drops = self.drops.nonzero().map(|(reason, n)| (reason.name(), n)).collect();
        let mut state = self.track.state.lock();
        let (fps, bytes_per_s) = state.meter.per_second(now);
        let newest = state.ring.newest();
        let oldest = state.ring.iter().next();
        let span = newest.zip(oldest).map(|(n, o)| n.received_at - o.received_at);
        let rungs = self.rungs().snapshots(fps, self.clock);
        Snapshot {
            id: self.id().clone(),
            name,
            online,
            since_us,
            reason,
            transport,
            frames: self.published.load(Relaxed),
            fps: (fps * 10.0).round() / 10.0,
            bytes_per_s: bytes_per_s.round() as u64,
            seq: state.seq,
            width: newest.map(|frame| frame.width),
            height: newest.map(|frame| frame.height),
            age_ms: state.confirmed_at.map(|at| millis(now.saturating_duration_since(at))),
            viewers: self.track.viewers(),
            cache: CacheSnapshot {
                frames: state.ring.len(),
                bytes: state.ring.bytes(),
                span_ms: millis(span.unwrap_or_default()),
            },
            video: self.video.snapshot(now),
            rungs,
            drops,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

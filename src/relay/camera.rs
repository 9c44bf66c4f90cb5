//! One camera: its tracks, who publishes it, and its counts.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde::Serialize;

use super::{
    CameraId, Clock, Configured, Consumer, Demand, DropReason, Drops, Feed, Frame, Latest,
    NotScaled, Quality, Rung, Viewing, Watch,
    link::Link,
    scaled::{Counter, Rungs},
    seats::{AtCapacity, Seat, Seats},
    tenure::Tenure,
    track::{Budget, Track},
    video::{Format, VideoConsumer, VideoTrack},
};
use crate::telemetry::{Seldom, Unsaid};

/// Lines of one camera's comings and goings that are written at once: a publisher that comes, and
/// comes back once or twice.
const FIRST_LINES: u32 = 6;
/// What goes on without end has a line this often.
const LINE_PERIOD: Duration = Duration::from_secs(60);

/// How frames of a camera come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// A WebRTC data channel.
    WebRtc,
    /// The publish WebSocket.
    WebSocket,
    /// An HTTP push.
    Http,
    /// A legacy client's socket or channel.
    Legacy,
    /// Made by this server.
    Synthetic,
    /// The server connected to the camera over RTSP.
    Rtsp,
    /// The server asked the camera for MJPEG over HTTP.
    Mjpeg,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebRtc => "webrtc",
            Self::WebSocket => "websocket",
            Self::Http => "http",
            Self::Legacy => "legacy",
            Self::Synthetic => "synthetic",
            Self::Rtsp => "rtsp",
            Self::Mjpeg => "mjpeg",
        })
    }
}

/// Who wants to publish.
#[derive(Debug, Clone)]
pub struct Publisher {
    /// How the frames come in.
    pub transport: Transport,
    /// The camera's name for people; the id if there is none. At most [`Publisher::MAX_NAME`]
    /// characters are kept.
    pub name: Option<String>,
    /// Where it connects from, where that is known; for the log.
    pub from: Option<SocketAddr>,
}

impl Publisher {
    /// Longest name, in characters.
    pub const MAX_NAME: usize = 80;

    /// A publisher that gives its camera no name, from nowhere in particular.
    pub fn over(transport: Transport) -> Self {
        Self { transport, name: None, from: None }
    }
}

/// Whether somebody publishes a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// A publisher is connected.
    Online {
        /// Unix microseconds.
        since_us: u64,
        /// How its frames come in.
        transport: Transport,
    },
    /// Nobody publishes.
    Offline {
        /// Unix microseconds.
        since_us: u64,
        /// In plain words.
        reason: Arc<str>,
    },
}

/// A camera. Edges hold it to read; only a [`super::Producer`] writes.
#[derive(Debug)]
pub struct Camera {
    id: CameraId,
    pub(super) track: Arc<Track>,
    rungs: Rungs,
    /// Where rungs and stills are ordered.
    counter: Counter,
    pub(super) video: VideoTrack,
    seats: Seats,
    pub(super) link: Link,
    pub(super) drops: Drops,
    pub(super) published: AtomicU64,
    pub(super) owner: Mutex<Owner>,
    /// For lines of its comings and goings.
    pub(super) talk: Seldom,
    /// For lines of pictures that cannot be scaled.
    not_scaled: Seldom,
    pub(super) clock: Clock,
}

#[derive(Debug)]
pub(super) struct Owner {
    pub(super) presence: Presence,
    name: Option<String>,
    pub(super) configured: Option<Configured>,
    offline_at: Option<Instant>,
    /// Of the newest publisher, which owns the camera; `None` before the first.
    pub(super) tenure: Option<Arc<Tenure>>,
}

impl Camera {
    pub(super) fn new(id: CameraId, budget: Arc<Budget>, counter: Counter, clock: Clock) -> Self {
        let presence =
            Presence::Offline { since_us: clock.unix_us(), reason: "never published".into() };
        Self {
            id,
            track: Arc::new(Track::new(budget, clock.now())),
            rungs: Rungs::default(),
            counter,
            video: VideoTrack::new(clock.now()),
            seats: Seats::default(),
            link: Link::new(),
            drops: Drops::default(),
            published: AtomicU64::new(0),
            owner: Mutex::new(Owner {
                presence,
                name: None,
                configured: None,
                offline_at: Some(clock.now()),
                tenure: None,
            }),
            talk: Seldom::new(FIRST_LINES, LINE_PERIOD),
            not_scaled: Seldom::new(1, LINE_PERIOD),
            clock,
        }
    }

    /// The camera's id.
    pub fn id(&self) -> &CameraId {
        &self.id
    }

    /// The name for people: the configured one, else the publisher's, else the id.
    pub fn name(&self) -> String {
        let owner = self.owner.lock();
        let configured = owner.configured.as_ref().and_then(|configured| configured.name.clone());
        let name = configured.or_else(|| owner.name.clone());
        name.unwrap_or_else(|| self.id.as_str().to_owned())
    }

    /// Whether somebody publishes, since when, and if not, why.
    pub fn presence(&self) -> Presence {
        self.owner.lock().presence.clone()
    }

    /// The newest frame, however old.
    pub fn latest(&self) -> Option<Arc<Latest>> {
        self.track.latest()
    }

    /// When a cached frame came.
    pub fn received_at(&self, seq: u64) -> Option<Instant> {
        self.track.state.lock().ring.numbered(seq).map(|frame| frame.received_at)
    }

    /// The cached frame that was newest `ago` before now; `None` when the cache does not reach back
    /// that far.
    pub fn rewound(&self, ago: Duration) -> Option<Frame> {
        let then = self.clock.now().checked_sub(ago)?;
        self.track.state.lock().ring.at(then).cloned()
    }

    /// The cached frame with this number; `None` when it has left the cache, or was never in it.
    pub fn numbered(&self, seq: u64) -> Option<Frame> {
        self.track.state.lock().ring.numbered(seq).cloned()
    }

    /// `what` of the newest `most` frames in the cache, oldest first. Made under the lock that frames
    /// come in by: to be short, and no more than is needed.
    pub fn cached<T>(&self, most: usize, what: impl FnMut(&Frame) -> T) -> Vec<T> {
        let state = self.track.state.lock();
        let older = state.ring.len().saturating_sub(most);
        state.ring.iter().skip(older).map(what).collect()
    }

    /// Number of the oldest frame in the cache.
    pub fn oldest_seq(&self) -> Option<u64> {
        self.track.state.lock().ring.iter().next().map(|frame| frame.seq)
    }

    /// How long ago the newest frame came, or the same bytes again.
    pub fn age(&self) -> Option<Duration> {
        let confirmed = self.track.state.lock().confirmed_at?;
        Some(self.clock.now().saturating_duration_since(confirmed))
    }

    /// Counts as a viewer of this quality for as long as the handle lives.
    pub fn watch(self: &Arc<Self>, quality: Quality) -> Watch {
        Watch::new(self, quality, Some(self.viewing()))
    }

    /// Sees what there is of this quality while others make demand for the camera, and makes none.
    pub fn glance(self: &Arc<Self>, quality: Quality) -> Watch {
        Watch::new(self, quality, None)
    }

    /// The scaled picture that a rung shows now; `None` while nobody watches it, and where its pictures
    /// cannot be scaled. For what can share it.
    pub fn shown(&self, rung: Rung) -> Option<Arc<Latest>> {
        self.rungs.latest(rung)
    }

    /// One of its frames, scaled to `rung` now; the frame itself where it is not wider.
    pub async fn scaled(&self, frame: &Frame, rung: Rung) -> Result<Frame, NotScaled> {
        let made = self.counter.still(self.id.clone(), frame.clone(), rung).await;
        if let Err(NotScaled::Bad(why)) = &made {
            self.say_not_scaled(rung, why);
        }
        made
    }

    /// Says now and then that its pictures cannot be scaled.
    pub(super) fn say_not_scaled(&self, rung: Rung, why: &str) {
        if let Some(unsaid) = self.not_scaled.event() {
            let (camera, width) = (self.id(), rung.width());
            tracing::warn!(%camera, width, %why, "a picture cannot be scaled{unsaid}");
        }
    }

    pub(super) fn rungs(&self) -> &Rungs {
        &self.rungs
    }

    pub(super) fn counter(&self) -> &Counter {
        &self.counter
    }

    /// It is forgotten: its readers see nothing more.
    pub(super) fn close(&self) {
        self.track.close();
        self.rungs.close();
        self.video.close();
    }

    /// A reader that starts with the newest cached frame.
    pub fn consumer(&self) -> Consumer {
        self.track.consumer()
    }

    /// Its own pictures, to read.
    pub fn source(&self) -> Feed {
        Feed::new(self.track.clone())
    }

    /// Counts as a viewer for as long as the guard lives.
    pub fn viewing(&self) -> Viewing {
        self.track.viewing()
    }

    /// Whether anybody watches its pictures.
    pub fn demand(&self) -> Demand {
        self.track.demand()
    }

    /// A reader of its video, which counts as demand for as long as it lives.
    pub fn watch_video(&self) -> VideoConsumer {
        self.video.consumer()
    }

    /// Whether anybody reads its video.
    pub fn video_demand(&self) -> Demand {
        self.video.demand()
    }

    /// What its video is; `None` while there is none.
    pub fn video_format(&self) -> Option<Arc<Format>> {
        self.video.format()
    }

    /// One of the viewers that it may have, for as long as the seat lives. To be taken once a person
    /// or program that watches, whatever the output.
    pub fn seat(&self) -> Result<Seat, AtCapacity> {
        self.seats.take()
    }

    /// How many may watch at a time; 0 is no limit. Who watches already may stay.
    pub fn limit_viewers(&self, limit: u32) {
        self.seats.limit_to(limit);
    }

    /// Seats that are taken.
    pub fn seats_taken(&self) -> u32 {
        self.seats.taken()
    }

    /// Counts frames that a viewer was not sent.
    pub fn count(&self, reason: DropReason, n: u64) {
        self.drops.add(reason, n);
    }

    /// A new publisher owns the camera from here on. Returns its tenure, and whether it took the
    /// camera from another.
    pub(super) fn take_over(&self, publisher: Publisher) -> (Arc<Tenure>, bool) {
        // Under the state's lock: no frame of the older publisher can follow.
        let _state = self.track.state.lock();
        let mut owner = self.owner.lock();
        let taken = matches!(owner.presence, Presence::Online { .. });
        owner.presence =
            Presence::Online { since_us: self.clock.unix_us(), transport: publisher.transport };
        owner.offline_at = None;
        // Nor what would change the look of the text around a name: controls and bidi overrides.
        let plain = |c: &char| {
            !c.is_control() && !matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        };
        let keep = |name: String| -> String {
            name.trim().chars().filter(plain).take(Publisher::MAX_NAME).collect()
        };
        if let Some(name) = publisher.name.map(keep).filter(|name| !name.is_empty()) {
            owner.name = Some(name);
        }
        let tenure = Arc::<Tenure>::default();
        if let Some(older) = owner.tenure.replace(tenure.clone()) {
            older.end();
        }
        self.video.end();
        (tenure, taken)
    }

    /// Says what was held back of the camera's comings and goings, once that is due.
    pub(super) fn say_overdue(&self) {
        let Some(Unsaid(changes)) = self.talk.overdue() else { return };
        let camera = self.id();
        match self.presence() {
            Presence::Online { transport, .. } => {
                tracing::info!(%camera, over = %transport, changes, "camera came and went, is online");
            }
            Presence::Offline { reason, .. } => {
                tracing::info!(%camera, %reason, changes, "camera came and went, is offline");
            }
        }
    }

    /// The publisher of `tenure` leaves. False when it no longer owned the camera.
    pub(super) fn release(&self, tenure: &Tenure, reason: &str) -> bool {
        let mut owner = self.owner.lock();
        if tenure.is_over() {
            return false;
        }
        let since_us = self.clock.unix_us();
        owner.presence = Presence::Offline { since_us, reason: reason.into() };
        owner.offline_at = Some(self.clock.now());
        self.video.end();
        true
    }

    /// How long nobody has published; `None` while somebody does.
    pub fn offline_for(&self) -> Option<Duration> {
        let offline_at = self.owner.lock().offline_at?;
        Some(self.clock.now().saturating_duration_since(offline_at))
    }

    /// How long it has been offline, if nobody watches either, and nobody configured it.
    pub(super) fn idle_for(&self) -> Option<Duration> {
        let viewers = self.track.viewers() + self.video.viewers();
        self.offline_for().filter(|_| viewers == 0 && !self.is_configured())
    }

    /// As [`Self::offline_for`], `None` also for one that has to stay.
    pub(super) fn spare_for(&self) -> Option<Duration> {
        self.offline_for().filter(|_| !self.is_configured())
    }
}

//! The right to publish one camera.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use bytes::Bytes;
use thiserror::Error;

use super::{
    Camera, CameraId, DropReason, Format, Frame, Latest, Medium, Registry, tenure::Tenure,
};
use crate::wire::{envelope, jpeg};

/// How far ahead of the server's clock a capture time may lie, in microseconds.
const MAX_AHEAD_US: u64 = 2_000_000;
/// How far behind, in microseconds.
const MAX_BEHIND_US: u64 = 60_000_000;

/// What a publisher says of a frame.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stamp {
    /// The publisher's frame number, where it has one; a frame not above the newest is late.
    pub publisher_seq: Option<u64>,
    /// Unix microseconds on the server's clock; 0 if unknown. A time that cannot be is taken as 0.
    pub captured_us: u64,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Viewers get it.
    Published {
        /// The camera's number for it.
        seq: u64,
    },
    /// The same bytes as the frame before: not sent again, but the camera counts as alive.
    Duplicate {
        /// The camera's number for the frame before.
        seq: u64,
    },
    /// A newer one has been published already.
    Late,
}

/// Why a frame was refused. The texts go to the publisher.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// The picture.
    #[error(transparent)]
    Jpeg(#[from] jpeg::JpegError),
    /// The camera is no longer this producer's.
    #[error("a newer publisher took camera {0}")]
    Replaced(CameraId),
}

impl Refused {
    /// The stable error code of `docs/protocol.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Jpeg(error) => error.code(),
            Self::Replaced(_) => "replaced",
        }
    }
}

/// The right to publish pictures made of a camera's video, for as long as its publisher has it.
#[derive(Debug)]
pub struct PictureMaker(Producer);

impl PictureMaker {
    /// As [`Producer::headroom`].
    pub fn headroom(&self) -> usize {
        self.0.headroom()
    }

    /// As [`Producer::limits`].
    pub fn limits(&self) -> &jpeg::Limits {
        self.0.limits()
    }

    /// As [`Producer::publish`].
    pub fn publish(&self, buf: Vec<u8>, stamp: Stamp) -> Result<Outcome, Refused> {
        self.0.publish(buf, stamp)
    }
}

impl Registry {
    /// For pictures made of what the camera's present publisher sends as video; `None` while there is
    /// no video.
    pub fn make_pictures(self: &Arc<Self>, camera: &Arc<Camera>) -> Option<PictureMaker> {
        // Before the look at the video: should another take over in between, it has none of this.
        let tenure = camera.owner.lock().tenure.clone()?;
        camera.video_format()?;
        let mut made = Producer::new(self.clone(), camera.clone(), tenure);
        made.owns = false;
        Some(PictureMaker(made))
    }
}

/// The right to publish a camera, until it is dropped (the camera goes offline) or a newer
/// producer takes over.
#[derive(Debug)]
pub struct Producer {
    registry: Arc<Registry>,
    camera: Arc<Camera>,
    tenure: Arc<Tenure>,
    newest_seq: parking_lot::Mutex<Option<u64>>,
    /// Whether the camera goes offline with it.
    owns: bool,
}

impl Producer {
    pub(super) fn new(registry: Arc<Registry>, camera: Arc<Camera>, tenure: Arc<Tenure>) -> Self {
        Self { registry, camera, tenure, newest_seq: parking_lot::Mutex::default(), owns: true }
    }

    /// The camera.
    pub fn camera(&self) -> &Arc<Camera> {
        &self.camera
    }

    /// Bytes to leave free before the JPEG in a buffer for [`Self::publish`].
    pub fn headroom(&self) -> usize {
        envelope::headroom(self.camera.id().as_str().len())
    }

    /// What a frame has to keep.
    pub fn limits(&self) -> &jpeg::Limits {
        &self.registry.limits().frame
    }

    /// Publishes the JPEG that stands in `buf` behind [`Self::headroom`] free bytes. The buffer
    /// becomes the frame; nothing is copied.
    ///
    /// A refusal is counted by its reason and harms nothing that came before.
    ///
    /// # Panics
    /// When `buf` is shorter than the headroom.
    pub fn publish(&self, buf: Vec<u8>, stamp: Stamp) -> Result<Outcome, Refused> {
        assert!(buf.len() >= self.headroom(), "a frame buffer starts with its headroom");
        let info = match jpeg::inspect(&buf[self.headroom()..], self.limits()) {
            Ok(info) => info,
            Err(error) => {
                if let Some(reason) = DropReason::from_code(error.code()) {
                    self.count(reason, 1);
                }
                return Err(error.into());
            }
        };
        let clock = self.registry.clock();
        let (now, unix_us) = (clock.now(), clock.unix_us());
        let camera = &*self.camera;
        let mut state = camera.track.state.lock();
        if self.is_replaced() {
            return Err(Refused::Replaced(camera.id().clone()));
        }
        let mut newest = self.newest_seq.lock();
        if stamp.publisher_seq.is_some() && stamp.publisher_seq <= *newest {
            self.count(DropReason::Late, 1);
            return Ok(Outcome::Late);
        }
        *newest = stamp.publisher_seq.or(*newest);
        if state.ring.newest().is_some_and(|last| last.jpeg() == buf[self.headroom()..]) {
            state.confirmed_at = Some(now);
            self.count(DropReason::Duplicate, 1);
            return Ok(Outcome::Duplicate { seq: state.seq });
        }
        let seq = state.seq + 1;
        let captured_us = plausible(stamp.captured_us, unix_us);
        let frame = Frame::build(buf, camera.id(), info, seq, captured_us, (now, unix_us));
        camera.track.push(&mut state, Arc::new(Latest::new(frame)));
        camera.published.fetch_add(1, Relaxed);
        Ok(Outcome::Published { seq })
    }

    /// Publishes a JPEG that stands somewhere else: one copy.
    pub fn publish_jpeg(&self, jpeg: &[u8], stamp: Stamp) -> Result<Outcome, Refused> {
        let mut buf = Vec::with_capacity(self.headroom() + jpeg.len());
        buf.resize(self.headroom(), 0);
        buf.extend_from_slice(jpeg);
        self.publish(buf, stamp)
    }

    /// What follows as [`Self::push_unit`] is of this format, from a key frame on. Also to be called when
    /// the camera was connected to anew: what came before has nothing to do with it.
    pub fn begin_video(&self, format: Format) -> Result<(), Refused> {
        self.owning(|camera| camera.video.begin(format))?;
        self.registry.changed();
        Ok(())
    }

    /// The next unit of video or sound, which has been received just now; see [`super::Unit`] for
    /// its parts. Ignored before [`Self::begin_video`].
    pub fn push_unit(&self, medium: Medium, pts: i64, data: Bytes) -> Result<(), Refused> {
        let now = self.now();
        self.owning(|camera| camera.video.push(medium, pts, data, now))
    }

    /// Does it unless a newer publisher has taken the camera.
    fn owning(&self, what: impl FnOnce(&Camera)) -> Result<(), Refused> {
        // The lock under which a camera is taken over.
        let _state = self.camera.track.state.lock();
        if self.is_replaced() {
            return Err(Refused::Replaced(self.camera.id().clone()));
        }
        what(&self.camera);
        Ok(())
    }

    /// Counts frames that never became one.
    pub fn count(&self, reason: DropReason, n: u64) {
        self.camera.drops.add(reason, n);
    }

    /// Resolves when a newer publisher has taken the camera. Only the task that called last is told.
    /// Cancel safe.
    pub async fn replaced(&self) {
        self.tenure.ended().await;
    }

    /// Whether a newer publisher has taken the camera.
    pub fn is_replaced(&self) -> bool {
        self.tenure.is_over()
    }

    /// The relay's steady time.
    pub fn now(&self) -> Instant {
        self.registry.clock().now()
    }

    /// Unix microseconds on the relay's clock.
    pub fn unix_us(&self) -> u64 {
        self.registry.clock().unix_us()
    }

    /// Takes the camera offline for this reason, in plain words. Dropping without it says that the
    /// publisher disconnected.
    pub fn close(self, reason: &str) {
        self.release(reason);
    }

    fn release(&self, reason: &str) {
        if self.camera.release(&self.tenure, reason) {
            if let Some(unsaid) = self.camera.talk.event() {
                tracing::info!(camera = %self.camera.id(), reason, "camera offline{unsaid}");
            }
            self.registry.changed();
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // After `close` the camera is offline already, and its reason stays.
        if self.owns && matches!(self.camera.presence(), super::Presence::Online { .. }) {
            self.release("publisher disconnected");
        }
    }
}

/// A capture time as it is published: 0 if it cannot be. All in Unix microseconds.
pub fn plausible(captured_us: u64, now_us: u64) -> u64 {
    let fits = captured_us <= now_us.saturating_add(MAX_AHEAD_US)
        && captured_us >= now_us.saturating_sub(MAX_BEHIND_US);
    // A little ahead is the error of the clocks' comparison, not a picture from the future.
    if fits { captured_us.min(now_us) } else { 0 }
}

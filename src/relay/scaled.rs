//! Pictures of a camera that are made on demand: its rungs, and single stills.
//!
//! Belongs here: who watches which rung, what it last showed, and the orders for those who make the
//! pictures ([`Orders`], which `media` takes). Does not: scaling itself.
//!
//! A rung is a track like the camera's own. It comes with its first viewer, as an order with the
//! right to write it ([`RungProducer`]), and goes when that handle does.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicUsize},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde::Serialize;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::{
    Camera, CameraId, Clock, Consumer, Demand, Feed, Frame, Latest, Quality, Rung, Viewing,
    meter::Meter,
    track::{Budget, Track},
};
use crate::wire::{envelope, jpeg};

/// Stills that may wait to be made: a second of them or less. One more is refused.
const STILLS_WAITING: usize = 64;
/// How much of the older figure a new time of work leaves standing.
const SMOOTHING: f64 = 0.9;
/// A rung that leaves frames out and is below this share of those that it should have is said to be
/// lowered. A share alone would not do: of a camera with a frame a second, its 2 s may have one and its
/// rung's none.
const LOWERED: f64 = 0.85;

/// Pictures in a row that cannot be scaled and are left out of a rung, behind one that could: a damaged one
/// now and then helps nobody. Where more fail, or none was scaled yet, the camera's own pictures are shown
/// in the rung, so that its viewers do not stand still.
const LEFT_OUT: u32 = 4;

/// Why a still was not made. The texts go to the viewer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotScaled {
    /// Too many are asked for.
    #[error("the server has too many pictures to scale; ask again in some seconds")]
    Busy,
    /// The picture is no good beyond its header.
    #[error("this picture cannot be scaled: {0}")]
    Bad(String),
}

impl NotScaled {
    /// The stable error code of `docs/protocol.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Bad(_) => "not_scaled",
        }
    }
}

/// What is to be made, for the one who makes it.
#[derive(Debug)]
pub struct Orders {
    /// Rungs that got their first viewer: each camera's rung is in here once at the most.
    pub rungs: mpsc::UnboundedReceiver<RungProducer>,
    /// Single pictures.
    pub stills: mpsc::Receiver<Still>,
}

/// Where cameras order.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    rungs: mpsc::UnboundedSender<RungProducer>,
    stills: mpsc::Sender<Still>,
    /// A rung keeps its newest picture and no other.
    budget: Arc<Budget>,
    clock: Clock,
}

impl Counter {
    pub(super) fn new(clock: Clock) -> (Self, Orders) {
        let (rungs, taken_rungs) = mpsc::unbounded_channel();
        let (stills, taken_stills) = mpsc::channel(STILLS_WAITING);
        let budget = Arc::new(Budget {
            total: AtomicUsize::new(0),
            cameras: AtomicUsize::new(0),
            age: Duration::ZERO,
            camera_bytes: 0,
            total_bytes: usize::MAX,
        });
        let orders = Orders { rungs: taken_rungs, stills: taken_stills };
        (Self { rungs, stills, budget, clock }, orders)
    }

    /// `frame` scaled to `rung`; the frame itself where it is not wider.
    pub(super) async fn still(
        &self,
        camera: CameraId,
        frame: Frame,
        rung: Rung,
    ) -> Result<Frame, NotScaled> {
        let (answer, answered) = oneshot::channel();
        let still = Still { camera, frame, rung, answer };
        self.stills.try_send(still).map_err(|_| NotScaled::Busy)?;
        // Who makes them is gone only when the server is.
        answered.await.unwrap_or(Err(NotScaled::Busy))
    }
}

/// The rungs of one camera that somebody watches, or did a moment ago.
#[derive(Debug, Default)]
pub(super) struct Rungs(Mutex<BTreeMap<Rung, Arc<Scaled>>>);

/// One of them.
#[derive(Debug)]
struct Scaled {
    rung: Rung,
    track: Arc<Track>,
    work: Mutex<Work>,
}

/// What making it took.
#[derive(Debug)]
struct Work {
    frames: u64,
    failed: u64,
    /// How many failed since the newest that did not; [`LEFT_OUT`] at the most.
    failed_in_a_row: u32,
    /// Whether the rung shows the camera's own picture as it could not be scaled.
    is_stopgap: bool,
    encode_ms: f64,
    /// When frames were overtaken by newer ones.
    overtaken: Meter,
}

impl Rungs {
    /// The rung with a viewer more, ordered anew if nobody watched it.
    fn watch(&self, camera: &Arc<Camera>, rung: Rung) -> (Arc<Scaled>, Viewing) {
        let mut refused = None;
        let mut rungs = self.0.lock();
        let scaled = rungs.entry(rung).or_insert_with(|| {
            let counter = camera.counter();
            let now = counter.clock.now();
            let track = Arc::new(Track::new(counter.budget.clone(), now));
            let work = Mutex::new(Work::new(now));
            let scaled = Arc::new(Scaled { rung, track, work });
            let producer = RungProducer { camera: camera.clone(), scaled: scaled.clone() };
            refused = counter.rungs.send(producer).err();
            scaled
        });
        // Under the lock, so that it is not retired in between.
        let watched = (scaled.clone(), scaled.track.viewing());
        // Nobody makes rungs, as the server goes. Dropped outside of the lock, which its end takes.
        drop(rungs);
        drop(refused);
        watched
    }

    /// The scaled picture that a rung shows now, if somebody watches it.
    pub(super) fn latest(&self, rung: Rung) -> Option<Arc<Latest>> {
        let scaled = self.0.lock().get(&rung)?.clone();
        // Under the lock, so that both are of the same picture.
        let work = scaled.work.lock();
        if work.is_stopgap { None } else { scaled.track.latest() }
    }

    /// The camera is forgotten.
    pub(super) fn close(&self) {
        for scaled in self.0.lock().values() {
            scaled.track.close();
        }
    }

    /// `source_fps` is what comes in.
    pub(super) fn snapshots(&self, source_fps: f64, clock: Clock) -> Vec<RungSnapshot> {
        self.0.lock().values().map(|scaled| scaled.snapshot(source_fps, clock)).collect()
    }
}

impl Work {
    fn new(now: Instant) -> Self {
        Self {
            frames: 0,
            failed: 0,
            failed_in_a_row: LEFT_OUT,
            is_stopgap: false,
            encode_ms: 0.0,
            overtaken: Meter::new(now),
        }
    }
}

impl Scaled {
    fn snapshot(&self, source_fps: f64, clock: Clock) -> RungSnapshot {
        let now = clock.now();
        let (fps, bytes_per_s) = self.track.state.lock().meter.per_second(now);
        let viewers = self.track.viewers();
        let mut work = self.work.lock();
        let leaves_out = work.overtaken.per_second(now).0 > 0.0;
        let due_fps = if viewers > 0 { source_fps.min(self.rung.max_fps()) } else { 0.0 };
        let tenths = |n: f64| (n * 10.0).round() / 10.0;
        RungSnapshot {
            rung: self.rung.name(),
            width: self.rung.width(),
            viewers,
            frames: work.frames,
            failed: work.failed,
            fps: tenths(fps),
            due_fps: tenths(due_fps),
            bytes_per_s: bytes_per_s.round() as u64,
            encode_ms: tenths(work.encode_ms),
            lowered: leaves_out && fps < due_fps * LOWERED,
        }
    }
}

/// A rung's figures at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct RungSnapshot {
    /// Its name.
    pub rung: &'static str,
    /// Pixels across.
    pub width: u16,
    /// Who watches it.
    pub viewers: usize,
    /// Frames since it was begun, those passed on as they are included.
    pub frames: u64,
    /// Pictures that could not be scaled.
    pub failed: u64,
    /// Frames a second over the last 2 s.
    pub fps: f64,
    /// What that should be: the camera's, or the rung's own limit.
    pub due_fps: f64,
    /// JPEG bytes a second over the last 2 s.
    pub bytes_per_s: u64,
    /// Milliseconds of work a frame, smoothed; 0 where frames are passed on as they are.
    pub encode_ms: f64,
    /// Whether `fps` is below `due_fps` because the processor's time does not suffice.
    pub lowered: bool,
}

/// The right to write one rung of a camera. Dropping it ends the rung; the next viewer orders it anew.
#[derive(Debug)]
pub struct RungProducer {
    camera: Arc<Camera>,
    scaled: Arc<Scaled>,
}

impl RungProducer {
    /// Whose pictures.
    pub fn camera(&self) -> &CameraId {
        self.camera.id()
    }

    /// To what they are scaled.
    pub fn rung(&self) -> Rung {
        self.scaled.rung
    }

    /// A reader of the camera's own pictures.
    pub fn source(&self) -> Consumer {
        self.camera.consumer()
    }

    /// Whether anybody watches.
    pub fn demand(&self) -> Demand {
        self.scaled.track.demand()
    }

    /// Bytes to leave free before the JPEG in a buffer for [`Self::publish`].
    pub fn headroom(&self) -> usize {
        headroom(self.camera())
    }

    /// The scaled picture of `source`, in `buf` behind the headroom, which took `took` to make. It
    /// keeps the source's number and times.
    pub fn publish(&self, source: Arc<Latest>, buf: Vec<u8>, took: Duration) {
        match rescaled(&source, self.camera(), buf) {
            Ok(frame) => self.made(Arc::new(Latest::new(frame)), took),
            Err(error) => self.failed(source, &error.to_string()),
        }
    }

    /// A source that needs no scaling: the same bytes.
    pub fn pass_on(&self, source: Arc<Latest>) {
        self.made(source, Duration::ZERO);
    }

    fn made(&self, latest: Arc<Latest>, took: Duration) {
        let mut work = self.scaled.work.lock();
        (work.failed_in_a_row, work.is_stopgap) = (0, false);
        self.push(&mut work, latest, took);
    }

    /// A picture that cannot be scaled, and why not: left out, or shown as it is, see [`LEFT_OUT`].
    pub fn failed(&self, source: Arc<Latest>, why: &str) {
        self.camera.say_not_scaled(self.rung(), why);
        let mut work = self.scaled.work.lock();
        work.failed += 1;
        if work.failed_in_a_row < LEFT_OUT {
            work.failed_in_a_row += 1;
        } else {
            work.is_stopgap = true;
            self.push(&mut work, source, Duration::ZERO);
        }
    }

    /// The server itself failed: left out, whatever was before.
    pub fn not_made(&self) {
        self.scaled.work.lock().failed += 1;
    }

    fn push(&self, work: &mut Work, latest: Arc<Latest>, took: Duration) {
        let took_ms = took.as_secs_f64() * 1000.0;
        let older = if work.frames == 0 { took_ms } else { work.encode_ms };
        work.encode_ms = older * SMOOTHING + took_ms * (1.0 - SMOOTHING);
        work.frames += 1;
        let track = &self.scaled.track;
        track.push(&mut track.state.lock(), latest);
    }

    /// A newer picture came before there was time for the one before.
    pub fn overtaken(&self) {
        self.scaled.work.lock().overtaken.add(0, self.camera.counter().clock.now());
    }

    /// Nobody watches: who comes next is not to see what was long ago.
    pub fn pause(&self) {
        let mut work = self.scaled.work.lock();
        (work.failed_in_a_row, work.is_stopgap) = (LEFT_OUT, false);
        self.scaled.track.clear(self.camera.counter().clock.now());
    }

    /// Ends the rung unless somebody watches.
    pub fn retire(&self) -> bool {
        let mut rungs = self.camera.rungs().0.lock();
        let unwatched = self.scaled.track.viewers() == 0;
        if unwatched {
            self.remove(&mut rungs);
        }
        unwatched
    }

    fn remove(&self, rungs: &mut BTreeMap<Rung, Arc<Scaled>>) {
        // By identity: there may be a newer one by now.
        let rung = self.scaled.rung;
        if rungs.get(&rung).is_some_and(|known| Arc::ptr_eq(known, &self.scaled)) {
            rungs.remove(&rung);
            self.scaled.track.close();
        }
    }
}

impl Drop for RungProducer {
    fn drop(&mut self) {
        self.remove(&mut self.camera.rungs().0.lock());
    }
}

/// A single picture to be made.
#[derive(Debug)]
pub struct Still {
    /// Whose.
    pub camera: CameraId,
    /// From what.
    pub frame: Frame,
    /// To what size.
    pub rung: Rung,
    answer: oneshot::Sender<Result<Frame, NotScaled>>,
}

impl Still {
    /// Bytes to leave free before the JPEG in a buffer for [`Self::made`].
    pub fn headroom(&self) -> usize {
        headroom(&self.camera)
    }

    /// The frame that the scaled picture in `buf`, behind the headroom, becomes.
    pub fn made(&self, buf: Vec<u8>) -> Result<Frame, NotScaled> {
        rescaled(&self.frame, &self.camera, buf).map_err(|error| NotScaled::Bad(error.to_string()))
    }

    /// Whether nobody waits for it any more.
    pub fn is_forsaken(&self) -> bool {
        self.answer.is_closed()
    }

    /// To the one who asked.
    pub fn answer(self, answer: Result<Frame, NotScaled>) {
        // Gone while it was made: nobody to tell.
        let _ = self.answer.send(answer);
    }
}

fn headroom(camera: &CameraId) -> usize {
    envelope::headroom(camera.as_str().len())
}

fn rescaled(source: &Frame, camera: &CameraId, buf: Vec<u8>) -> Result<Frame, jpeg::JpegError> {
    // Made here, so it keeps whatever bounds its source kept.
    let limits = jpeg::Limits { max_bytes: usize::MAX, max_pixels: u64::MAX };
    let info = jpeg::inspect(&buf[headroom(camera)..], &limits)?;
    let received = (source.received_at, source.received_us);
    Ok(Frame::build(buf, camera, info, source.seq, source.captured_us, received))
}

/// One quality of a camera, watched for as long as this lives.
#[derive(Debug)]
pub struct Watch {
    quality: Quality,
    feed: Feed,
    of_camera: Option<Viewing>,
    of_rung: Option<(Arc<Scaled>, Viewing)>,
}

impl Watch {
    /// `of_camera` is demand for the camera itself, which who watches a rung watches too.
    pub(super) fn new(camera: &Arc<Camera>, quality: Quality, of_camera: Option<Viewing>) -> Self {
        let (feed, of_rung) = match quality {
            Quality::Source => (camera.source(), None),
            Quality::Rung(rung) => {
                let of_rung = camera.rungs().watch(camera, rung);
                (Feed::new(of_rung.0.track.clone()), Some(of_rung))
            }
        };
        Self { quality, feed, of_camera, of_rung }
    }

    /// Which.
    pub fn quality(&self) -> Quality {
        self.quality
    }

    /// What comes of it at present: `source` in the place of a rung whose pictures cannot be scaled.
    pub fn served(&self) -> Quality {
        match &self.of_rung {
            Some((scaled, _)) if scaled.work.lock().is_stopgap => Quality::Source,
            _ => self.quality,
        }
    }

    /// Whether the camera is wanted for it.
    pub fn is_demand(&self) -> bool {
        self.of_camera.is_some()
    }

    /// What there is to see.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }
}

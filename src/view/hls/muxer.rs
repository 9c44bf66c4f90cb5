//! One camera's muxer: a task that turns its units into segments while somebody asks for them.
//!
//! Belongs here: the task, its life, and waiting for what it makes. Does not: HTTP.

use std::{
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::{
    packager::{Packager, Piece},
    playlist,
    sessions::{Sessions, gone_after},
    window::Window,
};
use crate::{
    relay::{Camera, Clock, NextUnit, VideoConsumer},
    wire::fmp4::BadTrack,
};

/// A muxer that nobody has asked for anything for so long is freed.
const LINGER: Duration = Duration::from_secs(30);

/// Between two looks whether anybody is still there.
const SWEEP: Duration = Duration::from_secs(1);

/// What a camera's segments are asked of.
#[derive(Debug)]
pub(super) struct Muxer {
    pub camera: Arc<Camera>,
    pub sessions: Sessions,
    state: Mutex<State>,
    /// Grows whenever there is more to see; [`ENDED`] when there will not be.
    version: watch::Sender<u64>,
    requests: Mutex<Requests>,
    /// A request came to a muxer that rests.
    wake: Notify,
}

/// Who asks.
#[derive(Debug)]
struct Requests {
    /// Being answered.
    now: usize,
    /// When the last one was.
    last: tokio::time::Instant,
    /// There were none for so long that the camera is not read.
    rests: bool,
}

impl Requests {
    fn none_for(&self, time: Duration) -> bool {
        self.now == 0 && self.last.elapsed() >= time
    }
}

const ENDED: u64 = u64::MAX;

#[derive(Debug)]
struct State {
    window: Window,
    /// Written when the window changes, as all viewers are told the same.
    playlist: Bytes,
}

/// Somebody waits for an answer, so the muxer is needed.
#[derive(Debug)]
pub(super) struct InUse(Arc<Muxer>);

impl InUse {
    pub(super) fn new(muxer: Arc<Muxer>) -> Self {
        let mut requests = muxer.requests.lock();
        requests.now += 1;
        if requests.rests {
            muxer.wake.notify_one();
        }
        drop(requests);
        Self(muxer)
    }
}

impl std::ops::Deref for InUse {
    type Target = Muxer;

    fn deref(&self) -> &Muxer {
        &self.0
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut requests = self.0.requests.lock();
        requests.last = tokio::time::Instant::now();
        requests.now -= 1;
    }
}

/// What was waited for did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotYet {
    /// In time.
    TimedOut,
    /// And will not: the camera was forgotten, or the server ends.
    Ended,
}

impl Muxer {
    pub(super) fn new(camera: Arc<Camera>, clock: Clock) -> Self {
        let window = Window::new(clock.unix_us());
        Self {
            sessions: Sessions::new(camera.clone()),
            camera,
            state: Mutex::new(State { window, playlist: Bytes::new() }),
            version: watch::Sender::new(0),
            requests: Mutex::new(Requests {
                now: 0,
                last: tokio::time::Instant::now(),
                rests: false,
            }),
            wake: Notify::new(),
        }
    }

    /// Looks at what there is.
    pub(super) fn look<T>(&self, what: impl FnOnce(&Window) -> T) -> T {
        what(&self.state.lock().window)
    }

    /// The media playlist as it is.
    pub(super) fn playlist(&self) -> Bytes {
        self.state.lock().playlist.clone()
    }

    /// Waits until `what` finds something.
    pub(super) async fn wait<T>(
        &self,
        patience: Duration,
        mut what: impl FnMut(&Window) -> Option<T>,
    ) -> Result<T, NotYet> {
        let mut version = self.version.subscribe();
        let found = async {
            loop {
                let ended = *version.borrow_and_update() == ENDED;
                if let Some(found) = self.look(&mut what) {
                    return Ok(found);
                }
                if ended || version.changed().await.is_err() {
                    return Err(NotYet::Ended);
                }
            }
        };
        tokio::time::timeout(patience, found).await.unwrap_or(Err(NotYet::TimedOut))
    }

    /// Whether nobody has asked for anything for long enough.
    pub(super) fn is_idle(&self) -> bool {
        self.requests.lock().none_for(LINGER)
    }

    /// Whether the camera need not be read, from now on, until `wake` is notified.
    fn rests(&self, target_s: u32) -> bool {
        let mut requests = self.requests.lock();
        requests.rests = requests.none_for(gone_after(target_s));
        requests.rests
    }

    /// Makes segments, while anybody asks for them, until the camera is forgotten or `is_needless` says
    /// so, which is asked every second. Returns the longest group of pictures seen, in ticks.
    pub(super) async fn run(
        &self,
        clock: Clock,
        target_s: u32,
        mut is_needless: impl FnMut() -> bool,
    ) -> i64 {
        let mut maker = Maker {
            muxer: self,
            consumer: Some(self.camera.watch_video()),
            packager: Packager::new(target_s),
            generation: None,
            warned: None,
            clock,
        };
        let mut tick = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                made = maker.step() => match made {
                    Ok(true) => {}
                    Ok(false) => break,
                    // With the next key frame it is tried again; said once a generation.
                    Err(error) => if maker.warned.replace(maker.generation) != Some(maker.generation) {
                        tracing::warn!(camera = %self.camera.id(), "no HLS: {error}");
                    },
                },
                _ = tick.tick() => {
                    let target = self.look(|window| window.targets());
                    let target_s = target.map_or(target_s, |target| target.segment_s);
                    self.sessions.sweep(target_s);
                    if is_needless() {
                        break;
                    }
                    if maker.consumer.is_some() && self.rests(target_s) {
                        maker.rest();
                    }
                }
                () = self.wake.notified() => {
                    maker.consumer.get_or_insert_with(|| self.camera.watch_video());
                }
            }
        }
        maker.packager.longest_group()
    }

    /// Nothing more will come; whoever waits is told.
    pub(super) fn end(&self) {
        self.version.send_replace(ENDED);
    }
}

/// The task's own side.
struct Maker<'a> {
    muxer: &'a Muxer,
    /// None while nobody asks: the camera is not kept connected for that.
    consumer: Option<VideoConsumer>,
    packager: Packager,
    generation: Option<u64>,
    /// The generation that was last said to have no video that can be written.
    warned: Option<Option<u64>>,
    clock: Clock,
}

impl Maker<'_> {
    /// Waits for the next unit, and takes all others that are there already before it tells anybody.
    /// False when the camera was forgotten. Cancel safe.
    async fn step(&mut self) -> Result<bool, BadTrack> {
        let Some(consumer) = &mut self.consumer else { return pending().await };
        let Some(next) = consumer.next().await else { return Ok(false) };
        self.take(next)?;
        while let Some(next) = self.consumer.as_mut().and_then(|it| it.next().now_or_never()) {
            let Some(next) = next else { return Ok(false) };
            self.take(next)?;
        }
        self.show();
        Ok(true)
    }

    /// Lets the camera go. Who comes back while this muxer lives finds a beginning, and not the video
    /// of when they left.
    fn rest(&mut self) {
        self.consumer = None;
        self.generation = None;
        // What cannot be written is not missed.
        let _ = self.packager.interrupt();
        self.show();
        self.muxer.state.lock().window.rest();
    }

    fn take(&mut self, NextUnit { unit, missed }: NextUnit) -> Result<(), BadTrack> {
        if self.generation != Some(unit.generation) || missed > 0 {
            self.packager.interrupt()?;
            self.generation = Some(unit.generation);
        }
        self.packager.push(unit)
    }

    fn show(&mut self) {
        let mut pieces = self.packager.take();
        let Some(targets) = self.packager.targets().filter(|_| !pieces.is_empty()) else { return };
        let mut state = self.muxer.state.lock();
        while !pieces.is_empty() {
            for piece in pieces {
                match piece {
                    Piece::Begin(presentation) => state.window.begin(presentation, targets),
                    Piece::End(duration) => state.window.end(duration),
                    Piece::Part(part) => {
                        let first = part.units.0.received_at;
                        let wall_us = self.unix_us(first);
                        state.window.add(part, wall_us);
                    }
                }
            }
            if state.window.whole() == 0 && state.window.edge().1 > 0 {
                self.packager.cut();
            }
            pieces = self.packager.take();
        }
        state.playlist = playlist::media(&state.window).into();
        drop(state);
        self.muxer.version.send_modify(|version| *version += 1);
    }

    fn unix_us(&self, at: Instant) -> u64 {
        let ago = self.clock.now().saturating_duration_since(at).as_micros();
        self.clock.unix_us().saturating_sub(u64::try_from(ago).unwrap_or(u64::MAX))
    }
}

//! A writer: one task that feeds many viewers' sockets.
//!
//! A task a viewer costs a wake-up a frame and viewer; here one wake-up a frame serves every viewer
//! of this writer, and readiness is asked for only of sockets that would block. Each viewer gets
//! the same bytes.
//!
//! Belongs here: which frame goes to whom, when. Does not: reading from viewers. Who comes and goes is in
//! `viewers`, who watches what in `subscriptions`, which cameras there are in `cameras`, what each viewer is
//! due now and then, and at the end, in `upkeep`.

mod cameras;
mod subscriptions;
mod upkeep;
mod viewers;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, atomic::AtomicUsize},
    time::Instant,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use slab::Slab;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    auto::{Auto, Size},
    flow::Flow,
    messages,
    viewer::{Line, Sent, Viewer, Wish},
};
use crate::{
    relay::{
        Bell, Camera, CameraId, DropReason, Feed, Latest, Pacer, Quality, Registry, Rope, Seat,
        Watch,
    },
    view,
    wire::stream::{CameraStatus, Counts},
};

/// Commands that may wait for a writer. Readers wait in turn when it is full, so a viewer that
/// talks a lot slows down only itself.
pub(super) const COMMANDS: usize = 1024;
/// Frames written before other tasks of the thread get a turn: about half a millisecond.
const WRITES_A_TURN: usize = 64;
/// Subscriptions whose memory is fetched at a time: few enough to stay in the processor's cache
/// beside the frame.
const FETCHED_TOGETHER: usize = 8;
/// Cameras that one viewer may name; more are watched with `*`.
pub(super) const MAX_WANTED: usize = 1000;
/// What a reader asks of the writer.
pub(super) enum Command {
    Add(Box<Viewer>),
    /// Watch like this; `None` for all cameras.
    Subscribe(u64, Option<CameraId>, Wish),
    Unsubscribe(u64, Option<CameraId>),
    Ack(u64, CameraId, u64),
    /// A ready-made text frame.
    Text(u64, Bytes),
    /// A ready-made control frame that answers one of the viewer's.
    Control(u64, Bytes),
    Close(u64, u16, &'static str),
    Gone(u64),
}

/// Figures that the writers share.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub viewers: AtomicUsize,
    pub sent: view::Sent,
}

/// A camera, of which somebody here may want to know.
struct Known {
    camera: Arc<Camera>,
    status: CameraStatus,
    /// Whether the server connects to it only while somebody asks for it.
    on_demand: bool,
    /// Keys of what of it somebody here watches: its pictures as they were published, and rungs.
    feeds: Vec<(Quality, usize)>,
}

/// One quality of a camera that somebody here watches.
struct Watched {
    camera: Arc<Camera>,
    feed: Feed,
    subscriptions: Vec<usize>,
    rope: Rope,
    /// How many frames there were up to the newest that was handed out.
    seen: u64,
}

struct Subscription {
    viewer: usize,
    /// The viewer's, so that a frame that goes out whole needs to look at nothing else of it.
    line: Arc<Line>,
    camera: Arc<Camera>,
    pacer: Pacer,
    flow: Flow,
    sent_seq: u64,
    /// The same frame may go out once more, as it comes in a better quality now: the picture of a camera
    /// that has no newer one would stay small.
    again: bool,
    /// The newest frame, if it was not sent yet, and why not.
    pending: Option<(u64, DropReason)>,
    /// A timer for it is set.
    timer: bool,
    /// Tells timers of this subscription from those of one that had its key before.
    id: u64,
    counts: Counts,
    /// Looked at seldom, so apart from what each frame needs.
    showing: Box<Showing>,
}

/// Which of the camera's qualities a subscription gets.
struct Showing {
    size: Size,
    watch: Watch,
    /// The quality that the viewer knows it gets.
    told: Quality,
    /// Where the server chooses.
    auto: Option<Auto>,
    /// None for who sees the camera without being a reason to connect it.
    _seat: Option<Seat>,
}

type WritableFuture = Pin<Box<dyn Future<Output = (usize, u64)> + Send>>;

pub(super) struct Writer {
    registry: Arc<Registry>,
    max_fps: f64,
    figures: Arc<Figures>,
    viewers: Slab<Viewer>,
    keys: HashMap<u64, usize>,
    subscriptions: Slab<Subscription>,
    next_subscription: u64,
    cameras: HashMap<CameraId, Known>,
    watched: Slab<Watched>,
    /// Rung by each that is watched, with its key.
    bell: Bell,
    writable: FuturesUnordered<WritableFuture>,
    timers: BinaryHeap<Reverse<(Instant, usize, u64)>>,
    ticks: u64,
}

impl Writer {
    pub(super) fn new(registry: Arc<Registry>, max_fps: f64, figures: Arc<Figures>) -> Self {
        Self {
            registry,
            max_fps,
            figures,
            viewers: Slab::new(),
            keys: HashMap::new(),
            subscriptions: Slab::new(),
            next_subscription: 0,
            cameras: HashMap::new(),
            watched: Slab::new(),
            bell: Bell::default(),
            writable: FuturesUnordered::new(),
            timers: BinaryHeap::new(),
            ticks: 0,
        }
    }

    /// Feeds viewers until shutdown, then tells them.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut changes: watch::Receiver<u64>,
        shutdown: CancellationToken,
    ) {
        let mut shutdown = pin!(shutdown.cancelled_owned());
        let mut tick = tokio::time::interval(upkeep::TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.sync_cameras();
        let mut rung = Vec::new();
        loop {
            let due = self.timers.peek().map(|Reverse((at, ..))| (*at).into());
            tokio::select! {
                () = self.bell.rung(&mut rung) => {
                    for watched in rung.drain(..) {
                        self.frame(watched).await;
                    }
                }
                Some((key, id)) = self.writable.next() => self.became_writable(key, id),
                Some(command) = commands.recv() => self.obey(command),
                Ok(()) = changes.changed() => self.sync_cameras(),
                () = sleep_until(due), if due.is_some() => self.fire_timers(),
                _ = tick.tick(), if !self.viewers.is_empty() => self.tick(),
                () = &mut shutdown => break,
            }
        }
        self.close_all(commands).await;
    }

    fn now(&self) -> Instant {
        self.registry.clock().now()
    }

    /// A camera has a new frame: everybody who is due gets it.
    async fn frame(&mut self, key: usize) {
        let Some(watched) = self.watched.get_mut(key) else { return };
        watched.rope.answer();
        let Some((latest, count)) =
            watched.feed.newest().filter(|(_, count)| *count > watched.seen)
        else {
            return;
        };
        // Frames that came while this writer was busy are lost to each of its viewers.
        let skipped = count - watched.seen - 1;
        if skipped > 0 && watched.seen > 0 {
            let n = skipped * watched.subscriptions.len() as u64;
            watched.camera.count(DropReason::Behind, n);
        }
        watched.seen = count;
        // Out of its place for as long as it is gone through: a look-up a viewer would cost as much as
        // all else but the `send`. Nothing is obeyed meanwhile, so nothing else wants it.
        let subscriptions = std::mem::take(&mut watched.subscriptions);
        for turn in subscriptions.chunks(WRITES_A_TURN) {
            let now = self.now();
            for some in turn.chunks(FETCHED_TOGETHER) {
                self.fetch(some);
                for &subscription in some {
                    // A viewer that turns out dead is removed later.
                    self.offer(subscription, &latest, now);
                }
            }
            if turn.len() == WRITES_A_TURN {
                tokio::task::yield_now().await;
            }
        }
        if let Some(watched) = self.watched.get_mut(key) {
            watched.subscriptions = subscriptions;
        }
    }

    /// Has the processor fetch most of what [`Self::offer`] looks at. Each subscription lies
    /// elsewhere in memory: looked at one behind the other, several are waited for at once; between
    /// two `send`s, each for itself.
    fn fetch(&self, subscriptions: &[usize]) {
        let looks = subscriptions.iter().filter_map(|&key| {
            let it = self.subscriptions.get(key)?;
            Some(u64::from(it.line.is_free() && it.flow.is_silent()) ^ it.id ^ it.sent_seq)
        });
        std::hint::black_box(looks.fold(0, |all, one| all ^ one));
    }

    /// Sends a frame to one subscription if it is due and the socket is free; else it waits, and
    /// takes the place of the one that waited before.
    fn offer(&mut self, key: usize, latest: &Latest, now: Instant) {
        let Some(subscription) = self.subscriptions.get_mut(key) else { return };
        let is_same = latest.seq == subscription.sent_seq;
        if latest.seq < subscription.sent_seq || is_same && !subscription.again {
            return;
        }
        if let Some((_, reason)) = subscription.pending.filter(|(seq, _)| *seq < latest.seq) {
            subscription.lost(reason);
        }
        let line = &subscription.line;
        if !line.is_free() || !subscription.flow.is_open(now) {
            subscription.pending = Some((latest.seq, DropReason::Behind));
            return;
        }
        // By when frames come, not by when they go: one that goes late must not hold up the next.
        let mut at = latest.received_at;
        if let Some(due) = subscription.pacer.due_at(at) {
            if due > now {
                subscription.pending = Some((latest.seq, DropReason::Paced));
                if !std::mem::replace(&mut subscription.timer, true) {
                    self.timers.push(Reverse((due, key, subscription.id)));
                }
                return;
            }
            at = now;
        }
        let message = messages::frame(latest, subscription.camera.id().as_str(), line.format());
        let taken = line.send(message);
        let is_whole = taken.as_ref().is_ok_and(|&n| n == message.len());
        let viewer = subscription.viewer;
        let sent = if is_whole {
            Sent::Whole
        } else if let Some(viewer) = self.viewers.get_mut(viewer) {
            viewer.taken(taken, message, now)
        } else {
            return;
        };
        match sent {
            Sent::Whole | Sent::Partly => {
                subscription.pending = None;
                subscription.sent_seq = latest.seq;
                subscription.again = false;
                subscription.counts.sent += 1;
                subscription.pacer.sent(at);
                subscription.flow.sent(latest.seq, now);
                self.figures.sent.frame(message.len());
            }
            Sent::Nothing => subscription.pending = Some((latest.seq, DropReason::Behind)),
            Sent::Dead => self.viewers[viewer].die(),
        }
        if matches!(sent, Sent::Partly | Sent::Nothing) {
            self.await_writable(viewer);
        }
    }

    /// Offers a subscription the newest frame again, if one waits.
    fn retry(&mut self, key: usize) {
        let Some(subscription) = self.subscriptions.get(key) else { return };
        if subscription.pending.is_some()
            && let Some(latest) = subscription.showing.watch.feed().latest()
        {
            self.offer(key, &latest, self.now());
        }
    }

    fn await_writable(&self, key: usize) {
        let viewer = &self.viewers[key];
        let (line, id, ended) = (viewer.line().clone(), viewer.id, viewer.ended());
        self.writable.push(Box::pin(async move {
            // One that never reads again is never writable: without its end, its socket would stay.
            tokio::select! {
                // An error shows again, and ends the viewer, with the next write.
                _ = line.socket.writable() => {}
                () = ended.cancelled() => {}
            }
            (key, id)
        }));
    }

    fn became_writable(&mut self, key: usize, id: u64) {
        if self.viewers.get(key).is_some_and(|viewer| viewer.id == id) {
            self.viewers[key].unblock();
            self.pump(key);
        }
    }

    /// Writes what waits for a viewer, then the frames that wait.
    fn pump(&mut self, key: usize) {
        if !self.flush(key) {
            return;
        }
        let viewer = &self.viewers[key];
        let (count, first) = (viewer.subscriptions.len(), viewer.turn);
        for turn in first..first + count {
            let viewer = &mut self.viewers[key];
            if !viewer.line().is_free() {
                viewer.turn = turn % count;
                return;
            }
            let subscription = viewer.subscriptions[turn % count];
            self.retry(subscription);
        }
    }

    fn fire_timers(&mut self) {
        let now = self.now();
        while let Some(&Reverse((at, key, id))) = self.timers.peek() {
            if at > now {
                return;
            }
            self.timers.pop();
            if let Some(subscription) = self.subscriptions.get_mut(key).filter(|s| s.id == id) {
                subscription.timer = false;
                self.retry(key);
            }
        }
    }
}

impl Subscription {
    /// A frame that waited will not be sent.
    fn lost(&mut self, reason: DropReason) {
        match reason {
            DropReason::Paced => self.counts.paced += 1,
            _ => self.counts.behind += 1,
        }
        self.camera.count(reason, 1);
    }
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

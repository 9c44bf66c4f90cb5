//! A writer: one task that feeds many viewers' sockets.
//!
//! A task a viewer costs a wake-up a frame and viewer; here one wake-up a frame serves every viewer
//! of this writer, and readiness is asked for only of sockets that would block. Each viewer gets
//! the same bytes. Belongs here: which frame goes to whom, when. Does not: reading from viewers.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use slab::Slab;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    flow::Flow,
    messages,
    viewer::{Format, NOT_READING, Sent, Viewer, Wants},
};
use crate::{
    net::{close_code, heartbeat},
    relay::{Camera, CameraId, Consumer, DropReason, Latest, Next, Pacer, Registry, Viewing},
    wire::{
        envelope::{Opcode, websocket_frame},
        stream::{CameraStatus, Counts, ServerMessage},
    },
};

/// Commands that may wait for a writer. Readers wait in turn when it is full, so a viewer that
/// talks a lot slows down only itself.
pub(super) const COMMANDS: usize = 1024;
/// Frames written before other tasks of the thread get a turn: about half a millisecond.
const WRITES_A_TURN: usize = 64;
/// Cameras that one viewer may name; more are watched with `*`.
pub(super) const MAX_WANTED: usize = 1000;
/// Between looks for viewers that do not read.
const TICK: Duration = Duration::from_secs(1);
/// Between `stats` messages.
const STATS_TICKS: u64 = 5;

/// What a reader asks of the writer.
pub(super) enum Command {
    Add(Box<Viewer>),
    /// Watch at most this often; `None` for all cameras.
    Subscribe(u64, Option<CameraId>, f64),
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
    pub frames: AtomicU64,
    pub bytes: AtomicU64,
}

/// A camera that somebody here watches, or of which somebody may want to know.
struct Watched {
    camera: Arc<Camera>,
    status: CameraStatus,
    latest: Option<Arc<Latest>>,
    subscriptions: Vec<usize>,
    /// Whether a consumer of it is among the writer's.
    consumed: bool,
}

struct Subscription {
    viewer: usize,
    camera: CameraId,
    pacer: Pacer,
    flow: Flow,
    sent_seq: u64,
    /// Why the newest frame was not sent yet.
    pending: Option<DropReason>,
    /// A timer for it is set.
    timer: bool,
    /// Tells timers of this subscription from those of one that had its key before.
    id: u64,
    counts: Counts,
    _viewing: Viewing,
}

type ConsumerFuture = Pin<Box<dyn Future<Output = (Arc<Camera>, Consumer, Option<Next>)> + Send>>;
type WritableFuture = Pin<Box<dyn Future<Output = (usize, u64)> + Send>>;

pub(super) struct Writer {
    registry: Arc<Registry>,
    max_fps: f64,
    figures: Arc<Figures>,
    viewers: Slab<Viewer>,
    keys: HashMap<u64, usize>,
    subscriptions: Slab<Subscription>,
    next_subscription: u64,
    cameras: HashMap<CameraId, Watched>,
    consumers: FuturesUnordered<ConsumerFuture>,
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
            consumers: FuturesUnordered::new(),
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
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.sync_cameras();
        loop {
            let due = self.timers.peek().map(|Reverse((at, ..))| (*at).into());
            tokio::select! {
                Some((camera, consumer, next)) = self.consumers.next() => {
                    self.frame(camera, consumer, next).await;
                }
                Some((key, id)) = self.writable.next() => self.became_writable(key, id),
                Some(command) = commands.recv() => self.obey(command),
                Ok(()) = changes.changed() => self.sync_cameras(),
                () = sleep_until(due), if due.is_some() => self.fire_timers(),
                _ = tick.tick() => self.tick(),
                () = shutdown.cancelled() => break,
            }
        }
        self.close_all(commands).await;
    }

    fn now(&self) -> Instant {
        self.registry.clock().now()
    }

    // ---- frames ----

    /// A camera has a new frame: everybody who is due gets it.
    async fn frame(&mut self, camera: Arc<Camera>, consumer: Consumer, next: Option<Next>) {
        let id = camera.id();
        // Of a camera that was forgotten, and may be back as another under its id.
        let watched = self.cameras.get_mut(id).filter(|w| Arc::ptr_eq(&w.camera, &camera));
        let (Some(watched), Some(next)) = (watched, next) else { return };
        if watched.subscriptions.is_empty() {
            watched.consumed = false;
            return;
        }
        watched.latest = Some(next.frame.clone());
        // Frames that came while this writer was busy are lost to each of its viewers.
        if next.skipped > 0 {
            let n = next.skipped * watched.subscriptions.len() as u64;
            watched.camera.count(DropReason::Behind, n);
        }
        self.consumers.push(wait(camera.clone(), consumer));
        let mut index = 0;
        while let Some(&key) = self.cameras.get(id).and_then(|w| w.subscriptions.get(index)) {
            // A viewer that turns out dead is removed later, so that nothing moves here.
            self.offer(key, &next.frame);
            index += 1;
            if index % WRITES_A_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Sends a frame to one subscription if it is due and the socket is free; else it waits, and
    /// takes the place of the one that waited before.
    fn offer(&mut self, key: usize, latest: &Arc<Latest>) {
        let now = self.now();
        let Some(subscription) = self.subscriptions.get_mut(key) else { return };
        let Some(viewer) = self.viewers.get_mut(subscription.viewer) else { return };
        if latest.seq <= subscription.sent_seq {
            return;
        }
        if let Some(reason) = subscription.pending {
            subscription.lost(reason, &self.cameras);
        }
        if !viewer.is_free() || !subscription.flow.is_open(now) {
            subscription.pending = Some(DropReason::Behind);
            return;
        }
        if let Some(due) = subscription.pacer.due_at(now) {
            subscription.pending = Some(DropReason::Paced);
            if !std::mem::replace(&mut subscription.timer, true) {
                self.timers.push(Reverse((due, key, subscription.id)));
            }
            return;
        }
        let message = messages::frame(latest, subscription.camera.as_str(), viewer.format);
        let len = message.len();
        match viewer.write(&message, now) {
            sent @ (Sent::Whole | Sent::Partly) => {
                subscription.pending = None;
                subscription.sent_seq = latest.seq;
                subscription.counts.sent += 1;
                subscription.pacer.sent(now);
                subscription.flow.sent(latest.seq, now);
                self.figures.frames.fetch_add(1, Relaxed);
                self.figures.bytes.fetch_add(len as u64, Relaxed);
                if sent == Sent::Partly {
                    self.await_writable(self.subscriptions[key].viewer);
                }
            }
            Sent::Nothing => {
                subscription.pending = Some(DropReason::Behind);
                let viewer = subscription.viewer;
                self.await_writable(viewer);
            }
            Sent::Dead => viewer.die(),
        }
    }

    /// Offers a subscription the newest frame again, if one waits.
    fn retry(&mut self, key: usize) {
        let Some(subscription) = self.subscriptions.get_mut(key) else { return };
        if subscription.pending.is_none() {
            return;
        }
        let latest = self.cameras.get(&subscription.camera).and_then(|w| w.latest.clone());
        if let Some(latest) = latest {
            // It is the waiting frame itself, or a newer one already counted: nothing is lost here.
            subscription.pending = None;
            self.offer(key, &latest);
        }
    }

    fn await_writable(&self, key: usize) {
        let viewer = &self.viewers[key];
        let (write, id) = (viewer.write.clone(), viewer.id);
        self.writable.push(Box::pin(async move {
            // An error shows again, and ends the viewer, with the next write.
            let _ = write.writable().await;
            (key, id)
        }));
    }

    fn became_writable(&mut self, key: usize, id: u64) {
        if self.viewers.get(key).is_some_and(|viewer| viewer.id == id) {
            self.viewers[key].blocked_since = None;
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
            if !viewer.is_free() {
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

    // ---- viewers ----

    fn obey(&mut self, command: Command) {
        match command {
            Command::Add(viewer) => self.add(*viewer),
            Command::Gone(id) => {
                if let Some(&key) = self.keys.get(&id) {
                    self.remove(key);
                }
            }
            Command::Subscribe(id, camera, fps) => self.with(id, |writer, key| {
                let wants = &mut writer.viewers[key].wants;
                match camera {
                    None => wants.all = Some(fps),
                    Some(camera) => {
                        if wants.cameras.len() >= MAX_WANTED && !wants.cameras.contains_key(&camera)
                        {
                            return writer.refuse_more(key);
                        }
                        wants.cameras.insert(camera.clone(), Some(fps));
                        writer.tell_if_unknown(key, &camera);
                    }
                }
                writer.subscribe_wanted(key);
            }),
            Command::Unsubscribe(id, camera) => self.with(id, |writer, key| {
                let wants = &mut writer.viewers[key].wants;
                match camera {
                    None => *wants = Wants::default(),
                    // Remembered only where it takes one camera out of all.
                    Some(camera) if wants.all.is_some() && wants.cameras.len() < MAX_WANTED => {
                        wants.cameras.insert(camera, None);
                    }
                    Some(camera) => drop(wants.cameras.remove(&camera)),
                }
                writer.subscribe_wanted(key);
            }),
            Command::Ack(id, camera, seq) => self.with(id, |writer, key| {
                let now = writer.now();
                let subscription = writer.subscription_of(key, &camera);
                if let Some(subscription) = subscription {
                    writer.subscriptions[subscription].flow.acked(seq, now);
                    writer.retry(subscription);
                }
            }),
            Command::Text(id, message) => self.with(id, |writer, key| writer.text(key, message)),
            Command::Control(id, frame) => self.with(id, |writer, key| {
                writer.viewers[key].control(frame);
                writer.flush(key);
            }),
            Command::Close(id, code, reason) => {
                self.with(id, |writer, key| writer.close(key, code, reason));
            }
        }
    }

    fn with(&mut self, id: u64, act: impl FnOnce(&mut Self, usize)) {
        // A viewer may be gone while its reader's last commands are on their way.
        if let Some(&key) = self.keys.get(&id) {
            act(self, key);
        }
    }

    fn add(&mut self, viewer: Viewer) {
        let id = viewer.id;
        let key = self.viewers.insert(viewer);
        self.keys.insert(id, key);
        let viewer = &self.viewers[key];
        if viewer.format != Format::Legacy {
            let known = self.registry.list();
            let known = known.iter().filter(|camera| viewer.wants.of(camera.id()).is_some());
            let hello = ServerMessage::Hello {
                version: env!("CARGO_PKG_VERSION"),
                protocol: crate::wire::stream::PROTOCOL,
                server_us: self.registry.clock().unix_us(),
                max_fps: self.max_fps,
                cameras: &known.map(|camera| messages::status(camera)).collect::<Vec<_>>(),
            };
            let hello = messages::text(&hello);
            self.text(key, hello);
        }
        for camera in self.viewers[key].wants.cameras.keys().cloned().collect::<Vec<_>>() {
            self.tell_if_unknown(key, &camera);
        }
        self.subscribe_wanted(key);
    }

    /// Brings a viewer's subscriptions in step with what it wants.
    fn subscribe_wanted(&mut self, key: usize) {
        let viewer = &self.viewers[key];
        let gone: Vec<usize> = viewer
            .subscriptions
            .iter()
            .copied()
            .filter(|&s| viewer.wants.of(&self.subscriptions[s].camera).is_none())
            .collect();
        for subscription in gone {
            self.unsubscribe(subscription);
        }
        let wants = &self.viewers[key].wants;
        let wanted: Vec<(CameraId, f64)> = if wants.all.is_some() {
            self.cameras.keys().filter_map(|id| Some((id.clone(), wants.of(id)?))).collect()
        } else {
            wants.cameras.iter().filter_map(|(id, &fps)| Some((id.clone(), fps?))).collect()
        };
        for (camera, fps) in wanted {
            self.subscribe(key, &camera, fps);
        }
    }

    fn subscribe(&mut self, key: usize, camera: &CameraId, fps: f64) {
        if let Some(subscription) = self.subscription_of(key, camera) {
            self.subscriptions[subscription].pacer = Pacer::new(fps);
            return self.retry(subscription);
        }
        // A camera may be newer than the last look at the registry.
        if !self.cameras.contains_key(camera) {
            match self.registry.get(camera.as_str()) {
                Some(found) => self.know(&found),
                // Watched as soon as it appears.
                None => return,
            }
        }
        let Some(watched) = self.cameras.get_mut(camera) else { return };
        self.next_subscription += 1;
        let subscription = self.subscriptions.insert(Subscription {
            viewer: key,
            camera: camera.clone(),
            pacer: Pacer::new(fps),
            flow: Flow::default(),
            sent_seq: 0,
            pending: None,
            timer: false,
            id: self.next_subscription,
            counts: Counts::default(),
            _viewing: watched.camera.viewing(),
        });
        watched.subscriptions.push(subscription);
        if !std::mem::replace(&mut watched.consumed, true) {
            let mut consumer = watched.camera.consumer();
            watched.latest = watched.camera.latest();
            consumer.skip_to(watched.latest.as_ref().map_or(0, |latest| latest.seq));
            self.consumers.push(wait(watched.camera.clone(), consumer));
        }
        let latest = watched.latest.clone();
        self.viewers[key].subscriptions.push(subscription);
        if let Some(latest) = latest {
            self.offer(subscription, &latest);
        }
    }

    fn tell_if_unknown(&mut self, key: usize, camera: &CameraId) {
        if self.registry.get(camera.as_str()).is_none() {
            let status = CameraStatus {
                camera: camera.to_string(),
                name: camera.to_string(),
                online: false,
                since_us: 0,
                reason: Some("nobody has published this camera yet".to_owned()),
                transport: None,
            };
            self.text(key, messages::text(&ServerMessage::Camera(&status)));
        }
    }

    fn refuse_more(&mut self, key: usize) {
        let message = format!("a viewer may name {MAX_WANTED} cameras; subscribe to \"*\" instead");
        let error = ServerMessage::Error { code: "bad_request", message: &message, camera: None };
        self.text(key, messages::text(&error));
    }

    fn unsubscribe(&mut self, key: usize) {
        let subscription = self.subscriptions.remove(key);
        if let Some(watched) = self.cameras.get_mut(&subscription.camera) {
            watched.subscriptions.retain(|&other| other != key);
        }
        if let Some(viewer) = self.viewers.get_mut(subscription.viewer) {
            viewer.subscriptions.retain(|&other| other != key);
        }
    }

    fn subscription_of(&self, key: usize, camera: &CameraId) -> Option<usize> {
        let all = &self.viewers[key].subscriptions;
        all.iter().copied().find(|&s| self.subscriptions[s].camera == *camera)
    }

    fn text(&mut self, key: usize, message: Bytes) {
        let viewer = &mut self.viewers[key];
        if viewer.format == Format::Legacy {
            return;
        }
        if !viewer.text(message) {
            return self.close(key, close_code::NOT_READING, "the viewer reads nothing");
        }
        self.flush(key);
    }

    /// Writes what waits for a viewer but frames. True when a frame could follow.
    fn flush(&mut self, key: usize) -> bool {
        let now = self.now();
        let viewer = &mut self.viewers[key];
        if viewer.blocked_since.is_some() || viewer.is_dead() {
            return false;
        }
        match viewer.flush(now) {
            Sent::Whole => return viewer.is_free(),
            Sent::Partly | Sent::Nothing => self.await_writable(key),
            Sent::Dead => viewer.die(),
        }
        false
    }

    fn close(&mut self, key: usize, code: u16, reason: &str) {
        let now = self.now();
        self.viewers[key].close(messages::close(code, reason), now);
        self.flush(key);
    }

    fn remove(&mut self, key: usize) {
        let mut viewer = self.viewers.remove(key);
        viewer.die();
        self.keys.remove(&viewer.id);
        for subscription in viewer.subscriptions {
            self.unsubscribe(subscription);
        }
        self.figures.viewers.fetch_sub(1, Relaxed);
    }

    // ---- cameras ----

    /// Compares what is known with the registry, and tells those concerned.
    fn sync_cameras(&mut self) {
        let listed = self.registry.list();
        let gone = |id: &CameraId| !listed.iter().any(|camera| camera.id() == id);
        let gone: Vec<CameraId> = self.cameras.keys().filter(|id| gone(id)).cloned().collect();
        for id in gone {
            self.forget(&id);
        }
        for camera in &listed {
            let known = self.cameras.get(camera.id());
            // Forgotten and published anew in between: another camera under the same id.
            if known.is_some_and(|known| !Arc::ptr_eq(&known.camera, camera)) {
                self.forget(camera.id());
            }
            let status = messages::status(camera);
            match self.cameras.get_mut(camera.id()) {
                Some(known) if known.status == status => {}
                Some(known) => {
                    known.status = status;
                    self.tell_status(camera.id());
                }
                None => {
                    self.know(camera);
                    self.tell_status(camera.id());
                    self.subscribe_all_to(camera.id());
                }
            }
        }
    }

    fn know(&mut self, camera: &Arc<Camera>) {
        let watched = Watched {
            camera: camera.clone(),
            status: messages::status(camera),
            latest: None,
            subscriptions: Vec::new(),
            consumed: false,
        };
        self.cameras.insert(camera.id().clone(), watched);
    }

    fn tell_status(&mut self, id: &CameraId) {
        let Some(watched) = self.cameras.get(id) else { return };
        let message = messages::text(&ServerMessage::Camera(&watched.status));
        self.tell(id, message);
    }

    /// Sends a text to everybody who wants this camera.
    fn tell(&mut self, id: &CameraId, message: Bytes) {
        let all = self.viewers.iter().filter(|(_, viewer)| viewer.wants.of(id).is_some());
        for key in all.map(|(key, _)| key).collect::<Vec<_>>() {
            self.text(key, message.clone());
        }
    }

    fn subscribe_all_to(&mut self, id: &CameraId) {
        let wanted = |(key, viewer): (usize, &Viewer)| Some((key, viewer.wants.of(id)?));
        for (key, fps) in self.viewers.iter().filter_map(wanted).collect::<Vec<_>>() {
            self.subscribe(key, id, fps);
        }
    }

    fn forget(&mut self, id: &CameraId) {
        let Some(watched) = self.cameras.get(id) else { return };
        for subscription in watched.subscriptions.clone() {
            self.unsubscribe(subscription);
        }
        self.cameras.remove(id);
        let message = messages::text(&ServerMessage::Gone { camera: id.as_str() });
        self.tell(id, message);
    }

    // ---- time ----

    fn tick(&mut self) {
        self.ticks += 1;
        let now = self.now();
        for key in self.viewers.iter().map(|(key, _)| key).collect::<Vec<_>>() {
            let viewer = &self.viewers[key];
            let viewer_id = viewer.id;
            if viewer.is_overdue(now) || viewer.is_dead() {
                self.remove(key);
                continue;
            }
            if viewer.is_not_reading(now) {
                tracing::info!(viewer = viewer.id, "viewer read nothing for {NOT_READING:?}");
                self.close(key, close_code::NOT_READING, "the viewer read nothing for 30 s");
                continue;
            }
            // Spread over the period by the viewers' numbers, so that they never all come at once.
            let turn = self.ticks + viewer_id;
            if turn.is_multiple_of(heartbeat::PERIOD.as_secs()) {
                self.viewers[key].control(websocket_frame(Opcode::Ping, b""));
                self.flush(key);
            }
            if turn.is_multiple_of(STATS_TICKS) {
                self.send_stats(key);
            }
        }
    }

    fn send_stats(&mut self, key: usize) {
        let viewer = &self.viewers[key];
        // Figures are only good fresh: none are queued for a viewer that is behind.
        if viewer.format == Format::Legacy || !viewer.is_free() {
            return;
        }
        let subscriptions = viewer.subscriptions.iter().map(|&s| &self.subscriptions[s]);
        let counts: BTreeMap<&str, Counts> =
            subscriptions.map(|s| (s.camera.as_str(), s.counts)).collect();
        let message = messages::text(&ServerMessage::Stats { cameras: &counts });
        self.text(key, message);
    }

    /// Tells every viewer that the server goes, and waits a little until they have read it.
    async fn close_all(&mut self, mut commands: mpsc::Receiver<Command>) {
        for key in self.viewers.iter().map(|(key, _)| key).collect::<Vec<_>>() {
            self.close(key, close_code::GOING_AWAY, "the server is shutting down");
        }
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        while !self.viewers.is_empty() {
            tokio::select! {
                Some((key, id)) = self.writable.next() => self.became_writable(key, id),
                Some(command) = commands.recv() => match command {
                    Command::Add(mut viewer) => viewer.die(),
                    Command::Gone(_) => self.obey(command),
                    _ => {}
                },
                _ = tick.tick() => {
                    let now = self.now();
                    for key in self.viewers.iter().map(|(key, _)| key).collect::<Vec<_>>() {
                        let viewer = &self.viewers[key];
                        if viewer.is_dead() || viewer.is_overdue(now) {
                            self.remove(key);
                        }
                    }
                }
            }
        }
    }
}

impl Subscription {
    /// A frame that waited will not be sent.
    fn lost(&mut self, reason: DropReason, cameras: &HashMap<CameraId, Watched>) {
        match reason {
            DropReason::Paced => self.counts.paced += 1,
            _ => self.counts.behind += 1,
        }
        if let Some(watched) = cameras.get(&self.camera) {
            watched.camera.count(reason, 1);
        }
    }
}

fn wait(camera: Arc<Camera>, mut consumer: Consumer) -> ConsumerFuture {
    Box::pin(async move {
        let next = consumer.next().await;
        (camera, consumer, next)
    })
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

//! The writer's task: takes what the relay has, sends what is due, and copes with Redis going away.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{
    future::BoxFuture,
    stream::{FuturesUnordered, StreamExt},
};
use tokio::time::{MissedTickBehavior, interval_at, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    Handle, Intervals, Settings, State,
    batch::{Batch, Entry, MAX_BYTES},
    circuit::{Change, Circuit},
    cleanup::{self, Judge},
    flight::{self, Layout, Report},
    follow::{Follow, News},
    keys::{Client, Status},
    link::{Failure, Link, POOL_MAX},
};
use crate::relay::{CameraId, Latest, Registry};

/// How long the last flush may take, with what is under way before it.
const LAST_FLUSH: Duration = Duration::from_secs(1);
/// A client's connection is told so many times within the age at which it would count as dead, so
/// that a camera that rarely sends a picture is not taken for dead by another server.
const KEEP_ALIVES: u32 = 3;
/// What Redis refuses is logged at most this often.
const REFUSAL_PERIOD: Duration = Duration::from_secs(60);

/// Flushes under way at a time; the last connection is left to the clean-up.
const MAX_FLUSHES: usize = POOL_MAX - 1;

/// What a flight brings back.
enum Landed {
    Batch {
        entries: Vec<Entry>,
        bytes: usize,
        /// Sent to see whether Redis is there, and so alone.
        is_probe: bool,
        result: Result<Report, Failure>,
    },
    CleanUp {
        judge: Judge,
        result: Result<u64, Failure>,
    },
}

pub(super) struct Writer {
    registry: Arc<Registry>,
    link: Arc<Link>,
    layout: Layout,
    intervals: Intervals,
    figures: Handle,
    follow: Follow,
    batch: Batch,
    circuit: Circuit,
    /// At most [`MAX_FLUSHES`] and a clean-up.
    flights: FuturesUnordered<BoxFuture<'static, Landed>>,
    /// JPEG bytes of the flights: no new one starts above [`MAX_BYTES`].
    flying_bytes: usize,
    /// `None` while a look for the dead is under way.
    judge: Option<Judge>,
    dropped_before: u64,
    refusal_told: Option<Instant>,
    full_told: Option<Instant>,
}

impl Writer {
    pub(super) fn new(
        link: Link,
        settings: &Settings,
        intervals: Intervals,
        registry: Arc<Registry>,
        figures: Handle,
    ) -> Self {
        let now = registry.clock().now();
        let mut batch = Batch::new(settings.frame_ttl);
        batch.set_away(true);
        Self {
            registry,
            link: Arc::new(link),
            layout: Layout { format: settings.format, frame_ttl: settings.frame_ttl },
            intervals,
            figures,
            follow: Follow::default(),
            batch,
            circuit: Circuit::new(now),
            flights: FuturesUnordered::new(),
            flying_bytes: 0,
            judge: Some(Judge::default()),
            dropped_before: 0,
            refusal_told: None,
            full_told: None,
        }
    }

    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut changes = self.registry.changes();
        let mut clean_up = ticks(self.intervals.clean_up_every);
        let mut keep_alive = ticks(self.intervals.dead_after / KEEP_ALIVES);
        self.sync();
        loop {
            self.launch();
            self.count_lost();
            let wake = self.wake_at();
            tokio::select! {
                () = shutdown.cancelled() => break,
                // The registry is held here, so its sender lives.
                _ = changes.changed() => self.sync(),
                Some((camera, frame)) = self.follow.next_frame() => self.frame(&camera, frame),
                Some(landed) = self.flights.next() => self.landed(landed),
                () = async {
                    match wake {
                        Some(at) => sleep_until(at.into()).await,
                        None => std::future::pending().await,
                    }
                } => {}
                _ = keep_alive.tick() => {
                    let news = self.follow.keep_alive(self.now_ms());
                    self.tell(news);
                }
                _ = clean_up.tick() => self.clean_up(),
            }
        }
        self.finish().await;
    }

    fn now(&self) -> Instant {
        self.registry.clock().now()
    }

    fn now_ms(&self) -> u64 {
        self.registry.clock().unix_us() / 1000
    }

    fn sync(&mut self) {
        let news = self.follow.sync(&self.registry);
        self.tell(news);
    }

    fn tell(&mut self, news: Vec<News>) {
        let now = self.now();
        for news in news {
            match news {
                News::Client(camera, client) => self.batch.push_client(&camera, client, now),
                News::Forgotten(camera) => self.batch.forget(&camera),
            }
        }
    }

    fn frame(&mut self, camera: &CameraId, frame: Arc<Latest>) {
        let now = self.now();
        let Some(noted) = self.follow.note(camera, &frame) else { return };
        self.batch.replaced(noted.skipped);
        if let Some(client) = noted.active {
            self.batch.push_client(camera, client, now);
        }
        self.batch.push_frame(camera, frame, now);
    }

    /// Whether one more flight may start.
    fn has_room(&self) -> bool {
        self.flights.len() < MAX_FLUSHES && self.flying_bytes < MAX_BYTES
    }

    /// Sends what is due.
    fn launch(&mut self) {
        let now = self.now();
        if self.circuit.is_closed() {
            while self.has_room() && self.batch.due_at().is_some_and(|due| due <= now) {
                let entries = self.batch.take(now);
                if !entries.is_empty() {
                    self.send(entries);
                }
            }
        } else if self.flights.is_empty() && self.circuit.retry_at() <= now {
            let entries = self.batch.take(now);
            self.send(entries);
        }
    }

    /// When [`Self::launch`] has something to do, unless something else happens before.
    fn wake_at(&self) -> Option<Instant> {
        if self.circuit.is_closed() {
            self.batch.due_at().filter(|_| self.has_room())
        } else {
            self.flights.is_empty().then(|| self.circuit.retry_at())
        }
    }

    fn send(&mut self, entries: Vec<Entry>) {
        let bytes = entries.iter().map(Entry::bytes).sum();
        self.flying_bytes += bytes;
        let (link, layout, is_probe) = (self.link.clone(), self.layout, !self.circuit.is_closed());
        self.flights.push(Box::pin(async move {
            let result = match is_probe {
                true => flight::send_first(&link, layout, &entries).await,
                false => flight::send(&link, layout, &entries).await,
            };
            Landed::Batch { entries, bytes, is_probe, result }
        }));
    }

    fn clean_up(&mut self) {
        self.link.trim();
        // Out of memory is no reason against: this gives some back.
        if self.circuit.state() != State::Connected {
            return;
        }
        let Some(mut judge) = self.judge.take() else { return };
        let id = |(id, _): (&CameraId, _)| id.as_str().as_bytes().to_vec();
        let connected: HashSet<_> = self.follow.connected().map(id).collect();
        let (link, now_ms, dead_after) =
            (self.link.clone(), self.now_ms(), self.intervals.dead_after);
        self.flights.push(Box::pin(async move {
            let result = cleanup::sweep(&link, &mut judge, &connected, now_ms, dead_after).await;
            Landed::CleanUp { judge, result }
        }));
    }

    fn landed(&mut self, landed: Landed) {
        self.figures.update(|figures| figures.commands = self.link.sent());
        match landed {
            Landed::Batch { entries, bytes, is_probe, result } => {
                self.flying_bytes -= bytes;
                match result {
                    Ok(report) => {
                        self.batch.done(entries, report.refused);
                        self.answered(report);
                        if is_probe {
                            self.connected();
                        }
                    }
                    // First: what is lost of these counts to the outage.
                    Err(Failure::Away(error) | Failure::Refused(error)) => {
                        self.failed(error, is_probe);
                        self.batch.put_back(entries);
                    }
                    Err(Failure::Full(error)) => {
                        self.full(error, is_probe);
                        self.batch.put_back(entries);
                    }
                }
            }
            Landed::CleanUp { judge, result } => {
                self.judge = Some(judge);
                match result {
                    Ok(0) => {}
                    Ok(removed) => {
                        self.figures.update(|figures| figures.cleaned += removed);
                        info!(redis = self.link.address(), removed, "removed dead clients");
                    }
                    Err(Failure::Away(error)) => self.failed(error, false),
                    Err(Failure::Refused(error) | Failure::Full(error)) => self.refused(1, error),
                }
            }
        }
    }

    fn answered(&mut self, report: Report) {
        self.figures.update(|figures| {
            figures.flushes += 1;
            figures.written += report.written;
        });
        if let Some(error) = report.error {
            self.refused(report.errors, error);
        }
    }

    fn connected(&mut self) {
        let Some(change) = self.circuit.succeeded(self.now()) else { return };
        self.batch.set_away(false);
        if change == Change::Room {
            // Where memory is short it comes and goes: not worth a line each time.
            return;
        }
        self.changed();
        let redis = self.link.address();
        let not_written = self.batch.lost().dropped - self.dropped_before;
        match change {
            Change::Back(away) => info!(redis, ?away, not_written, "Redis is back"),
            _ => info!(redis, "Redis is connected"),
        }
        // Redis may have lost its memory.
        let clients = self.follow.connected();
        let news = clients.map(|(camera, client)| News::Client(camera.clone(), client)).collect();
        self.tell(news);
    }

    fn failed(&mut self, error: String, is_probe: bool) {
        // What was under way when Redis went fails too, and says nothing new.
        let is_news = is_probe || self.circuit.is_closed();
        if is_news && self.circuit.failed(self.now(), rand::random()).is_some() {
            self.batch.set_away(true);
            self.link.reset();
            self.changed();
            self.dropped_before = self.batch.lost().dropped;
            let redis = self.link.address();
            warn!(redis, error, "cannot write to Redis; nothing is written until it is back");
        }
        self.figures.update(|figures| {
            figures.errors += 1;
            figures.last_error = Some(error);
        });
    }

    /// Redis is there but out of memory: what waits is tried now and then, the rest is dropped.
    fn full(&mut self, error: String, is_probe: bool) {
        if is_probe && self.circuit.state() != State::Connected {
            self.connected();
        }
        let now = self.now();
        // Not what was under way when Redis went.
        if self.circuit.state() == State::Connected {
            self.circuit.full(now);
            self.batch.set_away(true);
            if is_due(&mut self.full_told, now) {
                let redis = self.link.address();
                warn!(redis, error, "Redis is out of memory; frames are dropped until it has room");
            }
        }
        self.figures.update(|figures| {
            figures.errors += 1;
            figures.last_error = Some(error);
        });
    }

    /// Redis is there but does not take some operations.
    fn refused(&mut self, errors: u64, error: String) {
        let now = self.now();
        if is_due(&mut self.refusal_told, now) {
            warn!(redis = self.link.address(), error, "Redis refuses some operations");
        }
        self.figures.update(|figures| {
            figures.errors += errors;
            figures.last_error = Some(error);
        });
    }

    fn changed(&self) {
        let (state, now_us) = (self.circuit.state(), self.registry.clock().unix_us());
        self.figures.update(|figures| (figures.state, figures.since_us) = (state, now_us));
    }

    fn count_lost(&self) {
        let lost = self.batch.lost();
        self.figures.update(|figures| {
            (figures.coalesced, figures.dropped) = (lost.coalesced, lost.dropped);
        });
    }

    /// Marks this server's clients disconnected.
    async fn finish(mut self) {
        let deadline = tokio::time::Instant::now() + LAST_FLUSH;
        // What is under way goes first: it must not say "connected" after the last word.
        while let Ok(Some(landed)) = timeout_at(deadline, self.flights.next()).await {
            self.landed(landed);
        }
        self.sync();
        let now_ms = self.now_ms();
        let gone = |client: Client| Client {
            last_seen_ms: client.last_seen_ms.max(now_ms),
            status: Status::Disconnected,
            ..client
        };
        let mut entries: Vec<_> = self
            .follow
            .connected()
            .map(|(camera, client)| entry(camera.clone(), gone(client)))
            .collect();
        let connected: HashSet<_> = entries.iter().map(|entry| entry.camera.clone()).collect();
        let (waiting, lost) = self.batch.into_clients();
        let waiting = waiting.into_iter().filter(|(camera, _)| !connected.contains(camera));
        entries.extend(waiting.map(|(camera, client)| entry(camera, client)));
        self.figures.update(|figures| figures.dropped = lost.dropped);
        if entries.is_empty() || self.circuit.state() != State::Connected {
            return;
        }
        match timeout_at(deadline, flight::send(&self.link, self.layout, &entries)).await {
            Ok(Ok(_)) => self.figures.update(|figures| {
                figures.flushes += 1;
                figures.commands = self.link.sent();
            }),
            Ok(Err(Failure::Away(error) | Failure::Refused(error) | Failure::Full(error))) => {
                debug!(error, "clients were not marked disconnected")
            }
            Err(_) => debug!("clients were not marked disconnected in time"),
        }
    }
}

fn entry(camera: CameraId, client: Client) -> Entry {
    Entry { camera, frame: None, client: Some(client) }
}

/// Whether a line that may be told once in [`REFUSAL_PERIOD`] is due; notes that it was told.
fn is_due(told: &mut Option<Instant>, now: Instant) -> bool {
    let is_due = told.is_none_or(|at| now.saturating_duration_since(at) >= REFUSAL_PERIOD);
    if is_due {
        *told = Some(now);
    }
    is_due
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let every = every.max(Duration::from_millis(1));
    let mut ticks = interval_at(tokio::time::Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

//! When a camera is connected, and when again: one task a camera, one connection however many watch.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    backoff::Backoff,
    live::{Dial, Live},
    sink::{Put, Sink},
    wanted::{Wanted, unwanted},
};
use crate::{
    net::{Lifetime, guard::Guard},
    relay::{
        Camera, Failure, Link, LinkState, LinkStatus, Protocol, Registry, Source, Transport, Wish,
    },
    telemetry::Seldom,
};

/// What viewers are told of a camera that waits for them.
const STANDBY: &str = "standing by: connects when somebody watches";

/// Between two lines of what goes wrong with one camera.
const LINES: Duration = Duration::from_secs(60);

/// How a camera is to be pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub source: Source,
    /// Connected only while somebody watches; always if false.
    pub on_demand: bool,
}

/// A camera that is pulled, until this is dropped.
#[derive(Debug)]
pub struct Pull {
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Pull {
    /// Pulls a camera that is known already, as configured ones are. `lifetime` ends it too.
    pub fn start(
        registry: &Arc<Registry>,
        camera: &Arc<Camera>,
        settings: Settings,
        guard: Guard,
        lifetime: &Lifetime,
    ) -> Self {
        let stop = lifetime.shutdown.child_token();
        // Whatever was started or stopped was another address, or before that was changed.
        camera.link().ask(Wish::default());
        let mut keeper = Keeper {
            sink: Sink::new(
                registry,
                camera,
                match settings.source.protocol {
                    Protocol::Rtsp { .. } => Transport::Rtsp,
                    Protocol::Mjpeg => Transport::Mjpeg,
                },
            ),
            settings,
            guard,
            status: LinkStatus {
                state: LinkState::Standby,
                reconnects: 0,
                failures: camera.link().failures(),
                last_error: None,
                next_retry_us: None,
            },
            was_live: false,
            backoff: Backoff::default(),
            lines: Seldom::new(2, LINES),
        };
        keeper.report(LinkState::Standby);
        let stopped = stop.clone();
        let task = lifetime.tasks.spawn(async move {
            let shutdown = keeper.sink.registry().clone();
            let _ = stopped.run_until_cancelled(keeper.run()).await;
            let reason = if shutdown.is_draining() {
                "server shutting down"
            } else {
                "set up anew or removed"
            };
            keeper.sink.close(reason);
            keeper.link().report(None);
        });
        Self { stop, task: Some(task) }
    }

    /// Ends it, and waits until the camera is offline.
    pub async fn close(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            // It ends in any case; how, nobody can do anything about.
            let _ = task.await;
        }
    }
}

impl Drop for Pull {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Keeper {
    sink: Sink,
    settings: Settings,
    guard: Guard,
    status: LinkStatus,
    /// Whether it has ever sent a picture.
    was_live: bool,
    backoff: Backoff,
    lines: Seldom,
}

impl Keeper {
    async fn run(&mut self) {
        let mut wish = self.link().wish();
        let mut wanted = Wanted::new(self.sink.camera(), !self.settings.on_demand);
        loop {
            let now = wish.borrow_and_update().clone();
            let source = match now {
                Wish::Stopped => {
                    self.rest(LinkState::Stopped, "stopped; start it to see it");
                    if wish.changed().await.is_err() {
                        return;
                    }
                    continue;
                }
                Wish::Started(overrides) => overrides.apply(self.settings.source.clone()),
                Wish::Configured if wanted.now() => self.settings.source.clone(),
                Wish::Configured => {
                    self.rest(LinkState::Standby, STANDBY);
                    tokio::select! {
                        () = wanted.begins() => {}
                        _ = wish.changed() => {}
                    }
                    continue;
                }
            };
            let configured = self.settings.source.clone();
            tokio::select! {
                biased;
                () = unwanted(&source, &configured, &mut wish, &mut wanted) => {}
                () = self.keep(&source) => {}
            }
        }
    }

    /// Connects, again and again.
    async fn keep(&mut self, source: &Source) {
        loop {
            self.sink.free().await;
            self.status.next_retry_us = None;
            self.report(LinkState::Connecting);
            // While it is tried again, what went wrong says more.
            if self.status.last_error.is_none() {
                self.sink.explain("connecting");
            }
            let Err(failure) = self.connection(source).await else {
                // Somebody else publishes the camera now.
                self.sink.lose();
                self.backoff.left();
                continue;
            };
            let mut asked = self.link().wish();
            let wait = match failure.code {
                "unauthorized" | "untrusted" => self.backoff.refused(),
                _ => self.backoff.failed(),
            };
            if let Some(unsaid) = self.lines.event() {
                let camera = self.sink.camera().id();
                tracing::warn!(%camera, code = failure.code, "camera cannot be reached: {failure}{unsaid}");
            }
            self.sink.close(&failure.message);
            self.status.failures += 1;
            self.status.last_error = Some(Arc::new(failure));
            let now = self.sink.registry().clock().unix_us();
            self.status.next_retry_us = Some(now + wait.as_micros() as u64);
            self.report(LinkState::Waiting);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                // Somebody starts it, and wants to see now whether it works.
                Ok(()) = asked.changed() => {}
            }
        }
    }

    /// One connection, to its end. Ends well only when a newer publisher takes the camera.
    async fn connection(&mut self, source: &Source) -> Result<(), Failure> {
        let dial = Dial {
            source,
            guard: &self.guard,
            max_bytes: self.sink.registry().limits().frame.max_bytes,
            headroom: crate::wire::envelope::headroom(self.sink.camera().id().as_str().len()),
            retry: self.backoff.is_retry(),
        };
        let mut live = Live::connect(dial).await?;
        let mut streaming = false;
        loop {
            let event = tokio::select! {
                event = live.next() => event?,
                () = self.sink.replaced() => return Ok(()),
            };
            let is_picture = event.is_picture();
            match self.sink.put(event)? {
                Put::Taken if is_picture => live.taken(),
                Put::Taken => {}
                Put::Skipped => continue,
                Put::Replaced => return Ok(()),
            }
            if !streaming {
                streaming = true;
                self.begin();
            }
        }
    }

    /// The first picture of a connection came.
    fn begin(&mut self) {
        // One that was left as nobody watched, and is back for a viewer, was not lost.
        self.status.reconnects += u64::from(self.was_live && self.backoff.is_retry());
        self.was_live = true;
        self.status.last_error = None;
        self.backoff.worked();
        self.report(LinkState::Streaming);
    }

    /// Not connected, on purpose.
    fn rest(&mut self, state: LinkState, reason: &str) {
        self.sink.close(reason);
        self.backoff.left();
        self.status.next_retry_us = None;
        if state == LinkState::Stopped {
            self.status.last_error = None;
        }
        self.report(state);
    }

    fn report(&mut self, state: LinkState) {
        self.status.state = state;
        self.link().report(Some(self.status.clone()));
    }

    fn link(&self) -> &Link {
        self.sink.camera().link()
    }
}

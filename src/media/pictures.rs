//! A task for each camera with video: its units in, pictures of it out, while somebody watches them.
//!
//! Each picture has to be decoded, as the next ones build on it; only those that are due are made into
//! a JPEG. The work is done in turns with all other work on pictures, within its budget, one a camera at
//! a time. A camera whose decoding does not keep up jumps to its newest key frame.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    h264::{DECODES, Decoder},
    pool::Pool,
};
use crate::{
    relay::{Camera, Codec, NextUnit, Pacer, PictureMaker, Refused, Registry, Stamp, Unit},
    telemetry::Seldom,
};

/// A unit that has waited longer is of a backlog, such as that since the last key frame when somebody
/// begins to watch: of these only the newest is shown.
const BACKLOG: Duration = Duration::from_millis(250);
/// Where the backlog takes longer, something of it is shown after so long.
const FIRST_WITHIN: Duration = Duration::from_millis(300);
/// Between two pictures while it lags behind.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Decoding goes on for so long after the last viewer: one who polls is back in a moment, and beginning
/// anew would show him the last key frame's old picture as the newest.
const LINGER: Duration = Duration::from_secs(2);

/// Between two lines of what one camera's video is not decoded for.
const LINES: Duration = Duration::from_secs(60);

/// Who decodes for all cameras. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Decoders {
    registry: Arc<Registry>,
    pool: Pool,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

/// Pictures of one camera, until this is dropped.
#[derive(Debug)]
pub struct Pictures {
    stop: CancellationToken,
}

impl Drop for Pictures {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Decoders {
    pub(super) fn new(
        registry: &Arc<Registry>,
        pool: Pool,
        shutdown: &CancellationToken,
        tasks: &TaskTracker,
    ) -> Self {
        Self { registry: registry.clone(), pool, shutdown: shutdown.clone(), tasks: tasks.clone() }
    }

    /// Makes pictures of a camera's video, at most `fps` a second, while somebody watches them.
    pub fn start(&self, camera: &Arc<Camera>, fps: f64) -> Pictures {
        let stop = self.shutdown.child_token();
        let maker = Maker { decoders: self.clone(), camera: camera.clone(), fps };
        let stopped = stop.clone();
        self.tasks.spawn(async move {
            stopped.run_until_cancelled(maker.run()).await;
        });
        Pictures { stop }
    }
}

struct Maker {
    decoders: Decoders,
    camera: Arc<Camera>,
    fps: f64,
}

/// What goes on between two units.
#[derive(Default)]
struct Progress {
    /// Of these generation's units; `None` until the next key frame.
    decoder: Option<Box<Decoder>>,
    generation: u64,
    /// The latest time to be shown of all so far.
    newest_pts: i64,
    reordered: bool,
    /// When its decoding began.
    begun: Option<Instant>,
    /// When the newest picture was made of this generation.
    shown: Option<Instant>,
    maker: Option<PictureMaker>,
}

impl Maker {
    async fn run(self) {
        let mut demand = self.camera.demand();
        let lines = Seldom::new(1, LINES);
        loop {
            demand.wanted().await;
            tokio::select! {
                // The camera was forgotten.
                () = self.make(&lines) => return,
                () = demand.unwanted_for(LINGER) => {}
            }
        }
    }

    async fn make(&self, lines: &Seldom) {
        // Demand for the video also where it cannot be decoded, as that is known only once it comes.
        let mut video = self.camera.watch_video();
        let mut pacer = Pacer::new(self.fps);
        let mut progress = Progress::default();
        while let Some(NextUnit { unit, missed }) = video.next().await {
            let decodable = DECODES && unit.format.video.codec == Codec::H264 && self.fits(&unit);
            if !decodable || !unit.is_video() {
                continue;
            }
            if missed > 0 || unit.generation != progress.generation {
                progress = Progress { generation: unit.generation, ..Progress::default() };
            }
            let is_newest = video.is_at_end();
            if let Err(error) = self.step(&mut progress, &mut pacer, unit, is_newest).await {
                progress.decoder = None;
                if let Some(unsaid) = lines.event() {
                    let camera = self.camera.id();
                    tracing::warn!(%camera, error, "video not decoded up to the next key frame{unsaid}");
                }
            }
        }
    }

    /// Whether its pictures are within the limits that all pictures have.
    fn fits(&self, unit: &Unit) -> bool {
        let video = &unit.format.video;
        let pixels = u64::from(video.width) * u64::from(video.height);
        pixels <= self.decoders.registry.limits().frame.max_pixels
    }

    async fn step(
        &self,
        progress: &mut Progress,
        pacer: &mut Pacer,
        unit: Arc<Unit>,
        is_newest: bool,
    ) -> Result<(), String> {
        if progress.decoder.is_none() && unit.is_key() {
            progress.decoder = Decoder::new(&unit.format.video.config).map(Box::new);
            progress.maker = self.decoders.registry.make_pictures(&self.camera);
            (progress.shown, progress.newest_pts) = (None, unit.pts);
            progress.begun = Some(Instant::now());
        }
        let (Some(mut decoder), Some(maker)) = (progress.decoder.take(), &progress.maker) else {
            return Ok(());
        };
        progress.reordered |= unit.pts < progress.newest_pts;
        progress.newest_pts = progress.newest_pts.max(unit.pts);
        let waited = Instant::now().saturating_duration_since(unit.received_at);
        // Over the budget it lags behind for good: fewer pictures then, but some.
        let is_overdue = match progress.shown {
            Some(at) => at.elapsed() >= LONGEST_PAUSE,
            None => is_newest || progress.begun.is_none_or(|at| at.elapsed() >= FIRST_WITHIN),
        };
        let wanted = is_overdue || waited < BACKLOG && pacer.due_at(unit.received_at).is_none();
        let (reordered, headroom) = (progress.reordered, maker.headroom());
        let coded = unit.clone();
        let turn = self.decoders.pool.turn().await;
        let work = turn.run(move |_| {
            let made = decoder.decode(&coded.data, reordered, wanted, headroom);
            (decoder, made)
        });
        let ((decoder, made), _) = work.await.ok_or("the decoder failed")?;
        progress.decoder = Some(decoder);
        if let Some(buf) = made? {
            progress.shown = Some(Instant::now());
            pacer.sent(unit.received_at);
            // When it came is as near as can be known to when it was taken.
            let waited = Instant::now().saturating_duration_since(unit.received_at);
            let now_us = self.decoders.registry.clock().unix_us();
            let captured_us = now_us.saturating_sub(waited.as_micros() as u64);
            let stamp = Stamp { publisher_seq: None, captured_us };
            match maker.publish(buf, stamp) {
                Ok(_) => {}
                // The next generation's key frame is on its way.
                Err(Refused::Replaced(_)) => progress.maker = None,
                Err(Refused::Jpeg(error)) => return Err(error.to_string()),
            }
        }
        Ok(())
    }
}

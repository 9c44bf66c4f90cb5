//! The streaming WebSocket: a few writers feed all viewers, a small task a viewer reads from it.
//!
//! | file | what it does |
//! |---|---|
//! | `writer` | which frame goes to whom, when |
//! | `viewer` | one socket: what is begun, what waits |
//! | `auto` | which size a viewer gets that leaves it to the server |
//! | `flow` | how much may be on its way to a viewer that acknowledges |
//! | `session` | a viewer's messages become commands |
//! | `messages` | ready-made frames |

mod auto;
mod flow;
mod messages;
mod session;
mod viewer;
mod writer;

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use axum::{extract::State, response::Response};
use bytes::Bytes;
use serde::Deserialize;
use tokio::{net::TcpStream, sync::mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::viewer::Format;
use self::{
    auto::Size,
    session::Session,
    viewer::{Line, Viewer, Wants, Wish},
    writer::{COMMANDS, Command, Figures, MAX_WANTED, Writer},
};
use crate::{
    net::{ApiError, Query, WebSocketUpgrade},
    relay::{CameraId, Registry},
    view::Sent,
};

/// How many more viewers than another a writer takes before the other gets its share: they are 2 ms of
/// work a frame.
const TOGETHER: usize = 256;

/// What a viewer is told when the server shuts down.
const GOING: &str = "the server is shutting down";

/// All streaming viewers of this server.
#[derive(Debug, Clone)]
pub struct Streams(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Arc<Registry>,
    max_fps: f64,
    writers: Vec<Seat>,
    next_id: AtomicU64,
    figures: Arc<Figures>,
}

/// A writer, as those who bring it viewers see it.
#[derive(Debug)]
struct Seat {
    commands: mpsc::Sender<Command>,
    viewers: AtomicUsize,
}

/// The query of `GET /stream`.
#[derive(Debug, Default, Deserialize)]
pub struct StreamQuery {
    cameras: Option<String>,
    max_fps: Option<f64>,
    width: Option<u32>,
    quality: Option<String>,
    format: Option<String>,
}

impl Streams {
    /// Starts `writers` writers, which run in `tasks` until `shutdown`.
    ///
    /// One writer feeds about 3000 viewers at 30 fps; a writer a core uses the machine.
    pub fn start(
        registry: Arc<Registry>,
        max_fps: f64,
        writers: usize,
        shutdown: &CancellationToken,
        tasks: &TaskTracker,
    ) -> Self {
        let figures = Arc::new(Figures::default());
        let start = |_| {
            let (send, commands) = mpsc::channel(COMMANDS);
            let writer = Writer::new(registry.clone(), max_fps, figures.clone());
            tasks.spawn(writer.run(commands, registry.changes(), shutdown.clone()));
            Seat { commands: send, viewers: AtomicUsize::new(0) }
        };
        let writers = (0..writers.max(1)).map(start).collect();
        Self(Arc::new(Inner { registry, max_fps, writers, next_id: AtomicU64::new(0), figures }))
    }

    /// Viewers connected now.
    pub fn viewers(&self) -> usize {
        self.0.figures.viewers.load(Relaxed)
    }

    /// What was handed to the kernel since the start.
    pub fn sent(&self) -> &Sent {
        &self.0.figures.sent
    }

    /// Feeds the legacy protocol: every camera, `frame_update` only.
    pub async fn serve_legacy(self, stream: TcpStream, leftover: Bytes) {
        let wants = Wants { all: Some(Wish::source(self.0.max_fps)), ..Wants::default() };
        self.serve(stream, leftover, Format::Legacy, wants).await;
    }

    async fn serve(self, stream: TcpStream, leftover: Bytes, format: Format, wants: Wants) {
        let inner = &*self.0;
        let id = inner.next_id.fetch_add(1, Relaxed);
        let seat = inner.choose(&wants);
        seat.viewers.fetch_add(1, Relaxed);
        let commands = seat.commands.clone();
        let line = Arc::new(Line::new(stream, format));
        let ended = CancellationToken::new();
        let viewer = Viewer::new(id, line.clone(), wants, ended.clone());
        inner.figures.viewers.fetch_add(1, Relaxed);
        if commands.send(Command::Add(Box::new(viewer))).await.is_err() {
            inner.figures.viewers.fetch_sub(1, Relaxed);
            seat.viewers.fetch_sub(1, Relaxed);
            return;
        }
        let clock = inner.registry.clock();
        let session = Session { id, commands, max_fps: inner.max_fps, clock, ended };
        session.run(line, leftover).await;
        seat.viewers.fetch_sub(1, Relaxed);
    }
}

impl Inner {
    /// The writer for a viewer.
    ///
    /// Viewers of one camera go to the same writer while it is not busier than the others, so that a
    /// frame for few wakes one thread and not all. Whoever watches several is worth many of those, and
    /// goes where there are fewest.
    fn choose(&self, wants: &Wants) -> &Seat {
        let viewers = |seat: &&Seat| seat.viewers.load(Relaxed);
        let idlest = self.writers.iter().min_by_key(viewers).unwrap_or(&self.writers[0]);
        let mut cameras = wants.cameras.keys();
        let (Some(camera), None, None) = (cameras.next(), cameras.next(), wants.all) else {
            return idlest;
        };
        let mut hasher = DefaultHasher::new();
        camera.hash(&mut hasher);
        let home = &self.writers[hasher.finish() as usize % self.writers.len()];
        if viewers(&home) < viewers(&idlest) + TOGETHER { home } else { idlest }
    }
}

impl StreamQuery {
    fn read(self, max_fps: f64) -> Result<(Format, Wants), ApiError> {
        let bad = |message: String| ApiError::new("bad_request", message);
        let format = match self.format.as_deref() {
            None | Some("binary") => Format::Binary,
            Some("json") => Format::Json,
            Some(other) => return Err(bad(format!("format={other}: use binary or json"))),
        };
        let fps = match self.max_fps {
            None => max_fps,
            Some(fps) if fps > 0.0 && fps.is_finite() => fps.min(max_fps),
            Some(fps) => return Err(bad(format!("max_fps={fps}: use a number above 0"))),
        };
        let size = Size::read(self.quality.as_deref(), self.width, fps).map_err(bad)?;
        let wish = Wish { fps, size };
        let mut wants = Wants::default();
        for name in self.cameras.as_deref().unwrap_or("*").split(',').filter(|s| !s.is_empty()) {
            if name == "*" {
                wants.all = Some(wish);
                continue;
            }
            let error = |error: crate::relay::BadCameraId| {
                ApiError::new("bad_camera_id", error.to_string())
            };
            wants.cameras.insert(CameraId::parse(name).map_err(error)?, Some(wish));
            if wants.cameras.len() > MAX_WANTED {
                return Err(bad(format!("cameras: at most {MAX_WANTED} names; use *")));
            }
        }
        Ok((format, wants))
    }
}

/// `GET /stream`.
pub async fn stream(
    State(streams): State<Streams>,
    query: Result<Query<StreamQuery>, ApiError>,
    upgrade: WebSocketUpgrade,
) -> Response {
    match query.and_then(|Query(query)| query.read(streams.0.max_fps)) {
        Ok((format, wants)) => upgrade.on_upgrade(move |stream, leftover| async move {
            streams.serve(stream, leftover, format, wants).await;
        }),
        // A browser shows a page nothing of a refused upgrade, so the error travels inside.
        Err(error) => upgrade.refuse(error),
    }
}

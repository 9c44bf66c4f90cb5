//! What there is to know, as JSON: cameras, caches, counters, health.
//!
//! Belongs here: reading and summing up. Does not: pictures ([`frame`](super::frame),
//! [`mjpeg`](super::mjpeg)), or anything that changes a camera.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Instant};

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::View;
use crate::{
    net::{ApiError, Id, Lifetime},
    relay::Snapshot,
};

/// Most frames that one answer lists: 30 s at 30 fps. The newest ones are listed.
const MAX_LISTED: usize = 900;

/// Figures of a part that this module does not know, such as Redis: the field's name in
/// `/api/stats`, and what to ask at every request. Asking must not block.
pub type StatsSource = (&'static str, Arc<dyn Fn() -> serde_json::Value + Send + Sync>);

/// What the answers need besides the cameras.
pub struct Api {
    /// The cameras.
    pub view: View,
    /// The port where publishers connect, for links.
    pub ingest_port: u16,
    /// Figures of other parts.
    pub sources: Vec<StatsSource>,
    /// When the server started.
    pub started: Instant,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("ingest_port", &self.ingest_port).finish_non_exhaustive()
    }
}

/// JSON of this moment, not to be kept.
fn now<T: Serialize>(body: T) -> Response {
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (no_store, Json(body)).into_response()
}

/// All cameras.
#[derive(Debug, Serialize, ToSchema)]
pub struct Cameras {
    /// In the order of their ids.
    cameras: Vec<Snapshot>,
}

/// Lists the cameras.
#[utoipa::path(
    get, path = "/api/cameras", tag = "cameras",
    summary = "All cameras",
    responses((status = 200, description = "Online ones and those still remembered", body = Cameras)),
)]
pub async fn cameras(State(view): State<View>) -> Response {
    let cameras = view.registry.list().iter().map(|camera| camera.snapshot()).collect();
    now(Cameras { cameras })
}

/// Shows one camera.
#[utoipa::path(
    get, path = "/api/cameras/{id}", tag = "cameras",
    summary = "One camera",
    params(("id" = String, Path, description = "Camera id")),
    responses(
        (status = 200, description = "Its figures at this moment", body = Snapshot),
        (status = 404, description = "`unknown_camera`"),
    ),
)]
pub async fn camera(State(view): State<View>, Id(id): Id) -> Result<Response, ApiError> {
    Ok(now(view.camera(&id)?.snapshot()))
}

/// What one camera's cache holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct Frames {
    camera: String,
    /// Oldest first, the newest 900 at most.
    frames: Vec<CachedFrame>,
}

/// One frame in the cache.
#[derive(Debug, Serialize, ToSchema)]
pub struct CachedFrame {
    /// The camera's frame number.
    seq: u64,
    /// Unix microseconds; 0 if unknown.
    captured_us: u64,
    /// Unix microseconds.
    received_us: u64,
    /// Milliseconds since it was received.
    age_ms: u64,
    /// Pixels.
    width: u16,
    /// Pixels.
    height: u16,
    /// Bytes of the JPEG.
    size: usize,
}

/// Lists what a camera's cache holds.
#[utoipa::path(
    get, path = "/api/cameras/{id}/frames", tag = "frames",
    summary = "What the cache holds",
    params(("id" = String, Path, description = "Camera id")),
    responses(
        (status = 200, description = "Oldest first", body = Frames),
        (status = 404, description = "`unknown_camera`"),
    ),
)]
pub async fn frames(State(view): State<View>, Id(id): Id) -> Result<Response, ApiError> {
    let cached = view.camera(&id)?.cached();
    let clock = view.registry.clock().now();
    let newest = &cached[cached.len().saturating_sub(MAX_LISTED)..];
    let frames = newest.iter().map(|frame| CachedFrame {
        seq: frame.seq,
        captured_us: frame.captured_us,
        received_us: frame.received_us,
        age_ms: super::millis(clock.saturating_duration_since(frame.received_at)),
        width: frame.width,
        height: frame.height,
        size: frame.jpeg_len(),
    });
    Ok(now(Frames { camera: id, frames: frames.collect() }))
}

/// Counters of the server and all its cameras.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stats {
    server: ServerStats,
    /// Cameras known, offline ones included.
    cameras: usize,
    /// Cameras that somebody publishes.
    online: usize,
    /// Who watches, counted once a camera.
    viewers: usize,
    /// Frames accepted, of the cameras known.
    frames: u64,
    cache: CacheStats,
    /// Frames dropped, by reason, of the cameras known.
    #[schema(value_type = BTreeMap<String, u64>)]
    drops: BTreeMap<&'static str, u64>,
    per_camera: Vec<Snapshot>,
    /// Figures of other parts by their names, such as `redis`.
    #[serde(flatten)]
    #[schema(value_type = BTreeMap<String, Object>)]
    parts: BTreeMap<&'static str, serde_json::Value>,
}

/// The server itself.
#[derive(Debug, Serialize, ToSchema)]
struct ServerStats {
    version: &'static str,
    /// Seconds since the start.
    uptime_s: u64,
    /// Unix microseconds now.
    now_us: u64,
}

/// All caches together.
#[derive(Debug, Serialize, ToSchema)]
struct CacheStats {
    /// Held now.
    bytes: usize,
    /// Bound of all caches together, in bytes.
    max_bytes: usize,
    /// Bound of one camera's cache, in bytes.
    max_camera_bytes: usize,
    /// How far back a cache reaches, in milliseconds.
    max_age_ms: u64,
}

/// Sums up.
#[utoipa::path(
    get, path = "/api/stats", tag = "server",
    summary = "Counters of the server and its cameras",
    responses((status = 200, description = "At this moment", body = Stats)),
)]
pub async fn stats(State(api): State<Arc<Api>>) -> Response {
    let registry = &api.view.registry;
    let per_camera: Vec<_> = registry.list().iter().map(|camera| camera.snapshot()).collect();
    let mut drops = BTreeMap::new();
    for (reason, n) in per_camera.iter().flat_map(|camera| &camera.drops) {
        *drops.entry(*reason).or_default() += n;
    }
    let limits = registry.limits();
    let uptime = registry.clock().now().saturating_duration_since(api.started);
    now(Stats {
        server: ServerStats {
            version: env!("CARGO_PKG_VERSION"),
            uptime_s: uptime.as_secs(),
            now_us: registry.clock().unix_us(),
        },
        cameras: per_camera.len(),
        online: per_camera.iter().filter(|camera| camera.online).count(),
        viewers: per_camera.iter().map(|camera| camera.viewers).sum(),
        frames: per_camera.iter().map(|camera| camera.frames).sum(),
        cache: CacheStats {
            bytes: registry.cache_bytes(),
            max_bytes: limits.cache_total_bytes,
            max_camera_bytes: limits.cache_bytes,
            max_age_ms: super::millis(limits.cache_age),
        },
        drops,
        per_camera,
        parts: api.sources.iter().map(|(name, figures)| (*name, figures())).collect(),
    })
}

/// Where things are.
#[derive(Debug, Serialize, ToSchema)]
pub struct Info {
    version: &'static str,
    /// The port where publishers connect.
    ingest_port: u16,
}

/// Tells a page where the other port is.
#[utoipa::path(
    get, path = "/api/info", tag = "server",
    summary = "The server's version and its other port",
    responses((status = 200, description = "For pages", body = Info)),
)]
pub async fn info(State(api): State<Arc<Api>>) -> Response {
    now(Info { version: env!("CARGO_PKG_VERSION"), ingest_port: api.ingest_port })
}

/// The process answers.
#[utoipa::path(
    get, path = "/healthz", tag = "server",
    summary = "Whether the process answers",
    responses((status = 200, description = "`ok`", body = String, content_type = "text/plain")),
)]
pub async fn healthz() -> Response {
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (no_store, "ok").into_response()
}

/// The server takes publishers and viewers.
#[utoipa::path(
    get, path = "/readyz", tag = "server",
    summary = "Whether the server takes publishers and viewers",
    responses(
        (status = 200, description = "`ok`", body = String, content_type = "text/plain"),
        (status = 503, description = "`draining`: starting or shutting down"),
    ),
)]
pub async fn readyz(lifetime: Lifetime) -> Result<Response, ApiError> {
    if lifetime.shutdown.is_cancelled() {
        Err(ApiError::new("draining", "the server is shutting down"))
    } else {
        Ok(healthz().await)
    }
}

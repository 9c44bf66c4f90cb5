//! How the server does: counters, health, and what a page has to know of it.

use std::collections::BTreeMap;

use axum::{Json, extract::State};

use super::{
    answers::{Caches, CameraCounts, ErrorAnswer, Info, Server, Stats, millis},
    catalog::Rights,
    rest::Rest,
};
use crate::{
    net::ApiError,
    relay::{DropReason, Snapshot},
};

/// This server's version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The counters of server and cameras.
#[utoipa::path(
    get,
    operation_id = "get_stats",
    path = "/api/stats",
    responses((status = 200, description = "At this moment", body = Stats))
)]
pub(super) async fn stats(State(rest): State<Rest>) -> Json<Stats> {
    let registry = &rest.view.registry;
    let limits = registry.limits();
    let cameras: Vec<_> = registry.list().iter().map(|camera| camera.snapshot()).collect();
    let figures = Server {
        version: VERSION,
        uptime_s: rest.started.elapsed().as_secs(),
        cameras: CameraCounts {
            online: cameras.iter().filter(|camera| camera.online).count(),
            known: cameras.len(),
            max: limits.max_cameras,
        },
        viewers: cameras.iter().map(|camera| camera.viewers).sum(),
        frames: cameras.iter().map(|camera| camera.frames).sum(),
        cache: Caches {
            bytes: registry.cache_bytes(),
            max_bytes: limits.cache_total_bytes,
            max_camera_bytes: limits.cache_bytes,
            max_age_ms: millis(limits.cache_age),
        },
        drops: drops(&cameras),
        further: (rest.figures)(),
    };
    // By way of a value, where a further figure takes the place of one with the same name.
    let server = serde_json::to_value(figures).unwrap_or_default();
    Json(Stats {
        server,
        cameras: cameras.into_iter().map(|camera| rest.shown(camera, false)).collect(),
    })
}

fn drops(cameras: &[Snapshot]) -> BTreeMap<&'static str, u64> {
    let sum = |name| cameras.iter().filter_map(|camera| camera.drops.get(name)).sum();
    let all = DropReason::ALL.map(|reason| (reason.name(), sum(reason.name())));
    all.into_iter().filter(|&(_, n)| n > 0).collect()
}

/// What a page has to know of the server.
#[utoipa::path(
    get,
    operation_id = "get_info",
    path = "/api/info",
    responses((status = 200, description = "All but the addresses is fixed while it runs",
        body = Info))
)]
pub(super) async fn info(State(rest): State<Rest>, rights: Rights) -> Json<Info> {
    let Rest { view, ingest_port, ingest_addresses, .. } = rest;
    let elsewhere = ingest_addresses().into_iter().filter(|address| !address.ip().is_loopback());
    let ingest_addresses = elsewhere.map(|address| address.to_string()).collect();
    let manage = rights.0.is_ok();
    Json(Info { version: VERSION, ingest_port, ingest_addresses, max_fps: view.max_fps, manage })
}

/// Whether the process runs.
#[utoipa::path(
    get,
    operation_id = "get_health",
    path = "/healthz",
    responses((status = 200, description = "`ok`", body = String, content_type = "text/plain"))
)]
pub(super) async fn healthz() -> &'static str {
    "ok"
}

/// Whether the server takes new work; no from the moment it drains.
#[utoipa::path(
    get,
    operation_id = "get_readiness",
    path = "/readyz",
    responses(
        (status = 200, description = "`ok`", body = String, content_type = "text/plain"),
        (status = 503, description = "`draining`", body = ErrorAnswer),
    )
)]
pub(super) async fn readyz(State(rest): State<Rest>) -> Result<&'static str, ApiError> {
    if rest.shutdown.is_cancelled() { Err(Rest::draining()) } else { Ok("ok") }
}

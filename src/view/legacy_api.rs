//! The REST API of SkySentry v2 (`--api-addr`), for dashboards that cannot be changed.
//!
//! Belongs here: its routes and shapes. Does not: the API of today, or anything that writes.
//!
//! v2 let pages of every site read it, and old dashboards are served from elsewhere, so this API
//! alone answers with `Access-Control-Allow-Origin: *`, to GET only. Whoever can reach the port
//! sees the pictures; it is off unless asked for.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;
use serde_json::json;

use crate::{
    relay::{Camera, Presence, Registry},
    wire::{
        iso8601,
        legacy::{CameraObject, camera_object},
    },
};

/// How the store does, as v2's `/api/stats` told of its Redis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreHealth {
    /// Whether it is connected.
    pub connected: bool,
    /// Writes that wait.
    pub pending: u64,
}

/// Asks the store how it does. It stands behind a function because doors out know no store.
pub type StoreProbe = Arc<dyn Fn() -> StoreHealth + Send + Sync>;

#[derive(Clone)]
struct Api {
    registry: Arc<Registry>,
    store: StoreProbe,
}

/// The routes.
pub fn router(registry: Arc<Registry>, store: StoreProbe) -> Router {
    Router::new()
        .route("/api/cameras", get(ids))
        .route("/api/cameras/all", get(all))
        .route("/api/cameras/live", get(live))
        .route("/api/camera/{id}", get(one))
        .route("/api/stats", get(stats))
        .fallback(async || refused(StatusCode::NOT_FOUND, "no such route"))
        .method_not_allowed_fallback(async || {
            refused(StatusCode::METHOD_NOT_ALLOWED, "this API is read with GET")
        })
        .layer(middleware::from_fn(open_to_all_origins))
        .with_state(Api { registry, store })
}

async fn open_to_all_origins(request: Request, next: Next) -> Response {
    // A dashboard that sets a header of its own is asked for first (Fetch standard, 4.9).
    let preflight = request.method() == Method::OPTIONS;
    let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut response =
        if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if preflight {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET"));
        if let Some(asked) = asked {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
        }
    }
    response
}

fn refused(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({"success": false, "error": error}))).into_response()
}

/// Keys in v2's order.
#[derive(Serialize)]
struct Ids {
    success: bool,
    cameras: Vec<String>,
    count: usize,
}

async fn ids(State(api): State<Api>) -> Json<Ids> {
    let cameras = api.ids();
    Json(Ids { success: true, count: cameras.len(), cameras })
}

async fn all(State(api): State<Api>) -> Response {
    list(api.registry.list(), "")
}

/// v2's pages use this answer only if it says `cached`.
async fn live(State(api): State<Api>) -> Response {
    let mut cameras = api.registry.list();
    cameras.retain(|camera| online(camera));
    list(cameras, r#","cached":true"#)
}

async fn one(State(api): State<Api>, Path(id): Path<String>) -> Response {
    let Some(camera) = api.registry.get(&id) else {
        return refused(StatusCode::NOT_FOUND, "Camera not found or no image available");
    };
    let mut body = br#"{"success":true,"camera":"#.to_vec();
    body.append(&mut object(&camera));
    body.push(b'}');
    as_json(Body::from(body))
}

/// A list of camera objects. Each is encoded when the client has taken the one before, so that a
/// list of many cameras never stands in memory whole.
fn list(cameras: Vec<Arc<Camera>>, more: &'static str) -> Response {
    let count = cameras.len();
    let objects = cameras.into_iter().enumerate().map(|(index, camera)| {
        let mut chunk = if index > 0 { b",".to_vec() } else { Vec::new() };
        chunk.append(&mut object(&camera));
        Bytes::from(chunk)
    });
    let head = Bytes::from_static(br#"{"success":true,"cameras":["#);
    let tail = Bytes::from(format!(r#"],"count":{count}{more}}}"#));
    let chunks = std::iter::once(head).chain(objects).chain(std::iter::once(tail));
    as_json(Body::from_stream(stream::iter(chunks.map(Ok::<_, std::convert::Infallible>))))
}

fn as_json(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn object(camera: &Camera) -> Vec<u8> {
    let latest = camera.latest();
    let jpeg = latest.as_ref().map(|latest| latest.jpeg());
    let frame = latest.as_ref().zip(jpeg.as_ref());
    camera_object(&CameraObject {
        id: camera.id().as_str(),
        frame: frame.map(|(latest, jpeg)| (&jpeg[..], latest.received_us / 1000, latest.seq)),
        online: online(camera),
    })
}

fn online(camera: &Camera) -> bool {
    matches!(camera.presence(), Presence::Online { .. })
}

/// Keys in v2's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    total_frames: u64,
    redis_connected: bool,
    /// Always empty: an address may hold a password.
    redis_url: &'static str,
    pending_operations: u64,
    total_clients: usize,
    client_list: Vec<String>,
    clients_with_metadata: Vec<Client>,
}

#[derive(Serialize)]
struct Client {
    id: String,
    metadata: Metadata,
}

#[derive(Serialize)]
struct Metadata {
    connected_at: String,
    last_seen: String,
    status: &'static str,
}

#[derive(Serialize)]
struct StatsAnswer {
    success: bool,
    stats: Stats,
}

async fn stats(State(api): State<Api>) -> Json<StatsAnswer> {
    let cameras = api.registry.list();
    let store = (api.store)();
    let stats = Stats {
        total_frames: cameras.iter().map(|camera| camera.snapshot().frames).sum(),
        redis_connected: store.connected,
        redis_url: "",
        pending_operations: store.pending,
        total_clients: cameras.len(),
        client_list: api.ids(),
        clients_with_metadata: cameras.iter().map(|camera| client(camera)).collect(),
    };
    Json(StatsAnswer { success: true, stats })
}

fn client(camera: &Camera) -> Client {
    let (since_us, status) = match camera.presence() {
        Presence::Online { since_us, .. } => (since_us, "connected"),
        Presence::Offline { since_us, .. } => (since_us, "disconnected"),
    };
    let seen_us = camera.latest().map_or(since_us, |latest| latest.received_us);
    let metadata = Metadata {
        connected_at: iso8601::format_ms(since_us / 1000),
        last_seen: iso8601::format_ms(seen_us / 1000),
        status,
    };
    Client { id: camera.id().to_string(), metadata }
}

impl Api {
    fn ids(&self) -> Vec<String> {
        self.registry.list().iter().map(|camera| camera.id().to_string()).collect()
    }
}

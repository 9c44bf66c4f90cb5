//! The HTTP routes of the view port: one table of paths, handlers and descriptions.
//!
//! Belongs here: the table, what all handlers share, and the errors of paths and methods that are
//! not in the table. Does not: what a route answers, which is in the file of its name.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, header},
    middleware::map_response,
    response::Response,
    routing::{MethodRouter, any, delete, get, patch, post},
};
use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::path::{HttpMethod, Operation};

use super::{Sent, Setup, View, answers, cameras, catalog, frame_jpg, mjpeg, openapi, status};
use crate::{
    net::ApiError,
    relay::{Camera, CameraId, Frame, Snapshot},
};

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct Rest {
    pub(super) view: View,
    pub(super) setup: Setup,
    pub(super) shutdown: CancellationToken,
    pub(super) ingest_port: u16,
    pub(super) ingest_addresses: Arc<dyn Fn() -> Vec<SocketAddr> + Send + Sync>,
    pub(super) started: Instant,
    /// Over MJPEG.
    pub(super) sent: Sent,
    pub(super) figures: Arc<dyn Fn() -> Map<String, Value> + Send + Sync>,
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { view, setup, shutdown, ingest_port, started, .. } = self;
        f.debug_struct("Rest")
            .field("view", view)
            .field("setup", setup)
            .field("shutdown", shutdown)
            .field("ingest_port", ingest_port)
            .field("started", started)
            .finish_non_exhaustive()
    }
}

impl Rest {
    /// Starts the server's uptime. When `shutdown` is cancelled, `/readyz` says no, streams end and
    /// waiting requests are answered. `ingest_port` is where publishers connect, for pages and the
    /// API's description.
    pub fn new(view: View, shutdown: CancellationToken, ingest_port: u16) -> Self {
        let figures = Arc::new(Map::new);
        let ingest_addresses = Arc::new(Vec::new);
        let (started, sent) = (Instant::now(), Sent::default());
        let setup = Setup::default();
        Self { view, setup, shutdown, ingest_port, ingest_addresses, started, sent, figures }
    }

    /// With cameras that can be set up; without, none can.
    pub fn with_setup(self, setup: Setup) -> Self {
        Self { setup, ..self }
    }

    /// What was sent as MJPEG since the start.
    pub fn mjpeg_sent(&self) -> &Sent {
        &self.sent
    }

    /// Further figures for `server` of `/api/stats`, of parts that this module does not know;
    /// asked at every request. One with a name that is there already replaces it.
    pub fn with_figures(
        self,
        figures: impl Fn() -> Map<String, Value> + Send + Sync + 'static,
    ) -> Self {
        Self { figures: Arc::new(figures), ..self }
    }

    /// Where the ingest port is reached from, for `/api/info`; asked at every request, as a machine's
    /// addresses come and go. Loopback ones are left out of the answer.
    pub fn with_ingest_addresses(
        self,
        addresses: impl Fn() -> Vec<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        Self { ingest_addresses: Arc::new(addresses), ..self }
    }

    /// How long ago a frame was complete here.
    pub(super) fn since_received(&self, frame: &Frame) -> Duration {
        self.view.registry.clock().now().saturating_duration_since(frame.received_at)
    }

    pub(super) fn camera(&self, id: &str) -> Result<Arc<Camera>, ApiError> {
        let bad =
            |error: crate::relay::BadCameraId| ApiError::new("bad_camera_id", error.to_string());
        let id = CameraId::parse(id).map_err(bad)?;
        let camera = self.view.registry.get(id.as_str());
        camera.ok_or_else(|| ApiError::unknown_camera(id.as_str()))
    }

    /// A camera's figures with what is configured of it; its addresses only with `details`.
    pub(super) fn shown(&self, snapshot: Snapshot, details: bool) -> answers::Camera {
        let catalog = self.setup.catalog.as_ref();
        let entry = catalog.and_then(|catalog| catalog.get(snapshot.id.as_str()));
        answers::Camera::new(snapshot, entry.as_deref(), details)
    }

    pub(super) fn draining() -> ApiError {
        ApiError::new("draining", "the server is shutting down; try again in some seconds")
    }
}

/// A row of the table: a path, who answers, and its description.
pub(super) struct Route {
    pub path: String,
    handler: MethodRouter<Rest>,
    pub method: HttpMethod,
    pub operation: Operation,
}

impl Route {
    /// Path, method and description are `P`'s, which stands above the handler.
    fn new<P: utoipa::Path>(group: &str, handler: MethodRouter<Rest>) -> Self {
        let method = P::methods().pop().unwrap_or(HttpMethod::Get);
        let mut operation = P::operation();
        operation.tags = Some(vec![group.to_owned()]);
        Self { path: P::path(), handler, method, operation }
    }
}

/// Every route of the view port but the WebSocket, the pages, and the description itself.
pub(super) fn table() -> Vec<Route> {
    vec![
        Route::new::<cameras::__path_list>("cameras", get(cameras::list)),
        Route::new::<cameras::__path_one>("cameras", get(cameras::one)),
        Route::new::<catalog::__path_add>("cameras", post(catalog::add)),
        Route::new::<catalog::__path_change>("cameras", patch(catalog::change)),
        Route::new::<catalog::__path_remove>("cameras", delete(catalog::remove)),
        Route::new::<catalog::__path_presets>("cameras", get(catalog::presets)),
        Route::new::<catalog::__path_provision>("cameras", post(catalog::provision)),
        Route::new::<cameras::__path_frames>("cameras", get(cameras::frames)),
        Route::new::<frame_jpg::__path_frame>("pictures", get(frame_jpg::frame)),
        Route::new::<mjpeg::__path_stream>("pictures", get(mjpeg::stream)),
        Route::new::<status::__path_stats>("server", get(status::stats)),
        Route::new::<status::__path_info>("server", get(status::info)),
        Route::new::<openapi::__path_document>("server", get(openapi::document)),
        Route::new::<status::__path_healthz>("server", get(status::healthz)),
        Route::new::<status::__path_readyz>("server", get(status::readyz)),
    ]
}

/// The REST routes, MJPEG and health of the view port: everything below `/api/`, `/cameras/provision`,
/// `/healthz` and `/readyz`. HEAD works wherever GET does.
pub fn routes(rest: Rest) -> Router {
    let add = |router: Router<Rest>, route: Route| router.route(&route.path, route.handler);
    table()
        .into_iter()
        .fold(Router::new(), add)
        // Elsewhere the port's pages answer; below /api/ a program wants JSON.
        .route("/api", any(not_found))
        .route("/api/", any(not_found))
        .route("/api/{*path}", any(not_found))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(map_response(not_stored))
        .with_state(rest)
}

async fn not_found(request: Request) -> ApiError {
    let path: String = request.uri().path().chars().take(MAX_ECHO).collect();
    ApiError::new("not_found", format!("there is no {path}; /api/openapi.json lists what there is"))
}

async fn method_not_allowed(request: Request) -> ApiError {
    let method: String = request.method().as_str().chars().take(MAX_ECHO).collect();
    ApiError::new("method_not_allowed", format!("{method} is not for this path; see Allow"))
}

/// Most characters of a request that an error says back.
const MAX_ECHO: usize = 100;

/// Whatever is answered here is of the moment.
async fn not_stored(mut response: Response) -> Response {
    let value = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    response
}

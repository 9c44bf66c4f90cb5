//! `/api/cameras`: which cameras there are, and what each one's cache holds.

use axum::{Json, extract::State};

use super::{
    answers::{CachedFrame, CachedFrames, Camera, Cameras, ErrorAnswer, millis},
    catalog::Rights,
    rest::Rest,
};
use crate::net::{ApiError, Id};

/// Most frames listed of one cache, the newest ones: the default cache's 10 s at 300 fps. A
/// publisher of tiny frames could otherwise make an answer of many megabytes.
const MAX_LISTED: usize = 3000;

/// All cameras.
#[utoipa::path(
    get,
    operation_id = "list_cameras",
    path = "/api/cameras",
    responses((status = 200, description = "In the order of their ids", body = Cameras))
)]
pub(super) async fn list(State(rest): State<Rest>, rights: Rights) -> Json<Cameras> {
    let cameras = rest.view.registry.list();
    let shown = |camera: &std::sync::Arc<crate::relay::Camera>| {
        rest.shown(camera.snapshot(), rights.0.is_ok())
    };
    Json(Cameras { cameras: cameras.iter().map(shown).collect() })
}

/// One camera.
#[utoipa::path(
    get,
    operation_id = "get_camera",
    path = "/api/cameras/{id}",
    params(("id" = String, Path, description = "The camera's id")),
    responses(
        (status = 200, description = "Its figures now", body = Camera),
        (status = 400, description = "`bad_camera_id`", body = ErrorAnswer),
        (status = 404, description = "`unknown_camera`", body = ErrorAnswer),
    )
)]
pub(super) async fn one(
    State(rest): State<Rest>,
    Id(id): Id,
    rights: Rights,
) -> Result<Json<Camera>, ApiError> {
    Ok(Json(rest.shown(rest.camera(&id)?.snapshot(), rights.0.is_ok())))
}

/// What the cache holds.
///
/// At most the newest 3000 frames. Each can be had by `frame.jpg?seq=`.
#[utoipa::path(
    get,
    operation_id = "list_frames",
    path = "/api/cameras/{id}/frames",
    params(("id" = String, Path, description = "The camera's id")),
    responses(
        (status = 200, description = "Oldest first", body = CachedFrames),
        (status = 400, description = "`bad_camera_id`", body = ErrorAnswer),
        (status = 404, description = "`unknown_camera`", body = ErrorAnswer),
    )
)]
pub(super) async fn frames(
    State(rest): State<Rest>,
    Id(id): Id,
) -> Result<Json<CachedFrames>, ApiError> {
    let camera = rest.camera(&id)?;
    let now = rest.view.registry.clock().now();
    let frames = camera.cached(MAX_LISTED, |frame| CachedFrame::new(frame, now));
    let max_age_ms = millis(rest.view.registry.limits().cache_age);
    Ok(Json(CachedFrames { camera: id, max_age_ms, frames }))
}

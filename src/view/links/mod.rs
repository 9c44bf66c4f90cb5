//! Cameras that the server connects to: starting and stopping them, how the connection is, and trying a
//! source out.
//!
//! Belongs here: the routes, and in [`fresh`] waiting for a camera that has to be connected first. Does not:
//! connecting, which the relay is asked for.

mod answers;
mod fresh;

use std::time::Duration;

use axum::{Json, extract::State};
use serde_json::{Map, Value};

pub(super) use answers::{StreamHealth, StreamStatus, Trial};
use fresh::link;
pub(super) use fresh::{fresh, has_pictures, nothing_yet, seat};

use super::{
    answers::ErrorAnswer,
    catalog::{Manager, stream_overrides, trial_settings},
    requests::{StreamStart, TrialRequest},
    rest::Rest,
};
use crate::{
    net::{ApiError, Id, MaybeJsonObject},
    relay::{Camera, LinkState, LinkStatus, Wish},
};

/// How long a camera that is not connected is waited for: the 10 s that an attempt has, and a little, so that
/// what the attempt says of itself is there.
const PATIENCE: Duration = Duration::from_millis(10_500);
/// How long a connection that is to be made anew takes to end; longer, and nothing has changed.
const LEAVING: Duration = Duration::from_secs(1);
/// Connect a camera.
///
/// Now, and until it is stopped or the server ends, whoever watches. Answers when the first picture is
/// there, or why not, after some 10 s at most. Port, path and login in the body are used in place of the
/// configured ones until the stream is stopped; the configured password goes to no other port or user.
#[utoipa::path(
    post,
    operation_id = "start_stream",
    path = "/api/cameras/{id}/stream/start",
    params(("id" = String, Path, description = "The camera's id")),
    request_body = Option<StreamStart>,
    responses(
        (status = 200, description = "How it is now; `last_error` says why it is not streaming",
            body = StreamStatus),
        (status = 400, description = "`bad_camera_id`, `bad_request`", body = ErrorAnswer),
        (status = 403, description = "`forbidden_address`, `forbidden_origin`", body = ErrorAnswer),
        (status = 404, description = "`unknown_camera`", body = ErrorAnswer),
        (status = 408, description = "`timeout`: the body did not come within 10 s", body = ErrorAnswer),
        (status = 409, description = "`not_pulled`: the camera is pushed", body = ErrorAnswer),
        (status = 413, description = "`too_large`: more than 64 KiB", body = ErrorAnswer),
    )
)]
pub(super) async fn start(
    _: Manager,
    State(rest): State<Rest>,
    Id(id): Id,
    MaybeJsonObject(body): MaybeJsonObject,
) -> Result<Json<StreamStatus>, ApiError> {
    let camera = rest.camera(&id)?;
    let before = pulled(&camera)?;
    camera.link().ask(Wish::Started(stream_overrides(&body)?));
    let mut status = camera.link().watch();
    if !body.is_empty() && before.state == LinkState::Streaming {
        // With other settings it is connected anew; how it was before is no answer.
        let left =
            status.wait_for(|now| now.as_ref().is_none_or(|now| now.state != LinkState::Streaming));
        let _ = tokio::time::timeout(LEAVING, left).await;
    }
    let decided = async {
        loop {
            status.mark_unchanged();
            let Some(now) = link(&rest, &camera).await else { return };
            if now.state == LinkState::Streaming || now.failures > before.failures {
                return;
            }
            if status.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = decided => {}
        () = tokio::time::sleep(PATIENCE) => {}
        () = rest.shutdown.cancelled() => {}
    }
    Ok(Json(StreamStatus::new(&camera)))
}

/// Disconnect a camera.
///
/// It stays so, whoever watches, until it is started, set up anew, or the server is restarted.
#[utoipa::path(
    post,
    operation_id = "stop_stream",
    path = "/api/cameras/{id}/stream/stop",
    params(("id" = String, Path, description = "The camera's id")),
    responses(
        (status = 200, description = "How it is now", body = StreamStatus),
        (status = 400, description = "`bad_camera_id`", body = ErrorAnswer),
        (status = 403, description = "`forbidden_address`, `forbidden_origin`", body = ErrorAnswer),
        (status = 404, description = "`unknown_camera`", body = ErrorAnswer),
        (status = 409, description = "`not_pulled`: the camera is pushed", body = ErrorAnswer),
    )
)]
pub(super) async fn stop(
    _: Manager,
    State(rest): State<Rest>,
    Id(id): Id,
) -> Result<Json<StreamStatus>, ApiError> {
    let camera = rest.camera(&id)?;
    pulled(&camera)?;
    camera.link().ask(Wish::Stopped);
    let mut status = camera.link().watch();
    let stopped =
        |now: &Option<LinkStatus>| now.as_ref().is_none_or(|now| now.state == LinkState::Stopped);
    // At once, but for a machine that is very busy.
    let _ = tokio::time::timeout(PATIENCE, status.wait_for(stopped)).await;
    Ok(Json(StreamStatus::new(&camera)))
}

/// Whether a camera is streaming.
#[utoipa::path(
    get,
    operation_id = "get_stream_status",
    path = "/api/cameras/{id}/stream/status",
    params(("id" = String, Path, description = "The camera's id")),
    responses(
        (status = 200, description = "How it is now", body = StreamStatus),
        (status = 400, description = "`bad_camera_id`", body = ErrorAnswer),
        (status = 404, description = "`unknown_camera`", body = ErrorAnswer),
    )
)]
pub(super) async fn status(
    State(rest): State<Rest>,
    Id(id): Id,
) -> Result<Json<StreamStatus>, ApiError> {
    let camera = rest.camera(&id)?;
    Ok(Json(StreamStatus::new(&camera)))
}

/// How well a camera is streaming.
#[utoipa::path(
    get,
    operation_id = "get_stream_health",
    path = "/api/streams/status/{id}",
    params(("id" = String, Path, description = "The camera's id")),
    responses(
        (status = 200, description = "Its figures now", body = StreamHealth),
        (status = 400, description = "`bad_camera_id`", body = ErrorAnswer),
        (status = 404, description = "`unknown_camera`", body = ErrorAnswer),
    )
)]
pub(super) async fn health(
    State(rest): State<Rest>,
    Id(id): Id,
) -> Result<Json<StreamHealth>, ApiError> {
    let camera = rest.camera(&id)?;
    Ok(Json(StreamHealth::new(&camera)))
}

/// Try a configured camera out.
///
/// Connects once, besides any connection that there is, and answers what was found, or why not.
#[utoipa::path(
    post,
    operation_id = "test_camera",
    path = "/api/cameras/{id}/test",
    params(("id" = String, Path, description = "The camera's id")),
    responses(
        (status = 200, description = "What was found, or why not", body = Trial),
        (status = 400, description = "`bad_camera_id`", body = ErrorAnswer),
        (status = 403, description = "`forbidden_address`, `forbidden_origin`", body = ErrorAnswer),
        (status = 404, description = "`not_configured`", body = ErrorAnswer),
        (status = 409, description = "`not_pulled`: the camera is pushed", body = ErrorAnswer),
        (status = 503, description = "`catalog_failed`, `draining`", body = ErrorAnswer),
    )
)]
pub(super) async fn test(
    _: Manager,
    State(rest): State<Rest>,
    Id(id): Id,
) -> Result<Json<Trial>, ApiError> {
    let body = Map::from_iter([("id".to_owned(), Value::from(id))]);
    trial(&rest, &body).await
}

/// Try a source out that is not configured yet.
///
/// The body is as for `POST /api/cameras`. With the `id` of a camera that is configured, what is left
/// out is taken from there, the password too.
#[utoipa::path(
    post,
    operation_id = "test_source",
    path = "/api/camera-test",
    request_body = TrialRequest,
    responses(
        (status = 200, description = "What was found, or why not", body = Trial),
        (status = 400, description = "`bad_camera_id`, `bad_request`", body = ErrorAnswer),
        (status = 403, description = "`forbidden_address`, `forbidden_origin`", body = ErrorAnswer),
        (status = 408, description = "`timeout`: the body did not come within 10 s", body = ErrorAnswer),
        (status = 409, description = "`not_pulled`: a source of type `push`", body = ErrorAnswer),
        (status = 413, description = "`too_large`: more than 64 KiB", body = ErrorAnswer),
        (status = 422, description = "`refused_source`: an address no source may have", body = ErrorAnswer),
        (status = 503, description = "`catalog_failed`, `draining`", body = ErrorAnswer),
    )
)]
pub(super) async fn test_source(
    _: Manager,
    State(rest): State<Rest>,
    MaybeJsonObject(body): MaybeJsonObject,
) -> Result<Json<Trial>, ApiError> {
    trial(&rest, &body).await
}

async fn trial(rest: &Rest, body: &Map<String, Value>) -> Result<Json<Trial>, ApiError> {
    let source = trial_settings(rest, body)?.ok_or_else(not_pulled)?;
    let found = tokio::select! {
        found = rest.view.registry.try_source(source) => found,
        () = rest.shutdown.cancelled() => return Err(Rest::draining()),
    };
    Ok(Json(Trial::new(found)))
}

fn not_pulled() -> ApiError {
    let message = "this camera is pushed: it is online when its publisher is, and framecast connects \
                   nowhere for it";
    ApiError::new("not_pulled", message)
}

fn pulled(camera: &Camera) -> Result<LinkStatus, ApiError> {
    camera.link().status().ok_or_else(not_pulled)
}

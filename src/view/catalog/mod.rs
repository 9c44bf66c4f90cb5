//! Setting cameras up: adding, changing and removing what is configured of them.
//!
//! Belongs here: the routes that change the catalog, who may use them, and what their bodies say.
//! Does not: keeping it (`store::catalog`), or what is shown of a camera (`super::answers`).

mod answers;
mod body;
mod fields;
mod rights;
mod trials;

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

pub(super) use answers::{Presets, Provisioned, SourceAnswer};
use fields::{Fields, bad};
pub use rights::Managers;
pub(super) use rights::{Manager, Rights};
pub(super) use trials::{stream_overrides, trial_settings};

use super::{
    answers::{Camera, ErrorAnswer},
    requests::{CameraPatch, NewCamera, ProvisionRequest},
    rest::Rest,
};
use crate::{
    net::{ApiError, Id, JsonObject, guard::Guard},
    relay::CameraId,
    store::catalog::{Catalog, CatalogError, Entry, PRESETS},
};

/// What setting cameras up needs.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Where cameras are kept; without one none can be set up.
    pub catalog: Option<Catalog>,
    /// Which addresses sources may have.
    pub guard: Guard,
    /// Who may change cameras.
    pub managers: Managers,
}

impl Setup {
    pub(super) fn catalog(&self) -> Result<&Catalog, ApiError> {
        let none = || ApiError::new("catalog_failed", "this server keeps no camera catalog");
        self.catalog.as_ref().ok_or_else(none)
    }
}

impl From<CatalogError> for ApiError {
    fn from(error: CatalogError) -> Self {
        let code = match &error {
            CatalogError::Write(_) | CatalogError::Key(_) => "catalog_failed",
            CatalogError::Full(error) => error.code(),
            CatalogError::Closed => "draining",
        };
        Self::new(code, error.to_string())
    }
}

fn camera_id(text: &str) -> Result<CameraId, ApiError> {
    CameraId::parse(text).map_err(|error| ApiError::new("bad_camera_id", error.to_string()))
}

fn not_configured(id: &CameraId) -> ApiError {
    let message = format!("camera {id} is not configured; POST /api/cameras configures one");
    ApiError::new("not_configured", message)
}

/// Configure a camera.
///
/// From this machine only, unless `--manage-from` says otherwise. A camera that is published
/// already keeps its publisher.
#[utoipa::path(
    post,
    operation_id = "add_camera",
    path = "/api/cameras",
    request_body = NewCamera,
    responses(
        (status = 201, description = "Configured; `Location` is its address", body = Camera),
        (status = 400, description = "`bad_camera_id`, `bad_request`", body = ErrorAnswer),
        (status = 403, description = "`forbidden_address`, `forbidden_origin`", body = ErrorAnswer),
        (status = 408, description = "`timeout`: the body did not come within 10 s", body = ErrorAnswer),
        (status = 409, description = "`camera_exists`: change it with PATCH", body = ErrorAnswer),
        (status = 413, description = "`too_large`: more than 64 KiB", body = ErrorAnswer),
        (status = 422, description = "`refused_source`: an address no source may have", body = ErrorAnswer),
        (status = 503, description = "`too_many_cameras`, `catalog_failed`, `draining`", body = ErrorAnswer),
    )
)]
pub(super) async fn add(
    _: Manager,
    State(rest): State<Rest>,
    JsonObject(map): JsonObject,
) -> Result<Response, ApiError> {
    let missing =
        || bad("id is missing: 1 to 64 letters, digits, '.', '_' or '-', such as \"door\"");
    let id = Fields::lenient(&map).id("id")?.ok_or_else(missing)?;
    let id = camera_id(&id)?;
    let (guard, key) = (rest.setup.guard.clone(), id.clone());
    let decide = move |now: Option<&Entry>| match now {
        Some(_) => {
            let message = format!(
                "camera {key} is configured already; choose another id, or change that one \
                 (PATCH /api/cameras/{key})"
            );
            Err(ApiError::new("camera_exists", message))
        }
        None => body::settings(&map, None, &guard).map(Some),
    };
    rest.setup.catalog()?.change(id.clone(), decide).await?;
    let location = HeaderValue::try_from(format!("/api/cameras/{id}")).ok();
    let headers: [(HeaderName, HeaderValue); 1] =
        [(header::LOCATION, location.unwrap_or(HeaderValue::from_static("/api/cameras")))];
    Ok((StatusCode::CREATED, headers, Json(shown(&rest, &id)?)).into_response())
}

/// Change a configured camera.
///
/// A JSON merge patch (RFC 7396): what is left out stays, null is the default. The password of a
/// source stays as long as its protocol, host, port and user do.
#[utoipa::path(
    patch,
    operation_id = "change_camera",
    path = "/api/cameras/{id}",
    params(("id" = String, Path, description = "The camera's id")),
    request_body = CameraPatch,
    responses(
        (status = 200, description = "Changed", body = Camera),
        (status = 400, description = "`bad_camera_id`, `bad_request`", body = ErrorAnswer),
        (status = 403, description = "`forbidden_address`, `forbidden_origin`", body = ErrorAnswer),
        (status = 404, description = "`not_configured`", body = ErrorAnswer),
        (status = 408, description = "`timeout`: the body did not come within 10 s", body = ErrorAnswer),
        (status = 413, description = "`too_large`: more than 64 KiB", body = ErrorAnswer),
        (status = 422, description = "`refused_source`: an address no source may have", body = ErrorAnswer),
        (status = 503, description = "`catalog_failed`, `draining`", body = ErrorAnswer),
    )
)]
pub(super) async fn change(
    _: Manager,
    State(rest): State<Rest>,
    Id(id): Id,
    JsonObject(map): JsonObject,
) -> Result<Json<Camera>, ApiError> {
    let id = camera_id(&id)?;
    if Fields::lenient(&map).id("id")?.is_some_and(|other| other != id.as_str()) {
        return Err(bad("id cannot be changed; configure a new camera and delete this one"));
    }
    let (guard, key) = (rest.setup.guard.clone(), id.clone());
    let decide = move |now: Option<&Entry>| {
        let now = now.ok_or_else(|| not_configured(&key))?;
        body::settings(&map, Some(&now.settings), &guard).map(Some)
    };
    rest.setup.catalog()?.change(id.clone(), decide).await?;
    Ok(Json(shown(&rest, &id)?))
}

/// Forget what is configured of a camera.
///
/// One that is published stays as long as its publisher. One that was only ever published is forgotten
/// with its pictures, once it is offline.
#[utoipa::path(
    delete,
    operation_id = "remove_camera",
    path = "/api/cameras/{id}",
    params(("id" = String, Path, description = "The camera's id")),
    responses(
        (status = 204, description = "No longer configured, or forgotten"),
        (status = 400, description = "`bad_camera_id`", body = ErrorAnswer),
        (status = 403, description = "`forbidden_address`, `forbidden_origin`", body = ErrorAnswer),
        (status = 404, description = "`not_configured`: nor offline and known", body = ErrorAnswer),
        (status = 503, description = "`catalog_failed`, `draining`", body = ErrorAnswer),
    )
)]
pub(super) async fn remove(
    _: Manager,
    State(rest): State<Rest>,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    let id = camera_id(&id)?;
    let key = id.clone();
    let registry = &rest.view.registry;
    if rest.setup.catalog()?.get(id.as_str()).is_none() && registry.forget_offline(&id) {
        return Ok(StatusCode::NO_CONTENT);
    }
    let is_online = registry.get(id.as_str()).is_some();
    let decide = move |now: Option<&Entry>| match now {
        Some(_) => Ok(None),
        None if is_online => {
            let message = format!(
                "camera {key} is not configured but published; end its publisher first, and it can \
                 be forgotten"
            );
            Err(ApiError::new("not_configured", message))
        }
        None => Err(not_configured(&key)),
    };
    rest.setup.catalog()?.change(id, decide).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Common layouts of camera addresses.
#[utoipa::path(
    get,
    operation_id = "list_presets",
    path = "/api/camera-presets",
    responses((status = 200, description = "The most common first", body = Presets))
)]
pub(super) async fn presets() -> Json<Presets> {
    Json(Presets { presets: PRESETS.to_vec() })
}

/// Configure an RTSP camera in one call.
///
/// For systems that set cameras up by number. A camera that is configured already gets the new
/// address, and the name if one is given. Further fields are ignored.
#[utoipa::path(
    post,
    operation_id = "provision_camera",
    path = "/cameras/provision",
    request_body = ProvisionRequest,
    responses(
        (status = 200, description = "Configured", body = Provisioned),
        (status = 400, description = "`bad_camera_id`, `bad_request`", body = ErrorAnswer),
        (status = 403, description = "`forbidden_address`, `forbidden_origin`", body = ErrorAnswer),
        (status = 408, description = "`timeout`: the body did not come within 10 s", body = ErrorAnswer),
        (status = 413, description = "`too_large`: more than 64 KiB", body = ErrorAnswer),
        (status = 422, description = "`refused_source`: an address no source may have", body = ErrorAnswer),
        (status = 503, description = "`too_many_cameras`, `catalog_failed`, `draining`", body = ErrorAnswer),
    )
)]
pub(super) async fn provision(
    _: Manager,
    State(rest): State<Rest>,
    JsonObject(map): JsonObject,
) -> Result<Json<Provisioned>, ApiError> {
    let fields = Fields::lenient(&map);
    let id = fields.id("camera_id")?.ok_or_else(|| bad("camera_id is missing"))?;
    let id = camera_id(&id)?;
    let url = fields.text("rtsp_url")?.value();
    let url = url.ok_or_else(|| bad("rtsp_url is missing: rtsp://USER:PASSWORD@HOST:PORT/PATH"))?;
    let (name, url) = (fields.line("name")?, url.to_owned());
    let guard = rest.setup.guard.clone();
    let decide = move |now: Option<&Entry>| {
        body::provisioned(&url, name, now.map(|now| &now.settings), &guard).map(Some)
    };
    rest.setup.catalog()?.change(id.clone(), decide).await?;
    Ok(Json(Provisioned {
        success: true,
        stream_path: format!("cam_{id}"),
        hls_url: format!("/hls/cam_{id}/index.m3u8"),
    }))
}

/// As its own route shows it.
fn shown(rest: &Rest, id: &CameraId) -> Result<Camera, ApiError> {
    Ok(rest.shown(rest.camera(id.as_str())?.snapshot(), true))
}

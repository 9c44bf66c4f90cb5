//! The HTTP routes of WHEP: `/whep/{camera}` and the sessions below it.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{patch, post},
};
use rand::distr::{Alphanumeric, SampleString as _};
use tokio::sync::mpsc;
use utoipa::openapi::path::{HttpMethod, Operation};

use super::{
    MAX_COMMANDS, MAX_SESSIONS, Place, Resource, Whep, choose,
    offer::{Fragment, Offer},
    session::{Command, Session},
    video,
};
use crate::{
    net::{ApiError, Id, is_meant, webrtc::OpenError},
    view::{answers::ErrorAnswer, rest::Rest},
};

/// Content types of the requests and of the answer (RFC 8840 section 9, RFC 8866 section 5).
const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// Longest body, in bytes. A browser's offer has about 6000.
const MAX_BODY: usize = 64 << 10;
/// For a body to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Letters of a session's name: over 140 bits, as knowing it is the right to end the session.
const NAME_LEN: usize = 24;

/// `/whep/{camera}` and the sessions below it.
pub fn routes(whep: Whep) -> Router {
    Router::new()
        .route("/whep/{camera}", post(open).options(accepted_by_offers))
        .route(
            "/whep/{camera}/{session}",
            patch(trickle).delete(close).options(accepted_by_sessions),
        )
        .method_not_allowed_fallback(not_allowed)
        .with_state(whep)
}

/// What the API's description says of them.
pub(in crate::view) fn described() -> [(String, HttpMethod, Operation); 3] {
    fn of<P: utoipa::Path>() -> (String, HttpMethod, Operation) {
        let method = P::methods().pop().unwrap_or(HttpMethod::Get);
        let mut operation = P::operation();
        operation.tags = Some(vec!["video".to_owned()]);
        (P::path(), method, operation)
    }
    [of::<__path_open>(), of::<__path_trickle>(), of::<__path_close>()]
}

async fn accepted_by_offers() -> Response {
    let allow = [("allow", "POST, OPTIONS"), ("accept-post", SDP)];
    (StatusCode::NO_CONTENT, allow).into_response()
}

async fn accepted_by_sessions() -> Response {
    let allow = [("allow", "PATCH, DELETE, OPTIONS"), ("accept-patch", FRAGMENT)];
    (StatusCode::NO_CONTENT, allow).into_response()
}

async fn not_allowed() -> ApiError {
    let message =
        "POST an offer to /whep/{camera}, PATCH or DELETE the session that it answers with";
    ApiError::new("method_not_allowed", message)
}

/// A camera's video over WebRTC: begin.
///
/// An offer that receives video, answered with H.264 as the camera makes it (WHEP). The session is at
/// `Location`. A camera that is not connected is connected to, and waited for up to 10 s.
#[utoipa::path(
    post,
    operation_id = "whep_open",
    path = "/whep/{camera}",
    params(("camera" = String, Path, description = "The camera's id")),
    request_body(content = String, content_type = "application/sdp", description = "The offer"),
    responses(
        (status = 201, description = "The answer; `Location` is the session's address, `ETag` that of its \
            ICE session", body = String, content_type = "application/sdp"),
        (status = 400, description = "`bad_request`: no video section, or one that cannot be answered",
            body = ErrorAnswer),
        (status = 404, description = "`unknown_camera`, `no_video`", body = ErrorAnswer),
        (status = 408, description = "`timeout`: the body did not come within 10 s", body = ErrorAnswer),
        (status = 413, description = "`too_large`: more than 64 KiB", body = ErrorAnswer),
        (status = 415, description = "`unsupported_media_type`; `unsupported_codec`: H.265 or B-frames, \
            which HLS plays, or an offer without H.264", body = ErrorAnswer),
        (status = 503, description = "`at_capacity`, `camera_offline`, `draining`", body = ErrorAnswer),
    )
)]
pub(in crate::view) async fn open(
    State(whep): State<Whep>,
    Id(id): Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let sdp = text(&headers, body, SDP).await?;
    if whep.shutdown.is_cancelled() {
        return Err(Rest::draining());
    }
    let camera = whep.registry.get(&id).ok_or_else(|| ApiError::unknown_camera(&id))?;
    let offer = Offer::read(&sdp);
    if !offer.has_video {
        let message = "the offer has no video section; add a video transceiver that receives";
        return Err(ApiError::new("bad_request", message));
    }
    let at_capacity =
        |error: crate::relay::AtCapacity| ApiError::new(error.code(), error.to_string());
    let seat = camera.seat().map_err(at_capacity)?;
    if whep.sessions.len() >= MAX_SESSIONS {
        let message = format!("stream at capacity: the server has {MAX_SESSIONS} WebRTC viewers");
        return Err(ApiError::new("at_capacity", message));
    }
    let mut units = camera.watch_video();
    let format = video(&camera, &mut units, &whep.shutdown).await?;
    if units.reorders() {
        let message = "the camera sends B-frames, which browsers do not put in order over WebRTC; it \
                       plays over HLS";
        return Err(ApiError::new("unsupported_codec", message));
    }
    let choice = choose(&offer, &format)?;
    let (session, answer) = Session::answer(&whep.port, &sdp, choice).await.map_err(refused)?;

    let random = |len| Alphanumeric.sample_string(&mut rand::rng(), len);
    let (name, etag) = (random(NAME_LEN), format!("\"{}\"", random(8)));
    let (commands, inbox) = mpsc::channel(MAX_COMMANDS);
    let resource =
        Resource { camera: id.clone(), etag: etag.clone(), ufrag: offer.ufrag, commands };
    whep.sessions.insert(name.clone(), resource);
    let place = Place { sessions: whep.sessions.clone(), name: name.clone() };
    let shutdown = whep.shutdown.clone();
    let opened = tokio::time::Instant::now();
    whep.tasks.spawn(async move {
        let end = session.run(camera.clone(), units, inbox, seat, shutdown).await;
        drop(place);
        let lasted = opened.elapsed();
        tracing::debug!(camera = %camera.id(), ?lasted, "WebRTC viewer ended: {end}");
    });
    let headers = [
        (header::CONTENT_TYPE, SDP.to_owned()),
        (header::LOCATION, format!("/whep/{id}/{name}")),
        (header::ETAG, etag),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((StatusCode::CREATED, headers, answer).into_response())
}

/// Further addresses of the viewer.
///
/// Not needed: the server learns them from the viewer's own checks.
#[utoipa::path(
    patch,
    operation_id = "whep_trickle",
    path = "/whep/{camera}/{session}",
    params(
        ("camera" = String, Path, description = "The camera's id"),
        ("session" = String, Path, description = "As `Location` has it"),
        ("If-Match" = String, Header, description = "The `ETag` of the answer, or `*`"),
    ),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag",
        description = "Candidates"),
    responses(
        (status = 204, description = "They are tried"),
        (status = 404, description = "`not_found`: the session has ended", body = ErrorAnswer),
        (status = 408, description = "`timeout`: the body did not come within 10 s", body = ErrorAnswer),
        (status = 412, description = "`precondition_failed`: of another ICE session", body = ErrorAnswer),
        (status = 413, description = "`too_large`: more than 64 KiB", body = ErrorAnswer),
        (status = 415, description = "`unsupported_media_type`", body = ErrorAnswer),
        (status = 422, description = "`ice_restart`: end the session and POST a new offer",
            body = ErrorAnswer),
        (status = 428, description = "`precondition_required`: no `If-Match`", body = ErrorAnswer),
    )
)]
pub(in crate::view) async fn trickle(
    State(whep): State<Whep>,
    Path((camera, session)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let fragment = text(&headers, body, FRAGMENT).await?;
    let resource = whep.session(&camera, &session)?;
    match is_meant(&headers, &resource.etag) {
        None => {
            let message = "say which ICE session this is for: If-Match with the ETag of the answer";
            return Err(ApiError::new("precondition_required", message));
        }
        Some(true) => {}
        Some(false) => {
            let message = "If-Match is not the ETag of this session's answer";
            return Err(ApiError::new("precondition_failed", message));
        }
    }
    let fragment = Fragment::read(&fragment);
    if fragment.ufrag.is_some() && fragment.ufrag != resource.ufrag {
        let message = "ICE restarts are not supported; end this session and POST a new offer";
        return Err(ApiError::new("ice_restart", message));
    }
    // Full only if it is flooded; what it misses it learns from the viewer's own checks.
    let _ = resource.commands.try_send(Command::Candidates(fragment.candidates));
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The viewer leaves.
///
/// Answered once the session is gone and its seat is free.
#[utoipa::path(
    delete,
    operation_id = "whep_close",
    path = "/whep/{camera}/{session}",
    params(
        ("camera" = String, Path, description = "The camera's id"),
        ("session" = String, Path, description = "As `Location` has it"),
    ),
    responses(
        (status = 200, description = "The session is gone"),
        (status = 404, description = "`not_found`: it has ended already", body = ErrorAnswer),
    )
)]
pub(in crate::view) async fn close(
    State(whep): State<Whep>,
    Path((camera, session)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let commands = whep.session(&camera, &session)?.commands.clone();
    whep.sessions.remove(&session);
    // Answered once it is gone, so that its seat is free for whoever reads the answer.
    let _ = commands.send(Command::Close).await;
    commands.closed().await;
    Ok(StatusCode::OK)
}

/// The body, if it is of the one type that is understood here.
async fn text(headers: &HeaderMap, body: Body, wanted: &str) -> Result<String, ApiError> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|given| given.to_str().ok());
    let given = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !given.eq_ignore_ascii_case(wanted) {
        let message = format!("send the body as Content-Type: {wanted}");
        return Err(ApiError::new("unsupported_media_type", message));
    }
    let body = tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, MAX_BODY)).await;
    let body =
        body.map_err(|_| ApiError::new("timeout", "the body did not come within 10 s"))?.map_err(
            |_| ApiError::new("too_large", format!("the body has more than {MAX_BODY} bytes")),
        )?;
    // What is read of it is ASCII.
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn refused(error: OpenError) -> ApiError {
    match error {
        OpenError::Full(full) => ApiError::new("at_capacity", full.to_string()),
        OpenError::Crate(error) => {
            ApiError::new("bad_request", format!("the offer cannot be answered: {error}"))
        }
    }
}

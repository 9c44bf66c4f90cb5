//! `/whep/{camera}`: a camera's H.264 over WebRTC, as it comes (draft-ietf-wish-whep).
//!
//! Belongs here: the HTTP routes, and which sessions there are. Does not: a session's connection and
//! what is sent on it, which are in the files of their names.

mod offer;
mod packets;
mod session;
mod timeline;

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{patch, post},
};
use dashmap::DashMap;
use rand::distr::{Alphanumeric, SampleString as _};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    net::{
        ApiError, Id,
        webrtc::{OpenError, Port},
    },
    relay::{Camera, Codec, Format, Presence, Registry, Transport, VideoConsumer},
    view::absent,
};
use offer::{Fragment, Offer};
use session::{Command, Session};

/// Content types of the requests and of the answer (RFC 8840 section 9, RFC 8866 section 5).
const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// Longest body, in bytes. A browser's offer has about 6000.
const MAX_BODY: usize = 64 << 10;
/// For a body to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Sessions at a time. One of a 1080p camera takes about 1 % of a core.
const MAX_SESSIONS: usize = 1024;

/// Commands that may wait for a session.
const MAX_COMMANDS: usize = 8;

/// Letters of a session's name: over 140 bits, as knowing it is the right to end the session.
const NAME_LEN: usize = 24;

/// Longest wait for the first key frame of a camera that is connected to only now.
const VIDEO_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked meanwhile whether the camera has failed.
const LOOK: Duration = Duration::from_millis(100);

/// How a viewer wants its packets: one of its offer's payload types.
#[derive(Debug, Clone, PartialEq, Eq)]
struct CodecChoice {
    payload_type: u8,
    /// The parameters of the offer's `a=fmtp`.
    fmtp: String,
}

/// What the routes share. Cheap to clone.
#[derive(Clone)]
pub struct Whep {
    registry: Arc<Registry>,
    port: Arc<Port>,
    sessions: Arc<DashMap<String, Resource>>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl fmt::Debug for Whep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whep").field("sessions", &self.sessions.len()).finish_non_exhaustive()
    }
}

/// A session as its URL sees it.
#[derive(Debug)]
struct Resource {
    camera: String,
    /// Of the session's one ICE session.
    etag: String,
    /// Of the offer.
    ufrag: Option<String>,
    commands: mpsc::Sender<Command>,
}

impl Whep {
    /// Sessions go over `port`, and end when `shutdown` is cancelled.
    pub fn new(
        registry: Arc<Registry>,
        port: Arc<Port>,
        shutdown: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        Self { registry, port, sessions: Arc::default(), shutdown, tasks }
    }
}

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

/// The offer comes in, the answer goes out.
async fn open(
    State(whep): State<Whep>,
    Id(id): Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let sdp = text(&headers, body, SDP).await?;
    let camera = whep.registry.get(&id).ok_or_else(|| not_configured(&id))?;
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

/// Frees the session's entry, however its task ends.
struct Place {
    sessions: Arc<DashMap<String, Resource>>,
    name: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sessions.remove(&self.name);
    }
}

/// Waits until the camera has video that can be begun with.
async fn video(
    camera: &Camera,
    units: &mut VideoConsumer,
    shutdown: &CancellationToken,
) -> Result<Arc<Format>, ApiError> {
    let first = tokio::time::timeout(VIDEO_TIMEOUT, units.next());
    tokio::pin!(first);
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            biased;
            next = &mut first => return match next {
                Ok(Some(next)) => Ok(next.unit.format.clone()),
                Ok(None) => Err(not_configured(camera.id().as_str())),
                Err(_) => Err(absent::offline(camera)),
            },
            _ = look.tick() => {
                if let Some(error) = hopeless(camera) {
                    return Err(error);
                }
            }
            () = shutdown.cancelled() => {
                let message = "the server is shutting down; try again in some seconds";
                return Err(ApiError::new("draining", message));
            }
        }
    }
}

/// Why it makes no sense to wait for a camera's video, if it makes none.
fn hopeless(camera: &Camera) -> Option<ApiError> {
    match camera.presence() {
        Presence::Online { transport: Transport::Rtsp, .. } => None,
        Presence::Online { .. } => Some(absent::no_video(camera)),
        // One that nothing connects to comes only by itself.
        Presence::Offline { .. } => {
            let comes_by_itself = camera.link().status().is_none();
            (comes_by_itself || absent::has_failed(camera)).then(|| absent::offline(camera))
        }
    }
}

fn choose<'a>(offer: &'a Offer, format: &Format) -> Result<&'a CodecChoice, ApiError> {
    let video = &format.video;
    if video.codec != Codec::H264 {
        let message = format!("{} is not sent over WebRTC; the camera plays over HLS", video.codec);
        return Err(ApiError::new("unsupported_codec", message));
    }
    let profile = video.config.get(1).copied().unwrap_or_default();
    offer.h264(profile).ok_or_else(|| {
        let message = "the camera sends H.264, and the offer has none with packetization-mode=1";
        ApiError::new("unsupported_codec", message)
    })
}

/// Further addresses of the viewer.
async fn trickle(
    State(whep): State<Whep>,
    Path((camera, session)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let fragment = text(&headers, body, FRAGMENT).await?;
    let resource = whep.session(&camera, &session)?;
    match headers.get(header::IF_MATCH).map(HeaderValue::as_bytes) {
        None => {
            let message = "say which ICE session this is for: If-Match with the ETag of the answer";
            return Err(ApiError::new("precondition_required", message));
        }
        Some(b"*") => {}
        Some(etag) if etag == resource.etag.as_bytes() => {}
        Some(_) => {
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
async fn close(
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

impl Whep {
    fn session(
        &self,
        camera: &str,
        session: &str,
    ) -> Result<impl std::ops::Deref<Target = Resource>, ApiError> {
        let known = self.sessions.get(session).filter(|resource| resource.camera == camera);
        known.ok_or_else(|| {
            ApiError::new("not_found", "there is no such session; it may have ended already")
        })
    }
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
    String::from_utf8(body.into())
        .map_err(|_| ApiError::new("bad_request", "the body is not UTF-8"))
}

fn not_configured(id: &str) -> ApiError {
    let shown: String = id.chars().take(65).collect();
    let message = format!("camera not configured: {shown:?}; /api/cameras lists those there are");
    ApiError::new("unknown_camera", message)
}

fn refused(error: OpenError) -> ApiError {
    match error {
        OpenError::Full(full) => ApiError::new("at_capacity", full.to_string()),
        OpenError::Crate(error) => {
            ApiError::new("bad_request", format!("the offer cannot be answered: {error}"))
        }
    }
}

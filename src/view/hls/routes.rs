//! The HTTP routes of HLS: `/hls/{stream}/…`, and the same below `/api/cameras/{id}/stream/`.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, Method, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    muxer::Muxer,
    playlist::{self, Name},
    sessions,
    start::{not_yet, started},
    window::{Found, Window},
};
use crate::{
    net::{ApiError, Id, Peer, Query},
    relay::{AtCapacity, Camera, TICKS},
    view::{
        answers::{Binary, ErrorAnswer},
        rest::Rest,
    },
};

/// How many segments ahead of the newest may be asked for.
const MAX_AHEAD: u64 = 2;

const PLAYLIST: &str = "application/vnd.apple.mpegurl";
const VIDEO: &str = "video/mp4";
/// A playlist is of the moment.
const OF_THE_MOMENT: &str = "no-cache";
/// Names are never used twice, so what has one never changes.
const FOR_GOOD: &str = "max-age=3600, immutable";

/// The query of a media playlist.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MediaQuery {
    /// The viewer's token, which the master playlist gave them.
    session: Option<String>,
    /// Answer once this segment is there, or with `_HLS_part` that part of it.
    #[serde(rename = "_HLS_msn")]
    msn: Option<u64>,
    /// The part's place in its segment, from 0. Not without `_HLS_msn`.
    #[serde(rename = "_HLS_part")]
    part: Option<u64>,
}

/// A camera's video as HLS: the master playlist.
///
/// `stream` is `cam_` and the camera's id, or the id alone. The first request of a camera connects it and
/// waits up to 10 s for the first picture.
#[utoipa::path(
    get,
    operation_id = "hls_master",
    path = "/hls/{stream}/index.m3u8",
    params(("stream" = String, Path, description = "`cam_{id}` or `{id}`")),
    responses(
        (status = 200, description = "One variant, whose address has a token for this viewer",
            body = String, content_type = "application/vnd.apple.mpegurl"),
        (status = 400, description = "`bad_camera_id`", body = ErrorAnswer),
        (status = 404, description = "`unknown_camera`, `no_video`", body = ErrorAnswer),
        (status = 503, description = "`at_capacity`, `camera_offline`, `draining`", body = ErrorAnswer),
    )
)]
pub(in crate::view) async fn master(
    State(rest): State<Rest>,
    Id(stream): Id,
    client: Client,
) -> Result<Response, ApiError> {
    answer_master(&rest, stream_camera(&rest, &stream)?, client).await
}

/// The same, by the camera's id.
#[utoipa::path(
    get,
    operation_id = "hls_master_by_id",
    path = "/api/cameras/{id}/stream/playlist.m3u8",
    params(("id" = String, Path, description = "The camera's id")),
    responses(
        (status = 200, description = "As `/hls/{stream}/index.m3u8`", body = String,
            content_type = "application/vnd.apple.mpegurl"),
        (status = 400, description = "`bad_camera_id`", body = ErrorAnswer),
        (status = 404, description = "`unknown_camera`, `no_video`", body = ErrorAnswer),
        (status = 503, description = "`at_capacity`, `camera_offline`, `draining`", body = ErrorAnswer),
    )
)]
pub(in crate::view) async fn master_by_id(
    State(rest): State<Rest>,
    Id(id): Id,
    client: Client,
) -> Result<Response, ApiError> {
    answer_master(&rest, rest.camera(&id)?, client).await
}

/// A camera's media playlist.
///
/// Low-latency HLS: parts, blocking reload, preload hint.
#[utoipa::path(
    get,
    operation_id = "hls_media",
    path = "/hls/{stream}/media.m3u8",
    params(("stream" = String, Path, description = "`cam_{id}` or `{id}`"), MediaQuery),
    responses(
        (status = 200, description = "The newest segments and parts", body = String,
            content_type = "application/vnd.apple.mpegurl"),
        (status = 400, description = "`bad_camera_id`, `bad_request`: too far ahead", body = ErrorAnswer),
        (status = 404, description = "`unknown_camera`, `no_video`", body = ErrorAnswer),
        (status = 503, description = "`at_capacity`, `camera_offline`, `draining`", body = ErrorAnswer),
    )
)]
pub(in crate::view) async fn media(
    State(rest): State<Rest>,
    Id(stream): Id,
    Query(query): Query<MediaQuery>,
    client: Client,
) -> Result<Response, ApiError> {
    answer_media(&rest, stream_camera(&rest, &stream)?, query, client).await
}

/// The same, by the camera's id.
#[utoipa::path(
    get,
    operation_id = "hls_media_by_id",
    path = "/api/cameras/{id}/stream/media.m3u8",
    params(("id" = String, Path, description = "The camera's id"), MediaQuery),
    responses(
        (status = 200, description = "As `/hls/{stream}/media.m3u8`", body = String,
            content_type = "application/vnd.apple.mpegurl"),
        (status = 400, description = "`bad_camera_id`, `bad_request`: too far ahead", body = ErrorAnswer),
        (status = 404, description = "`unknown_camera`, `no_video`", body = ErrorAnswer),
        (status = 503, description = "`at_capacity`, `camera_offline`, `draining`", body = ErrorAnswer),
    )
)]
pub(in crate::view) async fn media_by_id(
    State(rest): State<Rest>,
    Id(id): Id,
    Query(query): Query<MediaQuery>,
    client: Client,
) -> Result<Response, ApiError> {
    answer_media(&rest, rest.camera(&id)?, query, client).await
}

/// A segment, a part, or an initialization section.
///
/// By the names that the media playlist gives. The part that comes next is answered when it is complete.
#[utoipa::path(
    get,
    operation_id = "hls_segment",
    path = "/hls/{stream}/segment/{name}",
    params(
        ("stream" = String, Path, description = "`cam_{id}` or `{id}`"),
        ("name" = String, Path, description = "From the media playlist"),
    ),
    responses(
        (status = 200, description = "Fragmented MP4", body = inline(Binary), content_type = "video/mp4"),
        (status = 400, description = "`bad_camera_id`", body = ErrorAnswer),
        (status = 404, description = "`unknown_camera`, `not_found`: no longer there, or never was",
            body = ErrorAnswer),
        (status = 503, description = "`camera_offline`, `draining`", body = ErrorAnswer),
    )
)]
pub(in crate::view) async fn segment(
    State(rest): State<Rest>,
    Path((stream, name)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    answer_segment(&rest, &stream_camera(&rest, &stream)?, &name).await
}

/// The same, by the camera's id.
#[utoipa::path(
    get,
    operation_id = "hls_segment_by_id",
    path = "/api/cameras/{id}/stream/segment/{name}",
    params(
        ("id" = String, Path, description = "The camera's id"),
        ("name" = String, Path, description = "From the media playlist"),
    ),
    responses(
        (status = 200, description = "Fragmented MP4", body = inline(Binary), content_type = "video/mp4"),
        (status = 400, description = "`bad_camera_id`", body = ErrorAnswer),
        (status = 404, description = "`unknown_camera`, `not_found`: no longer there, or never was",
            body = ErrorAnswer),
        (status = 503, description = "`camera_offline`, `draining`", body = ErrorAnswer),
    )
)]
pub(in crate::view) async fn segment_by_id(
    State(rest): State<Rest>,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    answer_segment(&rest, &rest.camera(&id)?, &name).await
}

/// `cam_2` is camera `2`, unless there is one whose id is `cam_2`.
fn stream_camera(rest: &Rest, stream: &str) -> Result<Arc<Camera>, ApiError> {
    let itself = rest.camera(stream);
    match stream.strip_prefix("cam_") {
        Some(id) if itself.is_err() => rest.camera(id),
        _ => itself,
    }
}

async fn answer_master(
    rest: &Rest,
    camera: Arc<Camera>,
    client: Client,
) -> Result<Response, ApiError> {
    let muxer = started(rest, &camera).await?;
    let token = if client.only_looks {
        String::from("none")
    } else {
        muxer.sessions.invite(&client.name).await.map_err(at_capacity)?
    };
    let text = muxer.look(|window| playlist::master(window, &token));
    Ok(found(PLAYLIST, OF_THE_MOMENT, text.into()))
}

async fn answer_media(
    rest: &Rest,
    camera: Arc<Camera>,
    query: MediaQuery,
    client: Client,
) -> Result<Response, ApiError> {
    let MediaQuery { session, msn, part } = query;
    if msn.is_none() && part.is_some() {
        return Err(bad("query parameter _HLS_part: not without _HLS_msn"));
    }
    let muxer = started(rest, &camera).await?;
    let pace = sessions::pace(target_s(&muxer), part.is_some());
    let asks = (!client.only_looks)
        .then(|| muxer.sessions.asks(session.as_deref(), &client.name, pace))
        .transpose();
    let _asking = asks.map_err(at_capacity)?;
    if let Some(msn) = msn {
        if muxer.look(|window| is_too_far(window, msn, part)) {
            return Err(bad("query parameter _HLS_msn, _HLS_part: too far ahead of the playlist"));
        }
        let is_there = |window: &Window| has(window, msn, part).then_some(());
        muxer.wait(patience(&muxer), is_there).await.map_err(|why| not_yet(&camera, why))?;
    }
    Ok(found(PLAYLIST, OF_THE_MOMENT, muxer.playlist()))
}

async fn answer_segment(
    rest: &Rest,
    camera: &Arc<Camera>,
    name: &str,
) -> Result<Response, ApiError> {
    let none = || {
        let message =
            "there is no such segment, or no longer; the media playlist names those there are";
        ApiError::new("not_found", message)
    };
    let name = Name::parse(name).ok_or_else(none)?;
    // Who has no playlist has no names either, so a segment is no reason to connect a camera.
    let muxer = rest.hls.existing(camera).ok_or_else(none)?;
    match name {
        Name::Init(number) => {
            let bytes = muxer.look(|window| window.init(number)).ok_or_else(none)?;
            Ok(found(VIDEO, FOR_GOOD, bytes))
        }
        Name::Segment(number) => {
            let parts = muxer.look(|window| window.segment(number)).ok_or_else(none)?;
            Ok(found_in_pieces(parts))
        }
        Name::Part(number) => {
            let part = |window: &Window| match window.part(number) {
                Found::Here(bytes) => Some(Some(bytes)),
                Found::No => Some(None),
                Found::Soon => None,
            };
            let bytes = muxer.wait(patience(&muxer), part).await;
            let bytes = bytes.map_err(|why| not_yet(camera, why))?.ok_or_else(none)?;
            Ok(found(VIDEO, FOR_GOOD, bytes))
        }
    }
}

fn at_capacity(error: AtCapacity) -> ApiError {
    ApiError::new(error.code(), error.to_string())
}

fn bad(message: &str) -> ApiError {
    ApiError::new("bad_request", message)
}

/// As long as the protocol lets a request wait: three target durations.
fn patience(muxer: &Muxer) -> Duration {
    Duration::from_secs(3 * u64::from(target_s(muxer)))
}

fn target_s(muxer: &Muxer) -> u32 {
    muxer.look(Window::targets).map_or(1, |targets| targets.segment_s)
}

/// Whether the playlist has this segment, or this part of it or a later one.
fn has(window: &Window, msn: u64, part: Option<u64>) -> bool {
    let (edge, parts) = window.edge();
    match part {
        None => msn < edge,
        // A part after a segment's last one is the next segment's first.
        Some(part) => {
            msn < edge && (msn + 1 < edge || parts > 0 || window.has_part(msn, part))
                || msn == edge && part < parts as u64
        }
    }
}

/// Whether it would be longer to wait for it than a client may.
fn is_too_far(window: &Window, msn: u64, part: Option<u64>) -> bool {
    let (edge, parts) = window.edge();
    let ahead = window.targets().map_or(0, |targets| 3 * TICKS / targets.part + 1).unsigned_abs();
    msn > edge.saturating_add(MAX_AHEAD)
        || msn >= edge && part.is_some_and(|part| part > parts as u64 + ahead)
}

fn found(kind: &'static str, cache: &'static str, body: Bytes) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)];
    (headers, body).into_response()
}

/// The parts one after the other, shared with everybody else.
fn found_in_pieces(parts: Vec<Bytes>) -> Response {
    let length: usize = parts.iter().map(Bytes::len).sum();
    let body = Body::from_stream(stream::iter(parts.into_iter().map(Ok::<_, Infallible>)));
    let headers = [(header::CONTENT_TYPE, VIDEO), (header::CACHE_CONTROL, FOR_GOOD)];
    let mut response = (headers, body).into_response();
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// Who asks.
#[derive(Debug)]
pub(in crate::view) struct Client {
    /// Address and program.
    name: String,
    /// By HEAD, for which nobody needs a seat.
    only_looks: bool,
}

/// Most bytes of a program's name that tell it from others.
const MAX_PROGRAM: usize = 200;

impl<S: Sync> axum::extract::FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        state: &S,
    ) -> Result<Self, Infallible> {
        let Peer(peer) = Peer::from_request_parts(parts, state).await?;
        let address = peer.map(|peer| peer.ip().to_string()).unwrap_or_default();
        let program = program(&parts.headers);
        let only_looks = parts.method == Method::HEAD;
        Ok(Self { name: format!("{address} {program}"), only_looks })
    }
}

fn program(headers: &HeaderMap) -> String {
    let program = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    program.unwrap_or_default().chars().take(MAX_PROGRAM).collect()
}

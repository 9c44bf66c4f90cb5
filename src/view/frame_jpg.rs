//! `/api/cameras/{id}/frame.jpg`: one picture: now, after another, some seconds ago, or by number.

use std::{str::FromStr, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Deserializer, de};
use utoipa::IntoParams;

use super::{
    answers::{Binary, ErrorAnswer, millis},
    links,
    quality::SizeQuery,
    rest::Rest,
};
use crate::{
    net::{ApiError, Id, Query, is_known},
    relay::{Camera, Frame, NotScaled, Quality, Rung},
};

/// How long `after` waits when the client does not say.
const DEFAULT_TIMEOUT_MS: u64 = 10_000;
/// Longest wait for `after`: below the patience of proxies, whose usual limit is 60 s.
const MAX_TIMEOUT_MS: u64 = 30_000;

/// Longest wait for a scaled picture, which takes some milliseconds when nobody else wants one.
const SCALE_TIMEOUT: Duration = Duration::from_secs(5);
/// A rung that somebody watches serves stills too, if it is at most this far behind the camera.
const GOOD_ENOUGH: Duration = Duration::from_millis(200);

/// The query of `frame.jpg`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FrameQuery {
    /// Refuse a picture that nothing has confirmed for longer than this, in milliseconds.
    max_age_ms: Option<u64>,
    /// Wait for a frame above this number. A number above the camera's own, from before the server
    /// was restarted, is answered with the newest frame at once.
    after: Option<u64>,
    /// How long `after` waits, in milliseconds.
    #[param(default = 10_000, maximum = 30_000)]
    timeout_ms: Option<u64>,
    /// The frame that was newest so long ago: `-3s`, `-1500ms`. Not together with `after` or
    /// `max_age_ms`.
    #[param(value_type = Option<String>, pattern = "^-[0-9]+(s|ms)$", example = "-3s")]
    #[serde(default, deserialize_with = "ago")]
    at: Option<Ago>,
    /// Exactly the frame with this number, as listed by `/frames`. Alone.
    seq: Option<u64>,
    /// The newest picture that is there, however old. Otherwise a camera that the server connects to on
    /// demand is connected now, and waited for up to 10 s.
    #[serde(default)]
    #[param(default = false)]
    stored: bool,
}

/// How far back from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ago(Duration);

impl FromStr for Ago {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let amount = |digits: &str| {
            // `parse` alone would take a second sign.
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            if plain { digits.parse::<u64>().ok() } else { None }
        };
        let text = text.strip_prefix('-').ok_or(Self::HELP)?;
        let ago = match text.strip_suffix("ms") {
            Some(ms) => amount(ms).map(Duration::from_millis),
            None => text.strip_suffix('s').and_then(amount).map(Duration::from_secs),
        };
        ago.map(Self).ok_or(Self::HELP)
    }
}

impl Ago {
    const HELP: &'static str = "use whole seconds or milliseconds ago, such as -3s or -1500ms";
}

fn ago<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Ago>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(de::Error::custom)
}

/// What the query asks for, once it makes sense.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Newest,
    After(u64, Duration),
    At(Duration),
    Numbered(u64),
}

impl FrameQuery {
    fn wish(&self) -> Result<Wish, ApiError> {
        let bad = |message: String| ApiError::new("bad_request", message);
        let timeout_ms = self.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS);
        if timeout_ms > MAX_TIMEOUT_MS {
            let message = format!("query parameter timeout_ms: at most {MAX_TIMEOUT_MS}");
            return Err(bad(message));
        }
        if let Some(seq) = self.seq {
            if self.at.is_some() || self.after.is_some() || self.max_age_ms.is_some() {
                let message = "query parameter seq: not together with at, after or max_age_ms";
                return Err(bad(message.to_owned()));
            }
            return Ok(Wish::Numbered(seq));
        }
        match (self.at, self.after) {
            (Some(_), _) if self.after.is_some() || self.max_age_ms.is_some() => {
                let message = "query parameter at: not together with after or max_age_ms";
                Err(bad(message.to_owned()))
            }
            (Some(Ago(ago)), _) => Ok(Wish::At(ago)),
            (None, Some(seq)) => Ok(Wish::After(seq, Duration::from_millis(timeout_ms))),
            (None, None) => Ok(Wish::Newest),
        }
    }
}

/// One picture.
///
/// The newest frame, unless the query says otherwise; exactly the publisher's bytes, unless it asks for
/// a smaller picture.
#[utoipa::path(
    get,
    operation_id = "get_frame",
    path = "/api/cameras/{id}/frame.jpg",
    params(
        ("id" = String, Path, description = "The camera's id"),
        FrameQuery,
        SizeQuery,
        ("If-None-Match" = Option<String>, Header, description = "An `ETag` of before"),
    ),
    responses(
        (
            status = 200, description = "The picture", body = inline(Binary),
            content_type = "image/jpeg",
            headers(
                ("ETag" = String, description = "Names these bytes, also after a restart"),
                ("X-Framecast-Seq" = u64, description = "The camera's number for the frame"),
                ("X-Framecast-Captured-Us" = u64,
                    description = "Unix microseconds: when it was taken; 0 if unknown"),
                ("X-Framecast-Received-Us" = u64,
                    description = "Unix microseconds: when it was complete at the server"),
                ("X-Framecast-Age-Ms" = u64,
                    description = "Milliseconds since then, or since the same bytes came again"),
            ),
        ),
        (status = 204, description = "`after`: no newer frame came in time"),
        (status = 304, description = "`If-None-Match` names the frame that would be sent"),
        (status = 400, description = "`bad_camera_id`, or `bad_request` for a query",
            body = ErrorAnswer),
        (status = 404, description = "`unknown_camera`, or `not_in_cache`: no frame of that time \
            or number, or none yet", body = ErrorAnswer),
        (status = 415, description = "`unsupported_codec`: a camera with H.265", body = ErrorAnswer),
        (status = 422, description = "`not_scaled`: the picture is broken", body = ErrorAnswer),
        (status = 503, description = "`stale`: older than `max_age_ms`; `busy`: too many pictures \
            to scale; `camera_offline`: it could not be connected to; `at_capacity`",
            body = ErrorAnswer),
    )
)]
pub(super) async fn frame(
    State(rest): State<Rest>,
    Id(id): Id,
    Query(query): Query<FrameQuery>,
    Query(size): Query<SizeQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let camera = rest.camera(&id)?;
    let quality = size.quality()?;
    let wish = query.wish()?;
    let (frame, age) = match wish {
        Wish::At(ago) => {
            let frame = camera.rewound(ago).ok_or_else(|| not_in_cache(&camera, ago))?;
            let age = rest.since_received(&frame);
            (frame, age)
        }
        Wish::Numbered(seq) => {
            let frame = camera.numbered(seq).ok_or_else(|| no_such_frame(&camera, seq))?;
            let age = rest.since_received(&frame);
            (frame, age)
        }
        wish => {
            if matches!(wish, Wish::Newest) && !query.stored {
                links::fresh(&rest, &camera).await?;
            }
            if let Wish::After(seq, patience) = wish {
                links::has_pictures(&camera)?;
                let _seat = links::seat(&camera)?;
                if !newer(&rest, &camera, seq, patience).await {
                    return Ok(StatusCode::NO_CONTENT.into_response());
                }
            }
            let newest = camera.latest().ok_or_else(|| {
                let connected =
                    if query.stored { None } else { links::nothing_yet(&rest, &camera) };
                connected.unwrap_or_else(|| no_frame_yet(&camera))
            })?;
            (Frame::clone(&newest), camera.age().unwrap_or_default())
        }
    };
    if query.max_age_ms.is_some_and(|most| millis(age) > most) {
        let message = format!("the newest frame of {id} is {} ms old", millis(age));
        return Err(ApiError::new("stale", message));
    }
    match quality {
        // Before it is made: who asks again and again for a picture that stays costs nothing.
        Quality::Rung(rung) if !is_known(&headers, &etag(&frame, quality)) => {
            let seq = frame.seq;
            let small = scaled(&camera, frame, rung, wish).await?;
            let age = if small.seq == seq { age } else { rest.since_received(&small) };
            Ok(answer(&small, quality, age, &headers))
        }
        _ => Ok(answer(&frame, quality, age, &headers)),
    }
}

/// A frame on a rung: the one that is made for viewers anyway, or one made for this request and those
/// that ask for the same.
async fn scaled(camera: &Camera, frame: Frame, rung: Rung, wish: Wish) -> Result<Frame, ApiError> {
    let after = match wish {
        Wish::Newest => Some(0),
        Wish::After(seq, _) => Some(seq.min(frame.seq - 1)),
        Wish::At(_) | Wish::Numbered(_) => None,
    };
    let shown = after.zip(camera.shown(rung)).map(|(after, shown)| {
        let behind = frame.received_at.saturating_duration_since(shown.received_at);
        (shown.seq > after && behind <= GOOD_ENOUGH).then(|| Frame::clone(&shown))
    });
    if let Some(shown) = shown.flatten() {
        return Ok(shown);
    }
    let made = tokio::time::timeout(SCALE_TIMEOUT, camera.scaled(&frame, rung)).await;
    made.unwrap_or(Err(NotScaled::Busy))
        .map_err(|error| ApiError::new(error.code(), error.to_string()))
}

/// Waits until the camera has a frame above `after`. False when none came within `patience`, or
/// before the server's end. Who waits counts as a viewer.
async fn newer(rest: &Rest, camera: &Arc<Camera>, after: u64, patience: Duration) -> bool {
    let _viewing = camera.viewing();
    let mut consumer = camera.consumer();
    let newest = camera.latest().map_or(0, |frame| frame.seq);
    // Above the newest it is a number of before a restart; those of now have begun anew.
    if after > newest && newest > 0 {
        return true;
    }
    consumer.skip_to(after.min(newest));
    tokio::select! {
        next = consumer.next() => next.is_some(),
        () = tokio::time::sleep(patience) => false,
        () = rest.shutdown.cancelled() => false,
    }
}

fn not_in_cache(camera: &Camera, ago: Duration) -> ApiError {
    let Some(oldest) = camera.oldest_seq() else { return no_frame_yet(camera) };
    let message = format!(
        "the cache of {} does not reach back {} ms; its oldest frame is {}, see /frames",
        camera.id(),
        millis(ago),
        oldest
    );
    ApiError::new("not_in_cache", message)
}

fn no_such_frame(camera: &Camera, seq: u64) -> ApiError {
    let Some(oldest) = camera.oldest_seq() else { return no_frame_yet(camera) };
    let newest = camera.latest().map_or(oldest, |frame| frame.seq);
    let message = format!(
        "frame {seq} of {} is not in the cache, which holds {oldest} to {newest}, see /frames",
        camera.id()
    );
    ApiError::new("not_in_cache", message)
}

fn no_frame_yet(camera: &Camera) -> ApiError {
    ApiError::new("not_in_cache", format!("camera {} has sent no frame yet", camera.id()))
}

/// The frame's bytes, shared with the cache, or 304 when the client has them.
fn answer(frame: &Frame, quality: Quality, age: Duration, request: &HeaderMap) -> Response {
    let etag = etag(frame, quality);
    let known = is_known(request, &etag);
    let (status, body) = if known {
        (StatusCode::NOT_MODIFIED, Body::empty())
    } else {
        (StatusCode::OK, Body::from(frame.jpeg()))
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    if !known {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
    }
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    for (name, value) in [
        ("x-framecast-seq", frame.seq),
        ("x-framecast-captured-us", frame.captured_us),
        ("x-framecast-received-us", frame.received_us),
        ("x-framecast-age-ms", millis(age)),
    ] {
        headers.insert(HeaderName::from_static(name), value.into());
    }
    response
}

/// A strong one (RFC 9110, 8.8.3). Numbers begin anew with the server, and with a camera that was
/// forgotten; the time of arrival tells those apart.
fn etag(frame: &Frame, quality: Quality) -> String {
    let size = match quality {
        Quality::Source => String::new(),
        Quality::Rung(rung) => format!("-{}", rung.name()),
    };
    format!("\"{:x}-{}{size}\"", frame.received_us, frame.seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_ago_is_whole_seconds_or_milliseconds() {
        assert_eq!("-3s".parse(), Ok(Ago(Duration::from_secs(3))));
        assert_eq!("-1500ms".parse(), Ok(Ago(Duration::from_millis(1500))));
        assert_eq!("-0s".parse(), Ok(Ago(Duration::ZERO)));
        let too_much = format!("-{}0s", u64::MAX);
        for bad in ["", "-", "-s", "3s", "-3", "--3s", "-+3s", "-3m", "-1.5s", "-3 s", &too_much] {
            assert_eq!(bad.parse::<Ago>(), Err(Ago::HELP), "{bad:?}");
        }
    }
}

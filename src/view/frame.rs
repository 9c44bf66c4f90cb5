//! One picture: `/api/cameras/{id}/frame.jpg`.
//!
//! Belongs here: which frame is meant, waiting for it, and its headers. Does not: streams.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use serde::{Deserialize, Deserializer, de::Error as _};
use utoipa::IntoParams;

use super::{View, millis};
use crate::{
    net::{ApiError, Id, Lifetime, Query},
    relay::{Camera, Frame},
};

/// How long `after` waits unless the viewer says otherwise.
const DEFAULT_TIMEOUT_MS: u64 = 10_000;
/// How long it waits at most: below the patience of common proxies.
const MAX_TIMEOUT_MS: u64 = 30_000;

/// Response headers that a page of another origin may read.
pub const EXPOSED: &str =
    "ETag, X-Framecast-Seq, X-Framecast-Captured-Us, X-Framecast-Received-Us, X-Framecast-Age-Ms";

const SEQ: HeaderName = HeaderName::from_static("x-framecast-seq");
const CAPTURED_US: HeaderName = HeaderName::from_static("x-framecast-captured-us");
const RECEIVED_US: HeaderName = HeaderName::from_static("x-framecast-received-us");
const AGE_MS: HeaderName = HeaderName::from_static("x-framecast-age-ms");

/// Which frame is wanted.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FrameQuery {
    /// Refuse a newest frame older than this, in milliseconds: 503 `stale`.
    max_age_ms: Option<u64>,
    /// Wait for a frame newer than this number. A number above the newest, as after a restart of the
    /// server, gets the newest at once.
    after: Option<u64>,
    /// How long `after` waits, in milliseconds; at most 30000.
    #[param(default = 10_000, maximum = 30_000)]
    timeout_ms: Option<u64>,
    /// The frame that was newest so long ago: `-3s`, `-1.5s` or `-1500ms`. Not with `after`.
    #[param(value_type = Option<String>, example = "-3s")]
    at: Option<Ago>,
}

/// A time before now, as `-3s` or `-1500ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ago(Duration);

impl Ago {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('-')?;
        let (number, unit) = match text.strip_suffix("ms") {
            Some(number) => (number, 1000.0),
            None => (text.strip_suffix('s')?, 1.0),
        };
        // f64 would also read "inf", "nan" and "1e9".
        let plain = number.starts_with(|c: char| c.is_ascii_digit())
            && number.chars().all(|c| c.is_ascii_digit() || c == '.');
        let number: f64 = number.parse().ok().filter(|_| plain)?;
        Duration::try_from_secs_f64(number / unit).ok().map(Self)
    }
}

impl<'de> Deserialize<'de> for Ago {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("expected a time such as -3s or -1500ms"))
    }
}

/// Hands out one picture.
#[utoipa::path(
    get, path = "/api/cameras/{id}/frame.jpg", tag = "frames",
    summary = "One picture, exactly the publisher's bytes",
    description = "The newest; or with `after`, the next; or with `at`, one of the last seconds. \
        `Cache-Control: no-store`; repeat cheaply with `If-None-Match`.",
    params(("id" = String, Path, description = "Camera id"), FrameQuery),
    responses(
        (status = 200, description = "The picture", body = Vec<u8>, content_type = "image/jpeg", headers(
            ("ETag" = String, description = "Names this frame"),
            ("X-Framecast-Seq" = u64, description = "The camera's frame number"),
            ("X-Framecast-Captured-Us" = u64, description = "Unix microseconds; 0 if unknown"),
            ("X-Framecast-Received-Us" = u64, description = "Unix microseconds"),
            ("X-Framecast-Age-Ms" = u64, description = "Milliseconds since it was received, or received again unchanged"),
        )),
        (status = 204, description = "`after`: nothing newer came in time"),
        (status = 304, description = "`If-None-Match` names this frame"),
        (status = 400, description = "`bad_request`: the message names the parameter"),
        (status = 404, description = "`unknown_camera`, `not_in_cache`"),
        (status = 503, description = "`stale`, `draining`"),
    ),
)]
pub async fn frame(
    State(view): State<View>,
    Id(id): Id,
    Query(query): Query<FrameQuery>,
    lifetime: Lifetime,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let camera = view.camera(&id)?;
    let (frame, age) = match (query.at, query.after) {
        (Some(_), Some(_)) => {
            let message = "query parameters at and after exclude each other";
            return Err(ApiError::new("bad_request", message));
        }
        (Some(Ago(ago)), None) => {
            let frame = camera.rewound(ago).ok_or_else(|| not_in_cache(&view, &id))?;
            let now = view.registry.clock().now();
            let age = now.saturating_duration_since(frame.received_at);
            (frame, age)
        }
        (None, after) => {
            let newest = match after {
                Some(after) => match wait(&camera, after, query.timeout_ms, &lifetime).await? {
                    Some(frame) => frame,
                    None => return Ok(nothing_newer()),
                },
                None => camera.latest().map(|latest| Frame::clone(&latest)).ok_or_else(|| {
                    ApiError::new("stale", format!("camera {id} has sent no frame yet"))
                })?,
            };
            let age = camera.age().unwrap_or_default();
            if let Some(max) = query.max_age_ms.filter(|&max| millis(age) > max) {
                let message = format!(
                    "the newest frame of camera {id} is {} ms old, over max_age_ms={max}",
                    millis(age)
                );
                return Err(ApiError::new("stale", message));
            }
            (newest, age)
        }
    };
    Ok(answer(&frame, age, &headers))
}

/// The newest frame after number `after`; `None` when none came in time.
async fn wait(
    camera: &Arc<Camera>,
    after: u64,
    timeout_ms: Option<u64>,
    lifetime: &Lifetime,
) -> Result<Option<Frame>, ApiError> {
    let mut consumer = camera.consumer();
    // A number not given out yet is of another run of the server.
    let newest = camera.latest().map_or(0, |latest| latest.seq);
    consumer.skip_to(if after > newest { 0 } else { after });
    let _viewing = camera.viewing();
    let patience = timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS).min(MAX_TIMEOUT_MS);
    tokio::select! {
        biased;
        next = tokio::time::timeout(Duration::from_millis(patience), consumer.next()) => match next {
            Ok(Some(next)) => Ok(Some(Frame::clone(&next.frame))),
            Ok(None) => Err(ApiError::unknown_camera(camera.id().as_str())),
            Err(_) => Ok(None),
        },
        () = lifetime.shutdown.cancelled() => {
            Err(ApiError::new("draining", "the server is shutting down"))
        }
    }
}

fn not_in_cache(view: &View, id: &str) -> ApiError {
    let seconds = view.registry.limits().cache_age.as_secs_f64();
    let message =
        format!("the cache of camera {id} does not reach back that far; it keeps {seconds} s");
    ApiError::new("not_in_cache", message)
}

fn nothing_newer() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn answer(frame: &Frame, age: Duration, asked: &HeaderMap) -> Response {
    // Numbers start again with the server; the time tells its runs apart.
    let tag = format!("\"{}-{:x}\"", frame.seq, frame.received_us);
    let unchanged = asked.get_all(header::IF_NONE_MATCH).iter().any(|it| matches(it, &tag));
    let body = if unchanged { Body::empty() } else { Body::from(frame.jpeg()) };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    if let Ok(tag) = tag.parse() {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(SEQ, frame.seq.into());
    headers.insert(CAPTURED_US, frame.captured_us.into());
    headers.insert(RECEIVED_US, frame.received_us.into());
    headers.insert(AGE_MS, millis(age).into());
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
    }
    response
}

/// Whether an `If-None-Match` names the tag (RFC 9110, 13.1.2: a weak comparison).
fn matches(header: &HeaderValue, tag: &str) -> bool {
    let Ok(list) = header.to_str() else { return false };
    list.split(',').map(str::trim).any(|it| it == "*" || it.trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_now_are_read_and_other_texts_are_not() {
        for (text, ms) in [("-3s", 3000), ("-1500ms", 1500), ("-1.5s", 1500), ("-0s", 0)] {
            assert_eq!(Ago::parse(text), Some(Ago(Duration::from_millis(ms))), "{text}");
        }
        let huge = format!("-{}s", "9".repeat(400));
        for text in [
            "", "-", "3s", "+3s", "-3", "-s", "-ms", "-.s", "--3s", "-1e9s", "-infs", "-nans",
            &huge,
        ] {
            assert_eq!(Ago::parse(text), None, "{text}");
        }
    }

    #[test]
    fn if_none_match_takes_lists_weak_tags_and_the_star() {
        for header in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*"] {
            assert!(matches(&HeaderValue::from_static(header), "\"a\""), "{header}");
        }
        assert!(!matches(&HeaderValue::from_static("\"b\""), "\"a\""));
    }
}

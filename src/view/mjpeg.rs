//! `/api/cameras/{id}/stream.mjpeg`: what every `<img>`, player and vision library can open.
//!
//! Belongs here: the multipart wrapping and one viewer's pace. Does not: sockets; the body is
//! pulled as the socket drains, and a viewer that stops reading is the listener's to drop.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::Notify;
use utoipa::IntoParams;

use super::View;
use crate::{
    net::{ApiError, Id, Lifetime, Query},
    relay::{Camera, Clock, Consumer, DropReason, Latest, Pacer, Viewing},
};

const CONTENT_TYPE: &str = "multipart/x-mixed-replace; boundary=framecast";
const FIRST_BOUNDARY: &[u8] = b"--framecast\r\n";
/// Stands right behind each picture: Chromium shows a part when it sees the next boundary, and
/// would always be one frame late otherwise.
const BOUNDARY: &[u8] = b"\r\n--framecast\r\n";

/// How the stream is wanted.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    /// Frames a second, above 0. Default and at most: the server's `--max-fps`.
    max_fps: Option<f64>,
}

/// Starts a stream.
#[utoipa::path(
    get, path = "/api/cameras/{id}/stream.mjpeg", tag = "frames",
    summary = "A stream for <img>, VLC, OpenCV, ffmpeg",
    description = "Starts with the newest frame and stays open while the camera is offline. A \
        viewer that cannot keep up skips frames; one that reads nothing for 30 s is dropped.",
    params(("id" = String, Path, description = "Camera id"), StreamQuery),
    responses(
        (status = 200, description = "Without end", body = Vec<u8>, content_type = "multipart/x-mixed-replace"),
        (status = 400, description = "`bad_request`: the message names the parameter"),
        (status = 404, description = "`unknown_camera`"),
        (status = 503, description = "`draining`"),
    ),
)]
pub async fn stream(
    State(view): State<View>,
    Id(id): Id,
    Query(query): Query<StreamQuery>,
    lifetime: Lifetime,
) -> Result<Response, ApiError> {
    let camera = view.camera(&id)?;
    if lifetime.shutdown.is_cancelled() {
        return Err(ApiError::new("draining", "the server is shutting down"));
    }
    let fps = query.max_fps.unwrap_or(view.max_fps);
    if !(fps.is_finite() && fps > 0.0) {
        let message = "query parameter max_fps: expected a number above 0";
        return Err(ApiError::new("bad_request", message));
    }
    let feed = Feed {
        consumer: camera.consumer(),
        _viewing: camera.viewing(),
        camera,
        pacer: Pacer::new(fps.min(view.max_fps)),
        clock: view.registry.clock(),
        gate: Arc::default(),
        lifetime,
        next: Next::Start,
    };
    let chunks = stream::unfold(feed, |mut feed| async {
        let chunk = feed.next().await?;
        Some((Ok::<_, Infallible>(chunk), feed))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would collect frames before it passes them on.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// One viewer's stream.
struct Feed {
    camera: Arc<Camera>,
    consumer: Consumer,
    _viewing: Viewing,
    pacer: Pacer,
    clock: Clock,
    gate: Arc<Gate>,
    lifetime: Lifetime,
    next: Next,
}

/// The chunk that is due.
enum Next {
    Start,
    Header,
    Jpeg(Arc<Latest>),
    Boundary,
}

impl Feed {
    async fn next(&mut self) -> Option<Bytes> {
        let (chunk, next) = match std::mem::replace(&mut self.next, Next::Header) {
            Next::Start => (Bytes::from_static(FIRST_BOUNDARY), Next::Header),
            Next::Header => {
                let shutdown = self.lifetime.shutdown.clone();
                let frame = tokio::select! {
                    frame = self.frame() => frame?,
                    () = shutdown.cancelled() => return None,
                };
                (header(&frame), Next::Jpeg(frame))
            }
            Next::Jpeg(frame) => (frame.jpeg(), Next::Boundary),
            Next::Boundary => (self.gate.close_behind(BOUNDARY), Next::Header),
        };
        self.next = next;
        Some(chunk)
    }

    /// The newest frame, as soon as the one before is on its way and the pace allows it. `None`
    /// when the camera is forgotten.
    async fn frame(&mut self) -> Option<Arc<Latest>> {
        self.gate.opened().await;
        let mut reason = DropReason::Behind;
        if let Some(due) = self.pacer.due_at(self.clock.now()) {
            reason = DropReason::Paced;
            tokio::time::sleep_until(due.into()).await;
        }
        let next = self.consumer.next().await?;
        if next.skipped > 0 {
            self.camera.count(reason, next.skipped);
        }
        self.pacer.sent(self.clock.now());
        Some(next.frame)
    }
}

fn header(frame: &Latest) -> Bytes {
    format!(
        "Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Framecast-Seq: {}\r\n\
         X-Framecast-Captured-Us: {}\r\nX-Framecast-Received-Us: {}\r\n\r\n",
        frame.jpeg_len(),
        frame.seq,
        frame.captured_us,
        frame.received_us,
    )
    .into()
}

/// Shut from the moment that a frame's last chunk is handed to the connection until the socket has
/// taken it. So at most one frame waits in user space, however much the connection would buffer
/// (hyper: 400 KB), and the next one is chosen as late as can be.
#[derive(Debug, Default)]
struct Gate {
    shut: AtomicBool,
    changed: Notify,
}

impl Gate {
    async fn opened(&self) {
        while self.shut.load(SeqCst) {
            // `notify_one` leaves a permit, so an opening in between is not missed.
            self.changed.notified().await;
        }
    }

    /// A chunk that shuts the gate until it is dropped.
    fn close_behind(self: &Arc<Self>, text: &'static [u8]) -> Bytes {
        self.shut.store(true, SeqCst);
        Bytes::from_owner(LastChunk { text, gate: self.clone() })
    }
}

struct LastChunk {
    text: &'static [u8],
    gate: Arc<Gate>,
}

impl AsRef<[u8]> for LastChunk {
    fn as_ref(&self) -> &[u8] {
        self.text
    }
}

impl Drop for LastChunk {
    fn drop(&mut self) {
        self.gate.shut.store(false, SeqCst);
        self.gate.changed.notify_one();
    }
}

#[cfg(test)]
#[path = "mjpeg_tests.rs"]
mod tests;

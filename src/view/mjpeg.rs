//! `/api/cameras/{id}/stream.mjpeg`: a camera as one endless answer, for `<img>`, VLC, OpenCV and
//! ffmpeg.
//!
//! Belongs here: parts and boundaries, and when the next part is due. Does not: sockets; a client
//! that reads nothing is dropped by `net`.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, Method, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;

use super::{
    answers::{Binary, ErrorAnswer},
    encodings, links,
    quality::SizeQuery,
    rest::Rest,
    sent::Sent,
};
use crate::{
    net::{ApiError, Id, Query},
    relay::{
        Camera, Clock, Consumer, DropReason, Frame, Latest, Next, Pacer, Presence, Quality, Seat,
        Watch,
    },
};

/// A client that got nothing for so long gets the newest picture once more, as one of a camera that shows
/// the same for long: OpenCV and VLC take a stream without bytes for a dead one after 30 s, and a framecast
/// that has it as its source after 5 s.
const AGAIN: Duration = Duration::from_secs(4);
/// A camera that the server connects to, and whose picture is older, shows something else by now.
const DEAD: Duration = Duration::from_secs(10);
/// Between looks whether a slow client has taken the part before.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// The same for one that takes long, so that thousands that read nothing cost next to nothing.
const LOOK_RARELY: Duration = Duration::from_millis(80);

/// How parts are laid out for one kind of client.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    /// Before the first picture, at once, so that the answer begins before there is one.
    start: &'static str,
    /// After each picture, at once.
    after: &'static str,
    /// Whether a part's header stands before its picture, with its length.
    sized: bool,
}

/// For programs: they read by `Content-Length`, and know a picture as whole by it.
const SIZED: Layout =
    Layout { start: "--framecast\r\n", after: "\r\n--framecast\r\n", sized: true };

/// For `<img>`: Chromium shows a part when it has read the *header* of the one after it (Blink,
/// `ImageResource::OnePartInMultipartReceived`), so that comes right behind the picture, before
/// anybody knows the next one's length. Otherwise a page would be a frame late, and the last change
/// of a still camera would never show. Browsers look for the boundary and need no length.
const FOR_PAGES: Layout = Layout {
    start: "--framecast\r\nContent-Type: image/jpeg\r\n\r\n",
    after: "\r\n--framecast\r\nContent-Type: image/jpeg\r\n\r\n",
    sized: false,
};

impl Layout {
    /// Browsers, and nobody else, ask for pictures in WebP.
    fn that_suits(request: &HeaderMap) -> &'static Self {
        let mut accepted = request.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok());
        if accepted.any(|accept| accept.contains("image/webp")) { &FOR_PAGES } else { &SIZED }
    }

    /// What stands before a picture, made once a frame.
    fn header(&self, frame: &Latest) -> Bytes {
        if self.sized {
            frame.encoded(encodings::PART_HEADER, part_header).clone()
        } else {
            Bytes::new()
        }
    }
}

fn part_header(frame: &Frame) -> Bytes {
    let header = format!(
        "Content-Type: image/jpeg\r\n\
         Content-Length: {}\r\n\
         X-Framecast-Seq: {}\r\n\
         X-Framecast-Captured-Us: {}\r\n\
         X-Framecast-Received-Us: {}\r\n\r\n",
        frame.jpeg_len(),
        frame.seq,
        frame.captured_us,
        frame.received_us
    );
    header.into()
}

const CONTENT_TYPE: &str = "multipart/x-mixed-replace; boundary=framecast";

/// The query of `stream.mjpeg`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    /// Most frames a second, above 0. Default and maximum: the server's, see `/api/info`.
    #[param(exclusive_minimum = 0)]
    max_fps: Option<f64>,
}

impl StreamQuery {
    fn fps(&self, max_fps: f64) -> Result<f64, ApiError> {
        match self.max_fps {
            None => Ok(max_fps),
            Some(fps) if fps > 0.0 && fps.is_finite() => Ok(fps.min(max_fps)),
            Some(fps) => {
                let message = format!("query parameter max_fps: {fps} is not a number above 0");
                Err(ApiError::new("bad_request", message))
            }
        }
    }
}

/// A camera as MJPEG.
///
/// The newest frame at once, however old, then each newer one as the client takes them; scaled, if the
/// query asks for it, for as long as somebody watches it so. A camera that the server connects to is
/// connected, and answers with its first picture of now: after some 10 s at most, else 503
/// `camera_offline`. The stream then stays open while the camera is offline, and ends with the server or
/// when the camera is forgotten. While the camera is online, a client that got nothing for 4 s gets the
/// newest part once more, header and all. A part has `Content-Length`, `X-Framecast-Seq`,
/// `X-Framecast-Captured-Us` and `X-Framecast-Received-Us`, but not for browsers (which `Accept`
/// `image/webp`): they show a picture when they have the header after it, which is therefore sent before
/// the next is known.
#[utoipa::path(
    get,
    operation_id = "stream_frames",
    path = "/api/cameras/{id}/stream.mjpeg",
    params(("id" = String, Path, description = "The camera's id"), StreamQuery, SizeQuery),
    responses(
        (status = 200, description = "One part a frame", body = inline(Binary),
            content_type = "multipart/x-mixed-replace"),
        (status = 400, description = "`bad_camera_id`, or `bad_request` for a query",
            body = ErrorAnswer),
        (status = 404, description = "`unknown_camera`", body = ErrorAnswer),
        (status = 415, description = "`unsupported_codec`: a camera with H.265", body = ErrorAnswer),
        (status = 503, description = "`camera_offline`: it could not be connected to; `at_capacity`, \
            `draining`", body = ErrorAnswer),
    )
)]
pub(super) async fn stream(
    State(rest): State<Rest>,
    method: Method,
    Id(id): Id,
    Query(query): Query<StreamQuery>,
    Query(size): Query<SizeQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let camera = rest.camera(&id)?;
    let fps = query.fps(rest.view.max_fps)?;
    let quality = size.quality()?;
    if rest.shutdown.is_cancelled() {
        return Err(Rest::draining());
    }
    let layout = Layout::that_suits(&headers);
    let start = stream::iter([Bytes::from_static(layout.start.as_bytes())]);
    links::has_pictures(&camera)?;
    // A page's `<img>` never asks again, so its stream begins at once and lasts; `HEAD` asks for no picture.
    let is_waiting = layout.sized && method != Method::HEAD;
    let waited = if is_waiting { links::fresh(&rest, &camera).await? } else { None };
    let (seat, first) = match waited {
        // Of a rung that others watch the newest picture may still be one of before.
        Some(seat) => (seat, camera.latest().map_or(0, |frame| frame.seq)),
        None => (links::seat(&camera)?, 0),
    };
    let mut parts = Parts { _seat: Some(seat), ..Parts::new(&rest, camera, quality, fps, layout) };
    parts.consumer.skip_to(first.saturating_sub(1));
    let parts = stream::unfold(parts, Parts::next);
    let pieces = parts.flat_map(|part| stream::iter(part.into_iter().filter(|p| !p.is_empty())));
    let body = Body::from_stream(start.chain(pieces).map(Ok::<_, Infallible>));
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response())
}

/// One client's stream.
struct Parts {
    camera: Arc<Camera>,
    consumer: Consumer,
    pacer: Pacer,
    /// What stands after each picture. Shared with HTTP until the kernel has taken it.
    after: Bytes,
    clock: Clock,
    shutdown: CancellationToken,
    sent: Sent,
    layout: &'static Layout,
    /// Goes off at [`AGAIN`] after some part, not always the newest: moving it costs more than looking.
    quiet: Pin<Box<Sleep>>,
    /// A part was sent.
    is_begun: bool,
    _watch: Watch,
    _seat: Option<Seat>,
}

impl Parts {
    fn new(
        rest: &Rest,
        camera: Arc<Camera>,
        quality: Quality,
        fps: f64,
        layout: &'static Layout,
    ) -> Self {
        let watch = camera.watch(quality);
        Self {
            consumer: watch.feed().consumer(),
            pacer: Pacer::new(fps),
            after: layout.after.to_owned().into(),
            clock: rest.view.registry.clock(),
            shutdown: rest.shutdown.clone(),
            sent: rest.sent.clone(),
            layout,
            quiet: Box::pin(tokio::time::sleep(AGAIN)),
            is_begun: false,
            _seat: None,
            camera,
            _watch: watch,
        }
    }

    /// Header, picture and the boundary after it, when the client can take them.
    async fn next(mut self) -> Option<([Bytes; 3], Self)> {
        let shutdown = self.shutdown.clone();
        let part = shutdown.run_until_cancelled(self.part()).await.flatten()?;
        Some((part, self))
    }

    async fn part(&mut self) -> Option<[Bytes; 3]> {
        self.taken().await;
        let frame = self.newest_due().await?;
        self.is_begun = true;
        let header = self.layout.header(&frame);
        self.sent.frame(header.len() + frame.jpeg_len() + self.after.len());
        Some([header, frame.jpeg(), self.after.clone()])
    }

    /// The newest frame after the one before, or that one again when it has stood for long; and whether it
    /// is new.
    async fn newest(&mut self) -> Option<(Next, bool)> {
        let mut due = tokio::time::Instant::now() + AGAIN;
        loop {
            tokio::select! {
                biased;
                next = self.consumer.next() => return next.map(|next| (next, true)),
                () = &mut self.quiet => {}
            }
            let now = tokio::time::Instant::now();
            if now >= due {
                if let Some(frame) = self.unchanged() {
                    return Some((Next { frame, skipped: 0 }, false));
                }
                // A camera that was only now connected to may turn out to have none.
                if !self.is_begun {
                    links::has_pictures(&self.camera).ok()?;
                }
                due = now + AGAIN;
            }
            self.quiet.as_mut().reset(due);
        }
    }

    /// The frame before, if it is what the camera shows now.
    fn unchanged(&mut self) -> Option<Arc<Latest>> {
        let Presence::Online { since_us, .. } = self.camera.presence() else { return None };
        let age = self.camera.age()?;
        // A camera may be online again before there is a picture of it, and what stands is of before.
        let online = Duration::from_micros(self.clock.unix_us().saturating_sub(since_us));
        // Of a source that the server reads, no news is no good news.
        let is_dead = age > DEAD && self.camera.link().watch().borrow().is_some();
        let is_shown = self.is_begun && age <= online && !is_dead;
        self.consumer.again().filter(|_| is_shown)
    }

    /// Waits until the kernel has taken all of the part before: one frame of a client waits in user
    /// space, so a slow client skips frames and never gets an old one.
    ///
    /// The bytes after a picture tell: nobody shares them any more. HTTP asks for more before it
    /// writes, and not again when it has written, hence the second look, and the later ones at a client
    /// whose socket is full. (An owner in the bytes that wakes when it is dropped costs an allocation a
    /// frame and client.)
    async fn taken(&self) {
        if self.after.is_unique() {
            return;
        }
        tokio::task::yield_now().await;
        let mut wait = LOOK_AGAIN;
        while !self.after.is_unique() {
            tokio::time::sleep(wait).await;
            wait = (2 * wait).min(LOOK_RARELY);
        }
    }

    /// As [`Self::newest`], once the pacer lets it go. Counts those left out.
    async fn newest_due(&mut self) -> Option<Arc<Latest>> {
        let (Next { mut frame, mut skipped }, is_new) = self.newest().await?;
        // Those that came while the client had not yet taken the part before.
        let mut reason = DropReason::Behind;
        if let Some(due) = self.pacer.due_at(self.now()) {
            // The client was in time; it is the pacer that holds a frame back.
            self.camera.count(reason, std::mem::take(&mut skipped));
            reason = DropReason::Paced;
            tokio::time::sleep_until(due.into()).await;
            if let Some(newer) = self.consumer.newer() {
                // One that would have gone again is none that was left out.
                skipped += newer.skipped + u64::from(is_new);
                frame = newer.frame;
            }
        }
        if skipped > 0 {
            self.camera.count(reason, skipped);
        }
        self.pacer.sent(self.now());
        Some(frame)
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }
}

#[cfg(test)]
#[path = "mjpeg_tests.rs"]
mod tests;

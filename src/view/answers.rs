//! What the REST routes answer, as JSON and as schemas.
//!
//! Belongs here: the shape of answers, field by field, with the words that the API's description
//! shows. Does not: how the figures come about (`relay`), or which route answers what.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, SchemaFormat, Type, schema::Schema},
};

use super::catalog::SourceAnswer;
use crate::{
    relay::{Codec, Frame, RungSnapshot, Snapshot, VideoSnapshot},
    store::catalog::Entry,
};

/// All cameras, in the order of their ids.
#[derive(Debug, Serialize, ToSchema)]
pub struct Cameras {
    /// Those known: configured, online, or offline and not yet forgotten.
    pub cameras: Vec<Camera>,
}

/// One camera and its figures at the moment of the request.
#[derive(Debug, Serialize, ToSchema)]
pub struct Camera {
    /// Its id, `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
    id: String,
    /// For people: the configured one, the publisher's, or the id.
    name: String,
    /// Whether somebody publishes it.
    online: bool,
    /// Unix microseconds: since when it is online or offline.
    since_us: u64,
    /// Why it is offline, in plain words; null while online.
    #[schema(value_type = Option<String>, required)]
    reason: Option<Arc<str>>,
    /// How frames come in: `webrtc`, `websocket`, `http`, `legacy`, `synthetic`, `rtsp` or `mjpeg`;
    /// null while offline.
    #[schema(required)]
    transport: Option<String>,
    /// Frames accepted since the server started.
    frames: u64,
    /// Frames a second over the last 2 s.
    fps: f64,
    /// JPEG bytes a second over the last 2 s.
    bytes_per_s: u64,
    /// Number of the newest frame; 0 before the first.
    seq: u64,
    /// Pixels, of the newest frame; null before the first.
    #[schema(required)]
    width: Option<u16>,
    /// Pixels, of the newest frame; null before the first.
    #[schema(required)]
    height: Option<u16>,
    /// Milliseconds since the newest frame, or the same bytes again; null before the first.
    #[schema(required)]
    age_ms: Option<u64>,
    /// Who watches now, over all doors.
    viewers: usize,
    /// The video that it brings, beside or instead of pictures; null while there is none.
    #[schema(required)]
    video: Option<Video>,
    /// What the cache holds.
    cache: Cache,
    /// Scaled pictures of it that somebody watches, or did in the last 15 s.
    rungs: Vec<Rung>,
    /// Frames dropped since the server started, by reason; reasons without any are left out.
    #[schema(value_type = BTreeMap<String, u64>)]
    drops: BTreeMap<&'static str, u64>,
    /// Where it hangs, for people; null if nobody said.
    #[schema(required)]
    location: Option<String>,
    /// Where its pictures come from; null if it is not configured.
    #[schema(required)]
    source: Option<SourceAnswer>,
    /// Whether it is connected only while watched; null if it is not configured.
    #[schema(required)]
    on_demand: Option<bool>,
    /// Most viewers at a time, 0 is no limit; null if it is not configured.
    #[schema(required)]
    max_viewers: Option<u32>,
    /// `tcp` or `udp`; null if it is not configured.
    #[schema(required)]
    rtsp_transport: Option<&'static str>,
    /// Pictures a second made of video; null if it is not configured.
    #[schema(required)]
    jpeg_fps: Option<f64>,
    /// A smaller picture of the same camera, without its password; null without one, and to those
    /// who may not set cameras up.
    #[schema(required)]
    substream_url: Option<String>,
}

/// What a camera's cache holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct Cache {
    /// Frames.
    frames: usize,
    /// Bytes of memory, with what each frame costs beside its picture.
    bytes: usize,
    /// Milliseconds between the oldest and the newest.
    span_ms: u64,
}

impl Camera {
    /// Figures, and what is configured, if anything is; addresses only with `details`.
    pub fn new(snapshot: Snapshot, entry: Option<&Entry>, details: bool) -> Self {
        // Taken apart whole, so that a figure added to the relay is not forgotten here.
        let Snapshot {
            id,
            name,
            online,
            since_us,
            reason,
            transport,
            frames,
            fps,
            bytes_per_s,
            seq,
            width,
            height,
            age_ms,
            viewers,
            video,
            cache,
            rungs,
            drops,
        } = snapshot;
        let transport = transport.map(|transport| transport.to_string());
        let cache = Cache { frames: cache.frames, bytes: cache.bytes, span_ms: cache.span_ms };
        let set = entry.map(|entry| &entry.settings);
        let substream = set.and_then(|set| set.substream.as_ref()).filter(|_| details);
        Self {
            id: id.to_string(),
            name,
            online,
            since_us,
            reason,
            transport,
            frames,
            fps,
            bytes_per_s,
            seq,
            width,
            height,
            age_ms,
            viewers,
            video: video.map(Video::from),
            cache,
            rungs: rungs.into_iter().map(Into::into).collect(),
            drops,
            location: set.and_then(|set| set.location.clone()),
            source: set.map(|set| SourceAnswer::new(set, details)),
            on_demand: set.map(|set| set.on_demand),
            max_viewers: set.map(|set| set.max_viewers),
            rtsp_transport: set.map(|set| set.rtsp_transport.name()),
            jpeg_fps: set.map(|set| set.jpeg_fps),
            substream_url: substream.map(|address| address.url.to_string()),
        }
    }
}

/// A camera's video.
#[derive(Debug, Serialize, ToSchema)]
pub struct Video {
    /// `h264` or `h265`.
    #[schema(value_type = String)]
    codec: Codec,
    /// Codec, profile and level as in RFC 6381, such as `avc1.64001f`.
    codecs: String,
    /// Pixels.
    width: u16,
    /// Pixels.
    height: u16,
    /// The sound's codec as in RFC 6381; null where there is none that can be passed on.
    #[schema(required)]
    audio: Option<String>,
    /// Pictures a second over the last 2 s.
    fps: f64,
    /// Bits a second over the last 2 s, of the pictures.
    bitrate: u64,
    /// Milliseconds between the two newest key frames; null before the second.
    #[schema(required)]
    key_interval_ms: Option<i64>,
    /// Milliseconds since the newest picture came; null before the first.
    #[schema(required)]
    age_ms: Option<u64>,
    /// How often the camera was connected to anew, or changed its format.
    generation: u64,
    /// Outputs that read it: one for HLS however many watch, one for each WebRTC viewer, one that makes
    /// pictures of it.
    viewers: usize,
}

impl From<VideoSnapshot> for Video {
    fn from(snapshot: VideoSnapshot) -> Self {
        let VideoSnapshot {
            codec,
            codecs,
            width,
            height,
            audio,
            fps,
            bitrate,
            key_interval_ms,
            age_ms,
            generation,
            viewers,
        } = snapshot;
        Self {
            codec,
            codecs,
            width,
            height,
            audio,
            fps,
            bitrate,
            key_interval_ms,
            age_ms,
            generation,
            viewers,
        }
    }
}

/// A size that a camera's pictures are scaled to while somebody watches it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rung {
    /// `low`, `medium`, `high`, or its width.
    rung: &'static str,
    /// Pixels across. A narrower source is passed on as it is.
    width: u16,
    /// Who watches it now.
    viewers: usize,
    /// Frames since its first viewer came.
    frames: u64,
    /// Pictures that could not be scaled, and are missing here.
    failed: u64,
    /// Frames a second over the last 2 s.
    fps: f64,
    /// What `fps` should be: the camera's, or the rung's own limit.
    due_fps: f64,
    /// JPEG bytes a second over the last 2 s.
    bytes_per_s: u64,
    /// Milliseconds of work a frame, smoothed; 0 where frames are passed on as they are.
    encode_ms: f64,
    /// Whether `fps` is below `due_fps`, as the work would take more than `--media-cpu` allows.
    lowered: bool,
}

impl From<RungSnapshot> for Rung {
    fn from(snapshot: RungSnapshot) -> Self {
        let RungSnapshot {
            rung,
            width,
            viewers,
            frames,
            failed,
            fps,
            due_fps,
            bytes_per_s,
            encode_ms,
            lowered,
        } = snapshot;
        Self { rung, width, viewers, frames, failed, fps, due_fps, bytes_per_s, encode_ms, lowered }
    }
}

/// What a camera's cache holds, frame by frame.
#[derive(Debug, Serialize, ToSchema)]
pub struct CachedFrames {
    /// The camera's id.
    pub camera: String,
    /// Milliseconds after which a frame leaves the cache, or sooner where there is no room; the newest
    /// one stays.
    pub max_age_ms: u64,
    /// Oldest first.
    pub frames: Vec<CachedFrame>,
}

/// A frame of the cache.
#[derive(Debug, Serialize, ToSchema)]
pub struct CachedFrame {
    /// The camera's number for it, growing by 1 a frame.
    seq: u64,
    /// Unix microseconds: when the picture was taken; 0 if unknown.
    captured_us: u64,
    /// Unix microseconds: when the frame was complete at the server.
    received_us: u64,
    /// Milliseconds since then: what `at` of `frame.jpg` takes.
    age_ms: u64,
    /// Pixels.
    width: u16,
    /// Pixels.
    height: u16,
    /// Bytes of the JPEG.
    size: usize,
}

impl CachedFrame {
    /// Describes a frame as seen at `now`.
    pub fn new(frame: &Frame, now: Instant) -> Self {
        Self {
            seq: frame.seq,
            captured_us: frame.captured_us,
            received_us: frame.received_us,
            age_ms: millis(now.saturating_duration_since(frame.received_at)),
            width: frame.width,
            height: frame.height,
            size: frame.jpeg_len(),
        }
    }
}

/// The counters of server and cameras.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stats {
    /// The server's.
    #[schema(value_type = Server)]
    pub server: Value,
    /// Every camera's, in the order of their ids.
    pub cameras: Vec<Camera>,
}

/// The server's figures.
#[derive(Debug, Serialize, ToSchema)]
pub struct Server {
    /// The server's version.
    pub version: &'static str,
    /// Seconds since the server started.
    pub uptime_s: u64,
    /// How many cameras are known and how many of them online.
    pub cameras: CameraCounts,
    /// Who watches, summed over the cameras.
    pub viewers: usize,
    /// Frames accepted since the start, from cameras still known.
    pub frames: u64,
    /// All caches together, and their bounds.
    pub cache: Caches,
    /// Frames dropped since the start, by reason, summed over the cameras still known.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub drops: BTreeMap<&'static str, u64>,
    /// Figures of further parts. One with a name from above stands in its place.
    #[serde(flatten)]
    #[schema(value_type = BTreeMap<String, Value>)]
    pub further: Map<String, Value>,
}

/// Cameras by their presence.
#[derive(Debug, Serialize, ToSchema)]
pub struct CameraCounts {
    /// Those that somebody publishes.
    pub online: usize,
    /// Those and the offline ones not yet forgotten.
    pub known: usize,
    /// Most that may be known at a time.
    pub max: usize,
}

/// The caches of all cameras.
#[derive(Debug, Serialize, ToSchema)]
pub struct Caches {
    /// Bytes held by all cameras.
    pub bytes: usize,
    /// Most bytes for all together.
    pub max_bytes: usize,
    /// Most bytes for one camera.
    pub max_camera_bytes: usize,
    /// How far back a camera's cache reaches, in milliseconds.
    pub max_age_ms: u64,
}

/// What a page has to know of the server.
#[derive(Debug, Serialize, ToSchema)]
pub struct Info {
    /// The server's version.
    pub version: &'static str,
    /// TCP port that publishers connect to, on this same host.
    pub ingest_port: u16,
    /// `HOST:PORT`s by which other machines reach the ingest port, best first: those of
    /// `--ice-candidate`, else this machine's. Empty while it listens on a loopback address.
    pub ingest_addresses: Vec<String>,
    /// Most frames a second for one viewer and camera.
    pub max_fps: f64,
    /// Whether who asks may set cameras up.
    pub manage: bool,
}

/// Any error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorAnswer {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// Stable, for programs.
    pub code: String,
    /// What to do, for people.
    pub message: String,
}

/// A body that is not text, in descriptions; there is never one of this type.
#[derive(Debug)]
pub enum Binary {}

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }
}

impl ToSchema for Binary {}

/// Whole milliseconds.
pub(super) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

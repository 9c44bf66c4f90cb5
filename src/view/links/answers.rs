//! What the API says of a camera's connection. The comments are the OpenAPI descriptions too.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    relay::{Camera, Codec, Failure, Found, LinkState, Snapshot, Transport},
    wire::iso8601,
};

/// Whether a camera is streaming.
#[derive(Debug, Serialize, ToSchema)]
pub struct StreamStatus {
    /// The camera's id.
    camera_id: String,
    /// Whether pictures come from it.
    streaming: bool,
    /// Where to watch it: an HLS playlist, or MJPEG for what has no video.
    stream_url: String,
    /// `standby` (connects when somebody watches), `connecting`, `streaming`, `waiting` (to try again)
    /// or `stopped`; `pushed` for one that the server does not connect to.
    state: &'static str,
    /// Why the newest attempt failed or broke off, in plain words; null while it streams.
    #[schema(required)]
    last_error: Option<String>,
}

impl StreamStatus {
    /// As it is now.
    pub fn new(camera: &Camera) -> Self {
        let Snapshot { id, online, transport, video, .. } = camera.snapshot();
        let status = camera.link().status();
        let pictures =
            transport == Some(Transport::Mjpeg) || video.is_none() && (online || status.is_none());
        let stream_url = if pictures {
            format!("/api/cameras/{id}/stream.mjpeg")
        } else {
            format!("/hls/cam_{id}/index.m3u8")
        };
        let last_error = status.as_ref().and_then(|status| status.last_error.as_ref());
        Self {
            camera_id: id.to_string(),
            streaming: online,
            stream_url,
            state: status.as_ref().map_or(PUSHED, |status| name(status.state)),
            last_error: last_error.map(|error| error.message.clone()),
        }
    }
}

const PUSHED: &str = "pushed";

fn name(state: LinkState) -> &'static str {
    match state {
        LinkState::Standby => "standby",
        LinkState::Connecting => "connecting",
        LinkState::Streaming => "streaming",
        LinkState::Waiting => "waiting",
        LinkState::Stopped => "stopped",
    }
}

fn codec_name(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "h264",
        Codec::H265 => "h265",
    }
}

/// How well a camera is streaming.
#[derive(Debug, Serialize, ToSchema)]
pub struct StreamHealth {
    /// The camera's id.
    camera_id: String,
    /// Whether pictures come from it.
    is_active: bool,
    /// Seconds since the newest picture came; null before the first.
    #[schema(required)]
    last_segment_age: Option<f64>,
    /// Connections after the first, since the server started or the camera was set up.
    reconnect_count: u64,
    /// `h264`, `h265` or `mjpeg`; null while it is not connected.
    #[schema(required)]
    codec: Option<&'static str>,
    /// Pixels; null while it is not known.
    #[schema(required)]
    width: Option<u16>,
    /// Pixels; null while it is not known.
    #[schema(required)]
    height: Option<u16>,
    /// Pictures a second over the last 2 s.
    fps: f64,
    /// Bits a second over the last 2 s.
    bitrate: u64,
    /// Who watches now, whatever the output.
    viewers: usize,
    /// As in the stream's status.
    state: &'static str,
    /// Why the newest attempt failed or broke off, in plain words; null while it streams.
    #[schema(required)]
    last_error: Option<String>,
    /// The same for programs, such as `unauthorized`.
    #[schema(required)]
    last_error_code: Option<&'static str>,
    /// When it is tried again, ISO 8601 in UTC; null while it does not wait for that.
    #[schema(required)]
    next_retry_at: Option<String>,
}

impl StreamHealth {
    /// As it is now.
    pub fn new(camera: &Camera) -> Self {
        let snapshot = camera.snapshot();
        let status = camera.link().status();
        let status = status.as_ref();
        let error = status.and_then(|status| status.last_error.as_ref());
        let video = snapshot.video.as_ref();
        let codec = video.map(|video| codec_name(video.codec));
        let age_ms = video.map_or(snapshot.age_ms, |video| video.age_ms);
        let retry = status.and_then(|status| status.next_retry_us);
        Self {
            camera_id: snapshot.id.to_string(),
            is_active: snapshot.online,
            last_segment_age: age_ms.map(|age| age as f64 / 1000.0),
            reconnect_count: status.map_or(0, |status| status.reconnects),
            codec: codec.or(snapshot.online.then_some("mjpeg")),
            width: video.map(|video| video.width).or(snapshot.width),
            height: video.map(|video| video.height).or(snapshot.height),
            fps: video.map_or(snapshot.fps, |video| video.fps),
            bitrate: video.map_or(snapshot.bytes_per_s * 8, |video| video.bitrate),
            viewers: snapshot.viewers.max(camera.seats_taken() as usize),
            state: status.map_or(PUSHED, |status| name(status.state)),
            last_error: error.map(|error| error.message.clone()),
            last_error_code: error.map(|error| error.code),
            next_retry_at: retry.map(|us| iso8601::format_ms(us / 1000)),
        }
    }
}

/// What a trial of a source found, or why it did not work.
#[derive(Debug, Serialize, ToSchema)]
pub struct Trial {
    /// Whether a picture came.
    ok: bool,
    /// What was found, if one came.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<TrialFound>,
    /// Why none came.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<TrialError>,
}

/// What a source sends.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialFound {
    /// `h264`, `h265` or `mjpeg`.
    codec: &'static str,
    /// As in RFC 6381, such as `avc1.64001f`; null for MJPEG.
    #[schema(required)]
    codecs: Option<String>,
    /// Pixels.
    width: u16,
    /// Pixels.
    height: u16,
    /// Pictures a second, as far as two seconds tell.
    fps: f64,
    /// The sound's codec as in RFC 6381; null where there is none that can be passed on.
    #[schema(required)]
    audio: Option<String>,
    /// Milliseconds to the first picture.
    took_ms: u64,
}

/// Why a source does not work.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialError {
    /// `refused`, `unreachable`, `timeout`, `unauthorized`, `untrusted`, `not_found`,
    /// `unsupported_codec`, `unsupported`, `refused_source`, `ended`, `stalled`, `bad_stream` or `busy`.
    code: &'static str,
    /// What it is and what to do, in plain words.
    message: String,
    /// Of a certificate that is not trusted: its SHA-256, to be compared with the camera's and set.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_fingerprint: Option<String>,
}

impl Trial {
    /// As the relay has it.
    pub fn new(found: Result<Found, Failure>) -> Self {
        match found {
            Ok(found) => {
                let Found { codec, codecs, width, height, fps_tenths, audio, took_ms } = found;
                let fps = f64::from(fps_tenths) / 10.0;
                let found = TrialFound { codec, codecs, width, height, fps, audio, took_ms };
                Self { ok: true, found: Some(found), error: None }
            }
            Err(Failure { code, message, fingerprint }) => {
                let tls_fingerprint = fingerprint.map(|fingerprint| fingerprint.to_string());
                let error = TrialError { code, message, tls_fingerprint };
                Self { ok: false, found: None, error: Some(error) }
            }
        }
    }
}

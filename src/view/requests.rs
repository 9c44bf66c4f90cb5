//! Bodies of requests as schemas.
//!
//! Belongs here: what the API's description says of them. Does not: reading them, which
//! `catalog::body` does by hand, so that no error repeats a password. There is never a value of
//! these types.

use utoipa::ToSchema;

/// A camera to configure.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct NewCamera {
    /// Its id, `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`; a whole number is taken as text.
    id: String,
    #[serde(flatten)]
    settings: CameraPatch,
}

/// What can be set of a camera. Null is the default.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct CameraPatch {
    /// For people, at most 80 characters.
    name: Option<String>,
    /// Where it hangs, at most 80 characters.
    location: Option<String>,
    /// Where its pictures come from. Default: whoever publishes under its id.
    source: Option<SourcePatch>,
    /// Connected only while somebody watches. Default true.
    on_demand: Option<bool>,
    /// Most viewers at a time; 0, the default, is no limit.
    max_viewers: Option<u32>,
    /// `tcp`, the default, or `udp`; for `rtsps://` only `tcp`.
    rtsp_transport: Option<String>,
    /// Pictures a second made of video, 0.1 to 60. Default 5.
    jpeg_fps: Option<f64>,
    /// The same camera in a smaller size. Kept; nothing connects to it today. Without `user:password@` it has those of the source, if
    /// it is on the same host and port.
    substream_url: Option<String>,
}

/// A source: `url`, or `host`, `port` and `path`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct SourcePatch {
    /// `push`, `rtsp` or `mjpeg`.
    #[schema(rename = "type")]
    kind: Option<String>,
    /// `rtsp://` or `rtsps://`; for MJPEG `http://` or `https://`. May hold `user:password@`.
    url: Option<String>,
    /// A name or an address.
    host: Option<String>,
    /// Default 554.
    port: Option<u16>,
    /// Path and query. Default `/stream1`.
    path: Option<String>,
    /// Who logs in.
    username: Option<String>,
    /// With what. Never shown again.
    #[schema(write_only)]
    password: Option<String>,
    /// For `rtsps://` and `https://`: SHA-256 of the camera's certificate, 64 hexadecimal digits with
    /// colons or without. It is then the only one that is trusted; without, those that the system trusts.
    tls_fingerprint: Option<String>,
}

/// A camera to provision.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct ProvisionRequest {
    /// Its id; a whole number is taken as text.
    camera_id: String,
    /// `rtsp://USER:PASSWORD@HOST:PORT/PATH`.
    rtsp_url: String,
    /// For people.
    name: Option<String>,
}

/// What is to be used in place of the configured address.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct StreamStart {
    /// Another port of the same host.
    rtsp_port: Option<u16>,
    /// Another path.
    rtsp_path: Option<String>,
    /// Another user.
    rtsp_username: Option<String>,
    /// Another password. Never shown again.
    #[schema(write_only)]
    rtsp_password: Option<String>,
}

/// A source to try out, as it would be configured.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct TrialRequest {
    /// Of a configured camera, whose settings stand in for what is left out.
    id: Option<String>,
    /// What to connect to.
    #[serde(flatten)]
    settings: CameraPatch,
}

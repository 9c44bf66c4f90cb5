//! What the API says of what is configured: the source of a camera, presets, and provisioning.

use serde::Serialize;
use utoipa::ToSchema;

use crate::store::catalog::{Preset, Settings};

/// Where a camera's pictures come from. Who may not set cameras up sees only the type. The password
/// is never shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Source)]
pub struct SourceAnswer {
    /// `push`, `rtsp` or `mjpeg`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The whole address; secrets in it stand as `***`.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Of the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// Of the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    /// Of the address, with the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// Who logs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// Whether a password is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    has_password: Option<bool>,
    /// SHA-256 of the one certificate that is trusted, as `AB:CD:…`, if one was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_fingerprint: Option<String>,
}

impl SourceAnswer {
    /// Address and user only with `details`.
    pub fn new(settings: &Settings, details: bool) -> Self {
        let address = settings.source.address().filter(|_| details);
        Self {
            kind: settings.source.kind(),
            url: address.map(|address| address.url.to_string()),
            host: address.map(|address| address.url.host.clone()),
            port: address.map(|address| address.url.port),
            path: address.map(|address| address.url.path.clone()),
            username: address.and_then(|address| address.username.clone()),
            has_password: address.map(|address| address.password.is_some()),
            tls_fingerprint: address
                .and_then(|address| address.fingerprint)
                .map(|fingerprint| fingerprint.to_string()),
        }
    }
}

/// Common layouts of camera addresses.
#[derive(Debug, Serialize, ToSchema)]
pub struct Presets {
    /// The most common first.
    pub presets: Vec<Preset>,
}

/// What provisioning answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Provisioned {
    /// Always true; errors have a status and a code.
    pub success: bool,
    /// `cam_` and the camera's id.
    pub stream_path: String,
    /// Where its HLS playlist is.
    pub hls_url: String,
}

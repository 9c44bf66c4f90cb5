//! Sources that are connected to otherwise than the catalog says: trials and overrides.

use serde_json::{Map, Value};

use super::{
    super::rest::Rest,
    body, camera_id,
    fields::{Fields, bad},
    not_configured,
};
use crate::{
    net::ApiError,
    relay::{Overrides, Source},
    store::catalog::{CatalogError, Entry},
    wire::{Secret, source_url::SourceUrl},
};

/// What can be overridden.
const OVERRIDES: [&str; 4] = ["rtsp_port", "rtsp_path", "rtsp_username", "rtsp_password"];

/// Reads what is to be used in place of the configured address.
pub(in super::super) fn stream_overrides(body: &Map<String, Value>) -> Result<Overrides, ApiError> {
    let fields = Fields::new(body, "", &OVERRIDES)?;
    let port = fields.integer("rtsp_port", 1..=65_535)?.value();
    let path = fields.text("rtsp_path")?.value().map(SourceUrl::path).transpose();
    let path = path.map_err(|error| bad(format!("rtsp_path: {error}")))?.map(|(shown, secret)| {
        let sent = secret.unwrap_or_else(|| Secret::new(shown.clone()));
        (shown, sent)
    });
    let text = |name| -> Result<Option<String>, ApiError> {
        let text = fields.text(name)?.value().filter(|text| !text.is_empty());
        match text {
            Some(text) if text.chars().any(char::is_control) || text.len() > 256 => {
                Err(bad(format!("{name} must be a text of at most 256 bytes on one line")))
            }
            text => Ok(text.map(str::to_owned)),
        }
    };
    Ok(Overrides {
        port: port.and_then(|port| port.try_into().ok()),
        path,
        username: text("rtsp_username")?,
        password: text("rtsp_password")?.map(Secret::new),
    })
}

/// The source that a body is about: that of the camera with its `id`, with what else it says. `None`
/// for one that is pushed.
pub(in super::super) fn trial_settings(
    rest: &Rest,
    body: &Map<String, Value>,
) -> Result<Option<Source>, ApiError> {
    let id = Fields::lenient(body).id("id")?.map(|id| camera_id(&id)).transpose()?;
    let catalog = rest.setup.catalog()?;
    let entry = id.as_ref().and_then(|id| catalog.get(id.as_str()));
    if let (Some(id), None, false) = (&id, &entry, body.contains_key("source")) {
        // One that is only published has nothing to try.
        return match rest.camera(id.as_str()) {
            Ok(_) => Ok(None),
            Err(_) => Err(not_configured(id)),
        };
    }
    let before = entry.as_ref().map(|entry| &entry.settings);
    let settings = body::settings(body, before, &rest.setup.guard)?;
    // Passwords are kept for a camera's id.
    let id = id.map_or_else(|| camera_id("new"), Ok)?;
    let tried = Entry { id, settings, created_us: 0, updated_us: 0 };
    catalog.source(&tried).map_err(|error| ApiError::from(CatalogError::from(error)))
}

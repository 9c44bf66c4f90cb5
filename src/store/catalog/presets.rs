//! Where makers of cameras keep their streams, to fill in a form.

use serde::Serialize;
use utoipa::ToSchema;

/// A common layout of a camera's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Preset {
    /// For programs.
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// Kind of source, as `source.type` has it.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its usual port.
    pub port: u16,
    /// Path and query of the whole picture.
    pub path: &'static str,
    /// Path and query of a smaller one; null where it has none or none is known.
    #[schema(required)]
    pub substream_path: Option<&'static str>,
}

/// Those known, the most common first.
pub const PRESETS: [Preset; 6] = [
    rtsp("hikvision", "Hikvision", "/Streaming/Channels/1", Some("/Streaming/Channels/102")),
    rtsp(
        "dahua",
        "Dahua",
        "/cam/realmonitor?channel=1&subtype=0",
        Some("/cam/realmonitor?channel=1&subtype=1"),
    ),
    rtsp("axis", "Axis", "/axis-media/media.amp", Some("/axis-media/media.amp?resolution=640x360")),
    rtsp("generic", "Other: /stream1", "/stream1", Some("/stream2")),
    rtsp("generic-live", "Other: /live", "/live", None),
    rtsp("generic-video", "Other: /video", "/video", None),
];

const fn rtsp(
    id: &'static str,
    name: &'static str,
    path: &'static str,
    substream_path: Option<&'static str>,
) -> Preset {
    Preset { id, name, kind: "rtsp", port: 554, path, substream_path }
}

#[cfg(test)]
mod tests {
    use crate::wire::source_url::SourceUrl;

    use super::*;

    #[test]
    fn every_preset_makes_an_address() {
        for preset in PRESETS {
            for path in [Some(preset.path), preset.substream_path].into_iter().flatten() {
                let text = format!("{}://192.0.2.7:{}{path}", preset.kind, preset.port);
                assert_eq!(SourceUrl::parse(&text).unwrap().url.to_string(), text);
            }
        }
    }
}

//! Text messages of the streaming WebSocket. The layouts are in `docs/protocol.md`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Number;

/// Version of this protocol, as said in `hello`.
pub const PROTOCOL: u8 = 1;
/// Longest text message a viewer may send, in bytes.
pub const MAX_TEXT: usize = 64 << 10;

/// From a viewer.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ViewerMessage {
    /// Watch a camera, or all (`*`); also changes how.
    Subscribe {
        /// Id or `*`.
        camera: String,
        /// Frames a second, at most.
        max_fps: Option<f64>,
        /// Width shown, in pixels.
        width: Option<u32>,
        /// `source`, `high`, `medium`, `low` or `auto`.
        quality: Option<String>,
    },
    /// Watch no more.
    Unsubscribe {
        /// Id or `*`.
        camera: String,
    },
    /// A frame was shown.
    Ack {
        /// Id.
        camera: String,
        /// Its number.
        seq: u64,
    },
    /// Answered by `pong`.
    Ping {
        /// Returned unchanged.
        t: Number,
    },
}

/// To a viewer.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ServerMessage<'a> {
    /// The first message.
    Hello {
        /// Of the server.
        version: &'a str,
        /// [`PROTOCOL`].
        protocol: u8,
        /// Unix microseconds now.
        server_us: u64,
        /// Most frames a second.
        max_fps: f64,
        /// The cameras of interest.
        cameras: &'a [CameraStatus],
    },
    /// A camera came, went on- or offline.
    Camera(&'a CameraStatus),
    /// The server has forgotten a camera.
    Gone {
        /// Id.
        camera: &'a str,
    },
    /// What this viewer was sent and not sent.
    Stats {
        /// By camera id.
        cameras: &'a std::collections::BTreeMap<&'a str, Served>,
    },
    /// Answers `ping`.
    Pong {
        /// As sent.
        t: &'a Number,
        /// Unix microseconds now.
        server_us: u64,
    },
    /// Something the viewer sent cannot be served.
    Error {
        /// Stable.
        code: &'a str,
        /// What to do.
        message: &'a str,
        /// Id, where one is concerned.
        #[serde(skip_serializing_if = "Option::is_none")]
        camera: Option<&'a str>,
    },
}

/// A camera as viewers hear of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CameraStatus {
    /// Id.
    pub camera: String,
    /// For people.
    pub name: String,
    /// Whether somebody publishes.
    pub online: bool,
    /// Unix microseconds; 0 for a camera that was never there.
    pub since_us: u64,
    /// Why it is offline, or online without a picture that could be sent.
    pub reason: Option<String>,
    /// How its frames come in.
    pub transport: Option<String>,
}

/// Counts of one viewer and camera.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Frames sent.
    pub sent: u64,
    /// Frames left out by the viewer's fps limit.
    pub paced: u64,
    /// Frames left out because the viewer was behind.
    pub behind: u64,
}

/// What one viewer gets of one camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Served {
    /// Frames, since it subscribed.
    #[serde(flatten)]
    pub counts: Counts,
    /// In use now: `source`, `high`, `medium` or `low`.
    pub quality: &'static str,
}

impl ServerMessage<'_> {
    /// As JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers always serialise")
    }
}

/// A frame as text, for viewers that want no binary.
#[derive(Debug, Serialize)]
pub struct JsonFrame<'a> {
    /// Id.
    pub camera: &'a str,
    /// The camera's frame number.
    pub seq: u64,
    /// Unix microseconds; 0 if unknown.
    pub captured_us: u64,
    /// Unix microseconds.
    pub received_us: u64,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Bytes of the JPEG.
    pub size: usize,
}

impl JsonFrame<'_> {
    /// As JSON, the picture in base64 at the end.
    pub fn to_json(&self, jpeg: &[u8]) -> String {
        let mut json = String::with_capacity(256 + jpeg.len().div_ceil(3) * 4);
        json.push_str(r#"{"type":"frame","#);
        let fields = serde_json::to_string(self).expect("strings and numbers always serialise");
        json.push_str(fields.trim_matches(['{', '}']));
        json.push_str(r#","jpeg":""#);
        // Appended in place: through serde the picture would be copied and scanned for escapes.
        STANDARD.encode_string(jpeg, &mut json);
        json.push_str(r#""}"#);
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_frame_is_json_with_the_picture_in_base64() {
        let frame = JsonFrame {
            camera: "door",
            seq: 7,
            captured_us: 1,
            received_us: 2,
            width: 640,
            height: 480,
            size: 3,
        };
        assert_eq!(
            frame.to_json(&[0xFF, 0xD8, 0xFF]),
            r#"{"type":"frame","camera":"door","seq":7,"captured_us":1,"received_us":2,"width":640,"height":480,"size":3,"jpeg":"/9j/"}"#
        );
    }

    #[test]
    fn messages_of_viewers_are_read_and_unknown_fields_ignored() {
        let read = |text: &str| serde_json::from_str::<ViewerMessage>(text);
        assert!(matches!(
            read(r#"{"type":"subscribe","camera":"*","max_fps":5,"more":1}"#),
            Ok(ViewerMessage::Subscribe { max_fps: Some(5.0), .. })
        ));
        assert!(matches!(
            read(r#"{"type":"ack","camera":"door","seq":7}"#),
            Ok(ViewerMessage::Ack { seq: 7, .. })
        ));
        assert!(read(r#"{"type":"ack","camera":"door"}"#).is_err());
        assert!(read(r#"{"type":"dance"}"#).is_err());
    }

    #[test]
    fn pong_returns_what_ping_sent() {
        let Ok(ViewerMessage::Ping { t }) = serde_json::from_str(r#"{"type":"ping","t":1500.25}"#)
        else {
            panic!("a ping")
        };
        let pong = ServerMessage::Pong { t: &t, server_us: 9 };
        assert_eq!(pong.to_json(), r#"{"type":"pong","t":1500.25,"server_us":9}"#);
    }
}

//! Ready-made WebSocket frames for viewers: what the relay knows, in the words of `wire`.

use bytes::Bytes;

use super::viewer::Format;
use crate::{
    relay::{Camera, Frame, Latest, Presence},
    wire::{
        envelope::{Opcode, websocket_frame},
        legacy,
        stream::{CameraStatus, JsonFrame, ServerMessage},
    },
};

/// Place of the JSON encoding on a frame.
const JSON: usize = 0;
/// Place of the legacy encoding on a frame.
const LEGACY: usize = 1;

/// The bytes of a frame for one format: shared by all viewers of that format.
pub(super) fn frame<'a>(latest: &'a Latest, camera: &str, format: Format) -> &'a Bytes {
    match format {
        Format::Binary => latest.websocket_message(),
        Format::Json => latest.encoded(JSON, |frame| json_frame(frame, camera)),
        Format::Legacy => latest.encoded(LEGACY, |frame| legacy_frame(frame, camera)),
    }
}

fn legacy_frame(frame: &Frame, camera: &str) -> Bytes {
    let update = legacy::frame_update(camera, &frame.jpeg(), frame.received_us / 1000, frame.seq);
    websocket_frame(Opcode::Text, &update)
}

fn json_frame(frame: &Frame, camera: &str) -> Bytes {
    let fields = JsonFrame {
        camera,
        seq: frame.seq,
        captured_us: frame.captured_us,
        received_us: frame.received_us,
        width: frame.width,
        height: frame.height,
        size: frame.jpeg_len(),
    };
    websocket_frame(Opcode::Text, fields.to_json(&frame.jpeg()).as_bytes())
}

/// A text message.
pub(super) fn text(message: &ServerMessage<'_>) -> Bytes {
    websocket_frame(Opcode::Text, message.to_json().as_bytes())
}

/// A close frame (RFC 6455, 5.5.1).
pub(super) fn close(code: u16, reason: &str) -> Bytes {
    websocket_frame(Opcode::Close, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// A camera as viewers hear of it.
pub(super) fn status(camera: &Camera) -> CameraStatus {
    let (online, since_us, reason, transport) = match camera.presence() {
        Presence::Online { since_us, transport } => {
            (true, since_us, None, Some(transport.to_string()))
        }
        Presence::Offline { since_us, reason } => (false, since_us, Some(reason.to_string()), None),
    };
    CameraStatus {
        camera: camera.id().to_string(),
        name: camera.name(),
        online,
        since_us,
        reason,
        transport,
    }
}

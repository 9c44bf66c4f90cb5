//! Ready-made WebSocket frames for viewers: what the relay knows, in the words of `wire`.

use bytes::Bytes;

use super::viewer::Format;
use crate::{
    relay::{Camera, Frame, Latest, Presence},
    view::{encodings, links},
    wire::{
        envelope::{Opcode, websocket_frame},
        legacy,
        stream::{CameraStatus, JsonFrame, ServerMessage},
    },
};

/// The bytes of a frame for one format: shared by all viewers of that format.
pub(super) fn frame<'a>(latest: &'a Latest, camera: &str, format: Format) -> &'a Bytes {
    match format {
        Format::Binary => latest.websocket_message(),
        Format::Json => latest.encoded(encodings::JSON, |frame| json_frame(frame, camera)),
        Format::Legacy => latest.encoded(encodings::LEGACY, |frame| legacy_frame(frame, camera)),
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
            // Online, and yet nothing to see here: that has to be said, or it is waited for.
            let reason = links::has_pictures(camera).err().map(|error| error.message);
            (true, since_us, reason, Some(transport.to_string()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        relay::{
            self, CameraId, Clock, Codec, Limits, Publisher, Registry, Stamp, Transport,
            VideoFormat,
        },
        wire::jpeg,
    };

    #[test]
    fn all_viewers_of_a_format_share_the_same_bytes() {
        let registry = Registry::new(Limits::default(), Clock::system());
        let door = CameraId::parse("door").unwrap();
        let producer = registry.publish(&door, Publisher::over(Transport::Http)).unwrap();
        let buf = [vec![0; producer.headroom()], jpeg::skeleton(64, 48, 30_000, 7)].concat();
        let published = buf.as_ptr_range();
        producer.publish(buf, Stamp::default()).unwrap();
        let latest = producer.camera().latest().unwrap();
        for format in [Format::Binary, Format::Json, Format::Legacy] {
            let (one, other) = (frame(&latest, "door", format), frame(&latest, "door", format));
            assert_eq!(one.as_ptr_range(), other.as_ptr_range(), "{format:?}");
        }
        // And the publisher's buffer it is, headers written into its room.
        let sent = frame(&latest, "door", Format::Binary).as_ptr_range();
        assert!(sent.start >= published.start && sent.end == published.end);
    }

    #[test]
    fn a_camera_that_is_online_without_pictures_says_why() {
        let registry = Registry::new(Limits::default(), Clock::system());
        let door = CameraId::parse("door").unwrap();
        let producer = registry.publish(&door, Publisher::over(Transport::Rtsp)).unwrap();
        assert_eq!(status(producer.camera()).reason, None);
        let mut changes = registry.changes();
        changes.mark_unchanged();
        let video = VideoFormat {
            codec: Codec::H265,
            rfc6381: "hvc1.1.6.L93.B0".into(),
            width: 640,
            height: 360,
            config: Bytes::new(),
        };
        producer.begin_video(relay::Format { video, audio: None }).unwrap();
        assert!(changes.has_changed().unwrap(), "those who wait for pictures are told");
        let CameraStatus { online, reason, .. } = status(producer.camera());
        assert!(online && reason.is_some_and(|reason| reason.contains("H.265")));
    }
}

//! What legacy clients are sent. The order of the keys is v2's.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

use crate::wire::iso8601;

/// Bytes of a `frame_update` besides camera id and picture, at most.
const FRAME_UPDATE_FIELDS: usize = 160;
/// Bytes of a camera object besides camera id and picture, at most.
const OBJECT_FIELDS: usize = 200;

/// Server → publisher. The answer holds the server's candidates, so there is no `ice-candidate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type")]
pub enum ToPublisher<'a> {
    /// Answers a registration.
    #[serde(rename = "registration-success")]
    Registered {
        /// The id as registered.
        #[serde(rename = "clientId")]
        client: &'a str,
    },
    /// Answers an offer.
    #[serde(rename = "answer")]
    Answer {
        /// The browser's own object.
        payload: Description<'a>,
    },
    /// Answers a heartbeat. v2's server stayed silent, and its pages pass over what they do not
    /// know; other clients can tell by it that they are heard.
    #[serde(rename = "heartbeat")]
    Heartbeat {
        /// As in the client's.
        payload: Timestamp,
    },
    /// Something was refused. The shape is that of v2's own error messages.
    #[serde(rename = "error")]
    Error {
        /// As in a client's.
        payload: Problem<'a>,
    },
}

/// A browser's `RTCSessionDescription`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Description<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    sdp: &'a str,
}

/// When a message was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timestamp {
    timestamp: String,
}

/// What was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem<'a> {
    /// What to do, for people.
    pub message: &'a str,
    /// Stable, for programs.
    pub code: &'a str,
}

impl<'a> ToPublisher<'a> {
    /// Answers an offer with this description.
    pub fn answer(sdp: &'a str) -> Self {
        Self::Answer { payload: Description { kind: "answer", sdp } }
    }

    /// Answers a heartbeat at a time of the server's clock, in Unix milliseconds.
    pub fn heartbeat(now_ms: u64) -> Self {
        Self::Heartbeat { payload: Timestamp { timestamp: iso8601::format_ms(now_ms) } }
    }

    /// The message's JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and string keys always serialise")
    }
}

/// A frame for legacy viewers:
/// `{"type":"frame_update","clientId","frame":base64,"timestamp":ms,"frameNumber","size"}`.
///
/// `received_ms` is Unix milliseconds. Costs 11 µs for 30 KB: one buffer of the right size, and the
/// base64 is written straight into it.
pub fn frame_update(camera: &str, jpeg: &[u8], received_ms: u64, frame_number: u64) -> Vec<u8> {
    let room = FRAME_UPDATE_FIELDS + camera.len() + base64_len(jpeg);
    let mut out = Vec::with_capacity(room);
    out.extend_from_slice(br#"{"type":"frame_update","clientId":"#);
    write_json(&mut out, camera);
    out.extend_from_slice(br#","frame":""#);
    write_base64(&mut out, jpeg);
    out.extend_from_slice(br#"","timestamp":"#);
    write_json(&mut out, &received_ms);
    out.extend_from_slice(br#","frameNumber":"#);
    write_json(&mut out, &frame_number);
    out.extend_from_slice(br#","size":"#);
    write_json(&mut out, &jpeg.len());
    out.push(b'}');
    out
}

/// What the legacy API tells of a camera.
#[derive(Debug, Clone, Copy)]
pub struct CameraObject<'a> {
    /// The camera.
    pub id: &'a str,
    /// Its newest frame, if there was one: the picture, when it was received in Unix milliseconds,
    /// its number.
    pub frame: Option<(&'a [u8], u64, u64)>,
    /// Whether somebody publishes.
    pub online: bool,
}

/// A camera for the legacy API:
/// `{"id","image":data URL,"timestamp":ISO,"frameNumber","size","status"}`, without a frame
/// `image` and `timestamp` are `null`, the numbers 0.
pub fn camera_object(camera: &CameraObject<'_>) -> Vec<u8> {
    let jpeg = camera.frame.map_or(&[][..], |(jpeg, ..)| jpeg);
    let room = OBJECT_FIELDS + camera.id.len() + base64_len(jpeg);
    let mut out = Vec::with_capacity(room);
    out.extend_from_slice(br#"{"id":"#);
    write_json(&mut out, camera.id);
    let number = match camera.frame {
        Some((jpeg, received_ms, number)) => {
            out.extend_from_slice(br#","image":"data:image/jpeg;base64,"#);
            write_base64(&mut out, jpeg);
            out.extend_from_slice(br#"","timestamp":"#);
            write_json(&mut out, &iso8601::format_ms(received_ms));
            number
        }
        None => {
            out.extend_from_slice(br#","image":null,"timestamp":null"#);
            0
        }
    };
    out.extend_from_slice(br#","frameNumber":"#);
    write_json(&mut out, &number);
    out.extend_from_slice(br#","size":"#);
    write_json(&mut out, &jpeg.len());
    out.extend_from_slice(br#","status":"#);
    write_json(&mut out, if camera.online { "online" } else { "offline" });
    out.push(b'}');
    out
}

fn base64_len(bytes: &[u8]) -> usize {
    bytes.len().div_ceil(3) * 4
}

fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + base64_len(bytes), 0);
    STANDARD.encode_slice(bytes, &mut out[start..]).expect("the room was counted");
}

fn write_json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("texts and numbers go into memory");
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_buffer_is_counted_right_for_every_length() {
        for len in 0..10 {
            let jpeg = vec![0xA5; len];
            let update = frame_update(&"x".repeat(64), &jpeg, u64::MAX, u64::MAX);
            assert!(update.len() <= FRAME_UPDATE_FIELDS + 64 + base64_len(&jpeg));
            let value: serde_json::Value = serde_json::from_slice(&update).unwrap();
            assert_eq!(value["frame"], STANDARD.encode(&jpeg));
            let frame = Some((&jpeg[..], u64::MAX, u64::MAX));
            let id = &"x".repeat(64);
            let object = camera_object(&CameraObject { id, frame, online: false });
            assert!(object.len() <= OBJECT_FIELDS + 64 + base64_len(&jpeg));
        }
    }

    /// Prints what a frame costs: `cargo test --release --lib -- --ignored --nocapture costs`.
    #[test]
    #[ignore = "a measurement"]
    fn costs() {
        let jpeg: Vec<u8> = (0..30_000_u32).map(|n| ((n * 7919) >> 5) as u8).collect();
        let per_frame = |name: &str, work: &mut dyn FnMut() -> usize| {
            // The fastest batch: what else the machine did meanwhile slows the others.
            let batch = |_| {
                let start = Instant::now();
                let bytes: usize = (0..100).map(|_| work()).sum();
                (start.elapsed() / 100, bytes / 100)
            };
            let (time, bytes) = (0..40).map(batch).min().unwrap_or_default();
            println!("{name}: {time:?} a frame of {bytes} bytes");
        };
        per_frame("frame_update", &mut || frame_update("cam-1", &jpeg, 1, 2).len());
        let data = STANDARD.encode(&jpeg);
        let message = format!(
            r#"{{"type":"data-channel-message","payload":{{"type":"webcam_frame","payload":{{"data":"{data}","size":30000,"format":"jpeg"}},"clientId":"cam-1","timestamp":"2025-09-20T01:55:14.123Z"}}}}"#
        );
        per_frame("parse", &mut || {
            use super::super::{Body, FromPublisher};
            match FromPublisher::parse(&message) {
                Ok(FromPublisher { body: Body::Frame(frame), .. }) => frame.data.len(),
                other => panic!("{other:?}"),
            }
        });
        per_frame("decode", &mut || {
            super::super::decode_picture(&data, 80, 1 << 20).unwrap().len()
        });
    }
}

//! The signaling messages of `docs/protocol.md`, as types.
//!
//! Belongs here: reading and writing their JSON. Does not: what happens on a message, sockets, or
//! what an SDP or a candidate says.

use serde::{Deserialize, Serialize};

/// Longest text message of a publisher, in bytes. A browser's offer has about 1 KB, one with many
/// candidates 10 KB.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;

/// The version of the protocol that `hello` tells.
pub const PROTOCOL: u32 = 1;

/// Publisher → server.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromPublisher {
    /// Publish a camera over WebRTC.
    Offer(Offer),
    /// A remote ICE candidate; none at the end.
    Candidate {
        /// The browser's object.
        candidate: Option<Candidate>,
    },
    /// Answered by [`ToPublisher::Pong`].
    Ping {
        /// Given back unchanged.
        t: serde_json::Number,
    },
    /// The publisher leaves.
    Bye,
}

/// See [`FromPublisher::Offer`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Offer {
    /// The camera's id, not checked yet.
    pub camera: String,
    /// The session description.
    pub sdp: String,
    /// A name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// How the data channel treats loss.
    #[serde(default)]
    pub channel: Option<Channel>,
}

/// The data channel a publisher asks for: one of the two fields, or neither for the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Channel {
    /// A message is given up at this age, in milliseconds.
    #[serde(default)]
    pub max_packet_life_time_ms: Option<u16>,
    /// A message is repeated this often.
    #[serde(default)]
    pub max_retransmits: Option<u16>,
}

/// The browser's `RTCIceCandidate`, as far as it is needed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Candidate {
    /// `candidate:…`, empty at the end.
    pub candidate: String,
}

/// Server → publisher.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToPublisher<'a> {
    /// The first message.
    Hello {
        /// The server's version.
        version: &'a str,
        /// [`PROTOCOL`].
        protocol: u32,
        /// Unix microseconds.
        server_us: u64,
        /// Longest frame taken, in bytes.
        max_frame_bytes: usize,
    },
    /// Answers an offer.
    Answer {
        /// The offer's camera.
        camera: &'a str,
        /// The session description, candidates included.
        sdp: &'a str,
    },
    /// Once a second while publishing.
    Feedback {
        /// The camera.
        camera: &'a str,
        /// What arrived.
        #[serde(flatten)]
        figures: &'a Feedback,
    },
    /// Answers a ping.
    Pong {
        /// As it came.
        t: &'a serde_json::Number,
        /// Unix microseconds.
        server_us: u64,
    },
    /// A newer publisher took the camera; the connection closes.
    Replaced {
        /// The camera.
        camera: &'a str,
        /// For people.
        message: &'a str,
    },
    /// Something was wrong; the connection stays unless a close follows.
    Error {
        /// Stable, for programs.
        code: &'a str,
        /// What to do, for people.
        message: &'a str,
    },
}

/// What a publisher hears once a second; totals of this session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Feedback {
    /// Frames published.
    pub received: u64,
    /// Frames published a second, since the last feedback.
    pub received_fps: f64,
    /// Frames that were incomplete or late.
    pub lost: u64,
    /// Frames and messages refused.
    pub refused: u64,
    /// Frames equal to the one before.
    pub duplicates: u64,
    /// JPEG bytes a second, since the last feedback.
    pub bytes_per_s: u64,
    /// Milliseconds from captured to received, of the newest frame.
    pub age_ms: Option<u64>,
}

impl FromPublisher {
    /// Reads a message. The error is for the publisher's eyes.
    ///
    /// # Errors
    /// When it is not JSON of this protocol.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| {
            let error = super::brief(&error.to_string());
            format!("expected an offer, candidate, ping or bye as in docs/protocol.md: {error}")
        })
    }
}

impl ToPublisher<'_> {
    /// The message's JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings, numbers and string keys always serialise")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(value: &Value) -> Result<FromPublisher, String> {
        FromPublisher::parse(&value.to_string())
    }

    #[test]
    fn a_browsers_messages_are_read() {
        let offer = parse(&json!({
            "type": "offer", "camera": "door", "sdp": "v=0", "unknown": {"kept": "out"},
            "channel": {"max_retransmits": 0},
        }));
        let channel = Channel { max_retransmits: Some(0), max_packet_life_time_ms: None };
        let expected =
            Offer { camera: "door".into(), sdp: "v=0".into(), name: None, channel: Some(channel) };
        assert_eq!(offer, Ok(FromPublisher::Offer(expected)));

        let browser = json!({"candidate": "candidate:1 1 udp 2 192.0.2.1 9 typ host",
            "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "x"});
        let message = parse(&json!({"type": "candidate", "candidate": browser}));
        assert!(matches!(message, Ok(FromPublisher::Candidate { candidate: Some(_) })));
        let message = parse(&json!({"type": "candidate", "candidate": null}));
        assert_eq!(message, Ok(FromPublisher::Candidate { candidate: None }));
        assert_eq!(parse(&json!({"type": "bye"})), Ok(FromPublisher::Bye));
    }

    #[test]
    fn a_ping_comes_back_with_its_own_number() {
        for t in ["1", "-7", "1234567.125", "1e300", "18446744073709551615"] {
            let message = FromPublisher::parse(&format!(r#"{{"type":"ping","t":{t}}}"#));
            let Ok(FromPublisher::Ping { t: number }) = message else { panic!("{t}: {message:?}") };
            let pong = ToPublisher::Pong { t: &number, server_us: 5 }.to_json();
            let back: Value = serde_json::from_str(&pong).expect("JSON");
            assert_eq!(back["t"], serde_json::from_str::<Value>(t).expect("a number"));
            assert_eq!((&back["type"], &back["server_us"]), (&json!("pong"), &json!(5)));
        }
    }

    #[test]
    fn what_is_not_of_the_protocol_is_an_error() {
        for text in [
            "",
            "null",
            "[]",
            "7",
            "{}",
            "\u{0}",
            r#"{"type":"frame"}"#,
            r#"{"type":"offer"}"#,
            r#"{"type":"offer","camera":7,"sdp":""}"#,
            r#"{"type":"ping","t":"x"}"#,
            r#"{"type":"offer","camera":"a","sdp":"","channel":{"max_retransmits":-1}}"#,
            r#"{"type":"candidate","candidate":{}}"#,
        ] {
            assert!(FromPublisher::parse(text).is_err(), "{text}");
        }
        let deep = "[".repeat(60_000);
        assert!(FromPublisher::parse(&deep).is_err(), "the depth is limited");
    }

    #[test]
    fn the_servers_messages_have_the_documented_fields() {
        let figures = Feedback {
            received: 3,
            received_fps: 1.5,
            lost: 0,
            refused: 0,
            duplicates: 0,
            bytes_per_s: 9,
            age_ms: None,
        };
        let sent = [
            ToPublisher::Feedback { camera: "a", figures: &figures }.to_json(),
            ToPublisher::Error { code: "bad_part", message: "m" }.to_json(),
            ToPublisher::Answer { camera: "a", sdp: "v=0" }.to_json(),
            ToPublisher::Replaced { camera: "a", message: "m" }.to_json(),
            ToPublisher::Hello { version: "1", protocol: 1, server_us: 2, max_frame_bytes: 3 }
                .to_json(),
        ];
        let documented = [
            json!({"type": "feedback", "camera": "a", "received": 3, "received_fps": 1.5, "lost": 0,
                "refused": 0, "duplicates": 0, "bytes_per_s": 9, "age_ms": null}),
            json!({"type": "error", "code": "bad_part", "message": "m"}),
            json!({"type": "answer", "camera": "a", "sdp": "v=0"}),
            json!({"type": "replaced", "camera": "a", "message": "m"}),
            json!({"type": "hello", "version": "1", "protocol": 1, "server_us": 2,
                "max_frame_bytes": 3}),
        ];
        for (sent, documented) in sent.iter().zip(documented) {
            assert_eq!(serde_json::from_str::<Value>(sent).expect("JSON"), documented);
        }
    }
}

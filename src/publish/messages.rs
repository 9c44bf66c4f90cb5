//! The server's text messages, as far as a publisher reads them.

use serde::Deserialize;

/// From the server.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromServer {
    /// First.
    Hello {
        max_frame_bytes: usize,
    },
    /// Once a second, and after a goodbye.
    Feedback(Feedback),
    Pong {
        t: u64,
        server_us: u64,
    },
    Replaced {
        message: String,
    },
    Error {
        code: String,
        message: String,
    },
    /// Of a later protocol, or of no interest to a publisher.
    #[serde(other)]
    Other,
}

/// What the server got of this connection.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Feedback {
    #[serde(default)]
    pub received: u64,
    pub received_fps: f64,
    pub lost: u64,
    pub refused: u64,
    #[serde(default)]
    pub duplicates: u64,
    pub age_ms: Option<u64>,
}

/// The body of an HTTP answer that refuses.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    pub error: RefusalError,
}

/// See `docs/protocol.md`, *Errors*.
#[derive(Debug, Deserialize)]
pub(super) struct RefusalError {
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_the_protocol_page_has_them() {
        let read = |text| serde_json::from_str::<FromServer>(text).unwrap();
        assert_eq!(
            read(
                r#"{"type":"hello","version":"1","protocol":1,"server_us":1,"max_frame_bytes":9}"#
            ),
            FromServer::Hello { max_frame_bytes: 9 }
        );
        assert_eq!(read(r#"{"type":"answer","sdp":""}"#), FromServer::Other);
        let feedback = r#"{"type":"feedback","camera":"a","received":3,"received_fps":29.5,
            "lost":1,"refused":0,"duplicates":2,"bytes_per_s":5,"age_ms":null}"#;
        let FromServer::Feedback(feedback) = read(feedback) else { panic!("no feedback") };
        assert_eq!((feedback.received, feedback.lost, feedback.age_ms), (3, 1, None));
    }
}

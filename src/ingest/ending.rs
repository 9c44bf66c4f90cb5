//! How a publisher's WebSocket ends, the same at every door.
//!
//! Belongs here: what viewers are told of an end, what the publisher is, and the close code. Does
//! not: how a door words its own limits, or the JSON of the legacy dialect.

use tokio::io::{AsyncRead, AsyncWrite};

use super::frames::Fault;
use crate::{
    net::{Ended, Talk, close_code},
    relay::PublishError,
    wire::signal::ToPublisher,
};

/// How a session ends, and what follows from that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// For viewers, in plain words; the close frame carries it too.
    pub reason: String,
    /// Said to the publisher before the close.
    pub error: Option<Fault>,
    /// `None` when nobody is left to tell.
    pub close: Option<u16>,
}

impl End {
    fn new(close: u16, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), error: None, close: Some(close) }
    }

    /// The publisher's socket is gone.
    pub fn gone() -> Self {
        Self { reason: "publisher disconnected".into(), error: None, close: None }
    }

    /// It said `bye`.
    pub fn bye() -> Self {
        Self::new(close_code::NORMAL, "publisher stopped")
    }

    /// The server shuts down.
    pub fn draining() -> Self {
        let error = PublishError::Draining;
        let end = Self::new(close_code::GOING_AWAY, "server shutting down");
        end.saying(error.code(), error.to_string())
    }

    /// A newer publisher has the camera.
    pub fn replaced() -> Self {
        let end = Self::new(close_code::REPLACED, "replaced by a newer publisher");
        end.saying("replaced", "a newer publisher took this camera")
    }

    /// Nothing was heard of it for long.
    pub fn silent() -> Self {
        Self::new(close_code::SILENT, "no sign of life from the publisher for 150 s")
    }

    /// It does not keep to the WebSocket protocol.
    pub fn malformed() -> Self {
        Self::new(close_code::PROTOCOL, "the publisher broke the WebSocket protocol")
    }

    /// It sent a message over the limit, which is for the door to name.
    pub fn too_large(reason: impl Into<String>) -> Self {
        Self::new(close_code::TOO_LARGE, reason)
    }

    /// More waits for it than is kept.
    pub fn not_reading() -> Self {
        Self::new(close_code::CANNOT_SERVE, "the publisher asks without reading the answers")
    }

    /// What it asked for cannot be served.
    pub fn cannot_serve(code: &'static str, message: String) -> Self {
        Self::new(close_code::CANNOT_SERVE, message.clone()).saying(code, message)
    }

    /// With a last word to the publisher.
    pub fn saying(self, code: &'static str, message: impl Into<String>) -> Self {
        Self { error: Some(Fault { code, message: message.into() }), ..self }
    }

    /// What the end of the conversation itself comes to; `too_large` names the door's limit.
    pub fn of(ended: Ended, too_large: impl FnOnce() -> Self) -> Self {
        match ended {
            Ended::Gone => Self::gone(),
            Ended::Silent => Self::silent(),
            Ended::NotReading => Self::not_reading(),
            Ended::Malformed => Self::malformed(),
            Ended::TooLarge => too_large(),
        }
    }

    /// The last word as `docs/protocol.md` has it; `camera` is the one that was published.
    fn last_word<'a>(&'a self, camera: Option<&'a str>) -> Option<ToPublisher<'a>> {
        let Fault { code, message } = self.error.as_ref()?;
        Some(match camera {
            Some(camera) if self.close == Some(close_code::REPLACED) => {
                ToPublisher::Replaced { camera, message }
            }
            _ => ToPublisher::Error { code, message },
        })
    }

    /// Says the last word, but not to a legacy publisher, and closes.
    pub async fn tell<S>(&self, mut talk: Talk<S>, camera: Option<&str>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if let Some(word) = self.last_word(camera) {
            talk.say(word.to_json());
        }
        self.hang_up(talk).await;
    }

    /// Closes, without a word of its own.
    pub async fn hang_up<S: AsyncRead + AsyncWrite + Unpin>(&self, talk: Talk<S>) {
        if let Some(code) = self.close {
            talk.close(code, &self.reason).await;
        }
    }
}

/// Why a camera cannot be had, at the doors that need one to go on.
impl From<PublishError> for End {
    fn from(error: PublishError) -> Self {
        let (code, message) = (error.code(), error.to_string());
        match error {
            PublishError::Draining => Self::draining(),
            PublishError::TooManyCameras(_) => {
                Self::new(close_code::TOO_MANY, message.clone()).saying(code, message)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_the_close_code_and_the_error_of_the_protocol() {
        let too_large = || End::too_large("over the limit");
        let ends = [
            (End::of(Ended::Gone, too_large), None, None),
            (End::bye(), Some(1000), None),
            (End::from(PublishError::Draining), Some(1001), Some("draining")),
            (End::of(Ended::Malformed, too_large), Some(1002), None),
            (End::of(Ended::TooLarge, too_large), Some(1009), None),
            (End::cannot_serve("bad_camera_id", "no".into()), Some(4000), Some("bad_camera_id")),
            (End::of(Ended::NotReading, too_large), Some(4000), None),
            (End::replaced(), Some(4001), Some("replaced")),
            (End::of(Ended::Silent, too_large), Some(4002), None),
            (End::from(PublishError::TooManyCameras(9)), Some(4004), Some("too_many_cameras")),
        ];
        for (end, close, code) in ends {
            let said = end.error.as_ref().map(|error| error.code);
            assert_eq!((end.close, said), (close, code), "{end:?}");
        }
    }

    #[test]
    fn a_replaced_publisher_is_told_which_camera_it_lost() {
        let word = |end: End, camera| end.last_word(camera).map(|word| word.to_json());
        assert_eq!(
            word(End::replaced(), Some("door")).as_deref(),
            Some(
                r#"{"type":"replaced","camera":"door","message":"a newer publisher took this camera"}"#
            )
        );
        let draining = word(End::draining(), Some("door"));
        assert!(draining.is_some_and(|word| word.contains(r#""code":"draining""#)));
        assert_eq!(word(End::silent(), Some("door")), None);
    }
}

//! The body of a push: what it is said to be, and reading it with a bound on patience.
//!
//! Belongs here: bytes on their way in. Does not: cameras, or what the bytes mean.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout};

use super::{claim::Claim, ending::End};
use crate::{
    net::{ApiError, Lifetime},
    relay::{CameraId, PublishError, Refused},
    wire::pieces::SplitError,
};

/// A push without a byte for this long is over.
const STALL: Duration = Duration::from_secs(10);

/// How long, and how many bytes of, a body is still read after its answer: closing at once would
/// reset the connection, and the answer would be lost with it.
const DRAIN_TIME: Duration = Duration::from_secs(2);
const DRAIN_BYTES: usize = 64 << 20;

/// What a body is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// One JPEG.
    Still,
    /// Parts with this boundary, if it is said.
    Multipart(Option<String>),
    /// The first bytes tell.
    Unsaid,
}

impl Kind {
    pub(super) fn of(content_type: &str) -> Self {
        let mut parts = content_type.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let parameter = |part: &str| {
            let (name, value) = part.split_once('=')?;
            let named = name.trim().eq_ignore_ascii_case("boundary");
            named.then(|| value.trim().trim_matches('"').to_owned())
        };
        match &media[..] {
            "image/jpeg" | "image/jpg" => Self::Still,
            media if media.starts_with("multipart/") => Self::Multipart(parts.find_map(parameter)),
            _ => Self::Unsaid,
        }
    }
}

/// Why a body is not read on: what the publisher is told, and what viewers are.
pub(super) struct Stop {
    pub(super) answer: ApiError,
    pub(super) reason: String,
}

impl Stop {
    fn new(code: &'static str, message: &str, reason: &str) -> Self {
        Self { answer: ApiError::new(code, message), reason: reason.to_owned() }
    }

    pub(super) fn replaced(camera: &CameraId) -> Self {
        let error = Refused::Replaced(camera.clone());
        Self { answer: error.into(), reason: End::replaced().reason }
    }
}

/// Of a body that had no camera yet, so that no viewer has to be told.
impl From<PublishError> for Stop {
    fn from(error: PublishError) -> Self {
        Self { reason: error.to_string(), answer: error.into() }
    }
}

impl From<SplitError> for Stop {
    fn from(error: SplitError) -> Self {
        let text = error.to_string();
        Self { answer: ApiError::new(error.code(), text.clone()), reason: text }
    }
}

/// A body, read with patience for [`STALL`], until shutdown.
pub(super) struct Reader {
    body: Body,
    lifetime: Lifetime,
}

impl Reader {
    pub(super) fn new(body: Body, lifetime: Lifetime) -> Self {
        Self { body, lifetime }
    }

    pub(super) fn lifetime(&self) -> &Lifetime {
        &self.lifetime
    }

    /// The next bytes, `None` at the end. Ends early when `claim` has lost its camera.
    pub(super) async fn chunk(&mut self, claim: Option<&Claim>) -> Result<Option<Bytes>, Stop> {
        let body = &mut self.body;
        let data = async move {
            loop {
                match body.frame().await {
                    None => return Ok(None),
                    Some(Err(error)) => return Err(error),
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) if data.is_empty() => {}
                        Ok(data) => return Ok(Some(data)),
                        // Trailers.
                        Err(_) => {}
                    },
                }
            }
        };
        let replaced = async {
            match claim {
                Some(claim) => {
                    claim.replaced().await;
                    claim.camera()
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.lifetime.shutdown.cancelled() => {
                Err(Stop { answer: PublishError::Draining.into(), reason: End::draining().reason })
            }
            data = timeout(STALL, data) => match data {
                Ok(Ok(data)) => Ok(data),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "push broken off");
                    Err(Stop::new("bad_request", "the body broke off", &End::gone().reason))
                }
                Err(_) => {
                    let told = "no byte came for 10 s; a live push must not pause that long";
                    Err(Stop::new("timeout", told, "no data from the publisher for 10 s"))
                }
            },
            camera = replaced => Err(Stop::replaced(camera)),
        }
    }

    /// Reads on for a moment, so that the answer arrives.
    pub(super) fn drain(self) {
        let Self { mut body, lifetime } = self;
        if body.is_end_stream() {
            return;
        }
        lifetime.tasks.spawn(async move {
            let until = Instant::now() + DRAIN_TIME;
            let mut bytes = 0;
            while let Ok(Some(Ok(frame))) = tokio::time::timeout_at(until, body.frame()).await {
                bytes += frame.data_ref().map_or(0, Bytes::len);
                if bytes > DRAIN_BYTES {
                    break;
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_read_as_they_are_written_in_the_wild() {
        let multipart = |boundary: &str| Kind::Multipart(Some(boundary.to_owned()));
        for (text, kind) in [
            ("image/jpeg", Kind::Still),
            ("IMAGE/JPEG; charset=binary", Kind::Still),
            ("multipart/x-mixed-replace;boundary=x", multipart("x")),
            ("multipart/x-mixed-replace; a=b; Boundary = \"cut here\"", multipart("cut here")),
            ("multipart/x-mixed-replace", Kind::Multipart(None)),
            ("video/x-motion-jpeg", Kind::Unsaid),
            ("application/octet-stream", Kind::Unsaid),
            ("", Kind::Unsaid),
        ] {
            assert_eq!(Kind::of(text), kind, "{text}");
        }
    }
}

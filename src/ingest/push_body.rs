//! The body of a push: what it is said to be, and reading it with a bound on patience.
//!
//! Belongs here: bytes on their way in. Does not: cameras, or what the bytes mean.

use std::{pin::Pin, time::Duration};

use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{claim::Claim, ending::End};
use crate::{
    net::{ApiError, Inflow, Lifetime},
    relay::{CameraId, PublishError, Refused},
    wire::pieces::SplitError,
};

/// A push without a byte for this long is over.
const STALL: Duration = Duration::from_secs(10);

/// How long, and how many bytes of, a body is still read after its answer: closing at once would
/// reset the connection, and the answer would be lost with it.
const DRAIN_TIME: Duration = Duration::from_secs(2);
const DRAIN_BYTES: usize = 64 << 20;

/// Said to nobody: whoever pushed is gone.
pub(super) const BROKEN_OFF: &str = "the body broke off";

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
    body: Inflow,
    lifetime: Lifetime,
    /// Begun once: beginning to wait costs more than a look whether it is over.
    shutdown: Pin<Box<WaitForCancellationFutureOwned>>,
    /// When the last bytes came.
    heard: Instant,
    /// Looks at `heard` when it is over; set again only then, as a timer costs more than a look.
    stall: Pin<Box<Sleep>>,
}

impl Reader {
    pub(super) fn new(body: Inflow, lifetime: Lifetime) -> Self {
        let heard = Instant::now();
        let shutdown = Box::pin(lifetime.shutdown.clone().cancelled_owned());
        Self { body, lifetime, shutdown, heard, stall: Box::pin(sleep_until(heard + STALL)) }
    }

    pub(super) fn lifetime(&self) -> &Lifetime {
        &self.lifetime
    }

    /// The next bytes, `None` at the end. Ends early when `claim` has lost its camera.
    pub(super) async fn chunk(&mut self, claim: Option<&Claim>) -> Result<Option<&[u8]>, Stop> {
        let stalled = async {
            loop {
                self.stall.as_mut().await;
                let until = self.heard + STALL;
                if until <= Instant::now() {
                    return;
                }
                self.stall.as_mut().reset(until);
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
        let data = tokio::select! {
            biased;
            () = &mut self.shutdown => {
                let reason = End::draining().reason;
                return Err(Stop { answer: PublishError::Draining.into(), reason });
            }
            data = self.body.next() => data,
            camera = replaced => return Err(Stop::replaced(camera)),
            () = stalled => {
                let told = "no byte came for 10 s; a live push must not pause that long";
                return Err(Stop::new("timeout", told, "no data from the publisher for 10 s"));
            }
        };
        self.heard = Instant::now();
        data.map_err(|error| {
            tracing::debug!(%error, "push broken off");
            Stop::new("bad_request", BROKEN_OFF, &End::gone().reason)
        })
    }

    /// Reads on for a moment, so that the answer arrives.
    pub(super) fn drain(self) {
        let Self { mut body, lifetime, .. } = self;
        if body.is_done() {
            return;
        }
        lifetime.tasks.spawn(async move {
            let until = Instant::now() + DRAIN_TIME;
            let mut bytes = 0;
            while let Ok(Ok(more @ 1..)) = timeout_at(until, body.discard()).await {
                bytes += more;
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

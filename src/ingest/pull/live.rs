//! One connection to a camera, whatever the protocol.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::{mjpeg::Mjpeg, rtsp::Rtsp, words};
use crate::{
    net::guard::Guard,
    relay::{Failure, Format, Medium, Protocol, Source},
};

/// Most time from the first packet sent to the first picture.
pub(super) const START: Duration = Duration::from_secs(10);

/// A connection without a picture for this long has failed.
const STALL: Duration = Duration::from_secs(5);

/// What comes out of a connection.
#[derive(Debug)]
pub(super) enum Event {
    /// What follows is of this format, from a key frame on.
    Format(Format),
    /// A picture, or a piece of sound.
    Unit(Medium, i64, Bytes),
    /// A whole JPEG behind this many free bytes.
    Jpeg(Vec<u8>, usize),
}

impl Event {
    /// Whether it shows that the camera is alive, if it can be used.
    pub(super) fn is_picture(&self) -> bool {
        match self {
            Self::Format(_) | Self::Jpeg(..) => true,
            Self::Unit(medium, ..) => *medium != Medium::Audio,
        }
    }
}

enum Wire {
    Rtsp(Box<Rtsp>),
    Mjpeg(Box<Mjpeg>),
}

/// A camera that sends, or is about to.
pub(super) struct Live {
    wire: Wire,
    /// When the next picture has to be there.
    due: Instant,
    late: fn(Duration) -> Failure,
    patience: Duration,
}

/// What a connection is made with.
#[derive(Debug, Clone)]
pub(super) struct Dial<'a> {
    pub(super) source: &'a Source,
    pub(super) guard: &'a Guard,
    /// Most bytes of a JPEG.
    pub(super) max_bytes: usize,
    /// Free bytes to leave before a JPEG.
    pub(super) headroom: usize,
    /// Whether the attempt before failed.
    pub(super) retry: bool,
}

impl Live {
    /// Looks the address up, connects and asks for the media. Nothing outlives a call that is dropped.
    pub(super) async fn connect(dial: Dial<'_>) -> Result<Self, Failure> {
        let due = Instant::now() + START;
        let wire = timeout_at(due, Self::wire(&dial)).await;
        let wire = wire.unwrap_or_else(|_| Err(words::no_answer(&dial.source.url)))?;
        Ok(Self { wire, due, late: words::slow_start, patience: START })
    }

    async fn wire(dial: &Dial<'_>) -> Result<Wire, Failure> {
        let pinned = dial.guard.resolve(dial.source.url.clone()).await;
        let pinned = pinned.map_err(|error| words::refused(&error))?;
        Ok(match dial.source.protocol {
            Protocol::Mjpeg => Wire::Mjpeg(Box::new(Mjpeg::connect(dial, pinned).await?)),
            Protocol::Rtsp { udp } => {
                Wire::Rtsp(Box::new(Rtsp::connect(dial, &pinned, udp).await?))
            }
        })
    }

    /// What comes next, within the time that [`Self::taken`] gave last, and [`START`] before that. After
    /// an error nothing does. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Event, Failure> {
        // Said here too: a flood of what cannot be used leaves nothing to wait for below.
        if Instant::now() >= self.due {
            return Err((self.late)(self.patience));
        }
        let next = async {
            match &mut self.wire {
                Wire::Rtsp(rtsp) => rtsp.next().await,
                Wire::Mjpeg(mjpeg) => mjpeg.next().await,
            }
        };
        let next = timeout_at(self.due, next).await;
        next.unwrap_or_else(|_| Err((self.late)(self.patience)))
    }

    /// A picture could be used, so the next one has its time from now on. What cannot be used is no sign
    /// of life.
    pub(super) fn taken(&mut self) {
        (self.due, self.late, self.patience) = (Instant::now() + STALL, words::stalled, STALL);
    }
}

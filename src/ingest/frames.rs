//! From a publisher's binary messages to published frames, whatever the transport.
//!
//! Belongs here: reassembly, publishing, and what the publisher is told of it. Does not: sockets.

use std::time::{Duration, Instant};

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::claim::{Claim, Denied};
use crate::{
    relay::{DropReason, Outcome, PublishError, Refused, Stamp, plausible},
    wire::{
        fragment::{Push, Reassembler},
        jpeg::starts_like_jpeg,
        signal::Feedback,
    },
};

/// A publisher hears of its refused frames at most this often.
const FAULT_PERIOD: Duration = Duration::from_secs(1);

/// Distance of the feedback messages.
const FEEDBACK_PERIOD: Duration = Duration::from_secs(1);

/// When [`FrameSink::feedback`] is due, the first time in a second.
pub fn feedback_times() -> Interval {
    let mut times = interval(FEEDBACK_PERIOD);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    times.reset();
    times
}

/// Something to tell the publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Stable, see `docs/protocol.md`.
    pub code: &'static str,
    /// What to do.
    pub message: String,
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Taken {
    /// Published, kept for its other parts, or dropped as late or duplicate.
    Ok,
    /// Refused and counted. `Some` when the publisher is due to hear of it.
    Refused(Option<Fault>),
    /// A newer publisher has the camera; the session is over.
    Replaced,
    /// The first good picture, and the camera cannot be had; the session is over.
    NotNow(PublishError),
}

/// One publisher's session: takes its messages, holds its camera from the first good picture on.
#[derive(Debug)]
pub struct FrameSink {
    claim: Claim,
    reassembler: Reassembler,
    received: u64,
    lost: u64,
    refused: u64,
    duplicates: u64,
    bytes: u64,
    age_ms: Option<u64>,
    reported: Reported,
    fault_due: Instant,
}

/// The figures at the last feedback.
#[derive(Debug)]
struct Reported {
    at: Instant,
    received: u64,
    bytes: u64,
}

impl FrameSink {
    /// Starts a session for the claim's camera.
    pub fn new(claim: Claim) -> Self {
        let now = claim.clock().now();
        let reassembler = Reassembler::new(claim.limits().max_bytes, claim.headroom());
        Self {
            claim,
            reassembler,
            received: 0,
            lost: 0,
            refused: 0,
            duplicates: 0,
            bytes: 0,
            age_ms: None,
            reported: Reported { at: now, received: 0, bytes: 0 },
            fault_due: now,
        }
    }

    /// Which camera, and whether it is this publisher's.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Takes the camera offline for this reason.
    pub fn close(self, reason: &str) {
        self.claim.close(reason);
    }

    /// Takes one binary message: a JPEG or a part.
    pub fn message(&mut self, message: &[u8]) -> Taken {
        match self.reassembler.push(message, self.claim.clock().now()) {
            Ok(Push::Bare) => self.jpeg(message),
            Ok(Push::Whole(whole)) => {
                let stamp =
                    Stamp { publisher_seq: Some(whole.seq), captured_us: whole.captured_us };
                let len = whole.buf.len() - self.claim.headroom();
                let published = self.claim.publish(whole.buf, stamp);
                self.settle(published, len, stamp)
            }
            Ok(Push::Incomplete | Push::Late) => {
                self.settle_losses();
                Taken::Ok
            }
            Err(error) => self.refuse_frame(error.code(), error.to_string()),
        }
    }

    /// As [`Self::message`], for one that stands in `buf` behind the producer's headroom: a JPEG is
    /// not copied.
    pub fn owned(&mut self, buf: Vec<u8>) -> Taken {
        let message = &buf[self.claim.headroom()..];
        if starts_like_jpeg(message) { self.built(buf) } else { self.message(message) }
    }

    /// Takes one whole JPEG without a number or a time.
    pub fn jpeg(&mut self, jpeg: &[u8]) -> Taken {
        let published = self.claim.publish_jpeg(jpeg, Stamp::default());
        self.settle(published, jpeg.len(), Stamp::default())
    }

    /// Takes one whole JPEG that stands in `buf` behind the producer's headroom: no copy.
    pub fn built(&mut self, buf: Vec<u8>) -> Taken {
        let len = buf.len() - self.claim.headroom();
        let published = self.claim.publish(buf, Stamp::default());
        self.settle(published, len, Stamp::default())
    }

    /// Drops a frame that came after a newer one, as its sender's own times say.
    pub fn late(&mut self) -> Taken {
        self.claim.count(DropReason::Late, 1);
        self.lost += 1;
        Taken::Ok
    }

    /// Counts a frame that was refused before it could become one.
    pub fn refuse_frame(&mut self, code: &'static str, message: String) -> Taken {
        if let Some(reason) = DropReason::from_code(code) {
            self.claim.count(reason, 1);
        }
        self.refuse(code, message)
    }

    /// Counts a message that is of no kind a publisher may send, such as text on a binary channel.
    pub fn refuse(&mut self, code: &'static str, message: String) -> Taken {
        self.refused += 1;
        let now = self.claim.clock().now();
        let due = now >= self.fault_due;
        if due {
            self.fault_due = now + FAULT_PERIOD;
        }
        Taken::Refused(due.then_some(Fault { code, message }))
    }

    /// Gives up frames whose parts did not come, and sums up since the last call. Due at
    /// [`feedback_times`].
    pub fn feedback(&mut self) -> Feedback {
        let now = self.claim.clock().now();
        self.reassembler.expire(now);
        self.settle_losses();
        let seconds = now.saturating_duration_since(self.reported.at).as_secs_f64().max(0.001);
        let frames = (self.received - self.reported.received) as f64;
        let bytes = (self.bytes - self.reported.bytes) as f64;
        self.reported = Reported { at: now, received: self.received, bytes: self.bytes };
        Feedback {
            received: self.received,
            received_fps: (frames / seconds * 10.0).round() / 10.0,
            lost: self.lost,
            refused: self.refused,
            duplicates: self.duplicates,
            bytes_per_s: (bytes / seconds) as u64,
            age_ms: self.age_ms,
        }
    }

    fn settle(&mut self, published: Result<Outcome, Denied>, len: usize, stamp: Stamp) -> Taken {
        self.settle_losses();
        match published {
            Ok(Outcome::Published { .. }) => {
                self.received += 1;
                self.bytes += len as u64;
                let now_us = self.claim.clock().unix_us();
                let captured = Some(plausible(stamp.captured_us, now_us)).filter(|&us| us > 0);
                self.age_ms = captured.map(|us| now_us.saturating_sub(us) / 1000);
                Taken::Ok
            }
            Ok(Outcome::Duplicate { .. }) => {
                self.duplicates += 1;
                Taken::Ok
            }
            Ok(Outcome::Late) => {
                self.lost += 1;
                Taken::Ok
            }
            Err(Denied::NotNow(error)) => Taken::NotNow(error),
            Err(Denied::Refused(Refused::Replaced(_))) => Taken::Replaced,
            Err(Denied::Refused(error)) => self.refuse(error.code(), error.to_string()),
        }
    }

    /// Moves the reassembler's losses to the camera's counts.
    fn settle_losses(&mut self) {
        for (n, reason) in [
            (self.reassembler.take_incomplete(), DropReason::Incomplete),
            (self.reassembler.take_late(), DropReason::Late),
        ] {
            if n > 0 {
                self.claim.count(reason, n);
                self.lost += n;
            }
        }
    }
}

//! Notices a data channel that is dead although the connection lives.
//!
//! On an unordered channel that the *page* opened, the `webrtc` crate (0.21.1) never frees the
//! fragments of messages that the sender gave up. Its receive window goes to zero and no message
//! comes again, while the sender keeps probing. Told the number of data packets and when messages
//! complete, this says when that is so. Pure logic: the clock comes in as an `Instant`.

use std::time::{Duration, Instant};

/// Without a complete message for this long, while data keeps coming, a channel is taken as dead. A
/// frame that needs longer than this to arrive is not live anyhow.
pub const STALL_AFTER: Duration = Duration::from_secs(4);

/// Packets this soon after a message are its own last repetitions, or the start of one that was
/// given up.
const SETTLE: Duration = Duration::from_millis(500);

/// Fewer packets than this do not show that the sender is still at it.
const MIN_PROBES: u64 = 2;

/// See the module's header.
#[derive(Debug)]
pub struct StallWatch {
    /// When the last message was complete, or the channel opened.
    last_message: Instant,
    /// Data packets counted when the time for [`SETTLE`] was over.
    settled_at: Option<u64>,
}

impl StallWatch {
    /// Starts watching a channel that has just opened.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { last_message: now, settled_at: None }
    }

    /// A message has arrived completely.
    pub fn message(&mut self, now: Instant) {
        self.last_message = now;
        self.settled_at = None;
    }

    /// To be asked a few times a second with the number of data packets received so far.
    #[must_use]
    pub fn is_stalled(&mut self, data_packets: u64, now: Instant) -> bool {
        let silent = now.saturating_duration_since(self.last_message);
        if silent < SETTLE {
            return false;
        }
        let settled_at = *self.settled_at.get_or_insert(data_packets);
        silent >= STALL_AFTER && data_packets.saturating_sub(settled_at) >= MIN_PROBES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks each 250 ms for `secs`, with the packets and messages that `at` tells for each
    /// millisecond.
    fn first_stall(secs: u64, at: impl Fn(u64) -> (u64, bool)) -> Option<u64> {
        let start = Instant::now();
        let mut watch = StallWatch::new(start);
        let mut packets = 0;
        for ms in 0..secs * 1000 {
            let now = start + Duration::from_millis(ms);
            let (more, message) = at(ms);
            packets += more;
            if message {
                watch.message(now);
            }
            if ms % 250 == 0 && watch.is_stalled(packets, now) {
                return Some(ms);
            }
        }
        None
    }

    #[test]
    fn frames_at_any_pace_are_no_stall() {
        assert_eq!(first_stall(60, |ms| (1, ms % 33 == 0)), None);
        assert_eq!(first_stall(60, |ms| (u64::from(ms % 1000 < 30), ms % 1000 == 30)), None);
        // One frame each 3 s over a slow link, packets all the time.
        assert_eq!(first_stall(60, |ms| (u64::from(ms % 50 == 0), ms % 3000 == 2999)), None);
    }

    #[test]
    fn a_page_that_sends_nothing_is_no_stall() {
        assert_eq!(first_stall(600, |ms| (u64::from(ms < 100), ms == 100)), None);
        assert_eq!(first_stall(600, |_| (0, false)), None);
    }

    #[test]
    fn probes_without_messages_are() {
        // Frames for 10 s, then only probes, doubling their distance as a sender does at window 0.
        let probes = [10_500, 11_500, 13_500, 17_500, 25_500];
        let stall = first_stall(60, |ms| {
            (u64::from(ms < 10_000 || probes.contains(&ms)), ms < 10_000 && ms % 33 == 0)
        });
        assert_eq!(stall, Some(14_000), "the second settled probe came at 13.5 s");
    }
}

//! How much may be on its way to a viewer that acknowledges frames. Sans I/O: time comes in.
//!
//! A link with deep buffers takes a whole second of frames before TCP pushes back, and every frame
//! then arrives a second old. Acknowledgements show the delay itself: no new frame starts while the
//! oldest one on its way is later than the link's own round trip and a little slack. A viewer that
//! never acknowledges is bounded by the kernel's buffers alone.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Queueing delay allowed above the shortest round trip seen: three frames at 30 fps, so that a
/// link with room keeps its rate through jitter.
const SLACK: Duration = Duration::from_millis(100);
/// The shortest round trip counts for this long, so that a changed route is learnt.
const ROUND_TRIP_MEMORY: Duration = Duration::from_secs(10);
/// A viewer that stopped acknowledging (a page in the background) still gets a frame this often.
const PROBE: Duration = Duration::from_secs(1);
/// Frames remembered as on their way: two seconds at 60 fps. Beyond that the oldest are forgotten.
const MAX_ON_THE_WAY: usize = 128;

/// The acknowledgement window of one viewer and camera.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Set by the first acknowledgement.
    acks: Option<Acks>,
    on_the_way: VecDeque<(u64, Instant)>,
}

#[derive(Debug)]
struct Acks {
    round_trip: Duration,
    measured_at: Instant,
}

impl Flow {
    /// Whether a frame may start now.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        let Some(acks) = &self.acks else { return true };
        let (Some((_, oldest)), Some((_, newest))) =
            (self.on_the_way.front(), self.on_the_way.back())
        else {
            return true;
        };
        let waiting = |since: &Instant| now.saturating_duration_since(*since);
        waiting(oldest) < acks.round_trip + SLACK || waiting(newest) >= PROBE
    }

    /// A frame started.
    pub(super) fn sent(&mut self, seq: u64, now: Instant) {
        if self.on_the_way.len() == MAX_ON_THE_WAY {
            self.on_the_way.pop_front();
        }
        self.on_the_way.push_back((seq, now));
    }

    /// The viewer has shown frame `seq`, and with it all before. Numbers never sent are ignored.
    pub(super) fn acked(&mut self, seq: u64, now: Instant) {
        let Ok(at) = self.on_the_way.binary_search_by_key(&seq, |&(seq, _)| seq) else { return };
        let took = now.saturating_duration_since(self.on_the_way[at].1);
        self.on_the_way.drain(..=at);
        let learnt = |acks: &Acks| {
            took > acks.round_trip
                && now.saturating_duration_since(acks.measured_at) < ROUND_TRIP_MEMORY
        };
        if !self.acks.as_ref().is_some_and(learnt) {
            self.acks = Some(Acks { round_trip: took, measured_at: now });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link of `per_frame` a frame and `one_way` each way, behind a buffer without bound; the
    /// source makes 30 frames a second. Returns (frames shown, worst age after the first second).
    fn link(per_frame: Duration, one_way: Duration, seconds: u32) -> (u32, Duration) {
        let start = Instant::now();
        let (mut flow, mut free_at) = (Flow::default(), start);
        let mut acks: VecDeque<(Instant, u64)> = VecDeque::new();
        let (mut shown, mut worst) = (0, Duration::ZERO);
        for seq in 1..=u64::from(30 * seconds) {
            let now = start + Duration::from_micros(33_333) * seq as u32;
            while acks.front().is_some_and(|&(at, _)| at <= now) {
                let (at, seq) = acks.pop_front().unwrap();
                flow.acked(seq, at);
            }
            if flow.is_open(now) {
                flow.sent(seq, now);
                free_at = free_at.max(now) + per_frame;
                let arrives = free_at + one_way;
                acks.push_back((arrives + one_way, seq));
                shown += 1;
                if seq > 30 {
                    worst = worst.max(arrives - now);
                }
            }
        }
        (shown, worst)
    }

    #[test]
    fn half_the_bandwidth_shows_half_the_frames_none_older_than_a_quarter_second() {
        let (shown, worst) = link(Duration::from_micros(66_666), Duration::from_millis(20), 20);
        assert!(shown >= 270, "{shown} of 600");
        assert!(worst <= Duration::from_millis(250), "{worst:?}");
    }

    #[test]
    fn a_link_with_room_keeps_every_frame_however_long_it_is() {
        for one_way in [1, 20, 150, 300] {
            let (shown, _) = link(Duration::from_millis(5), Duration::from_millis(one_way), 20);
            assert!(shown >= 590, "{shown} of 600 at {one_way} ms each way");
        }
    }

    #[test]
    fn a_viewer_that_stops_acknowledging_gets_a_frame_a_second() {
        let start = Instant::now();
        let mut flow = Flow::default();
        flow.sent(1, start);
        flow.acked(1, start + Duration::from_millis(10));
        let mut sent = 0;
        for seq in 2..302 {
            let now = start + Duration::from_millis(33 * seq);
            if flow.is_open(now) {
                flow.sent(seq, now);
                sent += 1;
            }
        }
        assert!((10..=15).contains(&sent), "{sent} in 10 s");
    }

    #[test]
    fn without_acknowledgements_the_window_stays_open() {
        let now = Instant::now();
        let mut flow = Flow::default();
        for seq in 0..1000 {
            assert!(flow.is_open(now));
            flow.sent(seq, now);
        }
        flow.acked(5000, now);
        assert!(flow.acks.is_none());
        assert_eq!(flow.on_the_way.len(), MAX_ON_THE_WAY);
    }
}

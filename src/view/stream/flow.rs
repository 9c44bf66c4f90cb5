//! How much may be on its way to a viewer that acknowledges frames. Sans I/O: time comes in.
//!
//! A link with deep buffers takes a whole second of frames before TCP pushes back, and every frame
//! then arrives a second old. Acknowledgements show the delay itself, and no more frames are let on
//! their way than keep it near the link's own round trip. A viewer that never acknowledges is bounded
//! by the kernel's buffers alone.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Queueing delay allowed above the shortest round trip seen: two frames at 30 fps, so that a link
/// with room keeps its rate through jitter.
const SLACK: Duration = Duration::from_millis(60);
/// Over this much time the rate of acknowledgements is taken.
const RATE_WINDOW: Duration = Duration::from_secs(1);
/// After a queue has stood for this long, the round trip is measured anew with a single frame on its
/// way: the route may have become longer, which looks the same as a queue.
const ROUND_TRIP_MEMORY: Duration = Duration::from_secs(10);
/// A viewer that stopped acknowledging (a page in the background) still gets a frame this often.
const PROBE: Duration = Duration::from_secs(1);
/// Frames remembered as on their way: two seconds at 60 fps. Beyond that the oldest are forgotten.
const MAX_ON_THE_WAY: usize = 128;

/// The acknowledgement window of one viewer and camera.
///
/// Nothing is kept, nor open to question, until the first acknowledgement: most clients that are no
/// page never send one, and there are thousands of them.
#[derive(Debug, Default)]
pub(super) struct Flow(Option<Box<Link>>);

/// What is known of the way to a viewer that acknowledges.
#[derive(Debug, Default)]
struct Link {
    on_the_way: VecDeque<(u64, Instant)>,
    /// The newest frame that was sent with no other on its way.
    alone: Option<u64>,
    round_trip: Option<RoundTrip>,
    /// When frames were acknowledged, in the last [`RATE_WINDOW`].
    acks: VecDeque<Instant>,
}

#[derive(Debug)]
struct RoundTrip {
    /// The shortest of late.
    shortest: Duration,
    measured_at: Instant,
    newest: Duration,
}

impl RoundTrip {
    fn is_stale(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.measured_at) >= ROUND_TRIP_MEMORY
    }
}

impl Flow {
    /// Whether a frame may start now.
    ///
    /// While round trips are short, the oldest frame on its way may be as late as [`SLACK`] allows.
    /// Once they grow, a queue stands somewhere: then only as many frames may be on their way as
    /// the link has lately carried in a round trip and the slack.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        self.0.as_ref().is_none_or(|link| link.is_open(now))
    }

    /// Whether nothing was acknowledged yet.
    pub(super) fn is_silent(&self) -> bool {
        self.0.is_none()
    }

    /// How much longer the newest frame took to be acknowledged than the quickest of late: the age that
    /// it gained on its way. `None` before the first acknowledgement.
    pub(super) fn delay(&self) -> Option<Duration> {
        let round_trip = self.0.as_ref()?.round_trip.as_ref()?;
        Some(round_trip.newest.saturating_sub(round_trip.shortest))
    }

    /// A frame started.
    pub(super) fn sent(&mut self, seq: u64, now: Instant) {
        if let Some(link) = &mut self.0 {
            link.sent(seq, now);
        }
    }

    /// The viewer has shown frame `seq`, and with it all before. Numbers never sent are ignored.
    ///
    /// `came` says when that frame came from its camera, for the first acknowledgement: of what was
    /// sent before it, nothing else is known. Where the cache no longer knows either, the round trip
    /// is measured with what is sent from here on.
    pub(super) fn acked(&mut self, seq: u64, now: Instant, came: impl FnOnce() -> Option<Instant>) {
        let link = self.0.get_or_insert_with(|| {
            let mut link = Box::<Link>::default();
            if let Some(came) = came() {
                link.sent(seq, came);
            }
            link
        });
        link.acked(seq, now);
    }
}

impl Link {
    fn is_open(&self, now: Instant) -> bool {
        let Some(round_trip) = &self.round_trip else { return true };
        let (Some((_, oldest)), Some((_, newest))) =
            (self.on_the_way.front(), self.on_the_way.back())
        else {
            return true;
        };
        let waiting = |since: &Instant| now.saturating_duration_since(*since);
        if waiting(newest) >= PROBE {
            return true;
        }
        if round_trip.is_stale(now) {
            return false;
        }
        let allowed = round_trip.shortest + SLACK;
        if round_trip.newest <= round_trip.shortest + SLACK / 2 {
            return waiting(oldest) < allowed;
        }
        let carried = self.acks.len() as f64 * allowed.as_secs_f64() / RATE_WINDOW.as_secs_f64();
        (self.on_the_way.len() as f64) < carried.max(1.0)
    }

    fn sent(&mut self, seq: u64, now: Instant) {
        if self.on_the_way.is_empty() {
            self.alone = Some(seq);
        }
        if self.on_the_way.len() == MAX_ON_THE_WAY {
            self.on_the_way.pop_front();
        }
        self.on_the_way.push_back((seq, now));
    }

    fn acked(&mut self, seq: u64, now: Instant) {
        let Ok(at) = self.on_the_way.binary_search_by_key(&seq, |&(seq, _)| seq) else { return };
        let took = now.saturating_duration_since(self.on_the_way[at].1);
        self.on_the_way.drain(..=at);
        let round_trip = self.round_trip.get_or_insert(RoundTrip {
            shortest: took,
            measured_at: now,
            newest: took,
        });
        if took <= round_trip.shortest || round_trip.is_stale(now) && self.alone == Some(seq) {
            (round_trip.shortest, round_trip.measured_at) = (took, now);
        } else if took <= round_trip.shortest + SLACK / 2 {
            round_trip.measured_at = now;
        }
        round_trip.newest = took;
        if self.acks.len() == MAX_ON_THE_WAY {
            self.acks.pop_front();
        }
        self.acks.push_back(now);
        let age = |since: Instant| now.saturating_duration_since(since);
        while self.acks.front().is_some_and(|&at| age(at) > RATE_WINDOW) {
            self.acks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When frame `seq` comes from a camera of 30 fps.
    fn sent_at(start: Instant, seq: u64) -> Instant {
        start + Duration::from_micros(33_333) * seq as u32
    }

    /// A link of `per_frame` a frame and `one_way` each way, behind a buffer without bound; the
    /// source makes 30 frames a second. Returns (frames shown, 95th percentile of their age).
    fn link(per_frame: Duration, one_way: Duration, seconds: u32) -> (usize, Duration) {
        let start = Instant::now();
        let (mut flow, mut free_at) = (Flow::default(), start);
        let mut acks: VecDeque<(Instant, u64)> = VecDeque::new();
        let mut ages = Vec::new();
        for seq in 1..=u64::from(30 * seconds) {
            let now = start + Duration::from_micros(33_333) * seq as u32;
            while acks.front().is_some_and(|&(at, _)| at <= now) {
                let (at, seq) = acks.pop_front().unwrap();
                flow.acked(seq, at, || Some(sent_at(start, seq)));
            }
            if flow.is_open(now) {
                flow.sent(seq, now);
                free_at = free_at.max(now) + per_frame;
                let arrives = free_at + one_way;
                acks.push_back((arrives + one_way, seq));
                ages.push(arrives - now);
            }
        }
        ages.sort();
        (ages.len(), ages[ages.len() * 95 / 100])
    }

    #[test]
    fn half_the_bandwidth_shows_half_the_frames_within_a_quarter_second() {
        let (shown, age) = link(Duration::from_micros(66_666), Duration::from_millis(20), 20);
        assert!(shown >= 270, "{shown} of 600");
        assert!(age <= Duration::from_millis(250), "{age:?}");
    }

    #[test]
    fn a_link_with_room_keeps_every_frame_however_long_it_is() {
        for one_way in [1, 20, 150, 300] {
            let (shown, _) = link(Duration::from_millis(5), Duration::from_millis(one_way), 20);
            assert!(shown >= 590, "{shown} of 600 at {one_way} ms each way");
        }
    }

    #[test]
    fn a_route_that_becomes_longer_is_learnt() {
        let start = Instant::now();
        let (mut flow, mut acks) = (Flow::default(), VecDeque::<(Instant, u64)>::new());
        let mut shown_late = 0;
        for seq in 1..=1800u32 {
            let now = start + Duration::from_micros(33_333) * seq;
            while acks.front().is_some_and(|&(at, _)| at <= now) {
                let (at, seq) = acks.pop_front().unwrap();
                flow.acked(seq, at, || Some(sent_at(start, seq)));
            }
            if flow.is_open(now) {
                flow.sent(u64::from(seq), now);
                let round_trip = if seq < 300 { 10 } else { 400 };
                acks.push_back((now + Duration::from_millis(round_trip), u64::from(seq)));
                shown_late += u32::from(seq > 900);
            }
        }
        assert!(shown_late >= 850, "{shown_late} of 900 after the route was learnt");
    }

    #[test]
    fn a_viewer_that_stops_acknowledging_gets_a_frame_a_second() {
        let start = Instant::now();
        let mut flow = Flow::default();
        flow.sent(1, start);
        flow.acked(1, start + Duration::from_millis(10), || Some(start));
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
    fn a_frame_that_the_cache_has_forgotten_starts_the_window_all_the_same() {
        let start = Instant::now();
        let mut flow = Flow::default();
        let late = Duration::from_millis(900);
        flow.acked(7, start, || None);
        for seq in 8..20 {
            flow.sent(seq, start);
        }
        flow.acked(8, start + Duration::from_millis(10), || None);
        flow.acked(9, start + late, || None);
        assert!(!flow.is_open(start + late), "a queue stands, and frames are on their way");
    }

    #[test]
    fn without_acknowledgements_the_window_stays_open() {
        let now = Instant::now();
        let mut flow = Flow::default();
        for seq in 0..1000 {
            assert!(flow.is_open(now));
            flow.sent(seq, now);
        }
        assert!(flow.0.is_none(), "and nothing is kept");
        flow.acked(5000, now, || None);
        for seq in 1000..2000 {
            assert!(flow.is_open(now));
            flow.sent(seq, now);
        }
        assert_eq!(flow.0.map(|link| link.on_the_way.len()), Some(MAX_ON_THE_WAY));
    }
}

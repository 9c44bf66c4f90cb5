//! Whether Redis is there, and when to try again. No I/O: instants come in.

use std::time::{Duration, Instant};

use super::State;

/// Wait before the first new try.
const BACKOFF_MIN: Duration = Duration::from_millis(500);
/// Longest wait: a Redis that comes back after hours is in use half a minute later.
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// Part of the wait that chance decides, so that many servers do not come back in step.
const JITTER: f64 = 0.25;
/// A connection that lasted so long is taken for sound: the waits start anew. One that breaks again
/// and again is tried, and told of, ever more rarely.
const STEADY: Duration = Duration::from_secs(10);

/// Wait between tries while Redis is there but has no room: what it would need may be given back any
/// moment, and a try sends pictures.
const FULL_WAIT: Duration = Duration::from_secs(1);

/// What has changed, to be said once.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Connected for the first time.
    First,
    /// Connected again, after so long.
    Back(Duration),
    /// Gone, or not there from the start.
    Gone,
    /// Has room again.
    Room,
}

#[derive(Debug)]
pub(super) struct Circuit {
    state: State,
    since: Instant,
    /// It is there but out of memory.
    is_full: bool,
    failures: u32,
    retry_at: Instant,
}

impl Circuit {
    pub(super) fn new(now: Instant) -> Self {
        Self { state: State::Connecting, since: now, is_full: false, failures: 0, retry_at: now }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Whether flushes may go out, any number of them.
    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Connected && !self.is_full
    }

    /// When a single one may go out to see whether Redis is there again, or has room.
    pub(super) fn retry_at(&self) -> Instant {
        self.retry_at
    }

    /// The flush that tried it was answered.
    pub(super) fn succeeded(&mut self, now: Instant) -> Option<Change> {
        let change = match self.state {
            State::Connected => return std::mem::take(&mut self.is_full).then_some(Change::Room),
            State::Connecting => Change::First,
            State::Down => Change::Back(now.saturating_duration_since(self.since)),
        };
        (self.state, self.since) = (State::Connected, now);
        Some(change)
    }

    /// A flush failed. `chance` is any number in 0..1.
    pub(super) fn failed(&mut self, now: Instant, chance: f64) -> Option<Change> {
        self.is_full = false;
        if self.state == State::Connected && now.saturating_duration_since(self.since) >= STEADY {
            self.failures = 0;
        }
        let wait = (BACKOFF_MIN * 2u32.saturating_pow(self.failures.min(16))).min(BACKOFF_MAX);
        self.retry_at = now + wait.mul_f64(1.0 - JITTER * chance.clamp(0.0, 1.0));
        self.failures += 1;
        if self.state == State::Down {
            return None;
        }
        (self.state, self.since) = (State::Down, now);
        Some(Change::Gone)
    }

    /// A flush found Redis out of memory. That says nothing of the connection.
    pub(super) fn full(&mut self, now: Instant) {
        self.is_full = true;
        self.retry_at = now + FULL_WAIT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_at_doubling_waits_up_to_half_a_minute() {
        let start = Instant::now();
        let mut circuit = Circuit::new(start);
        assert_eq!(circuit.retry_at(), start);
        let mut waits = Vec::new();
        for _ in 0..9 {
            let now = circuit.retry_at();
            let _ = circuit.failed(now, 0.0);
            waits.push((circuit.retry_at() - now).as_millis());
        }
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    }

    #[test]
    fn chance_shortens_a_wait_by_a_quarter_at_the_most() {
        let now = Instant::now();
        let mut circuit = Circuit::new(now);
        let _ = circuit.failed(now, 1.0);
        assert_eq!(circuit.retry_at() - now, Duration::from_millis(375));
    }

    #[test]
    fn each_change_is_told_once() {
        let start = Instant::now();
        let mut circuit = Circuit::new(start);
        assert_eq!(circuit.succeeded(start), Some(Change::First));
        assert_eq!(circuit.succeeded(start), None);
        assert_eq!(circuit.failed(start, 0.5), Some(Change::Gone));
        assert_eq!(circuit.failed(start, 0.5), None);
        assert!(!circuit.is_closed());
        let later = start + Duration::from_secs(3);
        assert_eq!(circuit.succeeded(later), Some(Change::Back(Duration::from_secs(3))));
        assert!(circuit.is_closed());
    }

    #[test]
    fn waits_start_anew_after_a_sound_connection_only() {
        let start = Instant::now();
        let mut circuit = Circuit::new(start);
        for (connected_for, wait_ms) in [(1, 500), (1, 1000), (9, 2000), (10, 500), (1, 1000)] {
            let _ = circuit.succeeded(start);
            let gone_at = start + Duration::from_secs(connected_for);
            let _ = circuit.failed(gone_at, 0.0);
            assert_eq!(circuit.retry_at() - gone_at, Duration::from_millis(wait_ms));
        }
    }

    #[test]
    fn absent_from_the_start_is_told_as_gone_and_then_as_back() {
        let start = Instant::now();
        let mut circuit = Circuit::new(start);
        assert_eq!(circuit.failed(start, 0.0), Some(Change::Gone));
        let later = start + Duration::from_secs(1);
        assert_eq!(circuit.succeeded(later), Some(Change::Back(Duration::from_secs(1))));
    }

    #[test]
    fn out_of_memory_is_tried_once_a_second_and_is_not_gone() {
        let start = Instant::now();
        let mut circuit = Circuit::new(start);
        let _ = circuit.succeeded(start);
        for tries in 1..=40 {
            let now = start + Duration::from_secs(tries);
            circuit.full(now);
            assert_eq!((circuit.state(), circuit.is_closed()), (State::Connected, false));
            assert_eq!(circuit.retry_at(), now + Duration::from_secs(1));
        }
        assert_eq!(circuit.succeeded(start), Some(Change::Room));
        assert!(circuit.is_closed());
        assert_eq!(circuit.succeeded(start), None);
        // Gone while it was full: back is not full.
        circuit.full(start);
        assert_eq!(circuit.failed(start, 0.0), Some(Change::Gone));
        assert_eq!(circuit.succeeded(start), Some(Change::Back(Duration::ZERO)));
        assert!(circuit.is_closed());
    }
}

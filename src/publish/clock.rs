//! This machine's clock, and the server's as seen from here (`docs/protocol.md`, *Clock*).

use std::{
    collections::VecDeque,
    sync::LazyLock,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// Answers kept: enough to catch a quiet moment, few enough to follow a drifting clock.
const SAMPLES: usize = 8;

static START: LazyLock<(Instant, u64)> = LazyLock::new(|| {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (Instant::now(), micros(unix))
});

/// Unix microseconds that never step while this process lives.
pub(super) fn local_us() -> u64 {
    let (start, unix_us) = *START;
    unix_us + micros(start.elapsed())
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The server's clock relative to ours: of the last samples the one with the shortest round trip
/// counts, for its error is at most half of that.
#[derive(Debug, Default)]
pub(super) struct ServerClock {
    /// (round trip, server minus local), both in microseconds.
    samples: VecDeque<(u64, i128)>,
}

impl ServerClock {
    /// A ping left at `sent_us` and its answer, arriving at `received_us`, says `server_us`.
    pub(super) fn sample(&mut self, sent_us: u64, server_us: u64, received_us: u64) {
        let Some(round_trip) = received_us.checked_sub(sent_us) else { return };
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        let middle = i128::from(sent_us) + i128::from(round_trip / 2);
        self.samples.push_back((round_trip, i128::from(server_us) - middle));
    }

    /// A local time on the server's clock; 0, which says unknown, before the first answer.
    pub(super) fn to_server(&self, local_us: u64) -> u64 {
        let best = self.samples.iter().min_by_key(|(round_trip, _)| round_trip);
        let time = best.map(|(_, offset)| i128::from(local_us) + offset);
        time.and_then(|time| u64::try_from(time).ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_with_the_shortest_round_trip_counts() {
        let mut clock = ServerClock::default();
        assert_eq!(clock.to_server(5), 0, "unknown");
        // The server is 1 s ahead; the first answer is late on its way back.
        clock.sample(10_000, 1_010_500, 50_000);
        clock.sample(60_000, 1_060_500, 61_000);
        assert_eq!(clock.to_server(100_000), 1_100_000);
        // A server behind us by more than its time is an answer that cannot be.
        let mut behind = ServerClock::default();
        behind.sample(1_000, 0, 1_000);
        assert_eq!((behind.to_server(1_500), behind.to_server(10)), (500, 0));
    }

    #[test]
    fn old_samples_are_forgotten() {
        let mut clock = ServerClock::default();
        clock.sample(0, 500, 0);
        for n in 1..=8 {
            clock.sample(n * 1000, n * 1000 + 10 + 7, n * 1000 + 20);
        }
        assert_eq!(clock.to_server(100), 107);
    }
}

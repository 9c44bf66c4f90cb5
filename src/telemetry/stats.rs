//! The line of figures: what an operator sees first when asking "is it well?".

use std::{fmt, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

/// Between two lines: seldom enough to read, often enough to find the minute of a trouble.
pub const PERIOD: Duration = Duration::from_secs(30);

/// The server's figures at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Cameras known.
    pub cameras: usize,
    /// Those of them that somebody publishes.
    pub online: usize,
    /// Who watches, counted once a camera, whatever the door.
    pub viewers: usize,
    /// Frames a second from all publishers.
    pub fps_in: f64,
    /// Frames published since the start.
    pub frames_in: u64,
    /// Frames handed to viewers since the start, where the doors count them.
    pub frames_out: u64,
    /// Bytes of all caches.
    pub cache_bytes: usize,
    /// The Redis writer in a word, such as "ok" or "down"; `None` without one.
    pub redis: Option<String>,
    /// Frames dropped since the start, by reason.
    pub drops: Vec<(&'static str, u64)>,
}

/// One line: the figures, and what became of the counts since the line before.
#[derive(Debug)]
pub struct Line<'a> {
    now: &'a Figures,
    before: &'a Figures,
    elapsed: Duration,
}

impl<'a> Line<'a> {
    /// Compares two moments.
    pub fn between(before: &'a Figures, now: &'a Figures, elapsed: Duration) -> Self {
        Self { now, before, elapsed }
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { now, before, elapsed } = self;
        let seconds = elapsed.as_secs_f64().max(0.001);
        let out = now.frames_out.saturating_sub(before.frames_out) as f64 / seconds;
        write!(
            f,
            "stats cameras={}/{} viewers={} in={:.1}fps out={out:.1}fps frames={} cache={:.1}MiB",
            now.online,
            now.cameras,
            now.viewers,
            now.fps_in,
            now.frames_in,
            now.cache_bytes as f64 / f64::from(1 << 20),
        )?;
        if let Some(redis) = &now.redis {
            write!(f, " redis={redis}")?;
        }
        for &(reason, n) in &now.drops {
            let old = before.drops.iter().find(|(other, _)| *other == reason);
            let new = n.saturating_sub(old.map_or(0, |&(_, n)| n));
            if new > 0 {
                write!(f, " {reason}=+{new}")?;
            }
        }
        Ok(())
    }
}

/// Logs a line every [`PERIOD`] until shutdown. Drops show as what came since the line before.
pub async fn stats_loop(figures: impl Fn() -> Figures, shutdown: CancellationToken) {
    let mut before = figures();
    let mut last = Instant::now();
    let mut ticks = interval_at(last + PERIOD, PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            now = ticks.tick() => {
                let figures = figures();
                tracing::info!("{}", Line::between(&before, &figures, now - last));
                (before, last) = (figures, now);
            }
            () = shutdown.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_shows_rates_and_what_was_dropped_since_the_line_before() {
        let before = Figures {
            frames_out: 1000,
            drops: vec![("paced", 5), ("late", 2)],
            ..Figures::default()
        };
        let now = Figures {
            cameras: 3,
            online: 2,
            viewers: 5,
            fps_in: 60.04,
            frames_in: 1800,
            frames_out: 10_000,
            cache_bytes: 3 << 19,
            redis: Some("ok".into()),
            drops: vec![("late", 2), ("paced", 12), ("behind", 1)],
        };
        assert_eq!(
            Line::between(&before, &now, Duration::from_secs(30)).to_string(),
            "stats cameras=2/3 viewers=5 in=60.0fps out=300.0fps frames=1800 cache=1.5MiB \
             redis=ok paced=+7 behind=+1"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_loop_asks_once_a_period_and_ends_at_shutdown() {
        let shutdown = CancellationToken::new();
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = asked.clone();
        let figures = move || {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Figures::default()
        };
        let running = tokio::spawn(stats_loop(figures, shutdown.clone()));
        tokio::time::sleep(PERIOD * 3 + PERIOD / 2).await;
        shutdown.cancel();
        running.await.unwrap();
        assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 4);
    }
}

//! Turns at scaling, within a budget of the processor's time.
//!
//! There are as many turns as the budget has whole or begun cores. Who has worked keeps its turn until
//! the time that it took fits the budget, and those who wait are served in the order in which they came:
//! each watched rung gets its share, and its fps falls when the shares become small.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Scaler;

/// Rests shorter than this are below a timer's resolution; they are added to the next.
const SHORTEST_REST: Duration = Duration::from_millis(1);

/// What was done since the start.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Figures {
    /// Cores that may be busy with it, on average.
    pub budget_cores: f64,
    /// Seconds of work.
    pub busy_s: f64,
    /// Pictures made.
    pub pictures: u64,
}

/// Hands out turns. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    turns: Arc<Semaphore>,
    budget_cores: f64,
    /// How long a turn is kept for a second of work, beyond it.
    rest: f64,
    /// Rests that were too short, in microseconds.
    owed_us: AtomicU64,
    /// Their buffers are large, so there are no more of them than turns.
    scalers: Mutex<Vec<Scaler>>,
    busy_us: AtomicU64,
    pictures: AtomicU64,
}

impl Pool {
    pub(super) fn new(cores: NonZeroUsize, percent: u8) -> Self {
        let budget_cores = cores.get() as f64 * f64::from(percent.clamp(1, 100)) / 100.0;
        let turns = budget_cores.ceil();
        Self(Arc::new(Inner {
            turns: Arc::new(Semaphore::new(turns as usize)),
            budget_cores,
            rest: turns / budget_cores - 1.0,
            owed_us: AtomicU64::new(0),
            scalers: Mutex::default(),
            busy_us: AtomicU64::new(0),
            pictures: AtomicU64::new(0),
        }))
    }

    /// Waits for a turn. Cancel safe.
    pub(super) async fn turn(&self) -> Turn {
        let permit = self.0.turns.clone().acquire_owned().await;
        // It is never closed; without a permit the work would merely be unbounded.
        Turn { permit: permit.ok(), pool: self.clone(), worked: Duration::ZERO }
    }

    pub(super) fn figures(&self) -> Figures {
        let Inner { budget_cores, busy_us, pictures, .. } = &*self.0;
        Figures {
            budget_cores: *budget_cores,
            busy_s: busy_us.load(Relaxed) as f64 / 1e6,
            pictures: pictures.load(Relaxed),
        }
    }
}

/// The right to scale one picture now.
#[derive(Debug)]
pub(super) struct Turn {
    permit: Option<OwnedSemaphorePermit>,
    pool: Pool,
    worked: Duration,
}

impl Turn {
    /// Runs `job` where it may take its time. `None` when it panicked, which costs that picture only.
    pub(super) async fn run<T: Send + 'static>(
        mut self,
        job: impl FnOnce(&mut Scaler) -> T + Send + 'static,
    ) -> Option<(T, Duration)> {
        // The turn goes along: a caller that stops waiting does not stop the work.
        let work = tokio::task::spawn_blocking(move || {
            let mut scaler = self.pool.0.scalers.lock().pop().unwrap_or_default();
            let started = Instant::now();
            let out = job(&mut scaler);
            self.worked = started.elapsed();
            let inner = &*self.pool.0;
            inner.busy_us.fetch_add(self.worked.as_micros() as u64, Relaxed);
            inner.pictures.fetch_add(1, Relaxed);
            inner.scalers.lock().push(scaler);
            (out, self.worked)
        });
        work.await.ok()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Inner { rest, owed_us, .. } = &*self.pool.0;
        let owed = Duration::from_micros(owed_us.swap(0, Relaxed));
        let rest = owed + self.worked.mul_f64(*rest);
        if rest < SHORTEST_REST {
            owed_us.fetch_add(rest.as_micros() as u64, Relaxed);
            return;
        }
        let permit = self.permit.take();
        // Outside of a runtime there is nobody to wait for the turn either.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(rest).await;
                drop(permit);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_takes_no_more_than_its_share() {
        // A quarter of a core: after 10 ms of work 30 ms of rest.
        let pool = Pool::new(NonZeroUsize::MIN, 25);
        let started = Instant::now();
        for _ in 0..5 {
            pool.turn().await.run(|_| std::thread::sleep(Duration::from_millis(10))).await.unwrap();
        }
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(4 * 40 + 10), "{took:?}");
        assert_eq!(pool.figures().pictures, 5);
    }

    #[tokio::test]
    async fn short_work_adds_up() {
        let pool = Pool::new(NonZeroUsize::MIN, 75);
        let started = Instant::now();
        for _ in 0..40 {
            pool.turn().await.run(|_| std::thread::sleep(Duration::from_millis(1))).await.unwrap();
        }
        let (busy, took) = (pool.figures().busy_s, started.elapsed().as_secs_f64());
        // But for the last rest, which nobody waited for.
        assert!(busy <= 0.76 * (took + 0.003), "busy {busy} of {took} s");
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_picture_only() {
        let pool = Pool::new(NonZeroUsize::MIN, 100);
        let broken = pool.turn().await.run(|_| panic!("a picture like no other")).await;
        assert!(broken.is_none());
        assert_eq!(pool.turn().await.run(|_| 7).await.unwrap().0, 7);
    }

    #[test]
    fn there_are_turns_for_every_begun_core() {
        for (cores, percent, turns) in [(1, 50, 1), (2, 50, 1), (3, 50, 2), (8, 50, 4), (8, 1, 1)] {
            let pool = Pool::new(NonZeroUsize::new(cores).unwrap(), percent);
            assert_eq!(pool.0.turns.available_permits(), turns, "{cores} cores, {percent} %");
        }
    }
}

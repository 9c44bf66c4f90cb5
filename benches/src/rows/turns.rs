//! Two servers that are fed in turns of a second, so that both see the same machine: on a shared one
//! the same measurement a minute later may differ by more than what is compared.

use std::{io, thread, time::Duration};

use super::fanout::{FPS, FRAME};
use crate::{
    load::{Door, Habits, Publishers, Viewers, median},
    subject::{Kind, Subject},
};

/// Until frames flow evenly again.
pub const SETTLE: Duration = Duration::from_millis(500);
const TURN: Duration = Duration::from_secs(1);

/// A server with cameras that send nothing until it is their turn; its viewers of group 0 are looked at.
pub struct Side {
    pub server: Subject,
    pub load: Viewers,
    pub publishers: Publishers,
}

/// What a side did in one turn, or the medians of its turns.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Share of the frames that should have come.
    pub delivered: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// CPU time of the server a second.
    pub cpu: f64,
    /// The same a delivered frame, in microseconds.
    pub us: f64,
    /// Memory that the server holds, in millions of bytes.
    pub rss_mb: f64,
}

impl Figures {
    /// Each figure's median.
    pub fn median(turns: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(turns.iter().map(figure));
        Self {
            delivered: of(|turn| turn.delivered),
            p50_ms: of(|turn| turn.p50_ms),
            p99_ms: of(|turn| turn.p99_ms),
            cpu: of(|turn| turn.cpu),
            us: of(|turn| turn.us),
            rss_mb: of(|turn| turn.rss_mb),
        }
    }
}

impl Side {
    /// Starts a server with so many viewers for each of so many cameras.
    pub fn start(kind: Kind, options: &[&str], cameras: usize, viewers: usize) -> io::Result<Self> {
        let server = Subject::start_with(kind, options, kind.cores())?;
        let ids: Vec<String> = (0..cameras).map(|camera| format!("cam-{camera}")).collect();
        let load = Viewers::start()?;
        for id in &ids {
            let path = format!("/stream?cameras={id}");
            load.add(server.view, &path, viewers, Habits::default())?;
        }
        let publishers = Publishers::start(server.ingest, &ids, Door::WebSocket, FRAME, FPS)?;
        publishers.pause();
        Ok(Self { server, load, publishers })
    }

    fn turn(&self, settle: Duration) -> io::Result<Figures> {
        self.publishers.resume();
        thread::sleep(settle);
        let before = self.server.cpu()?;
        let window = self.load.watch(TURN);
        let cpu = (self.server.cpu()? - before).as_secs_f64();
        self.publishers.pause();
        let due = window.viewers as f64 * FPS * TURN.as_secs_f64();
        Ok(Figures {
            delivered: window.frames as f64 / due,
            p50_ms: window.age_ms(0.5),
            p99_ms: window.age_ms(0.99),
            cpu: cpu / TURN.as_secs_f64(),
            us: cpu * 1e6 / window.frames as f64,
            rss_mb: self.server.rss()? as f64 / 1e6,
        })
    }
}

/// Gives each side so many turns, after one that is not counted; answers with each side's. Before each is
/// measured, frames flow for `settle`.
pub fn compare(sides: &[Side], turns: u64, settle: Duration) -> io::Result<Vec<Vec<Figures>>> {
    let mut all = vec![Vec::new(); sides.len()];
    for turn in 0..=turns {
        for (side, all) in sides.iter().zip(&mut all) {
            let figures = side.turn(settle)?;
            if turn > 0 {
                all.push(figures);
            }
        }
    }
    Ok(all)
}

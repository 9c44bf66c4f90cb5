//! Two servers that are fed in turns of a second, so that both see the same machine: on a shared one
//! the same measurement a minute later may differ by more than what is compared.

use std::{io, thread, time::Duration};

use super::fanout::{FPS, FRAME};
use crate::{
    load::{Door, Habits, Publishers, Viewers, median},
    subject::{Kind, Subject},
    sys,
};

/// Until frames flow evenly again.
const SETTLE: Duration = Duration::from_millis(500);
const TURN: Duration = Duration::from_secs(1);

/// A server with cameras that publish in turns; its viewers of group 0 are looked at.
pub struct Side {
    pub server: Subject,
    pub ids: Vec<String>,
    pub load: Viewers,
}

/// The medians of its turns.
#[derive(Debug)]
pub struct Figures {
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// CPU time of the server a second.
    pub cpu: f64,
}

impl Side {
    /// Starts a server with so many viewers for each of so many cameras.
    pub fn start(kind: Kind, options: &[&str], cameras: usize, viewers: usize) -> io::Result<Self> {
        let server = Subject::start_with(kind, options, &[sys::SERVER_CORE])?;
        let ids: Vec<String> = (0..cameras).map(|camera| format!("cam-{camera}")).collect();
        let load = Viewers::start()?;
        for id in &ids {
            let path = format!("/stream?cameras={id}");
            load.add(server.view, &path, viewers, Habits::default())?;
        }
        Ok(Self { server, ids, load })
    }

    fn turn(&self) -> io::Result<Figures> {
        let door = Door::WebSocket;
        let _publishers = Publishers::start(self.server.ingest, &self.ids, door, FRAME, FPS)?;
        thread::sleep(SETTLE);
        let before = self.server.cpu()?;
        let window = self.load.watch(TURN);
        let cpu = self.server.cpu()? - before;
        Ok(Figures {
            p50_ms: window.age_ms(0.5),
            p99_ms: window.age_ms(0.99),
            cpu: cpu.as_secs_f64() / TURN.as_secs_f64(),
        })
    }
}

/// Gives each side so many turns.
pub fn compare(sides: [Side; 2], turns: u64) -> io::Result<[Figures; 2]> {
    let mut all = [Vec::new(), Vec::new()];
    for _ in 0..turns {
        for (side, all) in sides.iter().zip(&mut all) {
            all.push(side.turn()?);
        }
    }
    Ok(all.map(|all| Figures {
        p50_ms: median(all.iter().map(|turn| turn.p50_ms)),
        p99_ms: median(all.iter().map(|turn| turn.p99_ms)),
        cpu: median(all.iter().map(|turn| turn.cpu)),
    }))
}

//! Many viewers who come at once: what they cost, and what those already there notice.

use std::{io, thread, time::Duration};

use super::{
    Effort,
    fanout::{FPS, FRAME},
};
use crate::{
    load::{Door, Habits, Publishers, Viewers, median},
    report::{Goal, Section, show},
    subject::{Kind, Subject},
    sys,
};

const PRESENT: usize = 100;
const JOINING: usize = 3000;
const JOINERS: usize = 1;
/// Until the cache is full, and until all have come.
const SETTLE: Duration = Duration::from_secs(3);

#[derive(Debug)]
struct Figures {
    p99_before_ms: f64,
    p99_ms: f64,
    largest_ms: f64,
    /// Until all connections were open.
    opened_ms: f64,
    /// Bytes a viewer that joined: of the settled server, at the peak, and after they left again.
    after: f64,
    peak: f64,
    left: f64,
    /// Viewers of the new ones who got a frame.
    served: f64,
}

pub fn run(effort: Effort) -> io::Result<Section> {
    let mut all = Vec::new();
    for round in 0..effort.rounds {
        let figures = measure()?;
        eprintln!("round {round}: {figures:.1?}");
        all.push(figures);
    }
    Ok(section(&all))
}

fn measure() -> io::Result<Figures> {
    let options = ["--cache-secs", "2"];
    let server = Subject::start_with(Kind::Framecast(1), &options, &[sys::SERVER_CORE])?;
    let camera = ["cam".to_owned()];
    let _publishers = Publishers::start(server.ingest, &camera, Door::WebSocket, FRAME, FPS)?;
    let load = Viewers::start()?;
    load.add(server.view, "/stream?cameras=cam", PRESENT, Habits::default())?;
    thread::sleep(SETTLE);
    let before = load.watch(SETTLE);
    let (rss, start) = (server.rss()?, sys::now_ns());
    load.reset();
    // A frame at once, then one a second: all at 30 fps would measure not joining but a full core.
    let habits = Habits { group: JOINERS, ..Habits::default() };
    load.add(server.view, "/stream?cameras=cam&max_fps=1", JOINING, habits)?;
    let opened_ms = (sys::now_ns() - start) as f64 / 1e6;
    thread::sleep(SETTLE);
    let windows = load.windows(JOINERS + 1);
    let a_viewer = |bytes: u64| (bytes as f64 - rss as f64) / JOINING as f64;
    let (after, peak) = (a_viewer(server.rss()?), a_viewer(sys::peak_rss(server.pid())?));
    load.leave(JOINERS);
    thread::sleep(SETTLE);
    Ok(Figures {
        p99_before_ms: before.age_ms(0.99),
        p99_ms: windows[0].age_ms(0.99),
        largest_ms: windows[0].age_ms(1.0),
        opened_ms,
        after,
        peak,
        left: a_viewer(server.rss()?),
        served: if windows[JOINERS].fewest > 0 { windows[JOINERS].viewers as f64 } else { 0.0 },
    })
}

fn section(all: &[Figures]) -> Section {
    let of = |figure: fn(&Figures) -> f64| median(all.iter().map(figure));
    let line = |what: &str, figure: f64, unit: &str| vec![what.to_owned(), show(figure, unit)];
    let table = vec![
        vec!["what".to_owned(), "measured".to_owned()],
        line("time to open 3000 connections", of(|f| f.opened_ms), "ms"),
        line("p99 of those there, before", of(|f| f.p99_before_ms), "ms"),
        line("p99 of those there, from the first to 3 s after the last", of(|f| f.p99_ms), "ms"),
        line("oldest frame that they saw in this time", of(|f| f.largest_ms), "ms"),
        line("server's memory a new viewer, settled", of(|f| f.after) / 1024.0, "KiB"),
        line("at its peak", of(|f| f.peak) / 1024.0, "KiB"),
        line("after they left again", of(|f| f.left) / 1024.0, "KiB"),
    ];
    let goals = vec![
        Goal::at_least("new viewers served", of(|f| f.served), JOINING as f64, ""),
        // Connections that the system drops come a second later.
        Goal::at_most("time to open 3000 connections", of(|f| f.opened_ms), 1000.0, "ms"),
        Goal::at_most("oldest frame of those there", of(|f| f.largest_ms), 100.0, "ms"),
        Goal::at_most(
            "p99 of those there, more than before",
            of(|f| f.p99_ms - f.p99_before_ms),
            100.0,
            "ms",
        ),
        Goal::at_most("memory a new viewer, settled", of(|f| f.after) / 1024.0, 16.0, "KiB"),
        Goal::at_most("memory a new viewer, at the peak", of(|f| f.peak) / 1024.0, 32.0, "KiB"),
    ];
    Section {
        name: "joins".into(),
        title: "3000 viewers at once".into(),
        how: format!(
            "One camera of 30 KB frames at 30 fps with {PRESENT} viewers; {JOINING} more connect as \
             fast as one thread opens connections, and watch it at one frame a second."
        ),
        goals,
        table,
        measured: String::new(),
    }
}

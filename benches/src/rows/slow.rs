//! Viewers that stop reading: what they cost the server and the others, and what they see when they
//! read again.

use std::{io, thread, time::Duration};

use super::{
    Effort,
    fanout::{FPS, FRAME},
    turns::{self, SETTLE, Side},
};
use crate::{
    load::{Door, Habits, Publishers, Resumed, Viewers, median},
    report::{Goal, Section, show},
    servers::Mode,
    subject::{Kind, Subject},
    sys,
};

const READING: usize = 500;
const PAUSED: usize = 500;
/// Those who read on, and those who stop.
const READERS: Habits = Habits { group: 0, acks: false, receive_buffer: None };
const STOPPERS: usize = 1;
/// How long they stop.
const PAUSE: Duration = Duration::from_secs(5);
/// What their own kernel holds for them: Linux makes 128 KiB of it, its initial receive buffer.
const RECEIVE_BUFFER: usize = 64 << 10;
/// A cache that is full before memory is looked at.
const OPTIONS: &[&str] = &["--cache-secs", "2"];
const WARM_UP: Duration = Duration::from_secs(4);

/// All turns are over before those who read nothing are closed, after 30 s.
const TURNS: u64 = 8;
/// How often such servers are started anew for the figures that must hold: between two equal servers the
/// median of 8 turns' p99 differs by a fifth.
const REPEATS: usize = 5;

/// Viewers of each of two groups that read nothing until they are closed.
const SILENT: usize = 50;
/// `docs/protocol.md`: "the viewer has read nothing for 30 s".
const NOT_READING: u16 = 4003;

/// A server, and the receive buffer of those who stop.
const SUBJECTS: [(Kind, Option<usize>); 5] = [
    (Kind::Framecast(1), Some(RECEIVE_BUFFER)),
    (Kind::Framecast(1), None),
    (Kind::Own(Mode::Floor, 1), Some(RECEIVE_BUFFER)),
    (Kind::Bun, Some(RECEIVE_BUFFER)),
    (Kind::NodeWs, Some(RECEIVE_BUFFER)),
];

#[derive(Debug)]
struct Figures {
    /// What the 500 who read see without others, and beside 500 who read nothing, turn by turn.
    alone: Vec<turns::Figures>,
    beside: Vec<turns::Figures>,
    /// Bytes of user memory a viewer that stopped.
    user: f64,
    /// Bytes of kernel memory: the most for one of them, and the mean of all 1000.
    kernel: f64,
    kernel_mean: f64,
    resumed: After,
}

/// What the worst of those who stopped saw afterwards.
#[derive(Debug)]
struct After {
    old_own: f64,
    old_sent: f64,
    young_age_ms: f64,
    young_after_ms: f64,
}

pub fn run(effort: Effort) -> io::Result<Section> {
    let mut all: Vec<Vec<Figures>> = SUBJECTS.iter().map(|_| Vec::new()).collect();
    for round in 0..effort.rounds {
        for (subject, (&(kind, buffer), figures)) in SUBJECTS.iter().zip(&mut all).enumerate() {
            // What the peers do is far enough from the goals to show at once.
            if round > 0 && !matches!(kind, Kind::Framecast(_)) {
                continue;
            }
            let repeats = if subject == 0 { REPEATS } else { 1 };
            let measured = measure(kind, buffer, repeats)?;
            let [alone, beside] =
                [&measured.alone, &measured.beside].map(|t| turns::Figures::median(t));
            eprintln!("round {round}, {}, {buffer:?}: {alone:.1?} {beside:.1?}", kind.name());
            figures.push(measured);
        }
    }
    let closed = closed()?;
    eprintln!("closed: {closed:?}");
    Ok(section(&all, &closed))
}

fn measure(kind: Kind, receive_buffer: Option<usize>, repeats: usize) -> io::Result<Figures> {
    let options = if matches!(kind, Kind::Framecast(_)) { OPTIONS } else { &[] };
    let habits = Habits { group: STOPPERS, receive_buffer, ..Habits::default() };
    let (user, kernel, kernel_mean, resumed) = pause(kind, options, habits)?;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..repeats {
        let without = Side::start(kind, options, 1, READING)?;
        let with = Side::start(kind, options, 1, READING)?;
        with.load.add(with.server.view, "/stream?cameras=cam-0", PAUSED, habits)?;
        with.load.pause(STOPPERS);
        let mut turns = turns::compare(&[without, with], TURNS, SETTLE)?;
        beside.append(&mut turns[1]);
        alone.append(&mut turns[0]);
    }
    Ok(Figures { alone, beside, user, kernel, kernel_mean, resumed })
}

/// What viewers who stop for a while cost, and what they see then.
fn pause(kind: Kind, options: &[&str], habits: Habits) -> io::Result<(f64, f64, f64, After)> {
    let server = Subject::start_with(kind, options, &[sys::SERVER_CORE])?;
    let camera = ["cam".to_owned()];
    let _publishers = Publishers::start(server.ingest, &camera, Door::WebSocket, FRAME, FPS)?;
    let load = Viewers::start()?;
    let path = "/stream?cameras=cam";
    load.add(server.view, path, READING, READERS)?;
    thread::sleep(WARM_UP);
    load.add(server.view, path, PAUSED, habits)?;
    thread::sleep(Duration::from_secs(2));
    let before = server.rss()?;
    load.pause(STOPPERS);
    thread::sleep(PAUSE);
    let growth = server.rss()? as f64 - before as f64;
    let (kernel, kernel_mean) = match sys::send_queues(server.view.port())? {
        Some((largest, mean)) => (largest as f64, mean),
        None => (f64::NAN, f64::NAN),
    };
    load.go_on(STOPPERS);
    // Megabytes a viewer wait where nothing bounds them.
    thread::sleep(Duration::from_secs(5));
    let resumed = After::worst(&load.windows(STOPPERS + 1)[STOPPERS].resumed);
    Ok((growth / PAUSED as f64, kernel, kernel_mean, resumed))
}

impl After {
    fn worst(resumed: &[Resumed]) -> Self {
        let most = |figure: &dyn Fn(&Resumed) -> f64| {
            resumed.iter().map(figure).reduce(f64::max).unwrap_or(f64::NAN)
        };
        // Infinite where no young frame came at all.
        let young = |resumed: &Resumed| resumed.young.unwrap_or((u64::MAX, u64::MAX));
        Self {
            old_own: most(&|resumed| f64::from(resumed.old_own)),
            old_sent: most(&|resumed| f64::from(resumed.old_sent)),
            young_age_ms: most(&|resumed| ms(young(resumed).0)),
            young_after_ms: most(&|resumed| ms(young(resumed).1)),
        }
    }
}

fn ms(ns: u64) -> f64 {
    if ns == u64::MAX { f64::INFINITY } else { ns as f64 / 1e6 }
}

/// What became of viewers that read nothing for more than 30 s.
#[derive(Debug)]
struct Closed {
    /// Share of those who looked again in time that found the close code.
    told: f64,
    /// Viewers that the server still had of those who never looked again.
    left: f64,
}

fn closed() -> io::Result<Closed> {
    let server = Subject::start(Kind::Framecast(1))?;
    let camera = ["cam".to_owned()];
    let _publishers = Publishers::start(server.ingest, &camera, Door::WebSocket, FRAME, FPS)?;
    let load = Viewers::start()?;
    for group in [0, 1] {
        let habits = Habits { group, receive_buffer: Some(RECEIVE_BUFFER), ..Habits::default() };
        load.add(server.view, "/stream?cameras=cam", SILENT, habits)?;
    }
    thread::sleep(Duration::from_secs(1));
    load.pause(0);
    load.pause(1);
    // The kernel's buffers have to fill before the 30 s begin.
    thread::sleep(Duration::from_secs(33));
    load.go_on(0);
    thread::sleep(Duration::from_secs(5));
    let closes = &load.windows(2)[0].closes;
    let told = closes.iter().filter(|&&code| code == NOT_READING).count();
    let left = server.stats()?["server"]["stream"]["viewers"].as_u64();
    Ok(Closed {
        told: told as f64 / SILENT as f64,
        left: left.map_or(f64::NAN, |viewers| viewers as f64),
    })
}

fn section(all: &[Vec<Figures>], closed: &Closed) -> Section {
    let of = |subject: usize, figure: fn(&Figures) -> f64| median(all[subject].iter().map(figure));
    let others = |subject: usize, figure: fn(&turns::Figures) -> f64| {
        let seen = |side: fn(&Figures) -> &Vec<turns::Figures>| {
            median(all[subject].iter().flat_map(side).map(figure))
        };
        (seen(|f| &f.alone), seen(|f| &f.beside))
    };
    // Of turns that came one after the other, which saw the same machine.
    let against = |figure: fn(&turns::Figures) -> f64| {
        let pairs = all[0].iter().flat_map(|f| f.beside.iter().zip(&f.alone));
        median(pairs.map(|(beside, alone)| figure(beside) / figure(alone)))
    };
    let heading = [
        "server (receive buffer of those who stop)",
        "p50 / p99 of 500 alone, ms",
        "p50 / p99 beside 500 that read nothing, ms",
        "server's memory a viewer that reads nothing, KB",
        "kernel's memory for one, largest (mean of all 1000), KiB",
        "old frames when it reads again: its own kernel's / the server's",
        "first young frame after, ms",
    ];
    let mut table = vec![heading.map(str::to_owned).to_vec()];
    for (subject, (kind, buffer)) in SUBJECTS.iter().enumerate() {
        let pair = |a: f64, b: f64| format!("{} / {}", show(a, ""), show(b, ""));
        let (p50, p99) = (others(subject, |f| f.p50_ms), others(subject, |f| f.p99_ms));
        table.push(vec![
            format!(
                "{} ({})",
                kind.name(),
                if buffer.is_some() { "128 KiB" } else { "as Linux grows it" }
            ),
            pair(p50.0, p99.0),
            pair(p50.1, p99.1),
            show(of(subject, |f| f.user) / 1e3, ""),
            format!(
                "{} ({})",
                show(of(subject, |f| f.kernel) / 1024.0, ""),
                show(of(subject, |f| f.kernel_mean) / 1024.0, "")
            ),
            pair(of(subject, |f| f.resumed.old_own), of(subject, |f| f.resumed.old_sent)),
            match of(subject, |f| f.resumed.young_after_ms) {
                n if n.is_finite() => show(n, ""),
                _ => "none within 5 s".into(),
            },
        ]);
    }
    let goals = vec![
        Goal::at_most(
            "frames of user memory for a viewer that reads nothing",
            of(0, |f| f.user) / FRAME as f64,
            2.0,
            "",
        ),
        Goal::at_most(
            "kernel's memory for a viewer that reads nothing, the largest",
            of(0, |f| f.kernel) / 1024.0,
            256.0,
            "KiB",
        ),
        Goal::at_most("p50 of the others, against 500 alone", against(|f| f.p50_ms), 1.1, "×"),
        Goal::at_most("p99 of the others, against 500 alone", against(|f| f.p99_ms), 1.1, "×"),
        Goal::at_most(
            "old frames that the server still sends to one that reads again",
            of(0, |f| f.resumed.old_sent),
            2.0,
            "",
        ),
        Goal::at_most(
            "age of its first frame after these",
            of(0, |f| f.resumed.young_age_ms),
            200.0,
            "ms",
        ),
        Goal::at_least(
            "closed with 4003 after reading nothing for 30 s",
            closed.told * 100.0,
            100.0,
            "%",
        ),
        Goal::at_most("such viewers still connected 38 s after", closed.left, 0.0, ""),
    ];
    Section {
        name: "slow".into(),
        title: "Viewers that stop reading".into(),
        how: "One camera of 30 KB frames at 30 fps; 500 viewers who read, then 500 more who read for \
              2 s and stop for 5 s. Delays: two such servers, one without the 500 who stop, take turns of a \
              second, for the first line 40 a round each, and their ratio is the median of the turns. The peers are measured in one round. Those who stop have a receive buffer of 128 KiB (`SO_RCVBUF`), which \
              itself holds old frames: no server can take back what the viewer's own kernel has. \
              The second line shows the buffer that Linux grows by itself, here to at most 32 MB. \
              Kernel memory is what `ss -m` shows as the write queue. A frame is old when it is 200 ms \
              of age or more; counts are of the viewer that had the most."
            .into(),
        goals,
        table,
        measured: String::new(),
    }
}

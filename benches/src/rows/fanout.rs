//! Fan-out: CPU time, delivery and delay of a frame handed to many viewers, against the floor.

use std::{collections::BTreeMap, io, thread, time::Duration};

use super::Effort;
use crate::{
    load::{Door, Habits, Publishers, Viewers, median},
    report::{Goal, Section, show},
    servers::Mode,
    subject::{Kind, Subject},
};

/// Bytes of a frame: 640×480 at the usual quality.
pub const FRAME: usize = 30_000;
pub const FPS: f64 = 30.0;
/// From the last viewer's request until counting begins.
const WARM_UP: Duration = Duration::from_secs(2);
/// With many cameras, until their caches are full: until then every frame takes new memory.
const FILL: Duration = Duration::from_secs(11);

const SUBJECTS: [Kind; 8] = [
    Kind::Own(Mode::Floor, 1),
    Kind::Framecast(1),
    Kind::Framecast(2),
    Kind::Own(Mode::Tasks, 1),
    Kind::Own(Mode::Tasks, 2),
    Kind::Own(Mode::Sinks, 2),
    Kind::Bun,
    Kind::NodeWs,
];

/// Places in [`SUBJECTS`]. One worker is what a server on one core has by itself.
const ONE_WORKER: usize = 1;
const TWO_WORKERS: usize = 2;

/// (cameras, viewers of each).
const CASES: [(usize, usize); 4] = [(1, 100), (1, 800), (1, 2000), (100, 8)];

/// What one server did in one case.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// CPU time of the server a delivered frame.
    pub us: f64,
    /// Share of the frames that should have come.
    pub delivered: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub rss_mb: f64,
}

pub fn run(effort: Effort) -> io::Result<Section> {
    let mut all: BTreeMap<(usize, usize), Vec<Figures>> = BTreeMap::new();
    for round in 0..effort.rounds {
        for (case, &(cameras, viewers)) in CASES.iter().enumerate() {
            for (subject, &kind) in SUBJECTS.iter().enumerate() {
                let figures = measure(kind, &[], cameras, viewers, effort.seconds)?;
                eprintln!("round {round}, {cameras} × {viewers}, {}: {figures:.2?}", kind.name());
                all.entry((case, subject)).or_default().push(figures);
            }
        }
    }
    Ok(section(&all))
}

/// One server in one case.
pub fn measure(
    kind: Kind,
    options: &[&str],
    cameras: usize,
    viewers: usize,
    seconds: u64,
) -> io::Result<Figures> {
    let server = Subject::start_with(kind, options, &[crate::sys::SERVER_CORE])?;
    let ids: Vec<String> = (0..cameras).map(|camera| format!("cam-{camera}")).collect();
    let _publishers = Publishers::start(server.ingest, &ids, Door::WebSocket, FRAME, FPS)?;
    let load = Viewers::start()?;
    for id in &ids {
        load.add(server.view, &format!("/stream?cameras={id}"), viewers, Habits::default())?;
    }
    thread::sleep(if cameras > 1 { FILL } else { WARM_UP });
    let before = server.cpu()?;
    let window = load.watch(Duration::from_secs(seconds));
    let cpu = server.cpu()? - before;
    let due = (cameras * viewers) as f64 * FPS * seconds as f64;
    Ok(Figures {
        us: cpu.as_secs_f64() * 1e6 / window.frames as f64,
        delivered: window.frames as f64 / due,
        p50_ms: window.age_ms(0.5),
        p99_ms: window.age_ms(0.99),
        rss_mb: server.rss()? as f64 / 1e6,
    })
}

fn section(all: &BTreeMap<(usize, usize), Vec<Figures>>) -> Section {
    let of = |case, subject, figure: fn(&Figures) -> f64| {
        median(all[&(case, subject)].iter().map(figure))
    };
    // Against the floor of the same round, which saw the same machine.
    let ratio = |case, subject, figure: fn(&Figures) -> f64| {
        let pairs = all[&(case, subject)].iter().zip(&all[&(case, 0)]);
        median(pairs.map(|(subject, floor)| figure(subject) / figure(floor)))
    };
    let mut table = vec![vec!["server".to_owned()]];
    for (cameras, viewers) in CASES {
        let s = if cameras == 1 { "" } else { "s" };
        table[0].push(format!("{cameras} camera{s} × {viewers}: µs a frame (ratio), p50 / p99 ms"));
    }
    table[0].push("memory at 2000, MB".to_owned());
    for (subject, kind) in SUBJECTS.iter().enumerate() {
        let mut row = vec![kind.name()];
        for case in 0..CASES.len() {
            row.push(format!(
                "{} ({}), {} / {}{}",
                show(of(case, subject, |f| f.us), ""),
                show(ratio(case, subject, |f| f.us), "×"),
                show(of(case, subject, |f| f.p50_ms), ""),
                show(of(case, subject, |f| f.p99_ms), ""),
                match of(case, subject, |f| f.delivered) {
                    n if n < 0.995 => format!(", {} delivered", show(n * 100.0, "%")),
                    _ => String::new(),
                },
            ));
        }
        row.push(show(of(2, subject, |f| f.rss_mb), ""));
        table.push(row);
    }
    let mut goals = Vec::new();
    for (case, bound) in [(0, 1.3), (1, 1.2), (2, 1.2), (3, 1.3)] {
        let (cameras, viewers) = CASES[case];
        let at = format!("{cameras} × {viewers} viewers");
        goals.push(Goal::at_most(
            format!("CPU a delivered frame against the floor, {at}"),
            ratio(case, ONE_WORKER, |f| f.us),
            bound,
            "×",
        ));
        goals.push(Goal::at_most(
            format!("p99 against the floor's, {at}"),
            ratio(case, ONE_WORKER, |f| f.p99_ms),
            1.5,
            "×",
        ));
        goals.push(Goal::at_least(
            format!("delivered at 30 fps, {at}"),
            of(case, ONE_WORKER, |f| f.delivered) * 100.0,
            99.5,
            "%",
        ));
        let rounds = all[&(case, TWO_WORKERS)].iter().zip(&all[&(case, ONE_WORKER)]);
        goals.push(Goal::at_most(
            format!("CPU a delivered frame with two workers against one, {at}"),
            median(rounds.map(|(two, one)| two.us / one.us)),
            1.0,
            "×",
        ));
    }
    Section {
        name: "fanout".into(),
        title: "Fan-out".into(),
        how: "Cameras of 30 KB frames at 30 fps over the publish WebSocket; each viewer is a socket whose \
              reader looks at a message's first bytes and lets the kernel discard the rest. The server \
              has one core, also with two workers. The floor is one thread of this benchmark that hands \
              ready bytes to each socket: no cache, no limits, no pacing."
            .into(),
        goals,
        table,
        measured: String::new(),
    }
}

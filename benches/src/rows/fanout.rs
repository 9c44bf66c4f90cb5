//! Fan-out: CPU time, delivery and delay of a frame handed to many viewers, against the floor.

use std::{io, time::Duration};

use super::{
    Effort,
    turns::{self, Figures, Side},
};
use crate::{
    load::median,
    report::{Goal, Section, show},
    servers::Mode,
    subject::Kind,
};

/// Bytes of a frame: 640×480 at the usual quality.
pub const FRAME: usize = 30_000;
pub const FPS: f64 = 30.0;

/// Fed in turns, as their ratios are what must hold.
const HELD: [Kind; 3] = [Kind::Own(Mode::Floor, 1), Kind::Framecast(1), Kind::Spread(2)];
/// One after the other.
const OTHERS: [Kind; 5] = [
    Kind::Own(Mode::Tasks, 1),
    Kind::Own(Mode::Tasks, 2),
    Kind::Own(Mode::Sinks, 2),
    Kind::Bun,
    Kind::NodeWs,
];

/// Places in [`HELD`]. One worker is what a server on one core has by itself.
const FLOOR: usize = 0;
const ONE_WORKER: usize = 1;
const TWO_WORKERS: usize = 2;

/// Servers that do the same differ by as much here.
const NOISE: f64 = 0.05;

/// While a cache grows, each frame costs new pages of the kernel's besides. So caches that are full before
/// a turn counts: what a server does that has run for longer than they reach back.
pub const OPTIONS: &[&str] = &["--cache-secs", "1"];
const SETTLE: Duration = Duration::from_millis(1500);

/// (cameras, viewers of each).
const CASES: [(usize, usize); 4] = [(1, 100), (1, 800), (1, 2000), (100, 8)];

/// Turns of each server in one case: those of [`HELD`], then those of [`OTHERS`].
type Case = Vec<(Kind, Vec<Figures>)>;

pub fn run(effort: Effort) -> io::Result<Section> {
    let mut all: Vec<Case> = CASES.iter().map(|_| Case::new()).collect();
    for round in 0..effort.rounds {
        for (&(cameras, viewers), case) in CASES.iter().zip(&mut all) {
            let mut measured = measure(&HELD, OPTIONS, cameras, viewers, effort.seconds)?;
            for kind in OTHERS {
                measured.extend(measure(&[kind], OPTIONS, cameras, viewers, effort.seconds)?);
            }
            for (kind, turns) in measured {
                let figures = Figures::median(&turns);
                eprintln!("round {round}, {cameras} × {viewers}, {}: {figures:.2?}", kind.name());
                match case.iter_mut().find(|(known, _)| *known == kind) {
                    Some((_, known)) => known.extend(turns),
                    None => case.push((kind, turns)),
                }
            }
        }
    }
    Ok(section(&all))
}

/// Servers in one case, fed in turns of a second, so many each.
pub fn measure(
    kinds: &[Kind],
    options: &[&str],
    cameras: usize,
    viewers: usize,
    turns: u64,
) -> io::Result<Case> {
    let sides = kinds.iter().map(|&kind| Side::start(kind, options, cameras, viewers));
    let figures = turns::compare(&sides.collect::<io::Result<Vec<_>>>()?, turns, SETTLE)?;
    Ok(kinds.iter().copied().zip(figures).collect())
}

fn section(all: &[Case]) -> Section {
    let of = |case: usize, subject: usize, figure: fn(&Figures) -> f64| {
        median(all[case][subject].1.iter().map(figure))
    };
    // Of turns that came one after the other, which saw the same machine.
    let against = |case: usize, subject: usize, base: usize, figure: fn(&Figures) -> f64| {
        let pairs = all[case][subject].1.iter().zip(&all[case][base].1);
        median(pairs.map(|(subject, base)| figure(subject) / figure(base)))
    };
    let mut table = vec![vec!["server".to_owned()]];
    for (cameras, viewers) in CASES {
        let s = if cameras == 1 { "" } else { "s" };
        table[0].push(format!("{cameras} camera{s} × {viewers}: µs a frame (ratio), p50 / p99 ms"));
    }
    table[0].push("memory at 2000, MB".to_owned());
    for (subject, (kind, _)) in all[0].iter().enumerate() {
        let mut row = vec![kind.name()];
        for case in 0..CASES.len() {
            row.push(format!(
                "{} ({}), {} / {}{}",
                show(of(case, subject, |f| f.us), ""),
                show(against(case, subject, FLOOR, |f| f.us), "×"),
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
            against(case, ONE_WORKER, FLOOR, |f| f.us),
            bound,
            "×",
        ));
        goals.push(Goal::at_most(
            format!("p99 against the floor's, {at}"),
            against(case, ONE_WORKER, FLOOR, |f| f.p99_ms),
            1.5,
            "×",
        ));
        goals.push(Goal::at_least(
            format!("delivered at 30 fps, {at}"),
            of(case, ONE_WORKER, |f| f.delivered) * 100.0,
            99.5,
            "%",
        ));
        goals.push(Goal::at_most(
            format!("p99 with two workers on two cores against one worker on one, {at}"),
            against(case, TWO_WORKERS, ONE_WORKER, |f| f.p99_ms),
            1.0 + NOISE,
            "×",
        ));
    }
    Section {
        name: "fanout".into(),
        title: "Fan-out".into(),
        how: "Cameras of 30 KB frames at 30 fps over the publish WebSocket; each viewer is a socket whose \
              reader looks at a message's first bytes and lets the kernel discard the rest. The server \
              has one core, and runs one worker there. Where it has two workers it has both cores, of which \
              the load takes its part of one. The floor is one thread of this benchmark that hands \
              ready bytes to each socket: no cache, no limits, no pacing. The floor and framecast are fed \
              in turns of a second, and a ratio is the median of such turns; the others came one after \
              the other. Caches reach back 1 s and are full before a turn counts."
            .into(),
        goals,
        table,
        measured: String::new(),
    }
}

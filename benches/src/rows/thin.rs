//! Viewers behind a thin link: how old their frames are, and how many they get.

use std::{io, thread, time::Duration};

use super::{
    Effort,
    fanout::{FPS, FRAME},
};
use crate::{
    load::{Door, Habits, Link, Proxy, Publishers, Viewers, median},
    report::{Goal, Section, show},
    subject::{Kind, Subject},
};

const DELAY: Duration = Duration::from_millis(20);
const DEEP: usize = 1 << 20;
const SHALLOW: usize = 64 << 10;
/// A few, so that a figure is not one viewer's luck.
const VIEWERS: usize = 4;
/// Until the queue of one that does not acknowledge stands: a megabyte at the thinnest link.
const WARM_UP: Duration = Duration::from_secs(5);

/// (share of the stream's bandwidth, buffer of the link, acknowledges).
const CASES: [(f64, usize, bool); 8] = [
    (0.5, DEEP, true),
    (0.5, SHALLOW, true),
    (0.8, DEEP, true),
    (1.2, DEEP, true),
    (2.0, DEEP, true),
    (2.0, DEEP, false),
    (0.5, DEEP, false),
    (0.5, SHALLOW, false),
];
const HALF: usize = 0;
const ENOUGH: usize = 4;

#[derive(Debug)]
struct Figures {
    fps: f64,
    p50_ms: f64,
    p95_ms: f64,
}

pub fn run(effort: Effort) -> io::Result<Section> {
    let mut all: Vec<Vec<Figures>> = CASES.iter().map(|_| Vec::new()).collect();
    for round in 0..effort.rounds {
        for (&case, figures) in CASES.iter().zip(&mut all) {
            let measured = measure(case, effort.seconds)?;
            eprintln!("round {round}, {case:?}: {measured:.1?}");
            figures.push(measured);
        }
    }
    Ok(section(&all))
}

fn measure((share, buffer, acks): (f64, usize, bool), seconds: u64) -> io::Result<Figures> {
    let server = Subject::start(Kind::Framecast(1))?;
    let camera = ["cam".to_owned()];
    let _publishers = Publishers::start(server.ingest, &camera, Door::WebSocket, FRAME, FPS)?;
    let link = Link { rate: share * FRAME as f64 * FPS, delay: DELAY, buffer };
    let proxy = Proxy::start(server.view, link)?;
    let load = Viewers::start()?;
    let habits = Habits { acks, ..Habits::default() };
    load.add(proxy.addr, "/stream?cameras=cam", VIEWERS, habits)?;
    thread::sleep(WARM_UP);
    let window = load.watch(Duration::from_secs(2 * seconds));
    Ok(Figures {
        fps: window.frames as f64 / (VIEWERS as f64 * 2.0 * seconds as f64),
        p50_ms: window.age_ms(0.5),
        p95_ms: window.age_ms(0.95),
    })
}

fn section(all: &[Vec<Figures>]) -> Section {
    let of = |case: usize, figure: fn(&Figures) -> f64| median(all[case].iter().map(figure));
    let heading = ["link, of the stream's bandwidth", "frames a second", "age p50 / p95, ms"];
    let mut table = vec![heading.map(str::to_owned).to_vec()];
    for (case, (share, buffer, acks)) in CASES.iter().enumerate() {
        table.push(vec![
            format!(
                "{}, {} KiB buffer, {}",
                show(share * 100.0, "%"),
                buffer >> 10,
                if *acks { "acknowledges" } else { "does not acknowledge" }
            ),
            show(of(case, |f| f.fps), ""),
            format!("{} / {}", show(of(case, |f| f.p50_ms), ""), show(of(case, |f| f.p95_ms), "")),
        ]);
    }
    let half = "half the bandwidth, deep buffer, acknowledging";
    let goals = vec![
        Goal::at_most(format!("age p95, {half}"), of(HALF, |f| f.p95_ms), 250.0, "ms"),
        Goal::at_least(
            format!("frames shown, {half}"),
            of(HALF, |f| f.fps) / FPS * 100.0,
            45.0,
            "%",
        ),
        Goal::at_least(
            "frames a second with twice the bandwidth, acknowledging",
            of(ENOUGH, |f| f.fps),
            29.5,
            "",
        ),
    ];
    Section {
        name: "thin".into(),
        title: "Viewers behind thin links".into(),
        how: format!(
            "One camera of 30 KB frames at 30 fps; {VIEWERS} viewers, each through a link of its own \
             in this benchmark: {} ms each way, a bounded rate towards the viewer, and a buffer as a \
             router has it. One that does not acknowledge is only bounded by the link's buffer and \
             what the server lets its own kernel hold; one that does sees its frames young however \
             deep the buffer is. Watched for twice the seconds of a round.",
            DELAY.as_millis()
        ),
        goals,
        table,
        measured: String::new(),
    }
}

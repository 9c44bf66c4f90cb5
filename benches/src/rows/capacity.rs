//! How many viewers of one camera a core can feed, and what it is that ends it.

use std::{collections::BTreeMap, hint::black_box, io, thread, time::Duration};

use super::{
    Effort,
    fanout::{FPS, FRAME},
};
use crate::{
    load::{Door, Habits, Publishers, Viewers, median},
    report::{Section, show},
    servers::Mode,
    subject::{Kind, Subject},
    sys,
};

const FIRST: usize = 1000;
const STEP: usize = 500;
const LAST: usize = 8000;
const SETTLE: Duration = Duration::from_secs(2);
/// Less than this share is no longer 30 fps.
const DELIVERED: f64 = 0.995;
/// A core that is busy for this share of the time is full: the rest goes to switching.
const FULL: f64 = 0.95;

const SUBJECTS: [Kind; 2] = [Kind::Own(Mode::Floor, 1), Kind::Framecast(1)];

#[derive(Debug, Clone, Copy)]
struct Figures {
    delivered: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Busy share of the server's core by the server, and of the other by the load.
    server: f64,
    load: f64,
    /// CPU time of the server a delivered frame.
    us: f64,
}

pub fn run(effort: Effort) -> io::Result<Section> {
    let mut all = SUBJECTS.map(|_| BTreeMap::<usize, Vec<Figures>>::new());
    let mut most = SUBJECTS.map(|_| Vec::new());
    for round in 0..effort.rounds {
        for (subject, kind) in SUBJECTS.into_iter().enumerate() {
            let steps = steps(kind, effort.seconds)?;
            let good = steps.iter().filter(|(_, figures)| figures.delivered >= DELIVERED);
            most[subject].push(good.map(|(viewers, _)| *viewers).max().unwrap_or(0) as f64);
            for (viewers, figures) in steps {
                eprintln!("round {round}, {}, {viewers}: {figures:.2?}", kind.name());
                all[subject].entry(viewers).or_default().push(figures);
            }
        }
    }
    Ok(section(&all, &most.map(median), copy_gb_per_s()))
}

fn steps(kind: Kind, seconds: u64) -> io::Result<Vec<(usize, Figures)>> {
    let server = Subject::start(kind)?;
    let camera = ["cam".to_owned()];
    let _publishers = Publishers::start(server.ingest, &camera, Door::WebSocket, FRAME, FPS)?;
    let load = Viewers::start()?;
    let mut steps = Vec::new();
    let mut there = 0;
    for viewers in (FIRST..=LAST).step_by(STEP) {
        load.add(server.view, "/stream?cameras=cam", viewers - there, Habits::default())?;
        there = viewers;
        thread::sleep(SETTLE);
        let mut figures = watch(&server, &load, viewers, seconds)?;
        if figures.delivered < DELIVERED {
            // Once more: on a shared machine one measurement may see somebody else's work.
            let again = watch(&server, &load, viewers, seconds)?;
            if again.delivered > figures.delivered {
                figures = again;
            }
        }
        steps.push((viewers, figures));
        if figures.delivered < DELIVERED {
            break;
        }
    }
    Ok(steps)
}

fn watch(server: &Subject, load: &Viewers, viewers: usize, seconds: u64) -> io::Result<Figures> {
    let own = std::process::id();
    let before = (server.cpu()?, sys::cpu(own)?);
    let window = load.watch(Duration::from_secs(seconds));
    let cpu = (server.cpu()? - before.0, sys::cpu(own)? - before.1);
    Ok(Figures {
        delivered: window.frames as f64 / (viewers as f64 * FPS * seconds as f64),
        p50_ms: window.age_ms(0.5),
        p99_ms: window.age_ms(0.99),
        server: cpu.0.as_secs_f64() / seconds as f64,
        load: cpu.1.as_secs_f64() / seconds as f64,
        us: cpu.0.as_secs_f64() * 1e6 / window.frames as f64,
    })
}

/// Bytes a nanosecond that a core copies from one frame to ever new memory: what the kernel does
/// for each viewer, and nothing else.
fn copy_gb_per_s() -> f64 {
    let frame = vec![7; FRAME];
    let mut sockets = vec![1; FRAME * 10_000];
    let start = sys::now_ns();
    for socket in sockets.chunks_exact_mut(FRAME) {
        socket.copy_from_slice(black_box(&frame));
    }
    black_box(&mut sockets);
    sockets.len() as f64 / (sys::now_ns() - start) as f64
}

fn verdict(figures: &Figures) -> &'static str {
    match figures {
        f if f.delivered >= DELIVERED => "",
        f if f.server >= FULL && f.server >= f.load => "the server's core",
        f if f.load >= FULL => "the readers' core",
        _ => "neither core is full: time taken by others on this machine",
    }
}

fn section(all: &[BTreeMap<usize, Vec<Figures>>; 2], most: &[f64; 2], copy: f64) -> Section {
    let heading = [
        "viewers",
        "server",
        "delivered",
        "age p50 / p99, ms",
        "server's core",
        "readers' core",
        "µs a frame",
        "ended by",
    ];
    let mut table = vec![heading.map(str::to_owned).to_vec()];
    let mut steps: Vec<usize> = all.iter().flat_map(BTreeMap::keys).copied().collect();
    steps.sort_unstable();
    steps.dedup();
    for viewers in steps {
        for (kind, all) in SUBJECTS.iter().zip(all) {
            let Some(rounds) = all.get(&viewers) else { continue };
            let of = |figure: fn(&Figures) -> f64| median(rounds.iter().map(figure));
            let figures = Figures {
                delivered: of(|f| f.delivered),
                p50_ms: of(|f| f.p50_ms),
                p99_ms: of(|f| f.p99_ms),
                server: of(|f| f.server),
                load: of(|f| f.load),
                us: of(|f| f.us),
            };
            table.push(vec![
                viewers.to_string(),
                kind.name(),
                show(figures.delivered * 100.0, "%"),
                format!("{} / {}", show(figures.p50_ms, ""), show(figures.p99_ms, "")),
                show(figures.server * 100.0, "%"),
                show(figures.load * 100.0, "%"),
                show(figures.us, ""),
                verdict(&figures).to_owned(),
            ]);
        }
    }
    Section {
        name: "capacity".into(),
        title: "Viewers that one core can feed".into(),
        how: format!(
            "One camera of 30 KB frames at 30 fps; {STEP} viewers more at each step, until less than \
             {} of the frames come. The floor fed {:.0}, framecast {:.0}. This machine copies \
             {copy:.1} GB/s into fresh memory with one core, so that of a frame's time {:.1} µs are the \
             copy to the socket alone.",
            show(DELIVERED * 100.0, "%"),
            most[0],
            most[1],
            FRAME as f64 / copy / 1e3,
        ),
        goals: Vec::new(),
        table,
        measured: String::new(),
    }
}

//! Memory: of a viewer, of a camera, of caches at their limits, and whether it stays level while
//! everybody comes and goes.

use std::{
    io, thread,
    time::{Duration, Instant},
};

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

const VIEWERS: usize = 2000;
const CAMERAS: usize = 100;
const CAMERAS_FPS: f64 = 10.0;
/// Frames at the limit of `--max-frame-bytes`, with caches that hold a few of them.
const LARGE: usize = 4 << 20;
const LARGE_CAMERAS: usize = 4;
const LARGE_FPS: f64 = 4.0;
const CAMERA_CACHE: usize = 24 << 20;
const TOTAL_CACHE: usize = 64 << 20;
/// Beside its cache, a camera of large frames needs the one that comes in, as the socket gives it
/// and as it is put together, and the newest, which the viewers may hold longer than the cache.
const LARGE_OVERHEAD: usize = LARGE_CAMERAS * 3 * LARGE;

/// Until everybody has connected and buffers have their size.
const SETTLE: Duration = Duration::from_secs(3);

const SAMPLE: Duration = Duration::from_secs(2);
/// Viewers at a time, and how many come and go between two samples.
const SOAK_VIEWERS: usize = 200;
const SOAK_CHURN: usize = 40;
const SOAK_CAMERAS: usize = 8;
const SOAK_FPS: f64 = 10.0;

#[derive(Debug)]
struct Figures {
    /// Bytes a viewer of a camera that sends nothing, and of a live one.
    silent: f64,
    live: f64,
    /// Bytes a camera beyond what its cache counts.
    camera: f64,
    /// Bytes of the server with full caches of large frames, beyond what it had before.
    large: f64,
    large_cached: f64,
}

pub fn run(effort: Effort) -> io::Result<Section> {
    let mut all = Vec::new();
    for round in 0..effort.rounds {
        let (large, large_cached) = large()?;
        let figures = Figures {
            silent: viewer(false)?,
            live: viewer(true)?,
            camera: camera()?,
            large,
            large_cached,
        };
        eprintln!("round {round}: {figures:.0?}");
        all.push(figures);
    }
    let soak = soak(effort.soak)?;
    Ok(section(&all, &soak))
}

/// Bytes that each of many viewers costs.
fn viewer(live: bool) -> io::Result<f64> {
    // A full cache, and a newest frame that waits for nobody.
    let server =
        Subject::start_with(Kind::Framecast(1), &["--cache-secs", "1"], &[sys::SERVER_CORE])?;
    let camera = ["cam".to_owned()];
    let publishers = Publishers::start(server.ingest, &camera, Door::WebSocket, FRAME, FPS)?;
    thread::sleep(SETTLE);
    if !live {
        drop(publishers);
    }
    let load = Viewers::start()?;
    thread::sleep(SETTLE);
    let before = server.rss()?;
    load.add(server.view, "/stream?cameras=cam", VIEWERS, Habits::default())?;
    thread::sleep(2 * SETTLE);
    let after = server.rss()?;
    Ok((after as f64 - before as f64) / VIEWERS as f64)
}

/// Bytes that each of many cameras without viewers costs, beyond what its cache counts.
fn camera() -> io::Result<f64> {
    let server =
        Subject::start_with(Kind::Framecast(1), &["--cache-secs", "2"], &[sys::SERVER_CORE])?;
    let before = server.rss()?;
    let ids: Vec<String> = (0..CAMERAS).map(|camera| format!("cam-{camera}")).collect();
    let _publishers = Publishers::start(server.ingest, &ids, Door::WebSocket, FRAME, CAMERAS_FPS)?;
    thread::sleep(3 * SETTLE);
    let cached = cached(&server)?;
    Ok((server.rss()? as f64 - before as f64 - cached) / CAMERAS as f64)
}

/// Bytes of a server whose caches are full of the largest frames, and what the caches count.
fn large() -> io::Result<(f64, f64)> {
    let (one, all) = (CAMERA_CACHE.to_string(), TOTAL_CACHE.to_string());
    let options = ["--cache-bytes", &one, "--cache-total-bytes", &all];
    let server = Subject::start_with(Kind::Framecast(1), &options, &[sys::SERVER_CORE])?;
    let before = server.rss()?;
    let ids: Vec<String> = (0..LARGE_CAMERAS).map(|camera| format!("cam-{camera}")).collect();
    let _publishers = Publishers::start(server.ingest, &ids, Door::WebSocket, LARGE, LARGE_FPS)?;
    let load = Viewers::start()?;
    load.add(server.view, "/stream?cameras=*", 2, Habits::default())?;
    thread::sleep(5 * SETTLE);
    Ok((sys::peak_rss(server.pid())? as f64 - before as f64, cached(&server)?))
}

fn cached(server: &Subject) -> io::Result<f64> {
    let stats = server.stats()?;
    stats["server"]["cache"]["bytes"]
        .as_f64()
        .ok_or_else(|| io::Error::other(format!("no cache in {stats}")))
}

/// The server's memory, sample by sample, while viewers and publishers come and go.
#[derive(Debug)]
struct Soak {
    minutes: f64,
    joined: usize,
    /// Bytes.
    samples: Vec<f64>,
}

impl Soak {
    /// The median of a quarter of the time, in bytes.
    fn quarter(&self, quarter: usize) -> f64 {
        let len = self.samples.len() / 4;
        median(self.samples.iter().copied().skip(quarter * len).take(len))
    }

    /// Bytes a minute over the last three quarters, by least squares.
    fn slope(&self) -> f64 {
        let samples = &self.samples[self.samples.len() / 4..];
        let middle = (samples.len() as f64 - 1.0) / 2.0;
        let mean = samples.iter().sum::<f64>() / samples.len() as f64;
        let (mut above, mut below) = (0.0, 0.0);
        for (index, sample) in samples.iter().enumerate() {
            let x = index as f64 - middle;
            above += x * (sample - mean);
            below += x * x;
        }
        above / below * 60.0 / SAMPLE.as_secs_f64()
    }
}

fn soak(time: Duration) -> io::Result<Soak> {
    let server =
        Subject::start_with(Kind::Framecast(2), &["--cache-secs", "2"], &[sys::SERVER_CORE])?;
    let load = Viewers::start()?;
    // Any but zero; always the same, so that two runs can be compared.
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) as usize % below
    };
    let mut publishers: Vec<Option<Publishers>> = (0..SOAK_CAMERAS).map(|_| None).collect();
    let (mut present, mut joined) = ([0; 3], 0);
    let mut samples = Vec::new();
    let start = Instant::now();
    while start.elapsed() < time {
        // One camera after the other is published anew, with pictures of another size.
        let next = random(SOAK_CAMERAS);
        for (camera, publisher) in publishers.iter_mut().enumerate() {
            if camera != next && publisher.is_some() {
                continue;
            }
            *publisher = None;
            let (id, len) = ([format!("cam-{camera}")], 10_000 + random(50_000));
            let door = if random(2) == 0 { Door::WebSocket } else { Door::Http };
            *publisher = Some(Publishers::start(server.ingest, &id, door, len, SOAK_FPS)?);
        }
        for _ in 0..SOAK_CHURN {
            // Some acknowledge, some never read.
            let group = random(3);
            if present.iter().sum::<usize>() >= SOAK_VIEWERS {
                let group = (0..3).max_by_key(|&group| present[group]).unwrap_or(0);
                let leaving = 1 + random(4.min(present[group]));
                load.leave_some(group, leaving);
                present[group] -= leaving;
            }
            let path = match random(SOAK_CAMERAS + 1) {
                SOAK_CAMERAS => "/stream?cameras=*".to_owned(),
                camera => format!("/stream?cameras=cam-{camera}"),
            };
            let receive_buffer = (group == 2).then_some(64 << 10);
            let habits = Habits { group, acks: group == 1, receive_buffer };
            load.add(server.view, &path, 1, habits)?;
            present[group] += 1;
            joined += 1;
        }
        load.pause(2);
        load.reset();
        thread::sleep(SAMPLE);
        samples.push(server.rss()? as f64);
    }
    Ok(Soak { minutes: time.as_secs_f64() / 60.0, joined, samples })
}

fn section(all: &[Figures], soak: &Soak) -> Section {
    let of = |figure: fn(&Figures) -> f64| median(all.iter().map(figure));
    let kib = |bytes: f64| bytes / 1024.0;
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    let limit = (TOTAL_CACHE + LARGE_OVERHEAD) as f64;
    let line = |what: &str, figure: f64, unit: &str| vec![what.to_owned(), show(figure, unit)];
    let table = vec![
        vec!["what".to_owned(), "memory".to_owned()],
        line("a viewer of a camera that sends nothing", kib(of(|f| f.silent)), "KiB"),
        line("a viewer of a live camera", kib(of(|f| f.live)), "KiB"),
        line("a camera without viewers, beyond its cache", kib(of(|f| f.camera)), "KiB"),
        line("caches of 4 MiB frames, as counted", mib(of(|f| f.large_cached)), "MiB"),
        line("the server with them, at its peak", mib(of(|f| f.large)), "MiB"),
        line("soak: median of the first quarter", mib(soak.quarter(0)), "MiB"),
        line("soak: second quarter", mib(soak.quarter(1)), "MiB"),
        line("soak: third quarter", mib(soak.quarter(2)), "MiB"),
        line("soak: last quarter", mib(soak.quarter(3)), "MiB"),
        line("soak: slope after the first quarter", kib(soak.slope()), "KiB a minute"),
    ];
    let goals = vec![
        Goal::at_most(
            "a viewer of a camera that sends nothing",
            kib(of(|f| f.silent)),
            16.0,
            "KiB",
        ),
        Goal::at_most("a viewer of a live camera", kib(of(|f| f.live)), 16.0, "KiB"),
        Goal::at_most(
            "a camera without viewers, beyond its cache",
            kib(of(|f| f.camera)),
            256.0,
            "KiB",
        ),
        Goal::at_most(
            "caches of 4 MiB frames, as counted",
            mib(of(|f| f.large_cached)),
            mib(TOTAL_CACHE as f64),
            "MiB",
        ),
        Goal::at_most(
            "the server with them at its peak: the limit, and 3 frames a camera",
            mib(of(|f| f.large)),
            mib(limit),
            "MiB",
        ),
        Goal::at_most(
            "soak: last quarter against the second",
            soak.quarter(3) / soak.quarter(1),
            1.05,
            "×",
        ),
    ];
    Section {
        name: "memory".into(),
        title: "Memory".into(),
        how: format!(
            "Growth of the server's resident memory. Viewers: {VIEWERS} at a time on one camera of \
             30 KB frames, silent or at 30 fps. Cameras: {CAMERAS} at {CAMERAS_FPS} fps. Caches: \
             {LARGE_CAMERAS} cameras of 4 MiB frames at {LARGE_FPS} fps with `--cache-bytes` \
             {} MiB and `--cache-total-bytes` {} MiB, two viewers of all. Soak: {:.0} minutes in which \
             {} viewers came and went (a third acknowledges, a third never reads) and one of \
             {SOAK_CAMERAS} cameras was published anew each {} s, with frames of another size.",
            CAMERA_CACHE >> 20,
            TOTAL_CACHE >> 20,
            soak.minutes,
            soak.joined,
            SAMPLE.as_secs()
        ),
        goals,
        table,
        measured: String::new(),
    }
}

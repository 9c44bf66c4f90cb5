//! IP cameras: what one costs that is connected to and watched, and how many a server takes.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::Effort;
use crate::{
    load::{
        Client, HlsViewer, median,
        rtsp::{self, Clip},
    },
    report::{Goal, Section, show},
    subject::{Kind, Subject},
    sys,
};

/// Cameras for the figures of one.
const FEW: usize = 10;
const MANY: usize = 50;
/// Viewers more on one camera.
const FURTHER: usize = 40;
/// Until windows are full and buffers have grown.
const SETTLE: Duration = Duration::from_secs(12);
/// Less than this share of its bits is a camera that does not come through.
const COMES: f64 = 0.95;
/// First requests of segments.
const FIRST_REQUESTS: usize = 20;

#[derive(Debug)]
struct Figures {
    /// Share of a core, in percent.
    camera: f64,
    further: f64,
    /// MiB.
    memory: f64,
    /// Of [`MANY`].
    come: f64,
    /// Share of a core that those take, in percent.
    many: f64,
    first_ms: f64,
}

pub fn run(effort: Effort) -> io::Result<Section> {
    let clip = Arc::new(Clip::open(Path::new("target/bench/1080p30-4mbit.h264"))?);
    let bitrate = clip.bitrate();
    let cameras = rtsp::serve(clip)?;
    let mut rounds = Vec::new();
    for round in 0..effort.rounds {
        let figures = measure(cameras, bitrate, Duration::from_secs(effort.seconds))?;
        eprintln!("round {round}: {figures:.2?}");
        rounds.push(figures);
    }
    Ok(section(&rounds, bitrate))
}

fn measure(cameras: SocketAddr, bitrate: f64, time: Duration) -> io::Result<Figures> {
    let server = Subject::start(Kind::Framecast(1))?;
    let mut viewers = Vec::new();
    let (idle, empty) = (cpu(&server, time)?, server.rss()?);
    watch(&server, cameras, 0..FEW, &mut viewers)?;
    thread::sleep(SETTLE);
    let few = cpu(&server, time)?;
    let more = (0..FURTHER).map(|_| HlsViewer::start(server.view, "0"));
    let more = more.collect::<io::Result<Vec<_>>>()?;
    thread::sleep(SETTLE / 4);
    let with_more = cpu(&server, time)?;
    drop(more);
    let first_ms = first_request(&server)?;
    watch(&server, cameras, FEW..MANY, &mut viewers)?;
    thread::sleep(SETTLE);
    let before: Vec<u64> = viewers.iter().map(HlsViewer::bytes).collect();
    let begun = Instant::now();
    let many = cpu(&server, time)?;
    let passed = begun.elapsed().as_secs_f64();
    let bits = viewers.iter().zip(before).map(|(it, before)| (it.bytes() - before) as f64 * 8.0);
    // Parts are a fifth of a second, so one may be on this or that side of the end.
    let least = bitrate * (passed - 0.3) * COMES;
    Ok(Figures {
        camera: (few - idle) / FEW as f64,
        further: (with_more - few) / FURTHER as f64,
        memory: server.rss()?.saturating_sub(empty) as f64 / MANY as f64 / f64::from(1 << 20),
        come: bits.filter(|bits| *bits >= least).count() as f64,
        many,
        first_ms,
    })
}

/// Sets cameras up, and begins to watch each of them.
fn watch(
    server: &Subject,
    cameras: SocketAddr,
    ids: std::ops::Range<usize>,
    viewers: &mut Vec<HlsViewer>,
) -> io::Result<()> {
    let mut client = Client::connect(server.view)?;
    for id in ids {
        let source = format!("{{\"type\":\"rtsp\",\"url\":\"rtsp://{cameras}/{id}\"}}");
        let body = format!("{{\"id\":\"{id}\",\"source\":{source}}}");
        client.ask("POST", "/api/cameras", &body)?;
        viewers.push(HlsViewer::start(server.view, &id.to_string())?);
    }
    Ok(())
}

/// Percent of a core.
fn cpu(server: &Subject, time: Duration) -> io::Result<f64> {
    let (begun, before) = (Instant::now(), server.cpu()?);
    thread::sleep(time);
    Ok((server.cpu()? - before).as_secs_f64() * 100.0 / begun.elapsed().as_secs_f64())
}

/// Milliseconds from the request of a segment, on a connection of its own, to its last byte.
fn first_request(server: &Subject) -> io::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..FIRST_REQUESTS {
        let list = Client::connect(server.view)?.text("/hls/cam_0/media.m3u8")?;
        let segment = list.lines().rev().find(|line| line.starts_with("segment/seg"));
        let path = format!("/hls/cam_0/{}", segment.unwrap_or_default());
        let begun = sys::now_ns();
        Client::connect(server.view)?.get(&path)?;
        times.push((sys::now_ns() - begun) as f64 / 1e6);
    }
    Ok(median(times))
}

fn section(rounds: &[Figures], bitrate: f64) -> Section {
    let of = |figure: fn(&Figures) -> f64| median(rounds.iter().map(figure));
    let (camera, further) = (of(|f| f.camera), of(|f| f.further));
    let (memory, come) = (of(|f| f.memory), of(|f| f.come));
    let (many, first_ms) = (of(|f| f.many), of(|f| f.first_ms));
    let row = |what: &str, figure: String| vec![what.to_owned(), figure];
    Section {
        name: "pull".into(),
        title: "IP cameras".into(),
        how: format!(
            "RTSP over TCP from this benchmark: a recorded clip of 1080p30 H.264, {:.1} Mbit/s with its \
             headers, a key frame a second. Each camera has one viewer over low-latency HLS, who takes \
             each part by itself. The figures of one camera are those of {FEW} divided; of a further \
             viewer, those of {FURTHER} on one camera. A first request is one of a whole segment on a \
             connection of its own.",
            bitrate / 1e6
        ),
        goals: vec![
            Goal::at_most("CPU a camera with one viewer, of a core", camera, 1.0, "%"),
            Goal::at_most("CPU a further viewer, of a core", further, 0.1, "%"),
            Goal::at_most("memory a camera", memory, 12.0, "MiB"),
            Goal::at_least("cameras at once", come, MANY as f64, ""),
            Goal::at_most("first request of a segment to its bytes", first_ms, 5.0, "ms"),
        ],
        table: vec![
            row("what", "measured".into()),
            row("CPU a camera with one viewer, of a core", show(camera, "%")),
            row("CPU a further viewer, of a core", show(further, "%")),
            row("memory a camera with one viewer", show(memory, "MiB")),
            row(&format!("cameras of {MANY} that come through"), show(come, "")),
            row("CPU of those together, of a core", show(many, "%")),
            row("first request of a segment to its bytes", show(first_ms, "ms")),
        ],
        measured: String::new(),
    }
}

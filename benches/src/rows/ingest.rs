//! Ingest: CPU time of a frame taken from each door, and how many WebRTC cameras one core takes.

use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use super::{
    Effort,
    fanout::{FPS, FRAME, OPTIONS},
};
use crate::{
    load::{Door, Habits, Publishers, Senders, Viewers, median},
    report::{Goal, Section, show},
    servers::Mode,
    subject::{Kind, Subject},
    sys,
};

/// From the last camera's start until counting begins: longer than the cache, which takes new pages
/// from the kernel until it is full.
const WARM_UP: Duration = Duration::from_secs(12);
/// The same for the floor, which keeps nothing.
const SHORT_WARM_UP: Duration = Duration::from_secs(2);

const SUBJECTS: [Kind; 2] = [Kind::Own(Mode::Receive, 1), Kind::Framecast(1)];
/// (door, cameras).
const CASES: [(Door, usize); 4] =
    [(Door::WebSocket, 1), (Door::WebSocket, 100), (Door::Http, 1), (Door::Http, 100)];

/// Cameras over WebRTC.
const WEBRTC: [usize; 4] = [1, GOAL, 200, 250];
const GOAL: usize = 150;
/// Cameras that one viewer watches, so that none is the bottleneck.
const CAMERAS_A_VIEWER: usize = 10;

/// One door, some cameras, nobody watching.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// CPU time of the server a frame.
    us: f64,
    /// Share of the frames sent that became the camera's newest; 1 for the floor, which does not
    /// tell.
    taken: f64,
}

/// Cameras over WebRTC, all watched.
#[derive(Debug, Clone, Copy)]
pub struct Rtc {
    us: f64,
    /// Cores in use, of the server and of the load.
    server: f64,
    load: f64,
    /// Of the frames of 30 fps: what the load sent, and what the viewers saw.
    sent: f64,
    delivered: f64,
    p50_ms: f64,
    p99_ms: f64,
}

pub fn run(effort: Effort) -> io::Result<Section> {
    let mut doors: BTreeMap<(usize, usize), Vec<Figures>> = BTreeMap::new();
    let mut rtc: BTreeMap<usize, Vec<Rtc>> = BTreeMap::new();
    for round in 0..effort.rounds {
        for (case, &(door, cameras)) in CASES.iter().enumerate() {
            for (subject, &kind) in SUBJECTS.iter().enumerate() {
                let figures = push(kind, door, cameras, effort.seconds)?;
                eprintln!("round {round}, {door:?} × {cameras}, {}: {figures:.2?}", kind.name());
                doors.entry((case, subject)).or_default().push(figures);
            }
        }
        for cameras in WEBRTC {
            let figures = webrtc(Kind::Framecast(1), cameras, effort.seconds)?;
            eprintln!("round {round}, WebRTC × {cameras}: {figures:.2?}");
            rtc.entry(cameras).or_default().push(figures);
        }
    }
    Ok(section(&doors, &rtc))
}

fn ids(cameras: usize) -> Vec<String> {
    (0..cameras).map(|camera| format!("cam-{camera}")).collect()
}

/// Measures one door.
pub fn push(kind: Kind, door: Door, cameras: usize, seconds: u64) -> io::Result<Figures> {
    let server = Subject::start(kind)?;
    let publishers = Publishers::start(server.ingest, &ids(cameras), door, FRAME, FPS)?;
    let keeps = matches!(kind, Kind::Framecast(_));
    thread::sleep(if keeps { WARM_UP } else { SHORT_WARM_UP });
    let (before, sent_before) = (server.cpu()?, publishers.sent());
    thread::sleep(Duration::from_secs(seconds));
    let (cpu, sent) = (server.cpu()? - before, publishers.sent() - sent_before);
    let all = publishers.sent();
    let taken = match kind {
        Kind::Framecast(_) => frames_taken(server.view)? as f64 / all as f64,
        _ => 1.0,
    };
    Ok(Figures { us: cpu.as_secs_f64() * 1e6 / sent as f64, taken: taken.min(1.0) })
}

/// Measures cameras over WebRTC, with a viewer for each ten.
pub fn webrtc(kind: Kind, cameras: usize, seconds: u64) -> io::Result<Rtc> {
    // Cameras take seconds to connect: caches of the usual length would still grow while it counts.
    let server = Subject::start_with(kind, OPTIONS, &[sys::SERVER_CORE])?;
    let load = Viewers::start()?;
    let ids = ids(cameras);
    let senders = Senders::start(server.ingest, &ids, FRAME, FPS)?;
    for some in ids.chunks(CAMERAS_A_VIEWER) {
        load.add(
            server.view,
            &format!("/stream?cameras={}", some.join(",")),
            1,
            Habits::default(),
        )?;
    }
    thread::sleep(WARM_UP);
    let own = std::process::id();
    let (start, before, own_before) = (Instant::now(), server.cpu()?, sys::cpu(own)?);
    let sent_before = senders.sent();
    let window = load.watch(Duration::from_secs(seconds));
    let took = start.elapsed().as_secs_f64();
    let sent = senders.sent() - sent_before;
    let due = cameras as f64 * FPS * took;
    let cpu = (server.cpu()? - before).as_secs_f64();
    let own = (sys::cpu(own)? - own_before).as_secs_f64();
    Ok(Rtc {
        us: cpu * 1e6 / window.frames as f64,
        server: cpu / took,
        load: own / took,
        sent: sent as f64 / due,
        delivered: window.frames as f64 / due,
        p50_ms: window.age_ms(0.5),
        p99_ms: window.age_ms(0.99),
    })
}

/// Frames that the server counts as taken, of all cameras.
fn frames_taken(view: SocketAddr) -> io::Result<u64> {
    let mut socket = TcpStream::connect(view)?;
    write!(socket, "GET /api/cameras HTTP/1.1\r\nHost: {view}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let list: serde_json::Value = serde_json::from_str(body)?;
    let cameras = list["cameras"].as_array().map_or(&[][..], Vec::as_slice);
    Ok(cameras.iter().filter_map(|camera| camera["frames"].as_u64()).sum())
}

fn section(
    doors: &BTreeMap<(usize, usize), Vec<Figures>>,
    rtc: &BTreeMap<usize, Vec<Rtc>>,
) -> Section {
    let us = |case, subject| median(doors[&(case, subject)].iter().map(|f| f.us));
    let of = |cameras, figure: fn(&Rtc) -> f64| median(rtc[&cameras].iter().map(figure));
    let heading = [
        "",
        "µs a frame",
        "floor, µs",
        "server, cores",
        "load, cores",
        "sent",
        "delivered",
        "p50 / p99 ms",
    ];
    let mut table = vec![heading.map(str::to_owned).to_vec()];
    let mut goals = Vec::new();
    for (case, (door, cameras)) in CASES.into_iter().enumerate() {
        let name = match door {
            Door::WebSocket => "WebSocket",
            Door::Http => "HTTP multipart",
            Door::Chunked => "HTTP multipart in chunks",
        };
        let at = format!("{name}, {cameras} camera{}", if cameras == 1 { "" } else { "s" });
        let taken = median(doors[&(case, 1)].iter().map(|f| f.taken));
        let mut row = vec![at.clone(), show(us(case, 1), ""), show(us(case, 0), "")];
        row.extend(["", "", ""].map(str::to_owned));
        row.extend([show(taken * 100.0, "%"), String::new()]);
        table.push(row);
        let beside = format!("CPU a frame, {at} (floor: {})", show(us(case, 0), "µs"));
        goals.push(Goal::at_most(beside, us(case, 1), 25.0, "µs"));
    }
    for &cameras in rtc.keys() {
        let mut row = vec![
            format!("WebRTC, {cameras} camera{}", if cameras == 1 { "" } else { "s" }),
            show(of(cameras, |f| f.us), ""),
            String::new(),
        ];
        row.push(show(of(cameras, |f| f.server), ""));
        row.push(show(of(cameras, |f| f.load), ""));
        row.push(show(of(cameras, |f| f.sent) * 100.0, "%"));
        row.push(show(of(cameras, |f| f.delivered) * 100.0, "%"));
        let ages = (of(cameras, |f| f.p50_ms), of(cameras, |f| f.p99_ms));
        row.push(format!("{} / {}", show(ages.0, ""), show(ages.1, "")));
        table.push(row);
    }
    let at = format!("WebRTC, {GOAL} cameras on one core");
    let delivered = of(GOAL, |f| f.delivered) * 100.0;
    goals.push(Goal::at_least(format!("delivered, {at}"), delivered, 99.0, "%"));
    goals.push(Goal::at_most(format!("p99, {at}"), of(GOAL, |f| f.p99_ms), 50.0, "ms"));
    Section {
        name: "ingest".into(),
        title: "Ingest".into(),
        how: "Cameras of 30 KB frames at 30 fps; the server has one core. Over WebSocket and HTTP \
              (multipart) nobody watches; the floor is one thread of this benchmark that reads each \
              frame into a fresh buffer, unmasks it where it is masked, and forgets it. With one camera \
              each frame wakes a core that slept, which costs more than the frame. Over WebRTC \
              the cameras are the server's own crate on the load's core, and a viewer for each ten of \
              them sees every frame, caches reach back 1 s: sent and delivered are of the frames that \
              30 fps would be, so they fall too when the load's core is full."
            .into(),
        goals,
        table,
        measured: String::new(),
    }
}

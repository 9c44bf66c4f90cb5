//! With Redis on: what viewers notice of it, and how many commands it takes.

use std::{
    env, fs,
    io::{self, BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    Effort,
    fanout::FPS,
    turns::{self, Figures, SETTLE, Side},
};
use crate::{
    load::median,
    report::{Goal, Section, show},
    subject::Kind,
};

const VIEWERS: usize = 20;
const WARM_UP: Duration = Duration::from_secs(2);
/// Commands a frame without batching: HSET and PEXPIRE, and each tenth frame its publisher's SADD
/// and HSET.
const UNBATCHED: f64 = 2.2;
/// Cameras, in the table's order; viewers are compared at the first.
const CASES: [usize; 2] = [10, 1];

/// Figures a second, while cameras publish.
#[derive(Debug, Clone, Copy, Default)]
struct Commands {
    /// As the server counts them.
    sent: f64,
    /// As Redis does.
    executed: f64,
    /// Frames that the server says are in Redis.
    written: f64,
}

pub fn run(effort: Effort) -> io::Result<Section> {
    let Some(redis) = Redis::start()? else {
        eprintln!("redis: redis-server is not installed, so nothing is measured");
        return Ok(section(None, &[]));
    };
    let url = format!("redis://{}", redis.addr);
    let with = ["--redis-url", &url];
    let mut rounds: Vec<[Figures; 2]> = Vec::new();
    let mut commands = Vec::new();
    for round in 0..effort.rounds {
        let kind = Kind::Framecast(1);
        let sides = [
            Side::start(kind, &[], CASES[0], VIEWERS)?,
            Side::start(kind, &with, CASES[0], VIEWERS)?,
        ];
        let turns = turns::compare(&sides, 2 * effort.seconds, SETTLE)?;
        let figures = [0, 1].map(|side| Figures::median(&turns[side]));
        eprintln!("round {round}: without and with {figures:.2?}");
        rounds.push(figures);
        for cameras in CASES {
            let counted = commands_of(&redis, &with, cameras, effort.seconds)?;
            eprintln!("round {round}, {cameras} cameras: {counted:.0?}");
            commands.push(counted);
        }
    }
    Ok(section(Some(&rounds), &commands))
}

fn commands_of(
    redis: &Redis,
    options: &[&str],
    cameras: usize,
    seconds: u64,
) -> io::Result<Commands> {
    let Side { server, load, publishers } =
        Side::start(Kind::Framecast(1), options, cameras, VIEWERS)?;
    publishers.resume();
    thread::sleep(WARM_UP);
    let counts = || -> io::Result<Commands> {
        let stats = server.stats()?;
        let figure = |name: &str| stats["server"]["redis"][name].as_f64().unwrap_or(f64::NAN);
        let executed = redis.commands()?;
        Ok(Commands { sent: figure("commands"), executed, written: figure("written") })
    };
    let (start, before) = (Instant::now(), counts()?);
    load.watch(Duration::from_secs(seconds));
    let (after, time) = (counts()?, start.elapsed().as_secs_f64());
    Ok(Commands {
        sent: (after.sent - before.sent) / time,
        executed: (after.executed - before.executed) / time,
        written: (after.written - before.written) / time,
    })
}

fn section(rounds: Option<&[[Figures; 2]]>, commands: &[Commands]) -> Section {
    let heading = [
        "30 fps, 20 viewers each",
        "frames a second in Redis",
        "commands a second as the server counts them",
        "as Redis counts them, those of scripts too",
        "unbatched",
    ];
    let mut table = vec![heading.map(str::to_owned).to_vec()];
    let mut goals = Vec::new();
    if let Some(rounds) = rounds {
        let of = |side: usize, figure: fn(&Figures) -> f64| {
            show(median(rounds.iter().map(|sides| figure(&sides[side]))), "")
        };
        goals.push(Goal::at_most(
            format!(
                "p99 of viewers of {} cameras with Redis, against without ({} and {} ms; p50 {} and \
                 {} ms; {} and {} % of a core)",
                CASES[0],
                of(1, |f| f.p99_ms),
                of(0, |f| f.p99_ms),
                of(1, |f| f.p50_ms),
                of(0, |f| f.p50_ms),
                of(1, |f| f.cpu * 100.0),
                of(0, |f| f.cpu * 100.0),
            ),
            median(rounds.iter().map(|[without, with]| with.p99_ms / without.p99_ms)),
            1.1,
            "×",
        ));
    }
    for (case, cameras) in CASES.into_iter().enumerate().filter(|_| rounds.is_some()) {
        let of = |figure: fn(&Commands) -> f64| {
            median(commands.iter().skip(case).step_by(CASES.len()).map(figure))
        };
        let s = if cameras == 1 { "" } else { "s" };
        let unbatched = UNBATCHED * FPS * cameras as f64;
        table.push(vec![
            format!("{cameras} camera{s}"),
            show(of(|f| f.written), ""),
            show(of(|f| f.sent), ""),
            show(of(|f| f.executed), ""),
            show(unbatched, ""),
        ]);
        goals.push(Goal::at_most(
            format!("commands against unbatched, {cameras} camera{s}"),
            of(|f| f.sent) / unbatched * 100.0,
            20.0,
            "%",
        ));
    }
    if rounds.is_none() {
        table.push(vec!["not measured: redis-server is not installed".to_owned()]);
    }
    Section {
        name: "redis".into(),
        title: "With Redis on".into(),
        how: "Cameras of 30 KB frames at 30 fps with 20 viewers each, beside a redis-server that keeps \
              nothing on disk, on the load's core. A server without and one with Redis take turns of a \
              second; p99 is the median of these. Unbatched are HSET and PEXPIRE a frame, and SADD and \
              HSET for the publisher's state each tenth."
            .into(),
        goals,
        table,
        measured: String::new(),
    }
}

/// A Redis of our own; it is killed when this is dropped.
struct Redis {
    child: Child,
    addr: SocketAddr,
    folder: std::path::PathBuf,
}

impl Redis {
    /// `None` where redis-server is not installed.
    fn start() -> io::Result<Option<Self>> {
        // Free now; whoever takes it in between shows as a server that does not start.
        let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let folder = env::temp_dir().join(format!("framecast-bench-{}", addr.port()));
        fs::create_dir_all(&folder)?;
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &addr.port().to_string()])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--dir")
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let child = match child {
            Ok(child) => child,
            Err(error) => {
                let _ = fs::remove_dir(&folder);
                let is_missing = error.kind() == io::ErrorKind::NotFound;
                return if is_missing { Ok(None) } else { Err(error) };
            }
        };
        let redis = Self { child, addr, folder };
        let deadline = Instant::now() + Duration::from_secs(5);
        while let Err(error) = redis.commands() {
            if Instant::now() > deadline {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(Some(redis))
    }

    /// Commands that it has carried out since it started.
    fn commands(&self) -> io::Result<f64> {
        let mut socket = TcpStream::connect(self.addr)?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        socket.write_all(b"INFO stats\r\n")?;
        for line in BufReader::new(socket).lines() {
            if let Some(count) = line?.strip_prefix("total_commands_processed:") {
                return count.trim().parse().map_err(io::Error::other);
            }
        }
        Err(io::Error::other("redis-server tells no total_commands_processed"))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir(&self.folder);
    }
}

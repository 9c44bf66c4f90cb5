//! A server that is measured: a child process on the server's core, with the addresses it printed.

use std::{
    env,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{servers::Mode, sys};

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The release binary with this many workers.
    Framecast(usize),
    /// The same, and it may use the load's core besides its own.
    Spread(usize),
    /// Another build to compare with, named by `FRAMECAST_BASELINE`.
    Baseline(usize),
    /// A server in this binary, with this many workers where it has any.
    Own(Mode, usize),
    /// Bun's WebSocket publish (`peers/bun.js`).
    Bun,
    /// Node.js with the package `ws` (`peers/node-ws.mjs`).
    NodeWs,
}

impl Kind {
    /// From the command line: a name, and the number of workers behind a colon (default 1).
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, workers) = text.split_once(':').unwrap_or((text, "1"));
        let workers = workers.parse().map_err(|_| format!("{workers}: not a number of workers"))?;
        match name {
            "framecast" => Ok(Self::Framecast(workers)),
            "spread" => Ok(Self::Spread(workers)),
            "baseline" => Ok(Self::Baseline(workers)),
            "bun" => Ok(Self::Bun),
            "node-ws" => Ok(Self::NodeWs),
            name => clap::ValueEnum::from_str(name, true).map(|mode| Self::Own(mode, workers)),
        }
    }

    /// Several, with commas between them.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, String> {
        text.split(',').map(Self::parse).collect()
    }

    /// Where it runs unless a row says otherwise.
    pub fn cores(self) -> &'static [usize] {
        match self {
            Self::Spread(_) => &[sys::SERVER_CORE, sys::LOAD_CORE],
            _ => &[sys::SERVER_CORE],
        }
    }

    /// As the tables have it.
    pub fn name(self) -> String {
        match self {
            Self::Framecast(1) => "framecast, 1 worker".into(),
            Self::Framecast(n) => format!("framecast, {n} workers"),
            Self::Spread(n) => format!("framecast, {n} workers, on the load's core too"),
            Self::Baseline(n) => format!("framecast's other build, {n} workers"),
            Self::Own(Mode::Floor, _) => "floor: one thread, one `send` a viewer".into(),
            Self::Own(Mode::Receive, _) => "floor: one thread, one fresh buffer a frame".into(),
            Self::Own(Mode::Tasks, n) => format!("tokio task a viewer, shared bytes, {n} workers"),
            Self::Own(Mode::Sinks, n) => format!("tokio-tungstenite sink a viewer, {n} workers"),
            Self::Bun => "Bun, WebSocket publish".into(),
            Self::NodeWs => "Node.js, `ws`".into(),
        }
    }
}

/// A running server; it is killed when this is dropped.
#[derive(Debug)]
pub struct Subject {
    child: Child,
    /// Where publishers connect.
    pub ingest: SocketAddr,
    /// Where viewers connect.
    pub view: SocketAddr,
}

impl Subject {
    /// Starts a server where it belongs.
    pub fn start(kind: Kind) -> io::Result<Self> {
        Self::start_with(kind, &[], kind.cores())
    }

    /// Starts a server with further options (framecast only) on these cores.
    pub fn start_with(kind: Kind, options: &[&str], cores: &[usize]) -> io::Result<Self> {
        let mut command = match kind {
            Kind::Framecast(workers) | Kind::Spread(workers) | Kind::Baseline(workers) => {
                let baseline = env::var_os("FRAMECAST_BASELINE").map(PathBuf::from);
                let baseline = baseline.filter(|_| matches!(kind, Kind::Baseline(_)));
                let mut command = Command::new(baseline.unwrap_or_else(framecast_binary));
                command.args(["--ingest-addr", "127.0.0.1:0", "--view-addr", "127.0.0.1:0"]);
                // In the environment, as an older build would refuse the flag.
                command.env("FRAMECAST_DATA_DIR", "off");
                command.args(["--log", "warn", "--workers", &workers.to_string()]).args(options);
                command
            }
            Kind::Own(mode, workers) => {
                let mut command = Command::new(env::current_exe()?);
                let mode = clap::ValueEnum::to_possible_value(&mode);
                let mode = mode.as_ref().map_or("floor", clap::builder::PossibleValue::get_name);
                command.args(["serve", mode, "--workers", &workers.to_string()]);
                command
            }
            Kind::Bun => {
                let mut command = Command::new(peers().join("node_modules/.bin/bun"));
                command.arg(peers().join("bun.js"));
                command
            }
            Kind::NodeWs => {
                let mut command = Command::new("node");
                command.arg(peers().join("node-ws.mjs"));
                command
            }
        };
        // A child begins with the cores of the thread that starts it.
        sys::pin_to(cores)?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        sys::pin(sys::LOAD_CORE)?;
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child =
            child.map_err(|error| io::Error::other(format!("cannot start {name}: {error}")))?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
        let mut lines = BufReader::new(stdout).lines();
        let mut next = || -> io::Result<SocketAddr> {
            let line = lines.next().transpose()?;
            let address = line.as_deref().and_then(address);
            address.ok_or_else(|| io::Error::other(format!("{name} printed no address: {line:?}")))
        };
        let (ingest, view) = (next()?, next()?);
        Ok(Self { child, ingest, view })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// CPU time so far.
    pub fn cpu(&self) -> io::Result<Duration> {
        sys::cpu(self.pid())
    }

    /// What framecast answers at `/api/stats`.
    pub fn stats(&self) -> io::Result<serde_json::Value> {
        let mut socket = TcpStream::connect(self.view)?;
        let request =
            format!("GET /api/stats HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.view);
        socket.write_all(request.as_bytes())?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok(serde_json::from_str(body)?)
    }

    /// Bytes of memory that it holds.
    pub fn rss(&self) -> io::Result<u64> {
        sys::rss(self.pid())
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in a line such as `view 127.0.0.1:8081` or `viewer page  http://127.0.0.1:8081/`.
fn address(line: &str) -> Option<SocketAddr> {
    let word = line.split_whitespace().last()?;
    word.trim_start_matches("http://").trim_end_matches('/').parse().ok()
}

/// `FRAMECAST_BIN`, or the one that was built beside this program.
pub fn framecast_binary() -> PathBuf {
    let beside = || Some(env::current_exe().ok()?.parent()?.join("framecast"));
    env::var_os("FRAMECAST_BIN").map(PathBuf::from).or_else(beside).unwrap_or_default()
}

/// This package's folder.
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn peers() -> PathBuf {
    folder().join("peers")
}

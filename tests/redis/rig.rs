//! What the tests stand on: a Redis of their own, a relay that is watched while it runs, the log.

#[path = "../support/free_port.rs"]
mod free_port;

use std::{
    collections::HashMap,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use framecast::{
    relay::{CameraId, Clock, Limits, Outcome, Producer, Publisher, Registry, Stamp, Transport},
    store::redis::{Figures, Format, Handle, Intervals, Settings, spawn_with},
    wire::jpeg,
};
pub use free_port::free_port;
use redis::FromRedisValue;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    sync::mpsc,
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long anything awaited may take before the test fails. Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(12);
/// How late a frame may reach a consumer. The writer's own waits are 1 s: one on the live path
/// would show.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// A redis-server of this test, killed when dropped.
pub struct Redis {
    child: Child,
    port: u16,
    setup: Setup,
}

struct Setup {
    options: Vec<String>,
    is_tls: bool,
    dir: TempDir,
}

impl Redis {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    pub fn start_with(options: &[&str]) -> Self {
        Self::launch(Setup {
            options: options.iter().map(|&option| option.to_owned()).collect(),
            is_tls: false,
            dir: tempfile::tempdir().expect("a temporary directory"),
        })
    }

    /// Takes TLS connections only, with the certificate in `cert.pem`.
    pub fn start_tls() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a key");
        let write = |name, text| std::fs::write(dir.path().join(name), text).expect("written");
        write("cert.pem", own.cert.pem());
        write("key.pem", own.signing_key.serialize_pem());
        let options = "--tls-cert-file cert.pem --tls-key-file key.pem --tls-ca-cert-file cert.pem \
                       --tls-auth-clients no";
        let options = options.split_whitespace().map(str::to_owned).collect();
        Self::launch(Setup { options, is_tls: true, dir })
    }

    /// A file in the server's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.setup.dir.path().join(name)
    }

    fn launch(setup: Setup) -> Self {
        let port = free_port();
        let mut server = Self { child: setup.launch(port), port, setup };
        assert!(server.is_up(), "redis-server ended as it started: is port {port} taken?");
        server
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    pub fn address(&self) -> String {
        address(self.port)
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was killed");
    }

    /// With an empty memory, on the same port.
    pub fn restart(&mut self) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            self.child = self.setup.launch(self.port);
            if self.is_up() {
                return;
            }
        }
        panic!("redis-server did not come back on port {}", self.port);
    }

    /// `STOP` freezes, `CONT` thaws.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status().expect("sh is there");
        assert!(status.success());
    }

    pub async fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let client = redis::Client::open(self.url()).expect("a good URL");
        let mut connection =
            client.get_multiplexed_async_connection().await.expect("Redis is there");
        let mut cmd = redis::Cmd::new();
        for part in command {
            cmd.arg(part);
        }
        cmd.query_async(&mut connection).await.expect("an answer of this type")
    }

    pub async fn hash(&self, key: &str) -> HashMap<String, Vec<u8>> {
        self.ask(&["HGETALL", key]).await
    }

    /// One field as text; empty if it is not there.
    pub async fn field(&self, key: &str, field: &str) -> String {
        self.ask::<Option<String>>(&["HGET", key, field]).await.unwrap_or_default()
    }

    /// How often Redis has carried out each command.
    pub async fn command_counts(&self) -> HashMap<String, u64> {
        let info: String = self.ask(&["INFO", "commandstats"]).await;
        let line = |line: &str| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
        };
        info.lines().filter_map(line).collect()
    }

    /// Waits until it takes connections. False when it has ended.
    fn is_up(&mut self) -> bool {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if self.child.try_wait().expect("a child of ours").is_some() {
                return false;
            }
            if std::net::TcpStream::connect(self.address()).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a Redis carries out, as its own `MONITOR` shows it.
pub struct Monitor {
    counts: JoinHandle<Carried>,
    end: TcpStream,
}

/// How often each command was carried out.
#[derive(Debug, Default)]
pub struct Carried {
    /// Sent over connections.
    pub sent: HashMap<String, u64>,
    /// Called inside scripts.
    pub called: HashMap<String, u64>,
}

impl Monitor {
    const END: &str = "ECHO the-end\r\n";

    pub async fn start(redis: &Redis) -> Self {
        let connect = async || TcpStream::connect(redis.address()).await.expect("Redis is there");
        let (mut stream, end) = (connect().await, connect().await);
        stream.write_all(b"MONITOR\r\n").await.expect("it takes commands");
        let mut lines = BufReader::new(stream).lines();
        let mut line = async move || lines.next_line().await.expect("it runs").expect("a line");
        assert_eq!(line().await, "+OK");
        let counts = tokio::spawn(async move {
            let mut carried = Carried::default();
            loop {
                // +1767225661.456789 [0 127.0.0.1:50000] "HSET" "key" …; `lua` for the address.
                let line = line().await;
                let (source, rest) = line.split_once(" \"").expect("quoted arguments");
                if rest.starts_with("ECHO\" \"the-end") {
                    return carried;
                }
                let name = rest.split('"').next().unwrap_or_default().to_lowercase();
                let is_inside = source.ends_with(" lua]");
                let counts = if is_inside { &mut carried.called } else { &mut carried.sent };
                *counts.entry(name).or_default() += 1;
            }
        });
        Self { counts, end }
    }

    /// All that was carried out since the start.
    pub async fn finish(mut self) -> Carried {
        self.end.write_all(Self::END.as_bytes()).await.expect("it takes commands");
        tokio::time::timeout(PATIENCE, self.counts).await.expect("in time").expect("it was read")
    }
}

pub fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

impl Setup {
    fn launch(&self, port: u16) -> Child {
        let port = port.to_string();
        let ports = match self.is_tls {
            true => ["--port", "0", "--tls-port", &port],
            false => ["--port", &port, "--tls-port", "0"],
        };
        Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(ports)
            .args(&self.options)
            .current_dir(self.dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "cannot run redis-server ({error}): these tests need a real one; install \
                     Redis (Debian and Ubuntu: apt install redis-server)"
                )
            })
    }
}

/// A relay with a writer.
pub struct Rig {
    pub registry: Arc<Registry>,
    pub handle: Handle,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Rig {
    pub fn new(url: &str) -> Self {
        Self::with(url, Format::Base64, Duration::from_secs(10), Intervals::default())
    }

    pub fn with(url: &str, format: Format, frame_ttl: Duration, intervals: Intervals) -> Self {
        start_log();
        let registry = Registry::new(Limits::default(), Clock::system());
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        let settings = Settings { url: url.to_owned(), format, frame_ttl };
        let handle = spawn_with(settings, intervals, registry.clone(), shutdown.clone(), &tasks)
            .expect("a good URL");
        Self { registry, handle, shutdown, tasks }
    }

    pub fn producer(&self, camera: &str) -> Producer {
        let id = CameraId::parse(camera).expect("a good id");
        self.registry.publish(&id, Publisher::over(Transport::Synthetic)).expect("free")
    }

    pub async fn until(&self, what: &str, is: impl Fn(&Figures) -> bool) -> Figures {
        let end = Instant::now() + PATIENCE;
        loop {
            let figures = self.handle.figures();
            if is(&figures) {
                return figures;
            }
            assert!(Instant::now() < end, "waited in vain: {what}; {figures:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits for `frames` to be accounted for, all of them.
    pub async fn until_counted(&self, frames: u64) -> Figures {
        let what = format!("{frames} frames are written, coalesced or dropped");
        self.until(&what, |f| f.written + f.coalesced + f.dropped == frames).await
    }

    /// Ends the writer. Returns how long that took.
    pub async fn stop(self) -> Duration {
        let start = Instant::now();
        self.shutdown.cancel();
        self.tasks.close();
        tokio::time::timeout(PATIENCE, self.tasks.wait()).await.expect("the writer ends");
        start.elapsed()
    }
}

/// Polls until `check` holds.
pub async fn eventually(what: &str, check: impl AsyncFn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !check().await {
        assert!(Instant::now() < end, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A JPEG of `len` bytes that differs from frame to frame, as far as the relay looks at it.
pub fn picture(n: u64, len: usize) -> Vec<u8> {
    jpeg::skeleton(640, 480, len, (n % 251) as u8)
}

pub fn publish(producer: &Producer, n: u64, len: usize) -> u64 {
    match producer.publish_jpeg(&picture(n, len), Stamp::default()) {
        Ok(Outcome::Published { seq }) => seq,
        other => panic!("frame {n} was not published: {other:?}"),
    }
}

/// Cameras that publish at 30 fps, each with a live consumer that is asked for every frame.
pub struct Live {
    stop: CancellationToken,
    cameras: Vec<JoinHandle<Watched>>,
}

/// What the live consumers saw.
#[derive(Debug, Default)]
pub struct Watched {
    pub frames: u64,
    /// From before `publish` is called to when a consumer has the frame.
    pub max_delay: Duration,
}

impl Live {
    pub fn start(rig: &Rig, cameras: usize, len: usize) -> Self {
        let stop = CancellationToken::new();
        let camera = |n| tokio::spawn(live(rig.producer(&format!("cam{n}")), len, stop.clone()));
        Self { cameras: (0..cameras).map(camera).collect(), stop }
    }

    /// Ends publishing and checks that every frame came, and in time.
    pub async fn finish(self) -> Watched {
        self.stop.cancel();
        let mut all = Watched::default();
        for camera in self.cameras {
            let seen = camera.await.expect("a live camera does not fail");
            all.frames += seen.frames;
            all.max_delay = all.max_delay.max(seen.max_delay);
        }
        println!("live: {all:?}");
        assert!(all.max_delay < MAX_DELAY, "a live frame came late: {all:?}");
        all
    }
}

async fn live(producer: Producer, len: usize, stop: CancellationToken) -> Watched {
    let mut consumer = producer.camera().consumer();
    let (sender, mut received) = mpsc::channel(1);
    // A task of its own, as a viewer has.
    let viewer = tokio::spawn(async move {
        while let Some(next) = consumer.next().await {
            assert_eq!(next.skipped, 0);
            if sender.send((next.frame.seq, Instant::now())).await.is_err() {
                return;
            }
        }
    });
    let mut ticks = tokio::time::interval(Duration::from_micros(33_333));
    let mut seen = Watched::default();
    while !stop.is_cancelled() {
        ticks.tick().await;
        let published_at = Instant::now();
        let seq = publish(&producer, seen.frames, len);
        let (got, at) = received.recv().await.expect("the viewer runs");
        assert_eq!(got, seq);
        seen.frames += 1;
        seen.max_delay = seen.max_delay.max(at - published_at);
    }
    viewer.abort();
    seen
}

static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();

fn start_log() -> &'static Arc<Mutex<Vec<u8>>> {
    LOG.get_or_init(|| {
        let log = Arc::new(Mutex::new(Vec::new()));
        let sink = log.clone();
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || Sink(sink.clone()))
            .init();
        log
    })
}

fn log() -> MutexGuard<'static, Vec<u8>> {
    start_log().lock().unwrap_or_else(PoisonError::into_inner)
}

struct Sink(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub fn whole_log() -> String {
    String::from_utf8_lossy(&log()).into_owned()
}

/// What this process has logged of one Redis, so that tests beside each other do not mix.
pub fn log_of(address: &str) -> Vec<String> {
    let field = format!("redis=\"{address}\"");
    whole_log().lines().filter(|line| line.contains(&field)).map(str::to_owned).collect()
}

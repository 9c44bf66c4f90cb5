//! The RTSP test camera, `tests/rtsp/camera.py`, as a child process.

#![allow(dead_code, reason = "each test file uses its part")]

#[path = "free_port.rs"]
mod free_port;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError, atomic::AtomicUsize, atomic::Ordering::Relaxed},
    time::Duration,
};

use free_port::free_port;

/// Cameras that run at a time, unless a test needs more: each encodes 30 pictures a second, and with
/// many of them a small machine would test nothing but its own patience.
const AT_A_TIME: usize = 4;

/// How many run.
static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// Ends with this handle, or with the test.
pub struct RtspCamera {
    pub url: String,
    child: Child,
    commands: ChildStdin,
    clients: Arc<AtomicUsize>,
    most_clients: Arc<AtomicUsize>,
}

impl RtspCamera {
    /// With flags of `camera.py`. Panics with what to install where GStreamer is missing.
    pub fn start(flags: &[&str]) -> Self {
        let (running, changed) = &RUNNING;
        let guard = running.lock().unwrap_or_else(PoisonError::into_inner);
        // A test that has one and needs another must not wait for ever for those that do the same.
        let waited = changed.wait_timeout_while(guard, PATIENCE, |running| *running >= AT_A_TIME);
        drop(waited);
        Self::run(flags, free_port())
    }

    fn run(flags: &[&str], port: u16) -> Self {
        *RUNNING.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rtsp/camera.py");
        let mut child = Command::new("/usr/bin/python3")
            .arg(script)
            .args(flags)
            .args(["--port", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the RTSP test camera needs the system's Python: apt-get install python3");
        let commands = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let Some(Ok(url)) = lines.next() else {
            let mut why = String::new();
            let _ = child.stderr.take().unwrap().read_to_string(&mut why);
            panic!("{why}");
        };
        let (clients, most_clients) = (Arc::default(), Arc::default());
        let (now, most): (Arc<AtomicUsize>, Arc<AtomicUsize>) = (clients, most_clients);
        let camera =
            Self { url, child, commands, clients: now.clone(), most_clients: most.clone() };
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(count) = line.strip_prefix("clients ").and_then(|n| n.parse().ok()) {
                    now.store(count, Relaxed);
                    most.fetch_max(count, Relaxed);
                }
            }
        });
        camera
    }

    /// The same on the port that another had.
    pub fn again(url: &str, flags: &[&str]) -> Self {
        Self::run(flags, url.split([':', '/']).nth(4).unwrap().parse().unwrap())
    }

    /// RTSP connections now.
    pub fn clients(&self) -> usize {
        self.clients.load(Relaxed)
    }

    /// The most there ever were at a time.
    pub fn most_clients(&self) -> usize {
        self.most_clients.load(Relaxed)
    }

    /// `freeze` or `thaw`.
    pub fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
    }

    /// With user and password in it.
    pub fn url_with(&self, login: &str) -> String {
        self.url.replace("rtsp://", &format!("rtsp://{login}@"))
    }
}

impl Drop for RtspCamera {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        *RUNNING.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        RUNNING.1.notify_one();
    }
}

/// What the clock burnt into a picture says, in Unix milliseconds; `None` if it cannot be read.
pub fn clock(jpeg: &[u8], width: usize) -> Option<u64> {
    let mut ffmpeg = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "mjpeg", "-i", "-", "-f", "rawvideo", "-pix_fmt", "gray", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("apt-get install ffmpeg");
    let mut stdin = ffmpeg.stdin.take().unwrap();
    let jpeg = jpeg.to_vec();
    let writing = std::thread::spawn(move || {
        let _ = stdin.write_all(&jpeg);
    });
    let pixels = ffmpeg.wait_with_output().unwrap().stdout;
    writing.join().unwrap();
    clock_of(&pixels, width)
}

/// The same of the luma of a picture's upper rows.
pub fn clock_of(pixels: &[u8], width: usize) -> Option<u64> {
    let block = width / 24;
    let bit = |n: usize| {
        let (x, y) = (n % 24 * block + block / 2, n / 24 * block + block / 2);
        pixels.get(y * width + x).map(|&luma| u64::from(luma > 127))
    };
    let bits = (0..48).try_fold(0_u64, |bits, n| Some((bits << 1) | bit(n)?))?;
    let (ms, check) = (bits >> 4, bits & 15);
    let sum: u64 = (0..11).map(|place| (ms >> (4 * place)) & 15).sum();
    (sum & 15 == check).then_some(ms)
}

/// Unix milliseconds.
pub fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_millis() as u64
}

/// Longer than anything takes here on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(25);

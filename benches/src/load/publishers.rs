//! Cameras: one thread sends stamped pictures to all of them, each at its own time of the period.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    frame::{self, STAMP_END},
    sys,
};

/// Any but zero, which a server could recognise as nothing to do.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
const BOUNDARY: &str = "frame";

/// How frames go in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Door {
    /// `GET /publish/{camera}` with an upgrade.
    WebSocket,
    /// `POST /publish/{camera}` of `multipart/x-mixed-replace` that says its length.
    Http,
    /// The same with `Transfer-Encoding: chunked`, as ffmpeg sends it: a chunk a part.
    Chunked,
}

/// Running publishers; they end when this is dropped.
#[derive(Debug)]
pub struct Publishers {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    sent: AtomicU64,
    /// Connected, and sending nothing.
    paused: AtomicBool,
    stop: AtomicBool,
}

impl Publishers {
    /// Connects all `cameras` and sends each `fps` pictures of `len` bytes a second.
    pub fn start(
        addr: SocketAddr,
        cameras: &[String],
        door: Door,
        len: usize,
        fps: f64,
    ) -> io::Result<Self> {
        let sockets: Vec<TcpStream> =
            cameras.iter().map(|camera| connect(addr, camera, door)).collect::<io::Result<_>>()?;
        let shared = Arc::new(Shared::default());
        let thread = thread::Builder::new().name("publishers".into()).spawn({
            let shared = shared.clone();
            move || {
                // A camera that breaks shows as frames that do not arrive.
                if let Err(error) = sys::pin(sys::LOAD_CORE)
                    .and_then(|()| publish(sockets, door, len, fps, &shared))
                {
                    eprintln!("publishers: {error}");
                }
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Frames sent since the start, of all cameras.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Relaxed)
    }

    /// Sends nothing until [`Self::resume`]; the connections stay.
    pub fn pause(&self) {
        self.shared.paused.store(true, Relaxed);
    }

    pub fn resume(&self) {
        self.shared.paused.store(false, Relaxed);
        self.wake();
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Publishers {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
        self.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn connect(addr: SocketAddr, camera: &str, door: Door) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(addr)?;
    socket.set_nodelay(true)?;
    let head = match door {
        Door::WebSocket => format!(
            "GET /publish/{camera} HTTP/1.1\r\nHost: {addr}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ),
        Door::Http | Door::Chunked => {
            let body = match door {
                Door::Chunked => "Transfer-Encoding: chunked".to_owned(),
                _ => format!("Content-Length: {}", u64::MAX >> 2),
            };
            format!(
                "POST /publish/{camera} HTTP/1.1\r\nHost: {addr}\r\n\
                 Content-Type: multipart/x-mixed-replace; boundary={BOUNDARY}\r\n{body}\r\n\r\n"
            )
        }
    };
    socket.write_all(head.as_bytes())?;
    if door == Door::WebSocket {
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte)?;
            answer.extend(byte);
        }
        if !answer.starts_with(b"HTTP/1.1 101") {
            let answer = String::from_utf8_lossy(&answer);
            return Err(io::Error::other(format!("publishing {camera}: {answer}")));
        }
    }
    Ok(socket)
}

/// One picture as it goes through a door, ready to be stamped again and again.
struct Ready {
    bytes: Vec<u8>,
    jpeg_at: usize,
    masked: bool,
}

impl Ready {
    fn new(door: Door, len: usize) -> Self {
        let jpeg = frame::jpeg(len);
        let mut bytes = Vec::with_capacity(len + 128);
        match door {
            Door::WebSocket => {
                bytes.extend([0x82, 0x80 | 127]);
                bytes.extend((len as u64).to_be_bytes());
                bytes.extend(MASK);
            }
            Door::Http | Door::Chunked => {
                let head = format!(
                    "--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len}\r\n\r\n"
                );
                if door == Door::Chunked {
                    bytes.extend(format!("{:x}\r\n", head.len() + len + 2).bytes());
                }
                bytes.extend(head.bytes());
            }
        }
        let jpeg_at = bytes.len();
        bytes.extend(jpeg);
        let masked = door == Door::WebSocket;
        if masked {
            mask(&mut bytes[jpeg_at..]);
        } else {
            bytes.extend(b"\r\n");
        }
        if door == Door::Chunked {
            bytes.extend(b"\r\n");
        }
        Self { bytes, jpeg_at, masked }
    }

    fn stamp(&mut self) -> &[u8] {
        let head = &mut self.bytes[self.jpeg_at..][..STAMP_END];
        if self.masked {
            mask(head);
        }
        frame::stamp(head);
        if self.masked {
            mask(head);
        }
        &self.bytes
    }
}

fn mask(payload: &mut [u8]) {
    payload.iter_mut().zip(MASK.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}

fn publish(
    mut sockets: Vec<TcpStream>,
    door: Door,
    len: usize,
    fps: f64,
    shared: &Shared,
) -> io::Result<()> {
    let mut ready = Ready::new(door, len);
    let slot = Duration::from_secs_f64(1.0 / fps / sockets.len() as f64);
    let mut start = Instant::now();
    let mut junk = vec![0; 16 << 10];
    for turn in 0.. {
        if let Some(wait) = (start + slot * turn).checked_duration_since(Instant::now()) {
            thread::sleep(wait);
        }
        while shared.paused.load(Relaxed) && !shared.stop.load(Relaxed) {
            thread::park();
            // What was not sent meanwhile is not made up for.
            start = Instant::now().checked_sub(slot * turn).unwrap_or(start);
        }
        if shared.stop.load(Relaxed) {
            break;
        }
        let count = sockets.len();
        let (round, index) = (turn as usize / count, turn as usize % count);
        let socket = &mut sockets[index];
        socket.write_all(ready.stamp())?;
        shared.sent.fetch_add(1, Relaxed);
        // What the server says is of no use here, but must not stand in its way.
        if round % 30 == 29 {
            socket.set_nonblocking(true)?;
            let _ = socket.read(&mut junk);
            socket.set_nonblocking(false)?;
        }
    }
    Ok(())
}

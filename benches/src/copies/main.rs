//! Counts what the server allocates for a frame, whatever the number of its viewers: a copy for each
//! would show as a frame's bytes for each.
//!
//! A program of its own because its allocator counts. The server runs in this process; publisher and
//! viewers are sockets of one thread, which reads into a fixed buffer and allocates nothing while the
//! allocator counts. A frame is published when every viewer has read the one before, so that each
//! gets all of them. Prints a list of [`Case`]s as JSON.

mod case;
#[allow(dead_code, reason = "nobody reads a stamp here")]
#[path = "../frame.rs"]
mod frame;
#[allow(dead_code, reason = "only its clock is used here")]
#[path = "../sys.rs"]
mod sys;

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    num::NonZeroUsize,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use dhat::{HeapStats, Profiler};
use framecast::{config::Config, server::Server};

use self::case::Case;

#[global_allocator]
static HEAP: dhat::Alloc = dhat::Alloc;

/// Bytes of a frame: 640×480 at the usual quality.
const FRAME: usize = 30_000;
/// Frames before counting begins: until every buffer and list has the size it keeps, the longest of
/// which is the streaming viewers' record of 128 frames on their way.
const WARM_UP: u64 = 160;
/// What stands between two pictures of an MJPEG stream for programs.
const BOUNDARY: &[u8] = b"\r\n--framecast\r\n";
/// Before it: the end of the picture's chunk, and the length of its own.
const CHUNK: &[u8] = b"\r\nF\r\n";
/// More than a frame with all that is around it.
const ROOM: usize = FRAME + 4096;
/// For any one read. Far longer than one takes; a server that sends nothing must not hang this.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Parser)]
#[command(name = "framecast-bench-copies", about = "Counts the server's allocations a frame")]
struct Cli {
    /// Numbers of viewers: that many of the streaming WebSocket, and as many of MJPEG
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64])]
    viewers: Vec<usize>,
    /// Frames to count
    #[arg(long, default_value_t = 200)]
    frames: u64,
    /// Count nothing, but write where was allocated, for dhat's viewer; of the last number of viewers
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> io::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut cases = Vec::new();
    for &viewers in &cli.viewers {
        let server = runtime.block_on(Server::start(config())).map_err(io::Error::other)?;
        let mut scene = Scene::set(server.ingest_addr(), server.view_addr(), viewers)?;
        scene.play(WARM_UP)?;
        if let Some(file) = &cli.profile {
            let _writes_at_its_end = Profiler::builder().file_name(file).build();
            scene.play(cli.frames)?;
            continue;
        }
        let _counting = Profiler::builder().testing().build();
        scene.play(cli.frames)?;
        let stats = HeapStats::get();
        cases.push(Case {
            viewers,
            frame_bytes: FRAME,
            frames: cli.frames,
            allocations: stats.total_blocks as f64 / cli.frames as f64,
            bytes: stats.total_bytes as f64 / cli.frames as f64,
        });
    }
    if cli.profile.is_none() {
        serde_json::to_writer_pretty(io::stdout(), &cases)?;
        println!();
    }
    Ok(())
}

/// One writer, so that the work a frame costs each writer is counted once; a cache that is full after
/// the warm-up; and no pacing, as frames come as fast as they are read.
fn config() -> Config {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Config {
        ingest_addr: any,
        view_addr: any,
        workers: NonZeroUsize::new(1),
        cache_bytes: 32 * FRAME,
        max_fps: 100_000.0,
        ..Config::default()
    }
}

/// A camera and its viewers.
struct Scene {
    publisher: TcpStream,
    message: Vec<u8>,
    streaming: Vec<TcpStream>,
    mjpeg: Vec<TcpStream>,
    buffer: Vec<u8>,
}

impl Scene {
    fn set(ingest: SocketAddr, view: SocketAddr, viewers: usize) -> io::Result<Self> {
        let mut buffer = vec![0; ROOM];
        let mut publisher = open(ingest, "/publish/door", true)?;
        read_message(&mut publisher, &mut buffer)?;
        // There is a camera to watch from its first picture on, which each viewer gets at once.
        let mut message = message();
        let at = message.len() - FRAME;
        frame::stamp(&mut message[at..]);
        publisher.write_all(&message)?;
        let all = |path, upgrade| -> io::Result<Vec<TcpStream>> {
            (0..viewers).map(|_| open(view, path, upgrade)).collect()
        };
        let mut streaming = all("/stream?cameras=door", true)?;
        for socket in &mut streaming {
            read_binary(socket, &mut buffer)?;
        }
        let mut mjpeg = all("/api/cameras/door/stream.mjpeg", false)?;
        for socket in &mut mjpeg {
            read_to_boundary(socket, &mut buffer, BOUNDARY)?;
        }
        Ok(Self { publisher, message, streaming, mjpeg, buffer })
    }

    /// Publishes frames, and waits for each until every viewer has read it.
    fn play(&mut self, frames: u64) -> io::Result<()> {
        for _ in 0..frames {
            let at = self.message.len() - FRAME;
            frame::stamp(&mut self.message[at..]);
            self.publisher.write_all(&self.message)?;
            let picture = &self.message[at..];
            for socket in &mut self.streaming {
                let len = read_binary(socket, &mut self.buffer)?;
                same(self.buffer[..len].ends_with(picture))?;
            }
            for socket in &mut self.mjpeg {
                let len = read_to_boundary(socket, &mut self.buffer, BOUNDARY)?;
                same(self.buffer[..len].ends_with(picture))?;
            }
        }
        Ok(())
    }
}

fn same(same: bool) -> io::Result<()> {
    if same { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn open(addr: SocketAddr, path: &str, upgrade: bool) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(addr)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n");
    if upgrade {
        request.push_str(
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        );
    }
    socket.write_all(format!("{request}\r\n").as_bytes())?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte)?;
        answer.extend(byte);
    }
    let wanted: &[u8] = if upgrade { b"HTTP/1.1 101" } else { b"HTTP/1.1 200" };
    if !answer.starts_with(wanted) {
        let answer = String::from_utf8_lossy(&answer);
        return Err(io::Error::other(format!("{path}: {answer}")));
    }
    Ok(socket)
}

/// A picture as a client's WebSocket message. The mask is zero: it changes nothing of what the server
/// has to do, and the picture can be stamped in its place.
fn message() -> Vec<u8> {
    let mut message = vec![0x82, 0x80 | 127];
    message.extend((FRAME as u64).to_be_bytes());
    message.extend([0; 4]);
    message.extend(frame::jpeg(FRAME));
    message
}

/// Reads WebSocket messages until a binary one, of which it returns the length.
fn read_binary(socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        if let (2, len) = read_message(socket, buffer)? {
            return Ok(len);
        }
    }
}

/// Reads one WebSocket message: its opcode and length.
fn read_message(socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<(u8, usize)> {
    let mut head = [0; 2];
    socket.read_exact(&mut head)?;
    let len = match head[1] {
        126 => {
            let mut len = [0; 2];
            socket.read_exact(&mut len)?;
            usize::from(u16::from_be_bytes(len))
        }
        127 => return Err(io::ErrorKind::InvalidData.into()),
        len => usize::from(len),
    };
    let payload = buffer.get_mut(..len).ok_or(io::ErrorKind::InvalidData)?;
    socket.read_exact(payload)?;
    Ok((head[0] & 0x0F, len))
}

/// Reads until `boundary`, and returns the length of what stood before it. Nothing follows it but the
/// end of its chunk, which stands before the next picture then.
fn read_to_boundary(
    socket: &mut TcpStream,
    buffer: &mut [u8],
    boundary: &[u8],
) -> io::Result<usize> {
    let mut len = 0;
    loop {
        match socket.read(&mut buffer[len..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => len += n,
        }
        let seen = &buffer[..len];
        let body = seen.strip_suffix(b"\r\n").and_then(|seen| seen.strip_suffix(boundary));
        if let Some(body) = body.or_else(|| seen.strip_suffix(boundary)) {
            return Ok(body.len().saturating_sub(CHUNK.len()));
        }
    }
}

//! A thin link: a proxy that delays both ways, and passes only so many bytes a second to the viewer.
//!
//! In between it holds a bounded number of bytes, as a router on the way would. Beyond these the
//! sender's kernel is told to wait, where a router would lose packets: the same to the sender, whose
//! kernel then holds the rest.

use std::{
    collections::VecDeque,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::net::sockopt::set_socket_recv_buffer_size;

use crate::sys;

/// Bytes that cross the link in one go: about a packet.
const PACKET: usize = 1448;
/// Between two looks at all links; added to the delay at the most.
const PERIOD: Duration = Duration::from_micros(500);
/// `SO_RCVBUF` towards the server, so that the link's own buffer is the only large one.
const RECEIVE_BUFFER: usize = 16 << 10;

/// What each connection through the proxy gets.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// Bytes a second towards the viewer.
    pub rate: f64,
    /// Each way.
    pub delay: Duration,
    /// Bytes that wait for their turn.
    pub buffer: usize,
}

/// A running proxy; its connections end when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where viewers connect.
    pub addr: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Every connection gets its own link to `server`.
    pub fn start(server: SocketAddr, link: Link) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::Builder::new().name("proxy".into()).spawn(move || {
            if let Err(error) =
                sys::pin(sys::LOAD_CORE).and_then(|()| carry(&listener, server, link, &stopped))
            {
                eprintln!("proxy: {error}");
            }
        })?;
        Ok(Self { addr, stop, thread: Some(thread) })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn carry(
    listener: &TcpListener,
    server: SocketAddr,
    link: Link,
    stop: &AtomicBool,
) -> io::Result<()> {
    let mut pairs: Vec<(Way, Way)> = Vec::new();
    while !stop.load(Relaxed) {
        match listener.accept() {
            Ok((viewer, _)) => pairs.push(connect(viewer, server, link)?),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let now = Instant::now();
        // A way that ends closes both sockets.
        pairs.retain_mut(|(down, up)| down.go(now).is_ok() && up.go(now).is_ok());
        thread::sleep(PERIOD);
    }
    Ok(())
}

fn connect(viewer: TcpStream, server: SocketAddr, link: Link) -> io::Result<(Way, Way)> {
    let upstream = TcpStream::connect(server)?;
    set_socket_recv_buffer_size(&upstream, RECEIVE_BUFFER)?;
    for socket in [&viewer, &upstream] {
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
    }
    let down = Way::new(upstream.try_clone()?, viewer.try_clone()?, link);
    // Acknowledgements are small: their way is only long.
    let up = Way::new(viewer, upstream, Link { rate: f64::INFINITY, ..link });
    Ok((down, up))
}

/// One direction of a link.
struct Way {
    from: TcpStream,
    to: TcpStream,
    link: Link,
    /// Packets, with the time when they have left the link's buffer.
    waiting: VecDeque<(Instant, Vec<u8>)>,
    waiting_bytes: usize,
    /// Packets on their way, with the time of arrival.
    flying: VecDeque<(Instant, Vec<u8>)>,
    free_at: Instant,
}

impl Way {
    fn new(from: TcpStream, to: TcpStream, link: Link) -> Self {
        let (waiting, flying) = (VecDeque::new(), VecDeque::new());
        Self { from, to, link, waiting, waiting_bytes: 0, flying, free_at: Instant::now() }
    }

    fn go(&mut self, now: Instant) -> io::Result<()> {
        while self.waiting_bytes < self.link.buffer {
            let mut packet = vec![0; PACKET];
            match self.from.read(&mut packet) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    packet.truncate(n);
                    self.free_at =
                        self.free_at.max(now) + Duration::from_secs_f64(n as f64 / self.link.rate);
                    self.waiting_bytes += n;
                    self.waiting.push_back((self.free_at, packet));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        while let Some((left_at, packet)) = due(&mut self.waiting, now) {
            self.waiting_bytes -= packet.len();
            self.flying.push_back((left_at + self.link.delay, packet));
        }
        while let Some((_, mut packet)) = due(&mut self.flying, now) {
            match self.to.write(&packet) {
                Ok(n) if n == packet.len() => {}
                // A viewer that does not read: as good as one whose link is full.
                Ok(n) => {
                    packet.drain(..n);
                    self.flying.push_front((now, packet));
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.flying.push_front((now, packet));
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn due<T>(queue: &mut VecDeque<(Instant, T)>, now: Instant) -> Option<(Instant, T)> {
    if queue.front()?.0 <= now { queue.pop_front() } else { None }
}

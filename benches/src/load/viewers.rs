//! Viewers: one thread reads thousands of sockets and looks only at the first bytes of each message.
//!
//! The rest of a message is discarded by the kernel (`recv` with `MSG_TRUNC`, tcp(7)), so that one
//! core can be many more viewers than another can feed.

use std::{
    io::{self, Write as _},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use framecast::wire::envelope;
use rustix::{
    event::{Timespec, epoll},
    fd::OwnedFd,
    io::{Errno, ioctl_fionread},
    net::{RecvFlags, recv, sockopt::set_socket_recv_buffer_size},
};

use super::percentile;
use crate::{frame, sys};

/// Of a message, more than the longest WebSocket header, frame header and stamp.
const HEAD: usize = 192;
const DISCARD: usize = 1 << 20;
/// A frame younger than this is no longer one that waited while its viewer read nothing.
const YOUNG_NS: u64 = 200_000_000;

/// Viewers that are looked at together; a small number that the caller chooses.
pub type Group = usize;

/// How viewers behave.
#[derive(Debug, Clone, Copy, Default)]
pub struct Habits {
    pub group: Group,
    /// Acknowledge each frame.
    pub acks: bool,
    /// `SO_RCVBUF` as asked for (Linux doubles it); without, the kernel lets the buffer grow to
    /// megabytes.
    pub receive_buffer: Option<usize>,
}

/// What a viewer saw since [`Viewers::go_on`].
#[derive(Debug, Clone, Default)]
pub struct Resumed {
    started_ns: u64,
    /// Bytes that lay in the viewer's own receive buffer and are not read yet.
    own: usize,
    /// Frames of 200 ms and more before the first young one: in the viewer's own buffer.
    pub old_own: u32,
    /// The same, sent only after it read again.
    pub old_sent: u32,
    /// Nanoseconds: the age of the first young frame, and when it came.
    pub young: Option<(u64, u64)>,
}

impl Resumed {
    fn frame(&mut self, age: u64) {
        if self.young.is_some() {
            return;
        }
        if age < YOUNG_NS {
            self.young = Some((age, sys::now_ns() - self.started_ns));
        } else if self.own > 0 {
            self.old_own += 1;
        } else {
            self.old_sent += 1;
        }
    }
}

/// What a group of viewers saw since [`Viewers::reset`].
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// Viewers connected.
    pub viewers: usize,
    /// Frames, all viewers together.
    pub frames: u64,
    /// Bytes of them, headers included.
    pub bytes: u64,
    /// The fewest frames that a viewer got.
    pub fewest: u64,
    /// Nanoseconds from stamp to the last byte read, sorted.
    pub ages: Vec<u64>,
    /// Codes of close messages; 0 for connections that ended without.
    pub closes: Vec<u16>,
    /// What each saw since [`Viewers::go_on`].
    pub resumed: Vec<Resumed>,
}

impl Window {
    /// Milliseconds.
    pub fn age_ms(&self, share: f64) -> f64 {
        percentile(&self.ages, share) as f64 / 1e6
    }
}

/// A thread full of viewers; they hang up when this is dropped.
#[derive(Debug)]
pub struct Viewers {
    commands: mpsc::Sender<Command>,
    thread: Option<JoinHandle<()>>,
}

enum Command {
    Add(Vec<TcpStream>, Habits),
    Read(Group, bool),
    Leave(Group, usize),
    Reset,
    Take(mpsc::Sender<Vec<Window>>),
}

impl Viewers {
    /// None yet.
    pub fn start() -> io::Result<Self> {
        let (commands, inbox) = mpsc::channel();
        let mut reader = Reader::new(inbox)?;
        let thread = thread::Builder::new().name("viewers".into()).spawn(move || {
            if let Err(error) = sys::pin(sys::LOAD_CORE).and_then(|()| reader.run()) {
                eprintln!("viewers: {error}");
            }
        })?;
        Ok(Self { commands, thread: Some(thread) })
    }

    /// Connects `count` viewers to `path`.
    pub fn add(
        &self,
        addr: SocketAddr,
        path: &str,
        count: usize,
        habits: Habits,
    ) -> io::Result<()> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let open = |_| {
            let mut socket = TcpStream::connect(addr)?;
            socket.set_nodelay(true)?;
            if let Some(bytes) = habits.receive_buffer {
                set_socket_recv_buffer_size(&socket, bytes)?;
            }
            socket.write_all(request.as_bytes())?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let sockets = (0..count).map(open).collect::<io::Result<_>>()?;
        self.tell(Command::Add(sockets, habits));
        Ok(())
    }

    /// This group reads no more.
    pub fn pause(&self, group: Group) {
        self.tell(Command::Read(group, false));
    }

    /// This group reads again.
    pub fn go_on(&self, group: Group) {
        self.tell(Command::Read(group, true));
    }

    /// This group hangs up.
    pub fn leave(&self, group: Group) {
        self.leave_some(group, usize::MAX);
    }

    /// This many of the group hang up.
    pub fn leave_some(&self, group: Group, count: usize) {
        self.tell(Command::Leave(group, count));
    }

    /// Counts from zero.
    pub fn reset(&self) {
        self.tell(Command::Reset);
    }

    /// What was seen since the reset, by group.
    pub fn windows(&self, groups: usize) -> Vec<Window> {
        let (send, answer) = mpsc::channel();
        self.tell(Command::Take(send));
        let mut windows = answer.recv().unwrap_or_default();
        windows.resize_with(windows.len().max(groups), Window::default);
        windows
    }

    /// What the only group saw in the next `time`.
    pub fn watch(&self, time: Duration) -> Window {
        self.reset();
        thread::sleep(time);
        self.windows(1).swap_remove(0)
    }

    fn tell(&self, command: Command) {
        // The thread ends early only after saying why.
        let _ = self.commands.send(command);
    }
}

impl Drop for Viewers {
    fn drop(&mut self) {
        let (closed, _) = mpsc::channel();
        drop(std::mem::replace(&mut self.commands, closed));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Conn {
    socket: TcpStream,
    group: Group,
    acks: bool,
    reads: bool,
    upgraded: bool,
    head: [u8; HEAD],
    have: usize,
    /// Of the message that is begun: bytes still to come, and what is known of it.
    discard: usize,
    begun: Option<Seen>,
    frames: u64,
    resumed: Option<Resumed>,
    close: u16,
}

#[derive(Clone)]
struct Seen {
    len: usize,
    stamped_at: Option<u64>,
    seq: u64,
    camera: String,
}

struct Reader {
    inbox: mpsc::Receiver<Command>,
    epoll: OwnedFd,
    conns: Vec<Option<Box<Conn>>>,
    /// Empty places of `conns`.
    free: Vec<usize>,
    windows: Vec<Window>,
    junk: Vec<u8>,
}

impl Reader {
    fn new(inbox: mpsc::Receiver<Command>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self {
            inbox,
            epoll,
            conns: Vec::new(),
            free: Vec::new(),
            windows: Vec::new(),
            junk: vec![0; DISCARD],
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(1024);
        loop {
            loop {
                match self.inbox.try_recv() {
                    Ok(command) => self.obey(command)?,
                    Err(mpsc::TryRecvError::Empty) => break,
                    Err(mpsc::TryRecvError::Disconnected) => return Ok(()),
                }
            }
            events.clear();
            let wait = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
            let spare = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.epoll, spare, Some(&wait)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                self.readable(event.data.u64() as usize);
            }
        }
    }

    fn obey(&mut self, command: Command) -> io::Result<()> {
        match command {
            Command::Add(sockets, Habits { group, acks, .. }) => {
                if self.windows.len() <= group {
                    self.windows.resize_with(group + 1, Window::default);
                }
                for socket in sockets {
                    let key = self.free.pop().unwrap_or_else(|| {
                        self.conns.push(None);
                        self.conns.len() - 1
                    });
                    let data = epoll::EventData::new_u64(key as u64);
                    epoll::add(&self.epoll, &socket, data, epoll::EventFlags::IN)?;
                    self.conns[key] = Some(Box::new(Conn {
                        socket,
                        group,
                        acks,
                        reads: true,
                        upgraded: false,
                        head: [0; HEAD],
                        have: 0,
                        discard: 0,
                        begun: None,
                        frames: 0,
                        resumed: None,
                        close: 0,
                    }));
                }
            }
            Command::Read(group, on) => {
                for (key, conn) in self.conns.iter_mut().enumerate() {
                    let Some(conn) = conn.as_mut().filter(|conn| conn.group == group) else {
                        continue;
                    };
                    let data = epoll::EventData::new_u64(key as u64);
                    match (conn.reads, on) {
                        // Not only without interest: a connection that broke would be told all the time.
                        (true, false) => epoll::delete(&self.epoll, &conn.socket)?,
                        (false, true) => {
                            conn.resumed = Some(Resumed {
                                started_ns: sys::now_ns(),
                                own: ioctl_fionread(&conn.socket)? as usize,
                                ..Resumed::default()
                            });
                            epoll::add(&self.epoll, &conn.socket, data, epoll::EventFlags::IN)?;
                        }
                        _ => {}
                    }
                    conn.reads = on;
                }
            }
            Command::Leave(group, count) => {
                let of_group = |slot: &&mut Option<Box<Conn>>| {
                    slot.as_ref().is_some_and(|conn| conn.group == group)
                };
                let keys = self.conns.iter_mut().enumerate();
                for (key, slot) in keys.filter(|(_, slot)| of_group(slot)).take(count) {
                    *slot = None;
                    self.free.push(key);
                }
            }
            Command::Reset => {
                self.windows.iter_mut().for_each(|window| *window = Window::default());
                self.conns.iter_mut().flatten().for_each(|conn| conn.frames = 0);
            }
            Command::Take(answer) => {
                let mut windows = std::mem::take(&mut self.windows);
                self.windows.resize_with(windows.len(), Window::default);
                for (group, window) in windows.iter_mut().enumerate() {
                    let conns = || self.conns.iter().flatten().filter(|c| c.group == group);
                    window.viewers = conns().filter(|conn| conn.upgraded).count();
                    window.fewest = conns().map(|conn| conn.frames).min().unwrap_or(0);
                    window.resumed = conns().filter_map(|conn| conn.resumed.clone()).collect();
                    window.ages.sort_unstable();
                }
                self.conns.iter_mut().flatten().for_each(|conn| conn.frames = 0);
                let _ = answer.send(windows);
            }
        }
        Ok(())
    }

    fn readable(&mut self, key: usize) {
        let Some(conn) = self.conns.get_mut(key).and_then(Option::as_mut) else { return };
        let window = &mut self.windows[conn.group];
        if conn.read(&mut self.junk, window).is_err() {
            window.closes.push(conn.close);
            self.conns[key] = None;
            self.free.push(key);
        }
    }
}

impl Conn {
    /// Reads one message at the most; the kernel tells again when there is more.
    fn read(&mut self, junk: &mut [u8], window: &mut Window) -> Result<(), Errno> {
        if self.discard == 0 {
            let n = match recv(&self.socket, &mut self.head[self.have..], RecvFlags::empty()) {
                Ok((0, _)) => return Err(Errno::CONNRESET),
                Ok((n, _)) => n,
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error),
            };
            self.have += n;
            self.took(n);
            self.look(window)?;
        }
        if self.discard > 0 {
            let len = self.discard.min(junk.len());
            match recv(&self.socket, &mut junk[..len], RecvFlags::TRUNC) {
                Ok((_, 0)) => return Err(Errno::CONNRESET),
                Ok((_, n)) => {
                    let n = n.min(len);
                    self.discard -= n;
                    self.took(n);
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error),
            }
            if self.discard == 0 {
                self.complete(window);
            }
        }
        Ok(())
    }

    fn took(&mut self, bytes: usize) {
        if let Some(resumed) = &mut self.resumed {
            resumed.own = resumed.own.saturating_sub(bytes);
        }
    }

    /// Takes whole messages from the head, and begins one that is longer.
    fn look(&mut self, window: &mut Window) -> Result<(), Errno> {
        if !self.upgraded {
            let Some(end) = self.head[..self.have].windows(4).position(|w| w == b"\r\n\r\n") else {
                // Longer answers than the head are read on; only their end matters.
                if self.have == HEAD {
                    self.drop_front(HEAD - 3);
                }
                return Ok(());
            };
            self.upgraded = true;
            self.drop_front(end + 4);
        }
        while let Some((header, payload, opcode)) = websocket_header(&self.head[..self.have]) {
            let len = header + payload;
            if opcode == 8 && self.have >= header + 2 {
                self.close = u16::from_be_bytes([self.head[header], self.head[header + 1]]);
            }
            if opcode == 2 && self.have < HEAD.min(len) {
                // Not enough to find the stamp.
                return Ok(());
            }
            let payload_head = &self.head[header..self.have];
            self.begun = (opcode == 2).then(|| Seen::read(len, payload_head, self.acks));
            if opcode == 9 && self.have >= len {
                let pong = [&[0x8A, 0x80 | payload as u8, 0, 0, 0, 0][..], &self.head[header..len]];
                let _ = self.socket.write(&pong.concat());
            }
            if len > self.have {
                self.discard = len - self.have;
                self.have = 0;
                return Ok(());
            }
            self.drop_front(len);
            self.complete(window);
        }
        Ok(())
    }

    fn drop_front(&mut self, n: usize) {
        self.head.copy_within(n..self.have, 0);
        self.have -= n;
    }

    fn complete(&mut self, window: &mut Window) {
        let Some(seen) = self.begun.take() else { return };
        self.frames += 1;
        window.frames += 1;
        window.bytes += seen.len as u64;
        if let Some(stamped_at) = seen.stamped_at {
            let age = sys::now_ns().saturating_sub(stamped_at);
            window.ages.push(age);
            if let Some(resumed) = &mut self.resumed {
                resumed.frame(age);
            }
        }
        if self.acks {
            let text = format!(r#"{{"type":"ack","camera":"{}","seq":{}}}"#, seen.camera, seen.seq);
            let head = [0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
            let _ = self.socket.write(&[&head[..], text.as_bytes()].concat());
        }
    }
}

impl Seen {
    /// Of a frame's message: in framecast's envelope, or a bare JPEG.
    fn read(len: usize, payload: &[u8], acks: bool) -> Self {
        match envelope::read(payload) {
            Ok((header, jpeg)) => Self {
                len,
                stamped_at: frame::stamped_at(jpeg),
                seq: header.seq,
                // Only an acknowledgement names it.
                camera: if acks { header.camera.to_owned() } else { String::new() },
            },
            Err(_) => {
                let stamped_at = frame::stamped_at(payload);
                Self { len, stamped_at, seq: 0, camera: String::new() }
            }
        }
    }
}

/// (bytes of the header, bytes of the payload, opcode) of an unmasked message.
fn websocket_header(bytes: &[u8]) -> Option<(usize, usize, u8)> {
    let opcode = bytes.first()? & 0x0F;
    match *bytes.get(1)? & 0x7F {
        126 => {
            let len = bytes.get(2..4)?.try_into().ok()?;
            Some((4, usize::from(u16::from_be_bytes(len)), opcode))
        }
        127 => {
            let len = bytes.get(2..10)?.try_into().ok()?;
            Some((10, usize::try_from(u64::from_be_bytes(len)).ok()?, opcode))
        }
        len => Some((2, usize::from(len), opcode)),
    }
}

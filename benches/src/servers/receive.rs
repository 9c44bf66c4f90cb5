//! The floor of receiving: one thread waits for sockets (epoll), reads each picture straight into a
//! fresh buffer, unmasks it there if it is masked, and forgets it. No checks, no cache, no viewers.
//!
//! Takes what the load sends through either door: WebSocket messages with the longest header, and
//! multipart parts that say their length.

use std::{
    io,
    net::{TcpListener, TcpStream},
};

use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, EventData, EventFlags},
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};

use super::http::{self, CLIENT_HEADER, SWITCHING};

const INGEST: u64 = u64::MAX;
/// Room for a request's header.
const HEAD: usize = 1024;
/// Room for the first picture; the next ones get what the one before needed.
const FIRST: usize = 64 << 10;

pub fn serve() -> io::Result<()> {
    let ingest = TcpListener::bind("127.0.0.1:0")?;
    rustix::net::listen(&ingest, 4096)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &ingest, EventData::new_u64(INGEST), EventFlags::IN)?;
    let addr = ingest.local_addr()?;
    // There is nothing to see, but whoever starts a server reads two addresses.
    super::announce(addr, addr);
    let mut conns: Vec<Option<Conn>> = Vec::new();
    let mut events = Vec::with_capacity(1024);
    loop {
        events.clear();
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in &events {
            let key = event.data.u64();
            if key == INGEST {
                let (socket, _) = ingest.accept()?;
                socket.set_nonblocking(true)?;
                let data = EventData::new_u64(conns.len() as u64);
                epoll::add(&epoll, &socket, data, EventFlags::IN)?;
                conns.push(Some(Conn {
                    socket,
                    state: State::Request,
                    bytes: Vec::with_capacity(HEAD),
                }));
                continue;
            }
            let Some(conn) = conns.get_mut(key as usize).and_then(Option::as_mut) else { continue };
            if conn.ready().is_err_and(|error| error != Errno::AGAIN) {
                conns[key as usize] = None;
            }
        }
    }
}

struct Conn {
    socket: TcpStream,
    state: State,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
enum State {
    Request,
    Masked,
    Parts,
}

impl Conn {
    fn ready(&mut self) -> Result<(), Errno> {
        let room = spare_capacity(&mut self.bytes);
        if recv(&self.socket, room, RecvFlags::empty())?.0 == 0 {
            return Err(Errno::CONNRESET);
        }
        match self.state {
            State::Request => self.request(),
            State::Masked => {
                if let Some(len) = http::payload_len(&self.bytes).map(|len| CLIENT_HEADER + len)
                    && self.has(len)
                {
                    http::turn_around(&mut self.bytes);
                    self.bytes = Vec::with_capacity(len);
                }
                Ok(())
            }
            State::Parts => {
                if let Some(len) = part_len(&self.bytes)
                    && self.has(len)
                {
                    self.bytes = Vec::with_capacity(len);
                }
                Ok(())
            }
        }
    }

    fn request(&mut self) -> Result<(), Errno> {
        let Some(end) = end_of_head(&self.bytes) else { return Ok(()) };
        if self.bytes.starts_with(b"GET") {
            send(&self.socket, SWITCHING, SendFlags::NOSIGNAL)?;
            self.state = State::Masked;
        } else {
            self.state = State::Parts;
        }
        let begun = self.bytes.split_off(end);
        self.bytes = Vec::with_capacity(FIRST);
        self.bytes.extend(begun);
        Ok(())
    }

    /// Whether the whole picture is here. The room made for it is exact after the first, so that no
    /// byte of the next one comes with it.
    fn has(&mut self, len: usize) -> bool {
        if self.bytes.len() > len {
            // Only in the first buffer.
            self.bytes.drain(..len);
            return false;
        }
        self.bytes.reserve(len - self.bytes.len());
        self.bytes.len() == len
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4)
}

/// Length of a part with its header and the line end behind it.
fn part_len(bytes: &[u8]) -> Option<usize> {
    let end = end_of_head(&bytes[..bytes.len().min(HEAD)])?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let (_, length) = head.split_once("Content-Length: ")?;
    Some(end + length.trim_end().parse::<usize>().ok()? + 2)
}

//! The floor: one thread waits for sockets (epoll), and hands each picture to each viewer's socket
//! with one `send`. No cache, no limits, no pacing; a viewer whose socket is full misses pictures.

use std::{
    collections::HashMap,
    io,
    net::{TcpListener, TcpStream},
};

use rustix::{
    event::epoll::{self, EventData, EventFlags},
    fd::{AsFd, OwnedFd},
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send, sockopt::set_socket_recv_buffer_size},
};

use super::http::{self, CLIENT_HEADER, SWITCHING};

/// `SO_RCVBUF` of publishers.
const PUBLISHER_BUFFER: usize = 1 << 20;
const INGEST: u64 = u64::MAX;
const VIEW: u64 = u64::MAX - 1;

struct Conn {
    socket: TcpStream,
    is_publisher: bool,
    camera: Option<String>,
    /// A publisher's bytes so far, or what is left of a viewer's picture.
    bytes: Vec<u8>,
    have: usize,
}

pub fn serve() -> io::Result<()> {
    let (ingest, view) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    // The standard library asks for 128 waiting connections.
    for listener in [&ingest, &view] {
        rustix::net::listen(listener, 4096)?;
    }
    let mut floor = Floor {
        epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
        conns: Vec::new(),
        viewers: HashMap::new(),
    };
    epoll::add(&floor.epoll, &ingest, EventData::new_u64(INGEST), EventFlags::IN)?;
    epoll::add(&floor.epoll, &view, EventData::new_u64(VIEW), EventFlags::IN)?;
    super::announce(ingest.local_addr()?, view.local_addr()?);
    let mut events = Vec::with_capacity(1024);
    loop {
        events.clear();
        epoll::wait(&floor.epoll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            match event.data.u64() {
                INGEST => floor.accept(ingest.accept()?.0, true)?,
                VIEW => floor.accept(view.accept()?.0, false)?,
                key => floor.ready(key as usize, event.flags),
            }
        }
    }
}

struct Floor {
    epoll: OwnedFd,
    conns: Vec<Option<Conn>>,
    viewers: HashMap<String, Vec<usize>>,
}

impl Floor {
    fn accept(&mut self, socket: TcpStream, is_publisher: bool) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        if is_publisher {
            // With the usual window a second frame waits for the acknowledgement of the first, which
            // Linux delays by 40 ms where nothing is answered.
            set_socket_recv_buffer_size(&socket, PUBLISHER_BUFFER)?;
        }
        let key = EventData::new_u64(self.conns.len() as u64);
        epoll::add(&self.epoll, &socket, key, EventFlags::IN)?;
        let bytes = vec![0; 1024];
        self.conns.push(Some(Conn { socket, is_publisher, camera: None, bytes, have: 0 }));
        Ok(())
    }

    fn ready(&mut self, key: usize, flags: EventFlags) {
        let Some(conn) = self.conns[key].as_mut() else { return };
        let result = if flags.contains(EventFlags::OUT) {
            conn.finish(&self.epoll, key)
        } else if conn.camera.is_none() {
            match conn.upgrade() {
                Ok(Some(camera)) if !conn.is_publisher => {
                    self.viewers.entry(camera).or_default().push(key);
                    Ok(())
                }
                other => other.map(drop),
            }
        } else if conn.is_publisher {
            self.publisher(key)
        } else {
            // Viewers say nothing but that they go.
            recv(&conn.socket, &mut conn.bytes[..], RecvFlags::empty())
                .and_then(|(_, n)| if n == 0 { Err(Errno::CONNRESET) } else { Ok(()) })
        };
        if result.is_err_and(|error| error != Errno::AGAIN) {
            self.conns[key] = None;
            self.viewers.values_mut().for_each(|viewers| viewers.retain(|&viewer| viewer != key));
        }
    }

    fn publisher(&mut self, key: usize) -> Result<(), Errno> {
        // Out of the list, as its picture goes to others that are in it.
        let Some(mut conn) = self.conns[key].take() else { return Ok(()) };
        let received = conn.receive();
        let payload = http::payload_len(&conn.bytes[..conn.have]).unwrap_or(0);
        let len = CLIENT_HEADER + payload;
        if conn.bytes.len() < len {
            conn.bytes.resize(len, 0);
        }
        if payload > 0 && conn.have >= len {
            let at = http::turn_around(&mut conn.bytes[..len]);
            let camera = conn.camera.as_deref().unwrap_or_default();
            for &viewer in self.viewers.get(camera).map_or(&[][..], Vec::as_slice) {
                if let Some(viewer_conn) = &mut self.conns[viewer] {
                    viewer_conn.send(&self.epoll, viewer, &conn.bytes[at..len]);
                }
            }
            conn.bytes.copy_within(len..conn.have, 0);
            conn.have -= len;
        }
        self.conns[key] = Some(conn);
        received
    }
}

impl Conn {
    fn receive(&mut self) -> Result<(), Errno> {
        let (_, n) = recv(&self.socket, &mut self.bytes[self.have..], RecvFlags::empty())?;
        self.have += n;
        if n == 0 { Err(Errno::CONNRESET) } else { Ok(()) }
    }

    fn upgrade(&mut self) -> Result<Option<String>, Errno> {
        self.receive()?;
        self.camera = http::camera(&self.bytes[..self.have]);
        if self.camera.is_some() {
            self.have = 0;
            if self.is_publisher {
                // A whole picture is read at once.
                self.bytes = vec![0; 64 << 10];
            }
            send(&self.socket, SWITCHING, SendFlags::NOSIGNAL)?;
        }
        Ok(self.camera.clone())
    }

    fn send(&mut self, epoll: &OwnedFd, key: usize, picture: &[u8]) {
        if self.have > 0 {
            return;
        }
        let Ok(n) = send(&self.socket, picture, SendFlags::NOSIGNAL) else { return };
        if n < picture.len() {
            self.bytes.clear();
            self.bytes.extend_from_slice(&picture[n..]);
            self.have = self.bytes.len();
            interest(epoll, &self.socket, key, EventFlags::IN | EventFlags::OUT);
        }
    }

    fn finish(&mut self, epoll: &OwnedFd, key: usize) -> Result<(), Errno> {
        let at = self.bytes.len() - self.have;
        self.have -= send(&self.socket, &self.bytes[at..], SendFlags::NOSIGNAL)?;
        if self.have == 0 {
            self.bytes.resize(1024, 0);
            interest(epoll, &self.socket, key, EventFlags::IN);
        }
        Ok(())
    }
}

fn interest(epoll: &OwnedFd, socket: impl AsFd, key: usize, flags: EventFlags) {
    // Only a socket that is gone cannot be changed, and that shows with its next event.
    let _ = epoll::modify(epoll, socket, EventData::new_u64(key as u64), flags);
}

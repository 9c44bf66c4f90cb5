//! One UDP port for the ICE, DTLS, SCTP and SRTP of every publisher and viewer.
//!
//! The real socket, the task that reads it, and the sending side. Who gets a datagram is decided in
//! [`routes`](super::routes); what a session does with it is the business of the `webrtc` crate,
//! which sees a virtual socket (see [`runtime`](super::runtime)).

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};
use tokio::{io::Interest, task::JoinHandle};
use webrtc::runtime::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};

use super::{
    inbox::Chunk,
    routes::{Peer, Refusal, Routes},
    sdp::Candidates,
    stun::is_stun,
};

/// Bytes of each receive buffer. The kernel may coalesce datagrams of one sender (GRO) up to the
/// largest UDP payload; what does not fit is lost without an error.
const RECEIVE_BUFFER: usize = 64 * 1024;

/// What is asked of the kernel for datagrams that wait to be read: about 100 ms of 40 MB/s. The
/// kernel may grant less (`net.core.rmem_max`).
const KERNEL_RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// What is asked of it for those that wait to be sent: a hundred viewers' bursts.
const KERNEL_SEND_BUFFER: usize = 4 * 1024 * 1024;

/// Pause after a failed read, so that a lasting error does not keep a processor busy.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(10);

/// Decides which received datagrams are thrown away before anything looks at them. For tests of
/// packet loss; the second argument is the sender.
pub type Dropper = dyn Fn(&[u8], SocketAddr) -> bool + Send + Sync;

/// Counters of the port since it was opened; each is a number of datagrams.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct PortStats {
    /// Read from the socket.
    pub received: u64,
    /// From an address that proved nothing.
    pub unknown_source: u64,
    /// STUN that cannot be read.
    pub malformed: u64,
    /// Checks for no session.
    pub unknown_user: u64,
    /// Checks without the right password.
    pub bad_integrity: u64,
    /// Proven checks that the table refused: the address is held, or the session has too many.
    pub refused_address: u64,
    /// Lost because a session did not read quickly enough.
    pub inbox_full: u64,
    /// Not sent because the kernel had no room or refused.
    pub unsent: u64,
}

#[derive(Debug, Default)]
struct Counters {
    received: AtomicU64,
    unknown_source: AtomicU64,
    malformed: AtomicU64,
    unknown_user: AtomicU64,
    bad_integrity: AtomicU64,
    refused_address: AtomicU64,
    inbox_full: AtomicU64,
    unsent: AtomicU64,
}

impl Counters {
    fn refused(&self, refusal: Refusal, datagrams: u64) {
        let counter = match refusal {
            Refusal::UnknownSource => &self.unknown_source,
            Refusal::Malformed => &self.malformed,
            Refusal::UnknownUser => &self.unknown_user,
            Refusal::BadIntegrity => &self.bad_integrity,
            Refusal::AddressTaken | Refusal::TooManyAddresses => &self.refused_address,
        };
        counter.fetch_add(datagrams, Ordering::Relaxed);
    }
}

/// The port. Dropping it stops the reading; sessions still alive then fail by their timeouts.
#[derive(Debug)]
pub struct Port {
    shared: Arc<Shared>,
    reader: JoinHandle<()>,
}

/// What the reading task, the sessions and the port have in common.
pub(super) struct Shared {
    io: tokio::net::UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    routes: Mutex<Routes>,
    counters: Counters,
    dropper: Option<Box<Dropper>>,
    pub(super) candidates: Candidates,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port").field("local", &self.local).finish_non_exhaustive()
    }
}

impl Port {
    /// Takes a bound UDP socket into use. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the socket cannot be prepared (non-blocking mode, options) or watched.
    pub fn new(socket: std::net::UdpSocket, candidates: Candidates) -> io::Result<Self> {
        Self::build(socket, candidates, None)
    }

    /// Like [`Port::new`], and throws away what `dropper` says: packet loss for tests, at the place
    /// where real loss shows.
    ///
    /// # Errors
    /// As [`Port::new`].
    #[doc(hidden)]
    pub fn lossy(
        socket: std::net::UdpSocket,
        candidates: Candidates,
        dropper: Box<Dropper>,
    ) -> io::Result<Self> {
        Self::build(socket, candidates, Some(dropper))
    }

    fn build(
        socket: std::net::UdpSocket,
        candidates: Candidates,
        dropper: Option<Box<Dropper>>,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let io = tokio::net::UdpSocket::from_std(socket)?;
        // Turns on GRO where there is any; the reading task walks coalesced datagrams by their
        // stride.
        let state = UdpSocketState::new(UdpSockRef::from(&io))?;
        if let Err(error) = state.set_recv_buffer_size(UdpSockRef::from(&io), KERNEL_RECEIVE_BUFFER)
        {
            tracing::debug!(%error, "the kernel keeps its own size of the UDP receive buffer");
        }
        // All viewers' key frames leave by this one socket. The kernel may grant less
        // (`net.core.wmem_max`).
        if let Err(error) = state.set_send_buffer_size(UdpSockRef::from(&io), KERNEL_SEND_BUFFER) {
            tracing::debug!(%error, "the kernel keeps its own size of the UDP send buffer");
        }
        let local = io.local_addr()?;
        let shared = Arc::new(Shared {
            io,
            state,
            local,
            routes: Mutex::default(),
            counters: Counters::default(),
            dropper,
            candidates,
        });
        let reader = tokio::spawn(read(shared.clone()));
        Ok(Self { shared, reader })
    }

    /// The address the socket is bound to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.local
    }

    /// Where publishers reach this port now, best first: what answers announce.
    #[must_use]
    pub fn reached_at(&self) -> Vec<SocketAddr> {
        self.shared.candidates.addresses()
    }

    /// Sessions that are registered.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.shared.routes().sessions()
    }

    /// Addresses that a session has proven to be its own.
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.shared.routes().addresses()
    }

    /// The counters so far.
    #[must_use]
    pub fn stats(&self) -> PortStats {
        let c = &self.shared.counters;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PortStats {
            received: get(&c.received),
            unknown_source: get(&c.unknown_source),
            malformed: get(&c.malformed),
            unknown_user: get(&c.unknown_user),
            bad_integrity: get(&c.bad_integrity),
            refused_address: get(&c.refused_address),
            inbox_full: get(&c.inbox_full),
            unsent: get(&c.unsent),
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// A session's entry in the table; dropping it frees the user fragment and every address.
#[derive(Debug)]
pub(super) struct Registration {
    shared: Arc<Shared>,
    pub(super) peer: Arc<Peer>,
}

impl Registration {
    /// `None` when the port has as many sessions as it takes.
    pub(super) fn new(shared: Arc<Shared>, peer: Peer) -> Option<Self> {
        let peer = Arc::new(peer);
        let taken = shared.routes().register(peer.clone());
        taken.then_some(Self { shared, peer })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.shared.routes().unregister(&self.peer);
    }
}

impl Shared {
    fn routes(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock()
    }

    /// Whether the socket can talk IPv6.
    pub(super) fn speaks_v6(&self) -> bool {
        self.local.is_ipv6()
    }

    /// Sends or drops, as the network would: ICE, DTLS and SCTP all repeat what is lost. Waiting is
    /// not possible, for the socket remembers only one waiting task, and there is one for each
    /// session.
    pub(super) fn send(&self, transmit: &Transmit<'_>, peer: &Peer) {
        let src_ip = if self.local.ip().is_unspecified() {
            peer.local_ip(transmit.destination)
        } else {
            None
        };
        let datagram = Transmit {
            destination: self.to_kernel(transmit.destination),
            ecn: transmit.ecn,
            contents: transmit.contents,
            segment_size: None,
            src_ip,
        };
        let sent = self.io.try_io(Interest::WRITABLE, || {
            self.state.try_send(UdpSockRef::from(&self.io), &datagram)
        });
        if sent.is_err() {
            self.counters.unsent.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// An IPv6 socket reaches IPv4 addresses in their mapped form.
    fn to_kernel(&self, remote: SocketAddr) -> SocketAddr {
        match (self.local, remote) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                let mapped: Ipv6Addr = v4.ip().to_ipv6_mapped();
                SocketAddr::new(IpAddr::V6(mapped), v4.port())
            }
            _ => remote,
        }
    }

    /// Routes what one read brought from one sender: `bytes` is one datagram or several of `stride`
    /// bytes.
    fn deliver(&self, bytes: &[u8], stride: usize, from: SocketAddr, local: Option<IpAddr>) {
        let now = Instant::now();
        let mut data: Vec<u8> = Vec::new();
        for datagram in bytes.chunks(stride.max(1)) {
            self.counters.received.fetch_add(1, Ordering::Relaxed);
            if self.dropper.as_ref().is_some_and(|drops| drops(datagram, from)) {
                continue;
            }
            if !is_stun(datagram) {
                if data.is_empty() {
                    // A frame's datagrams come at once; growing step by step would copy them twice.
                    data.reserve_exact(bytes.len());
                }
                // A shorter datagram ends a run: only the last of a chunk may be short.
                data.extend_from_slice(datagram);
                if datagram.len() < stride {
                    self.deliver_data(std::mem::take(&mut data), stride, from, now);
                }
                continue;
            }
            self.deliver_data(std::mem::take(&mut data), stride, from, now);
            let verdict = self.routes().stun(datagram, from, local, now);
            match verdict {
                Ok(verdict) => {
                    self.push(&verdict.peer, datagram.to_vec(), datagram.len(), from);
                    if let Some(again) = verdict.again {
                        let len = again.len();
                        self.push(&verdict.peer, again, len, from);
                    }
                }
                Err(refusal) => self.counters.refused(refusal, 1),
            }
        }
        self.deliver_data(data, stride, from, now);
    }

    fn deliver_data(&self, data: Vec<u8>, stride: usize, from: SocketAddr, now: Instant) {
        if data.is_empty() {
            return;
        }
        let stride = stride.clamp(1, data.len());
        let peer = self.routes().data(stride, from, now).cloned();
        match peer {
            Ok(peer) => self.push(&peer, data, stride, from),
            Err(refusal) => {
                self.counters.refused(refusal, data.len().div_ceil(stride) as u64);
            }
        }
    }

    fn push(&self, peer: &Peer, bytes: Vec<u8>, stride: usize, from: SocketAddr) {
        let datagrams = bytes.len().div_ceil(stride.max(1)) as u64;
        let chunk = Chunk { bytes, stride, from };
        if !peer.inbox(from).push(chunk) {
            self.counters.inbox_full.fetch_add(datagrams, Ordering::Relaxed);
        }
    }
}

/// Reads the socket until it is aborted.
async fn read(shared: Arc<Shared>) {
    let mut storage = vec![0; RECEIVE_BUFFER * BATCH_SIZE];
    let mut metas = [RecvMeta::default(); BATCH_SIZE];
    loop {
        // Waiting counts against the task's budget, so an endless flood still lets other tasks run.
        if shared.io.readable().await.is_err() {
            tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            continue;
        }
        let mut buffers = storage.chunks_exact_mut(RECEIVE_BUFFER);
        let mut bufs: [IoSliceMut<'_>; BATCH_SIZE] = std::array::from_fn(|_| {
            IoSliceMut::new(buffers.next().expect("the storage has BATCH_SIZE buffers"))
        });
        let read = shared.io.try_io(Interest::READABLE, || {
            shared.state.recv(UdpSockRef::from(&shared.io), &mut bufs, &mut metas)
        });
        match read {
            Ok(count) => {
                for (buf, meta) in bufs.iter().zip(&metas).take(count) {
                    let from = SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port());
                    let local = meta.dst_ip.map(|ip| ip.to_canonical());
                    shared.deliver(&buf[..meta.len], meta.stride, from, local);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // A sender's unreachable port shows as an error of this socket; it concerns nobody
            // else.
            Err(error) => {
                tracing::debug!(%error, "reading the UDP port failed");
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

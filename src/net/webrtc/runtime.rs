//! What the `webrtc` crate runs on: tokio for tasks and time, and a virtual socket over the one
//! port.
//!
//! One value for each session, so that the socket it hands out is that session's and its tasks can
//! be ended with it. TCP and name resolution are refused: nothing here gathers candidates.

use std::{
    future::Future,
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::watch, task::AbortHandle};
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime,
    Transmit,
};

use super::{one_port::Shared, routes::Peer};

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Most datagrams the kernel coalesces into one read (`UDP_MAX_SEGMENTS`). The crate sizes its
/// buffer from it, 1500 bytes each, which is more than any coalesced read can have.
const GRO_SEGMENTS: usize = 64;

/// See the module's header.
#[derive(Debug)]
pub(super) struct SessionRuntime {
    port: Arc<Shared>,
    peer: Arc<Peer>,
    tasks: Mutex<Vec<AbortHandle>>,
    stopped: watch::Sender<bool>,
}

impl SessionRuntime {
    /// `stopped` becomes true when one of the connection's tasks ends, also by a panic.
    pub(super) fn new(port: Arc<Shared>, peer: Arc<Peer>, stopped: watch::Sender<bool>) -> Self {
        Self { port, peer, tasks: Mutex::default(), stopped }
    }

    /// Ends the tasks of the connection. The crate leaves its task running when a connection is
    /// merely dropped.
    pub(super) fn abort(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            task.abort();
        }
    }
}

impl Runtime for SessionRuntime {
    fn spawn(&self, future: BoxFuture<'static, ()>) -> Box<dyn JoinHandle> {
        let ended = SayStopped(self.stopped.clone());
        let task = tokio::spawn(async move {
            let _ended = ended;
            future.await;
        });
        let mut tasks = self.tasks.lock();
        tasks.retain(|task| !task.is_finished());
        tasks.push(task.abort_handle());
        Box::new(Task(task))
    }

    fn wrap_udp_socket(
        &self,
        placeholder: std::net::UdpSocket,
    ) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        // The crate can only be given sockets that it bound itself. Its own is closed here and now;
        // the address serves as the name of the local candidate, which nobody outside sees.
        Ok(Arc::new(VirtualSocket {
            local: placeholder.local_addr()?,
            port: self.port.clone(),
            peer: self.peer.clone(),
        }))
    }

    fn wrap_tcp_listener(&self, _: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn connect_tcp<'a>(
        &'a self,
        _: SocketAddr,
    ) -> BoxFuture<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        Box::pin(std::future::ready(Err(io::ErrorKind::Unsupported.into())))
    }

    fn resolve_host<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(std::future::ready(Err(io::ErrorKind::Unsupported.into())))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        Box::new(Interval(tokio::time::interval(period)))
    }

    fn block_on(&self, _: Pin<Box<dyn Future<Output = ()> + '_>>) {
        // Only for programs without a runtime of their own; a connection never calls it.
        tracing::error!("a WebRTC connection asked to block, which is not supported");
    }

    fn yield_now(&self) -> BoxFuture<'static, ()> {
        Box::pin(tokio::task::yield_now())
    }

    fn name(&self) -> &'static str {
        "one-port"
    }
}

struct SayStopped(watch::Sender<bool>);

impl Drop for SayStopped {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

struct Task(tokio::task::JoinHandle<()>);

impl JoinHandle for Task {
    fn detach(&self) {}

    fn abort(&self) {
        self.0.abort();
    }

    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

struct Interval(tokio::time::Interval);

impl AsyncInterval for Interval {
    fn tick(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.0.tick().await;
        })
    }
}

/// The one port as one session sees it, for one address family.
#[derive(Debug)]
struct VirtualSocket {
    local: SocketAddr,
    port: Arc<Shared>,
    peer: Arc<Peer>,
}

impl AsyncUdpSocket for VirtualSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn max_gro_segments(&self) -> usize {
        GRO_SEGMENTS
    }

    fn poll_send(&self, _: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        self.port.send(transmit, &self.peer);
        Poll::Ready(Ok(transmit.contents.len()))
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buf), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        self.peer.inbox(self.local).poll_pop(cx, buf, meta).map(|_| Ok(1))
    }
}

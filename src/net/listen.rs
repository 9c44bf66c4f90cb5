//! Accepting connections and serving HTTP/1.1 on them until shutdown.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use super::{
    answering::{Answer, Answering},
    head_first::HeadFirst,
    options,
    stalled::GiveUp,
};
use crate::telemetry::Seldom;
use axum::{Router, extract::ConnectInfo, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

/// Connections served at a time on one port; further ones wait in the kernel's backlog. Ten times
/// what one core can feed (3000 viewers at 30 fps fill this kind of machine).
const MAX_CONNECTIONS: usize = 30_000;

/// Connections that may wait to be accepted; as many as Linux allows by default (`somaxconn`). The
/// system drops those beyond, and their clients try again only a second later, then two, then four.
const BACKLOG: u32 = 4096;

/// How long a client may take to send a request's header.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// The same while draining, also for those in the middle of a header then: who says nothing, such as
/// a browser that connects ahead, must not hold up the end.
const DRAINING_TIMEOUT: Duration = Duration::from_millis(500);

/// Longest header of a request, in bytes: cookies and tokens fit many times over.
const MAX_HEADER: usize = 32 << 10;

/// How long to wait after the system refused a new connection, for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Between two lines about that.
const REFUSED_PERIOD: Duration = Duration::from_secs(10);

/// What all connections of the server share: the signal to end, and who has not ended yet.
#[derive(Debug, Clone, Default)]
pub struct Lifetime {
    /// Cancelled when the server drains: whoever serves a client tells it and ends.
    pub shutdown: CancellationToken,
    /// Cancelled when it has drained: until then probes still get an answer.
    pub closed: CancellationToken,
    /// Every connection, upgraded ones included.
    pub tasks: TaskTracker,
}

/// One of a port's [`MAX_CONNECTIONS`], held by a connection and by what it is upgraded to.
#[derive(Debug, Clone)]
pub(super) struct Place(#[allow(dead_code, reason = "held, not read")] Arc<OwnedSemaphorePermit>);

/// Binds a port for [`serve`] or [`serve_viewers`].
pub fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As the usual way to bind does: connections of a server that ended must not keep its port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Serves `router` on `listener`. At shutdown connections without a request end within half a second,
/// and running requests by themselves; new ones get one answer each until the lifetime is closed.
///
/// Every request carries a [`Lifetime`] and a `ConnectInfo<SocketAddr>` in its extensions. A client
/// that reads nothing for 30 s while there is something to read is dropped.
pub async fn serve(listener: TcpListener, router: Router, lifetime: Lifetime) {
    accept(listener, router, lifetime, |_| Ok(())).await;
}

/// As [`serve`], for a port of viewers: what the kernel holds for each is bounded, see
/// [`options::bound_send_buffer`].
pub async fn serve_viewers(listener: TcpListener, router: Router, lifetime: Lifetime) {
    accept(listener, router, lifetime, options::bound_send_buffer).await;
}

async fn accept(
    listener: TcpListener,
    router: Router,
    lifetime: Lifetime,
    prepare: fn(&TcpStream) -> io::Result<()>,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let refusals = Seldom::new(1, REFUSED_PERIOD);
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    refused(&error, &refusals).await;
                    continue;
                }
            },
            () = lifetime.closed.cancelled() => return,
        };
        if let Err(error) = options::prepare(&stream).and_then(|()| prepare(&stream)) {
            tracing::debug!(%peer, %error, "connection lost before its first request");
            continue;
        }
        let (router, shutdown) = (router.clone(), lifetime.shutdown.clone());
        let shared = lifetime.clone();
        let place = Place(Arc::new(place));
        let draining = shutdown.is_cancelled();
        lifetime.tasks.spawn(async move {
            let answering = Answering::default();
            let (begun, unsent) = (answering.clone(), answering.clone());
            let stream = HeadFirst::new(stream);
            let bodies = stream.bodies();
            let service = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(ConnectInfo(peer));
                request.extensions_mut().insert(shared.clone());
                request.extensions_mut().insert(place.clone());
                if let Some(body) = bodies.undecided() {
                    request.extensions_mut().insert(body);
                }
                let (answer, begun) = (router.clone().oneshot(request), begun.begin());
                async move { answer.await.map(|response| Answer::of(response, begun)) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(if draining { DRAINING_TIMEOUT } else { HEADER_TIMEOUT })
                .max_header_size(MAX_HEADER)
                .keep_alive(!draining)
                .serve_connection(TokioIo::new(GiveUp::new(stream, unsent)), service)
                .with_upgrades();
            tokio::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                // One that came while draining has its one answer still to get.
                () = shutdown.cancelled(), if !draining => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        ended = connection.as_mut() => ended,
                        () = answering.idle_for(DRAINING_TIMEOUT) => Ok(()),
                    }
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%peer, %error, "connection ended early");
            }
        });
    }
}

async fn refused(error: &io::Error, refusals: &Seldom) {
    // A client that is gone before it was accepted is nobody's problem; the rest is the system's.
    if error.kind() != io::ErrorKind::ConnectionAborted {
        if let Some(unsaid) = refusals.event() {
            tracing::warn!(
                "cannot accept connections: {error}; if these are too many open files, raise their \
                 limit (LimitNOFILE= of a service, ulimit -Hn of a shell){unsaid}"
            );
        }
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

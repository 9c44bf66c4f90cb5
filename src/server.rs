//! Joins all parts; the only module that imports everything.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    http::{self, IngestPort, Origins, ViewPort},
    ingest::{
        Ingest, synthetic,
        webrtc::{CandidateError, Candidates, Port},
    },
    net::{self, Lifetime},
    relay::{Clock, DropReason, Registry},
    telemetry::stats::{Figures, stats_loop},
    view::stream::Streams,
};

/// Between two looks for cameras and frames that have aged.
const SWEEP_PERIOD: Duration = Duration::from_secs(1);

/// Most time that clients get to read that the server goes.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(8);

/// How often a port number that is free for TCP is looked for when UDP must have the same.
const PORT_TRIES: usize = 16;

/// Why the server cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A port that cannot be had.
    #[error("cannot listen on {addr} ({flag}): {error}; {}", advice(.error))]
    Bind {
        /// The flag that asked for it.
        flag: &'static str,
        /// As asked for.
        addr: SocketAddr,
        /// The system's words.
        error: io::Error,
    },
    /// An address to announce that does not exist.
    #[error("--ice-candidate: {0}")]
    Candidate(#[from] CandidateError),
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    ingest_addr: SocketAddr,
    view_addr: SocketAddr,
    api_addr: Option<SocketAddr>,
    registry: Arc<Registry>,
    lifetime: Lifetime,
}

impl Server {
    /// Binds all ports and serves.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let (ingest_tcp, ingest_udp) = bind_ingest(config.ingest_addr).await?;
        let view = bind("--view-addr", config.view_addr).await?;
        let api = match config.api_addr() {
            Some(addr) => Some(bind("--api-addr", addr).await?),
            None => None,
        };
        let ingest_addr = local(&ingest_tcp, config.ingest_addr);
        let view_addr = local(&view, config.view_addr);

        let lifetime = Lifetime::default();
        let (shutdown, tasks) = (&lifetime.shutdown, &lifetime.tasks);
        let registry = Registry::new(config.limits(), Clock::system());
        tasks.spawn(sweep(registry.clone(), shutdown.clone()));

        if config.demo {
            synthetic::start_demo(&registry, &lifetime);
        }

        let candidates = if config.ice_candidates.is_empty() {
            Candidates::local(ingest_addr)
        } else {
            Candidates::announced(&config.ice_candidates).await?
        };
        let port = Port::new(ingest_udp, candidates);
        let port = port.map_err(|error| bind_error("--ingest-addr", ingest_addr, error))?;
        let ingest = Ingest { registry: registry.clone() };
        let writers = config.workers.or_else(|| std::thread::available_parallelism().ok());
        let writers = writers.map_or(1, std::num::NonZeroUsize::get);
        let streams = Streams::start(registry.clone(), config.max_fps, writers, shutdown, tasks);

        tasks.spawn(stats_loop(figures(registry.clone(), streams.clone()), shutdown.clone()));
        let origins = Origins::new(&config.allow_origins);
        let ingest_port = IngestPort {
            ingest,
            webrtc: Arc::new(port),
            shutdown: shutdown.clone(),
            origins: origins.clone(),
        };
        let view_port = ViewPort { streams, origins };
        tokio::spawn(net::serve(ingest_tcp, http::ingest_port(ingest_port), lifetime.clone()));
        tokio::spawn(net::serve_viewers(view, http::view_port(view_port), lifetime.clone()));
        let api_addr = api.as_ref().and_then(|listener| listener.local_addr().ok());
        Ok(Self { ingest_addr, view_addr, api_addr, registry, lifetime })
    }

    /// Where publishers connect.
    pub fn ingest_addr(&self) -> SocketAddr {
        self.ingest_addr
    }

    /// Where viewers connect.
    pub fn view_addr(&self) -> SocketAddr {
        self.view_addr
    }

    /// Where the legacy REST API is, if it is on.
    pub fn api_addr(&self) -> Option<SocketAddr> {
        self.api_addr
    }

    /// Takes no publisher any more, tells everybody, and waits until they have gone or
    /// [`DRAIN_TIMEOUT`] is over.
    pub async fn drain(&self) {
        self.registry.drain();
        self.lifetime.shutdown.cancel();
        self.lifetime.tasks.close();
        if tokio::time::timeout(DRAIN_TIMEOUT, self.lifetime.tasks.wait()).await.is_err() {
            let left = self.lifetime.tasks.len();
            tracing::warn!("{left} connections did not end within {DRAIN_TIMEOUT:?}");
        }
    }
}

async fn sweep(registry: Arc<Registry>, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(SWEEP_PERIOD);
    loop {
        tokio::select! {
            _ = tick.tick() => registry.sweep(),
            () = shutdown.cancelled() => return,
        }
    }
}

/// What the stats line says.
fn figures(registry: Arc<Registry>, streams: Streams) -> impl Fn() -> Figures {
    move || {
        let cameras: Vec<_> = registry.list().iter().map(|camera| camera.snapshot()).collect();
        let drops = DropReason::ALL.map(|reason| {
            let of = |camera: &crate::relay::Snapshot| camera.drops.get(reason.name()).copied();
            (reason.name(), cameras.iter().filter_map(of).sum())
        });
        Figures {
            cameras: cameras.len(),
            online: cameras.iter().filter(|camera| camera.online).count(),
            viewers: streams.viewers(),
            fps_in: cameras.iter().map(|camera| camera.fps).sum(),
            frames_in: cameras.iter().map(|camera| camera.frames).sum(),
            frames_out: streams.sent().0,
            cache_bytes: registry.cache_bytes(),
            redis: None,
            drops: drops.into(),
        }
    }
}

/// TCP and UDP on the same port number; with port 0, on the same free one.
async fn bind_ingest(addr: SocketAddr) -> Result<(TcpListener, UdpSocket), StartError> {
    let flag = "--ingest-addr";
    for attempt in 1.. {
        let tcp = bind(flag, addr).await?;
        let at = local(&tcp, addr);
        match UdpSocket::bind(at) {
            Ok(udp) => return Ok((tcp, udp)),
            // Free for TCP, taken for UDP: another free one will do.
            Err(_) if addr.port() == 0 && attempt < PORT_TRIES => {}
            Err(error) => return Err(bind_error(flag, at, error)),
        }
    }
    unreachable!("the loop returns at its last attempt")
}

async fn bind(flag: &'static str, addr: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(addr).await.map_err(|error| bind_error(flag, addr, error))
}

fn bind_error(flag: &'static str, addr: SocketAddr, error: io::Error) -> StartError {
    StartError::Bind { flag, addr, error }
}

fn local(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "stop the program that has the port, or choose another",
        io::ErrorKind::PermissionDenied => "choose a port above 1023",
        io::ErrorKind::AddrNotAvailable => "choose an address of this machine",
        _ => "choose another address",
    }
}

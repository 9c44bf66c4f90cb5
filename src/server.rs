//! Joins all parts; the only module that imports everything.

mod figures;
mod pulls;

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    num::NonZeroUsize,
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
    media::Media,
    net::{self, Lifetime, guard::Guard},
    relay::{Clock, Registry},
    store::{catalog::Catalog, redis},
    telemetry::stats::stats_loop,
    view::{Managers, Rest, Setup, View, legacy_api, stream::Streams, whep::Whep},
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
    /// No thread for the camera catalog.
    #[error("cannot start the camera catalog: {0}")]
    Catalog(#[source] io::Error),
    /// A Redis that can never be reached under this URL.
    #[error("--redis-url: {0}")]
    Redis(#[from] redis::BadRedisUrl),
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
        let (ingest_tcp, ingest_udp) = bind_ingest(config.ingest_addr)?;
        let view = bind("--view-addr", config.view_addr)?;
        let api = match config.api_addr() {
            Some(addr) => Some(bind("--api-addr", addr)?),
            None => None,
        };
        let ingest_addr = local(&ingest_tcp, config.ingest_addr);
        let view_addr = local(&view, config.view_addr);
        let api_addr = api.as_ref().and_then(|listener| listener.local_addr().ok());

        let lifetime = Lifetime::default();
        let (shutdown, tasks) = (&lifetime.shutdown, &lifetime.tasks);
        let registry = Registry::new(config.limits(), Clock::system());
        tasks.spawn(sweep(registry.clone(), shutdown.clone()));

        // Before the first publisher: frames published earlier would count as not written.
        let redis = start_redis(&config, &registry, &lifetime)?;
        let catalog = open_catalog(&config, &registry).await?;
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
        let port = Arc::new(port);
        let ingest = Ingest { registry: registry.clone() };
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let writers = config.workers_on(cores).get();
        let streams = Streams::start(registry.clone(), config.max_fps, writers, shutdown, tasks);
        let media = Media::start(&registry, cores, config.media_cpu, shutdown, tasks);

        let origins = Origins::new(&config.allow_origins);
        let ingest_port = IngestPort {
            ingest,
            webrtc: port.clone(),
            shutdown: shutdown.clone(),
            origins: origins.clone(),
        };
        let whep = Whep::new(registry.clone(), port.clone(), shutdown.clone(), tasks.clone());
        let view_state = View { registry: registry.clone(), max_fps: config.max_fps };
        let rest = Rest::new(view_state, shutdown.clone(), ingest_addr.port());
        let mjpeg = rest.mjpeg_sent().clone();
        tasks.spawn(stats_loop(
            figures::line(registry.clone(), streams.clone(), mjpeg.clone(), redis.clone()),
            shutdown.clone(),
        ));
        // Whoever reaches a port that is open to others must not reach this machine through it.
        let local_sources = view_addr.ip().is_loopback();
        let guard = Guard::new(config.source_networks.clone(), local_sources);
        let decoders = media.decoders(&registry, shutdown, tasks);
        pulls::start(&registry, &catalog, &guard, decoders, &lifetime);
        let setup = Setup {
            catalog: Some(catalog.clone()),
            guard,
            managers: Managers::new(config.manage_from.clone()),
        };
        let outputs = figures::Outputs { streams: streams.clone(), mjpeg, media };
        let further = figures::further(outputs, port.clone(), redis.clone(), catalog);
        let reached = move || port.reached_at();
        let rest = rest.with_setup(setup).with_figures(further).with_ingest_addresses(reached);
        let view_port = ViewPort { streams, rest, whep, origins };
        tokio::spawn(net::serve(ingest_tcp, http::ingest_port(ingest_port), lifetime.clone()));
        tokio::spawn(net::serve_viewers(view, http::view_port(view_port), lifetime.clone()));
        if let Some(listener) = api {
            let probe = Arc::new(figures::store_probe(redis.clone()));
            let router = legacy_api::router(registry.clone(), probe);
            tokio::spawn(net::serve(listener, router, lifetime.clone()));
        }
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

    /// The cameras.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
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
        self.lifetime.closed.cancel();
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

impl Drop for Server {
    /// A server that is dropped ends too, without the wait.
    fn drop(&mut self) {
        self.registry.drain();
        self.lifetime.shutdown.cancel();
        self.lifetime.closed.cancel();
    }
}

/// On a thread that may block, as the file is read whole.
async fn open_catalog(config: &Config, registry: &Arc<Registry>) -> Result<Catalog, StartError> {
    let (place, registry) = (config.catalog_place(), registry.clone());
    let opening = tokio::task::spawn_blocking(move || Catalog::open(place, registry));
    let opened = opening.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    opened.map_err(StartError::Catalog)
}

fn start_redis(
    config: &Config,
    registry: &Arc<Registry>,
    lifetime: &Lifetime,
) -> Result<Option<redis::Handle>, StartError> {
    let Some(url) = &config.redis_url else { return Ok(None) };
    let settings = redis::Settings {
        url: url.reveal().to_owned(),
        format: config.redis_format,
        // Redis refuses an expiry of 0.
        frame_ttl: registry.limits().cache_age.max(Duration::from_secs(1)),
    };
    let (shutdown, tasks) = (lifetime.shutdown.clone(), &lifetime.tasks);
    Ok(Some(redis::spawn(settings, registry.clone(), shutdown, tasks)?))
}

/// TCP and UDP on the same port number; with port 0, on the same free one.
fn bind_ingest(addr: SocketAddr) -> Result<(TcpListener, UdpSocket), StartError> {
    let flag = "--ingest-addr";
    for attempt in 1.. {
        let tcp = bind(flag, addr)?;
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

fn bind(flag: &'static str, addr: SocketAddr) -> Result<TcpListener, StartError> {
    net::bind(addr).map_err(|error| bind_error(flag, addr, error))
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

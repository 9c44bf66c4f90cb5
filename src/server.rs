//! Joins all parts; the only module that imports everything.

use std::{io, net::SocketAddr};

use axum::{Router, routing::get};
use thiserror::Error;
use tokio::net::TcpListener;

use crate::{
    config::Config,
    ingest::synthetic,
    net,
    relay::{Clock, Registry},
};

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
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    ingest_addr: SocketAddr,
    view_addr: SocketAddr,
    api_addr: Option<SocketAddr>,
    lifetime: net::Lifetime,
}

impl Server {
    /// Binds all ports and serves.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let lifetime = net::Lifetime::default();
        let mut bound = Vec::new();
        for (flag, addr) in config.listeners() {
            let listener = TcpListener::bind(addr).await;
            let listener = listener.map_err(|error| StartError::Bind { flag, addr, error })?;
            bound.push(listener.local_addr().unwrap_or(addr));
            let router = Router::new().route("/readyz", get(async || "ok"));
            tokio::spawn(net::serve(listener, router, lifetime.clone()));
        }
        let registry = Registry::new(config.limits(), Clock::system());
        if config.demo {
            synthetic::start_demo(&registry, &lifetime);
        }
        Ok(Self {
            ingest_addr: bound[0],
            view_addr: bound[1],
            api_addr: bound.get(2).copied(),
            lifetime,
        })
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

    /// Ends all connections.
    pub async fn drain(&self) {
        self.lifetime.shutdown.cancel();
        self.lifetime.tasks.close();
        self.lifetime.tasks.wait().await;
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "stop the program that has the port, or choose another",
        io::ErrorKind::PermissionDenied => "choose a port above 1023",
        io::ErrorKind::AddrNotAvailable => "choose an address of this machine",
        _ => "choose another address",
    }
}

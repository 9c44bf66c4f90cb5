//! What runs until a signal: the server (`serve`, `demo`) and the publisher (`publish`).

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    num::NonZeroUsize,
    process::ExitCode,
};

use framecast::{
    config::{Config, LogFormat},
    publish,
    server::Server,
    telemetry,
};
use tokio_util::sync::CancellationToken;

use crate::{open_files, signals::Signals};

/// Runs until SIGTERM or SIGINT, on a machine that gives it so many cores.
pub async fn run(config: Config, cores: NonZeroUsize) -> ExitCode {
    if let Err(error) = telemetry::init(&config.log, config.log_format == LogFormat::Json) {
        return fail(&error);
    }
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return fail(&error),
    };
    let open_files = open_files::raise_limit();
    warn_of_strangers(&config);
    if let Some(asked) = config.workers.filter(|&asked| asked > cores) {
        tracing::warn!(
            "--workers {asked}: this process may use {cores} of the machine's cores, so there are \
             {cores} workers"
        );
    }
    if config.data_dir.is_none() {
        tracing::warn!(
            "cameras that are set up are forgotten at the end, as no folder is known to keep them \
             in; give one with --data-dir"
        );
    }
    let server = match Server::start(config).await {
        Ok(server) => server,
        Err(error) => return fail(&error),
    };
    tracing::info!(
        ingest = %server.ingest_addr(),
        view = %server.view_addr(),
        api = server.api_addr().map(tracing::field::display),
        open_files,
        "framecast {} started",
        env!("CARGO_PKG_VERSION")
    );
    if let Err(error) = announce(&server) {
        // The addresses are in the log too; a closed standard output is no reason to stop.
        tracing::debug!(%error, "standard output is closed");
    }
    let signal = signals.next().await;
    tracing::info!("{signal}: draining; the same again ends at once");
    tokio::select! {
        () = server.drain() => ExitCode::SUCCESS,
        signal = signals.next() => {
            tracing::warn!("{signal} again: ending without waiting for viewers and publishers");
            ExitCode::FAILURE
        }
    }
}

/// Publishes until the source ends, or a signal comes.
pub async fn publish(options: publish::Options) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return fail(&error),
    };
    let stop = CancellationToken::new();
    let publishing = publish::run(options, stop.clone());
    tokio::pin!(publishing);
    let ended = tokio::select! {
        ended = publishing.as_mut() => ended,
        _ = signals.next() => {
            stop.cancel();
            publishing.await
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

/// Where to go, one line a port, on standard output: people click it and scripts read it.
fn announce(server: &Server) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "framecast capture page  {}", url(server.ingest_addr()))?;
    writeln!(out, "framecast viewer page   {}", url(server.view_addr()))?;
    if let Some(addr) = server.api_addr() {
        writeln!(out, "framecast legacy API    {}", url(addr))?;
    }
    out.flush()
}

/// A server on all addresses is shown as `localhost`: it always works from the same machine, and
/// browsers give a camera to no other plain-HTTP host.
fn url(addr: SocketAddr) -> String {
    if addr.ip().is_unspecified() {
        format!("http://localhost:{}/", addr.port())
    } else {
        format!("http://{addr}/")
    }
}

fn warn_of_strangers(config: &Config) {
    for (flag, addr) in config.listeners().filter(|(_, addr)| !addr.ip().is_loopback()) {
        tracing::warn!(
            "{flag} {addr} is open to other machines and there is no authentication yet: whoever \
             reaches the port can use it"
        );
    }
}

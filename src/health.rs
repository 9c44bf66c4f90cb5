//! `framecast health`: asks a server whether it is ready, for container and service managers.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use framecast::config::{Config, ConfigError, expand};

/// Shorter than any manager's own patience, so that the reason is printed.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Whom to ask.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// Viewer port of the server, as http://HOST:PORT. Default: what FRAMECAST_VIEW_ADDR or the
    /// file of FRAMECAST_CONFIG says, else http://127.0.0.1:8081
    url: Option<String>,
}

impl Target {
    /// Fills the URL from the settings that the server beside it would read.
    pub fn or_configured(
        self,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        if self.url.is_some() {
            return Ok(self);
        }
        let layers = expand(&[], env)?;
        let addr = Config::parse(&layers)?.view_addr;
        Ok(Self { url: Some(format!("http://{}", reachable(addr))) })
    }
}

/// An address to connect to where the server listens on all.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

/// Asks, says what came back, and exits accordingly.
pub async fn run(target: Target) -> ExitCode {
    let base = target.url.unwrap_or_default();
    let base = if base.contains("://") { base } else { format!("http://{base}") };
    let url = format!("{}/readyz", base.trim_end_matches('/'));
    let answer = async {
        let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        let answer = client.get(&url).send().await?;
        Ok::<_, reqwest::Error>((answer.status(), answer.text().await?))
    };
    match answer.await {
        Ok((status, body)) if status.is_success() => {
            println!("{}", body.trim());
            ExitCode::SUCCESS
        }
        Ok((status, body)) => {
            eprintln!("{url} answers {status}: {}", body.trim());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{url} does not answer: {}", root_cause(&error));
            ExitCode::FAILURE
        }
    }
}

/// The client's own words name the URL again and hide what happened.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

//! One struct with all settings of the server, from flags, environment and a TOML file.
//!
//! Belongs here: the flags, their defaults and bounds, and where a value comes from. Does not: what
//! a setting does. Precedence: flag, environment, older environment names, file, default. Every
//! layer's values go through the flags' own parser, so that all are checked alike.

mod data_dir;
mod layers;
mod values;

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
    time::Duration,
};

use clap::{Args, FromArgMatches as _, ValueEnum};
use ipnet::IpNet;
use thiserror::Error;

pub use data_dir::DataDir;
pub use layers::{Expansion, OLD_NAMES, env_name, expand};
pub use values::RedisUrl;

use crate::{relay, store, wire::jpeg};

/// The host of an address that is given as a port alone: nobody else can reach it.
pub const DEFAULT_HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// How long an offline camera that nobody watches is remembered.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 3600);

/// All settings of the server.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Address for publishers: TCP, and UDP for WebRTC
    #[arg(long, value_name = "ADDR", value_parser = values::addr, default_value = "127.0.0.1:8080")]
    pub ingest_addr: SocketAddr,

    /// Address for viewers
    #[arg(long, value_name = "ADDR", value_parser = values::addr, default_value = "127.0.0.1:8081")]
    pub view_addr: SocketAddr,

    /// Address for the legacy REST API, or a port on the host of --view-addr; off unless given
    #[arg(long = "api-addr", value_name = "ADDR", value_parser = values::api_addr)]
    pub api: Option<ApiAddr>,

    /// Redis to write the newest pictures to, as redis://HOST:PORT/DB; off unless given
    #[arg(long, value_name = "URL", value_parser = values::RedisUrlParser)]
    pub redis_url: Option<RedisUrl>,

    /// How pictures stand in Redis
    #[arg(long, value_name = "FORMAT", value_parser = values::redis_format(),
          default_value = "base64")]
    pub redis_format: store::redis::Format,

    /// Folder for the cameras that are set up, or off to forget them at the end. Default:
    /// $STATE_DIRECTORY, $XDG_DATA_HOME/framecast or ~/.local/share/framecast
    #[arg(long, value_name = "DIR", value_parser = values::data_dir)]
    pub data_dir: Option<DataDir>,

    /// File with the key that cameras' passwords are encrypted with, made if it is not there.
    /// Default: catalog.key in --data-dir
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,

    /// Network that camera sources may be in, as 192.168.1.0/24; may be repeated. Default: all but
    /// those never allowed, and this machine itself only while --view-addr is on it
    #[arg(long = "source-networks", value_name = "NETWORK", value_delimiter = ',',
          value_parser = values::network)]
    pub source_networks: Vec<IpNet>,

    /// Network whose clients may set cameras up; may be repeated. Default: this machine, not
    /// through a proxy
    #[arg(long = "manage-from", value_name = "NETWORK", value_delimiter = ',',
          value_parser = values::network)]
    pub manage_from: Vec<IpNet>,

    /// Seconds of each camera kept for rewind; 0 keeps only the newest picture
    #[arg(long, value_name = "SECONDS", value_parser = values::whole::<u64>(0..=3600),
          default_value = "10")]
    pub cache_secs: u64,

    /// Most bytes of one camera's cache
    #[arg(long, value_name = "SIZE", value_parser = values::size, default_value = "64MiB")]
    pub cache_bytes: usize,

    /// Most bytes of all cameras' caches together
    #[arg(long, value_name = "SIZE", value_parser = values::size, default_value = "512MiB")]
    pub cache_total_bytes: usize,

    /// Most frames a second for one viewer and camera
    #[arg(long, value_name = "FPS", value_parser = values::fps, default_value = "30")]
    pub max_fps: f64,

    /// Most of this machine's processors that scaling pictures may take, in percent
    #[arg(long, value_name = "PERCENT", value_parser = values::whole::<u8>(1..=100),
          default_value = "50")]
    pub media_cpu: u8,

    /// Largest picture taken from a publisher, up to 64MiB
    #[arg(long, value_name = "SIZE", value_parser = values::frame_size, default_value = "4MiB")]
    pub max_frame_bytes: usize,

    /// Most pixels of a picture, width times height
    #[arg(long, value_name = "PIXELS", value_parser = values::whole::<u64>(1..=values::MAX_PIXELS),
          default_value = "16777216")]
    pub max_pixels: u64,

    /// Most cameras known at a time
    #[arg(long, value_name = "N", value_parser = values::whole::<usize>(1..=values::MAX_CAMERAS),
          default_value = "1000")]
    pub max_cameras: usize,

    /// Address that publishers are told to send WebRTC to; may be repeated. Default: the addresses
    /// of this machine and the port of --ingest-addr
    #[arg(long = "ice-candidate", value_name = "HOST:PORT", value_delimiter = ',',
          value_parser = values::host_port)]
    pub ice_candidates: Vec<String>,

    /// Site whose pages may use this server, as https://HOST; may be repeated. The server's own
    /// pages always may
    #[arg(long = "allow-origin", value_name = "ORIGIN", value_delimiter = ',',
          value_parser = values::origin)]
    pub allow_origins: Vec<String>,

    /// What to log: error, warn, info, debug, trace, off, or a filter such as info,framecast=debug
    #[arg(long, value_name = "FILTER", value_parser = values::log_filter, default_value = "info")]
    pub log: String,

    /// How log lines look
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// Worker threads, at most one a core. Default: one a core
    #[arg(long, value_name = "N", value_parser = values::workers)]
    pub workers: Option<NonZeroUsize>,

    /// TOML file with any of these settings, such as view-addr = "0.0.0.0:8081"
    #[arg(long = "config", value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Whether the server feeds itself two test cameras: the `demo` command.
    #[arg(skip)]
    pub demo: bool,
}

/// The legacy REST API's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiAddr {
    /// Not served, whatever a layer below says.
    Off,
    /// On the host of the viewers' address.
    Port(u16),
    /// As given.
    Addr(SocketAddr),
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Why the settings cannot be used. The text says which and what to do.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The parser's own words, and where the value came from if not from the command line.
    #[error("{}{}", .error.render(), layers::note(.origin.as_deref()))]
    Arguments {
        /// As clap says it; also stands for `--help` and `--version`.
        error: clap::Error,
        /// Such as "FRAMECAST_MAX_FPS in the environment".
        origin: Option<String>,
    },
    /// The file of `--config`.
    #[error("error: cannot read the --config file {}: {reason}\n", path.display())]
    File {
        /// As given.
        path: PathBuf,
        /// In plain words.
        reason: String,
    },
    /// Settings that contradict each other.
    #[error("error: {0}\n")]
    Contradiction(String),
}

impl Default for Config {
    fn default() -> Self {
        let parsed = Self::parse(&Expansion::default());
        parsed.expect("the defaults keep their own bounds; a test parses them")
    }
}

impl Config {
    /// What environment and file say, with an empty command line.
    pub fn parse(layers: &Expansion) -> Result<Self, ConfigError> {
        let command = Self::augment_args(clap::Command::new("framecast"));
        let args = [OsString::from("framecast")].into_iter().chain(layers.args.iter().cloned());
        let parsed = command
            .try_get_matches_from(args)
            .and_then(|matches| Self::from_arg_matches(&matches))
            .map_err(|error| layers.explain(error))?;
        parsed.check()?;
        Ok(parsed)
    }

    /// Worker threads where there are so many cores: more would only wake each other.
    pub fn workers_on(&self, cores: NonZeroUsize) -> NonZeroUsize {
        self.workers.unwrap_or(cores).min(cores)
    }

    /// The legacy REST API's address, if it is served.
    pub fn api_addr(&self) -> Option<SocketAddr> {
        match self.api? {
            ApiAddr::Off => None,
            ApiAddr::Port(port) => Some(SocketAddr::new(self.view_addr.ip(), port)),
            ApiAddr::Addr(addr) => Some(addr),
        }
    }

    /// Where the camera catalog is kept, if it is.
    pub fn catalog_place(&self) -> Option<store::catalog::Place> {
        match self.data_dir.clone()? {
            DataDir::Off => None,
            DataDir::Dir(dir) => {
                Some(store::catalog::Place { dir, key_file: self.key_file.clone() })
            }
        }
    }

    /// The relay's bounds.
    pub fn limits(&self) -> relay::Limits {
        relay::Limits {
            frame: jpeg::Limits { max_bytes: self.max_frame_bytes, max_pixels: self.max_pixels },
            cache_age: Duration::from_secs(self.cache_secs),
            // A camera alone may fill the total; more than that it could never hold.
            cache_bytes: self.cache_bytes.min(self.cache_total_bytes),
            cache_total_bytes: self.cache_total_bytes,
            max_cameras: self.max_cameras,
            forget_after: FORGET_AFTER,
        }
    }

    /// The flags and addresses that are listened on.
    pub fn listeners(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let api = self.api_addr().map(|addr| ("--api-addr", addr));
        [("--ingest-addr", self.ingest_addr), ("--view-addr", self.view_addr)]
            .into_iter()
            .chain(api)
    }

    /// Settings that are good each by itself but not together.
    pub fn check(&self) -> Result<(), ConfigError> {
        let listeners: Vec<_> = self.listeners().collect();
        for (at, (flag, addr)) in listeners.iter().enumerate() {
            let clash = listeners[..at].iter().find(|(_, other)| overlap(*addr, *other));
            if let Some((other, _)) = clash {
                return Err(ConfigError::Contradiction(format!(
                    "{other} and {flag} both ask for port {} ({addr}); give each its own port",
                    addr.port()
                )));
            }
        }
        if self.cache_total_bytes < self.max_frame_bytes {
            return Err(ConfigError::Contradiction(format!(
                "--cache-total-bytes {} is less than one frame may have (--max-frame-bytes {}); \
                 raise the first or lower the second",
                self.cache_total_bytes, self.max_frame_bytes
            )));
        }
        Ok(())
    }
}

/// Whether two addresses cannot both be listened on. Port 0 is a free one each time.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let anywhere = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && (a.ip() == b.ip() || anywhere)
}

#[cfg(test)]
mod tests;

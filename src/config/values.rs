//! The values of the flags: what is accepted, and what is said otherwise.

use std::{
    ffi::OsStr,
    fmt::{self, Display},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    ops::RangeInclusive,
    str::FromStr,
};

use clap::{
    Arg, Command,
    builder::{PossibleValuesParser, TypedValueParser},
};
use http::Uri;
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

use super::{ApiAddr, DEFAULT_HOST, DataDir};
use crate::store::redis::Format;

/// Largest `--max-frame-bytes`: an uncompressed 4K picture; whoever sends more does not send JPEG.
const MAX_FRAME_BYTES: usize = 64 << 20;
/// Largest `--max-fps`: as fast as the fastest common displays.
const MAX_FPS: f64 = 240.0;
/// Largest `--max-cameras`.
pub(super) const MAX_CAMERAS: usize = 100_000;
/// Largest `--max-pixels`: of the largest JPEG that there can be (ITU-T T.81, B.2.2).
pub(super) const MAX_PIXELS: u64 = 65_535 * 65_535;
/// Largest `--workers`.
const MAX_WORKERS: NonZeroUsize = NonZeroUsize::new(1024).expect("not 0");

/// A Redis address. Its password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// The whole URL, with its password.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once("://").and_then(|(s, rest)| Some((s, rest.rsplit_once('@')?))) {
            Some((scheme, (_, host))) => write!(f, "{scheme}://***@{host}"),
            None => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `IP:PORT`, `localhost:PORT`, or a port on this machine alone.
pub(super) fn addr(text: &str) -> Result<SocketAddr, String> {
    if let Ok(addr) = text.parse() {
        return Ok(addr);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let host = match host {
        "" if !text.contains(':') => Some(DEFAULT_HOST),
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => None,
    };
    match (host, port.parse()) {
        (Some(host), Ok(port)) => Ok(SocketAddr::new(host, port)),
        _ => Err("use IP:PORT such as 127.0.0.1:8080, 0.0.0.0:8080 for all addresses of this \
                  machine, or a port from 0 to 65535"
            .into()),
    }
}

pub(super) fn api_addr(text: &str) -> Result<ApiAddr, String> {
    if text == "off" {
        return Ok(ApiAddr::Off);
    }
    match text.parse() {
        Ok(port) => Ok(ApiAddr::Port(port)),
        Err(_) => addr(text).map(ApiAddr::Addr).map_err(|error| format!("{error}; or off")),
    }
}

pub(super) fn data_dir(text: &str) -> Result<DataDir, String> {
    match text {
        "off" => Ok(DataDir::Off),
        "" => Err("use the path of a folder, or off".into()),
        dir => Ok(DataDir::Dir(dir.into())),
    }
}

/// A network, or a single address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let single = || text.parse::<IpAddr>().ok().map(|ip| IpNet::from(ip.to_canonical()));
    text.parse()
        .ok()
        .or_else(single)
        .map(|net: IpNet| net.trunc())
        .ok_or_else(|| "use a network such as 192.168.1.0/24 or fd00::/8, or an address".to_owned())
}

/// Reads a Redis address. The address itself is looked up when the server starts.
///
/// A parser by itself because clap repeats what it refuses, and this may hold a password.
#[derive(Clone)]
pub(super) struct RedisUrlParser;

impl TypedValueParser for RedisUrlParser {
    type Value = RedisUrl;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<RedisUrl, clap::Error> {
        let parse = |text: &OsStr| TypedValueParser::parse_ref(&redis_url, command, arg, text);
        // What is wrong with the text is wrong with what is left of it, so clap says the rest.
        parse(value).or_else(|_| parse(OsStr::new(masked(&value.to_string_lossy()))))
    }
}

/// A text that is no Redis URL, if no part of it can be a password: a host, and after a colon
/// nothing but a port or a path.
fn masked(text: &str) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | ':');
    let tails = text.split(':').skip(1);
    let ports = tails.map(|tail| tail.split('/').next().unwrap_or_default());
    let is_plain = text.chars().all(plain)
        && ports.into_iter().all(|port| port.chars().all(|c| c.is_ascii_digit()));
    if is_plain { text } else { "***" }
}

fn redis_url(text: &str) -> Result<RedisUrl, String> {
    let schemes = ["redis://", "rediss://", "unix://"];
    let rest = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        Some(rest) if !rest.is_empty() => Ok(RedisUrl(text.into())),
        _ => Err("use redis://HOST:PORT, with /DB, or USER:PASSWORD@ before the host, as needed; \
                 rediss:// for TLS, or unix:///PATH"
            .into()),
    }
}

/// The store's own formats, listed by `--help`.
pub(super) fn redis_format() -> impl TypedValueParser<Value = Format> {
    let names = [Format::Base64, Format::Raw].map(|format| format.to_string());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Format>())
}

/// Bytes: `1048576`, `1024KiB`, `1MiB`, `1M`.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: usize = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => 0,
    };
    let bytes = number.parse().ok().and_then(|n: usize| n.checked_mul(factor));
    bytes.filter(|&bytes| bytes > 0).ok_or_else(|| "use bytes, or a size such as 64MiB".into())
}

pub(super) fn frame_size(text: &str) -> Result<usize, String> {
    let bytes = size(text)?;
    let good = (1024..=MAX_FRAME_BYTES).contains(&bytes);
    good.then_some(bytes).ok_or_else(|| "use a size from 1KiB to 64MiB".into())
}

pub(super) fn fps(text: &str) -> Result<f64, String> {
    let fps = text.parse().ok().filter(|fps| (0.1..=MAX_FPS).contains(fps));
    fps.ok_or_else(|| format!("use frames a second from 0.1 to {MAX_FPS}"))
}

/// A whole number of these.
pub(super) fn whole<N>(range: RangeInclusive<N>) -> impl Fn(&str) -> Result<N, String> + Clone
where
    N: FromStr + PartialOrd + Display + Clone,
{
    move |text| {
        let n = text.parse().ok().filter(|n| range.contains(n));
        n.ok_or_else(|| format!("use a whole number from {} to {}", range.start(), range.end()))
    }
}

pub(super) fn workers(text: &str) -> Result<NonZeroUsize, String> {
    whole(NonZeroUsize::MIN..=MAX_WORKERS)(text)
}

/// A name is looked up when the server starts.
pub(super) fn host_port(text: &str) -> Result<String, String> {
    let good = text.parse::<SocketAddr>().is_ok_and(|addr| addr.port() != 0)
        || text.rsplit_once(':').is_some_and(|(host, port)| {
            let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            !host.is_empty() && host.chars().all(name) && port.parse().is_ok_and(|p: u16| p > 0)
        });
    good.then(|| text.to_owned())
        .ok_or_else(|| "use HOST:PORT such as 203.0.113.7:8080 or [2001:db8::7]:8080".into())
}

/// A page's origin (RFC 6454): scheme, host and, where not the scheme's own, port. Kept in lower
/// case and without the slash that people paste with it.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let uri: Option<Uri> = text.parse().ok();
    let good = uri.is_some_and(|uri| {
        let http = matches!(uri.scheme_str(), Some("http" | "https"));
        let user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        http && !user && uri.path() == "/" && uri.query().is_none()
    });
    good.then(|| text.trim_end_matches('/').to_ascii_lowercase())
        .ok_or_else(|| "use a scheme and host such as https://cams.example.org".into())
}

/// The filter's own parser takes any word for the name of a module, `inof` too; a word alone is
/// meant as a level.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let level = |part: &str| LEVELS.contains(&part.trim().to_ascii_lowercase().as_str());
    let words = text.split(',').filter(|part| !part.contains(['=', '[', ':']));
    let good = !text.trim().is_empty()
        && words.into_iter().all(level)
        && EnvFilter::builder().parse(text).is_ok();
    good.then(|| text.to_owned()).ok_or_else(|| {
        format!("use one of {}, or a filter such as info,framecast=debug", LEVELS.join(", "))
    })
}

//! The address of a camera that framecast connects to, with whatever is secret in it taken out.
//!
//! Belongs here: reading and writing such addresses. Does not: whether one may be connected to
//! (`net::guard`), or where passwords are kept (`store::catalog`).

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use thiserror::Error;
use url::Url;

use super::Secret;

/// Longest address, in bytes: ten times what cameras have.
pub const MAX_URL: usize = 2048;

/// What stands for a secret in a path.
pub const MASK: &str = "***";

/// Names of values in paths and queries that are passwords: `?user=a&pwd=b`, and `/user=a_password=b_…`
/// of cheap recorders.
const SECRET_NAMES: [&str; 8] =
    ["password", "passwd", "passw", "pass", "pwd", "loginpas", "token", "secret"];

/// How a source is spoken to. Nothing else is ever connected to, and none of these runs a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// RTSP (RFC 2326), port 554.
    Rtsp,
    /// RTSP over TLS, port 322.
    Rtsps,
    /// HTTP, port 80.
    Http,
    /// HTTP over TLS, port 443.
    Https,
}

impl Scheme {
    /// As it is written before `://`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rtsp => "rtsp",
            Self::Rtsps => "rtsps",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port of an address that has none.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Rtsp => 554,
            Self::Rtsps => 322,
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// Whether RTSP is spoken, HTTP otherwise.
    pub fn is_rtsp(self) -> bool {
        matches!(self, Self::Rtsp | Self::Rtsps)
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Rtsps | Self::Https)
    }

    fn of(name: &str) -> Option<Self> {
        let all = [Self::Rtsp, Self::Rtsps, Self::Http, Self::Https];
        all.into_iter().find(|scheme| scheme.name() == name)
    }
}

/// Where a camera is. Never holds a user name or a password; secrets of its path stand as `***`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceUrl {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// A name in lower case, or an address; IPv6 without brackets.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
    /// Path and query as they may be shown, starting with `/`.
    pub path: String,
}

/// An address as somebody typed it, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Where the camera is.
    pub url: SourceUrl,
    /// Of `user:password@`; `None` without.
    pub username: Option<String>,
    /// Of `user:password@`; `None` without.
    pub password: Option<Secret>,
    /// Path and query as they go to the camera, where a part of them is secret.
    pub path: Option<Secret>,
}

/// Why a text is no address of a camera. The texts never repeat what was sent: it may hold a
/// password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadSourceUrl {
    /// Too long.
    #[error("the address has more than {MAX_URL} characters")]
    TooLong,
    /// A character that no address has.
    #[error(
        "the address has a space or control character; write it as %20 and so on, and what is \
         special in a password as % and two digits, or give the password in its own field"
    )]
    Character,
    /// Another scheme, or none.
    #[error("the address must start with rtsp://, rtsps://, http:// or https://")]
    Scheme,
    /// Host or port cannot be read, which a password with special characters is often behind.
    #[error(
        "host or port cannot be read; write it as rtsp://HOST:PORT/PATH, and if the password has \
         one of / ? # @ give it in its own field, or write it as %2F %3F %23 %40"
    )]
    Authority,
    /// `@` or `#` where a cut-off password would end up.
    #[error(
        "the path has an @ or #; if they belong to the password, give that in its own field or write \
         them as %40 and %23"
    )]
    Path,
}

impl SourceUrl {
    /// Takes an address apart.
    pub fn parse(text: &str) -> Result<Parts, BadSourceUrl> {
        let text = text.trim();
        if text.len() > MAX_URL {
            return Err(BadSourceUrl::TooLong);
        }
        // The parser below skips some of these without a word (WHATWG URL, 4.4).
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(BadSourceUrl::Character);
        }
        let (scheme, _) = text.split_once("://").ok_or(BadSourceUrl::Scheme)?;
        let scheme = Scheme::of(&scheme.to_ascii_lowercase()).ok_or(BadSourceUrl::Scheme)?;
        let url = Url::parse(text).map_err(|_| BadSourceUrl::Authority)?;
        let host = host(url.host_str().unwrap_or_default())?;
        // Those that the parser knows by itself it leaves out.
        let port = url.port().unwrap_or(scheme.default_port());
        if port == 0 {
            return Err(BadSourceUrl::Authority);
        }
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut path = format!("{}{query}", url.path());
        if !path.starts_with('/') {
            path.insert(0, '/');
        }
        if url.fragment().is_some() {
            return Err(BadSourceUrl::Path);
        }
        let (path, secret) = Self::path(&path)?;
        let username = Some(decoded(url.username())?).filter(|name| !name.is_empty());
        let password = url.password().map(decoded).transpose()?.filter(|text| !text.is_empty());
        let url = Self { scheme, host, port, path };
        Ok(Parts { url, username, password: password.map(Secret::new), path: secret })
    }

    /// A path and query as they may be shown, and as they are if that differs.
    pub fn path(text: &str) -> Result<(String, Option<Secret>), BadSourceUrl> {
        if text.len() > MAX_URL {
            return Err(BadSourceUrl::TooLong);
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(BadSourceUrl::Character);
        }
        if text.contains(['@', '#']) {
            return Err(BadSourceUrl::Path);
        }
        let path = if text.starts_with('/') { text.to_owned() } else { format!("/{text}") };
        let shown = masked(&path);
        let secret = (shown != path).then(|| Secret::new(path));
        Ok((shown, secret))
    }

    /// A host as it was typed into a field of its own: a name, or an address with or without
    /// brackets.
    pub fn host(text: &str) -> Result<String, BadSourceUrl> {
        host(text.trim())
    }

    /// The host if it is an address, so that nothing has to be looked up. An IPv4 address in IPv6
    /// clothes is undressed.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok().map(|ip: IpAddr| ip.to_canonical())
    }

    /// Whether what is secret for one may be told to the other.
    pub fn same_peer(&self, other: &Self) -> bool {
        (self.scheme, self.port) == (other.scheme, other.port) && self.host == other.host
    }

    /// Host and port, IPv6 in brackets, as the `Host` header has it.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Where a redirect leads, taken from its `Location`.
    pub fn join(&self, location: &str) -> Result<Parts, BadSourceUrl> {
        if location.contains("://") {
            return Self::parse(location);
        }
        let base = Url::parse(&self.to_string()).map_err(|_| BadSourceUrl::Authority)?;
        let joined = base.join(location).map_err(|_| BadSourceUrl::Authority)?;
        Self::parse(joined.as_str())
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name(), self.authority(), self.path)
    }
}

/// For schemes that the parser does not know it takes nearly any text for a host.
fn host(text: &str) -> Result<String, BadSourceUrl> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if bare.contains(':') {
        let ip = bare.parse::<Ipv6Addr>().map_err(|_| BadSourceUrl::Authority)?;
        return Ok(ip.to_string());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let good = !bare.is_empty() && bare.len() <= 253 && bare.chars().all(plain) && bare == text;
    good.then(|| bare.to_ascii_lowercase()).ok_or(BadSourceUrl::Authority)
}

/// Percent-decoding of user names and passwords. What no camera can have is no password.
fn decoded(text: &str) -> Result<String, BadSourceUrl> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = |at: usize| tail.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| BadSourceUrl::Authority)?;
    if text.chars().any(char::is_control) { Err(BadSourceUrl::Character) } else { Ok(text) }
}

/// The text with `***` for the values of [`SECRET_NAMES`].
fn masked(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('=') {
        let (before, after) = rest.split_at(at + 1);
        out.push_str(before);
        let name = before[..at].rsplit(['/', '?', '&', ';', '_', '-', '=']).next().unwrap_or("");
        if SECRET_NAMES.contains(&name.to_ascii_lowercase().as_str()) {
            let end = after.find(['&', ';', '/', '?']).unwrap_or(after.len());
            out.push_str(MASK);
            rest = &after[end..];
        } else {
            rest = after;
        }
    }
    out + rest
}

#[cfg(test)]
#[path = "source_url_tests.rs"]
mod tests;

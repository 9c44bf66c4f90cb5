//! Which addresses the server may connect to when somebody names a camera.
//!
//! Whoever may add a camera could otherwise have the server knock at services that only it can
//! reach (server-side request forgery): a cloud's metadata service hands out credentials to any
//! plain GET. So an address is looked at after its name was resolved, what is connected to is that
//! very address and not the name again (DNS rebinding), and each redirect goes through the same.
//!
//! Belongs here: the decision. Does not: connecting, or which kinds of source there are.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use ipnet::IpNet;
use thiserror::Error;

use crate::wire::source_url::{BadSourceUrl, Parts, SourceUrl};

/// Most redirects to follow for one connection.
pub const MAX_REDIRECTS: usize = 3;

/// How long a name may take to resolve.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Addresses kept of one name: two families, and some spare ones.
const MAX_ADDRESSES: usize = 8;

/// Where clouds keep what a machine may know of itself, credentials included, outside of
/// 169.254.0.0/16 and fe80::/10: AWS and GCP over IPv6, Alibaba, Oracle, Azure.
const METADATA: [IpAddr; 5] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
];

/// Why a source is not connected to. The texts say what to do.
#[derive(Debug, Error)]
pub enum Refused {
    /// Never a camera, whatever the settings.
    #[error("{host} is {what}, where no camera is; sources are never connected to there")]
    Never {
        /// As it was asked for; with its address if it is a name.
        host: String,
        /// Such as "a link-local address".
        what: &'static str,
    },
    /// This machine, and nobody has allowed that.
    #[error(
        "{host} is this machine itself; to let sources be there: --source-networks {}",
        loopback_flag(.host)
    )]
    Loopback {
        /// As above.
        host: String,
    },
    /// Outside `--source-networks`.
    #[error("{host} is in none of the --source-networks; add its network there")]
    Outside {
        /// As above.
        host: String,
    },
    /// The name has no address.
    #[error("the name {host} cannot be looked up: {error}; check it, or give the camera's address")]
    Unknown {
        /// The name.
        host: String,
        /// The system's words.
        error: io::Error,
    },
    /// A redirect to something else than a source.
    #[error("the camera redirects to another address, but {0}")]
    Redirect(#[from] BadSourceUrl),
    /// A redirect that would leave RTSP or HTTP, or drop the encryption.
    #[error("the camera redirects from {from} to {to}, which is not followed")]
    Scheme {
        /// Scheme before.
        from: &'static str,
        /// Scheme after.
        to: &'static str,
    },
}

/// A source that may be connected to, at these addresses and no others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// Where the camera is; its host goes into `Host`, certificates and RTSP requests.
    pub url: SourceUrl,
    /// At least one; to be tried in this order. Never look the name up again.
    pub addrs: Vec<SocketAddr>,
}

/// Decides. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    networks: Vec<IpNet>,
    loopback: bool,
}

impl Guard {
    /// Sources may be in these networks; with none given, anywhere that is not refused always.
    ///
    /// `loopback` says whether this machine itself is fine too. A network that lies in 127.0.0.0/8
    /// or ::1 allows that as well; a wider one, such as 0.0.0.0/0, does not.
    pub fn new(networks: Vec<IpNet>, loopback: bool) -> Self {
        Self { networks, loopback }
    }

    /// Refuses a source by what can be told without looking its name up: for the moment when it is
    /// configured. A name passes; [`Self::resolve`] decides when it is connected to.
    pub fn admits(&self, url: &SourceUrl) -> Result<(), Refused> {
        url.ip().map_or(Ok(()), |ip| self.check(&url.host, ip))
    }

    /// Looks the name up, once, and keeps those addresses that may be connected to. Takes at most
    /// 5 s.
    pub async fn resolve(&self, url: SourceUrl) -> Result<Pinned, Refused> {
        if let Some(ip) = url.ip() {
            return self.pin(url, [ip]);
        }
        let unknown = |error| Refused::Unknown { host: url.host.clone(), error };
        let looking = tokio::net::lookup_host((url.host.as_str(), url.port));
        let found = tokio::time::timeout(LOOKUP_TIMEOUT, looking).await;
        let slow = |_| unknown(io::Error::new(io::ErrorKind::TimedOut, "no answer within 5 s"));
        let found: Vec<_> = found.map_err(slow)?.map_err(unknown)?.map(|addr| addr.ip()).collect();
        self.pin(url, found)
    }

    /// Where a redirect leads, if it may be followed. Secrets of `from` may go there only if
    /// [`SourceUrl::same_peer`] says so. Count the redirects: [`MAX_REDIRECTS`].
    pub async fn redirect(&self, from: &SourceUrl, location: &str) -> Result<Redirect, Refused> {
        let Parts { url, path, .. } = from.join(location)?;
        let (old, new) = (from.scheme, url.scheme);
        if old.is_rtsp() != new.is_rtsp() || old.is_tls() && !new.is_tls() {
            return Err(Refused::Scheme { from: old.name(), to: new.name() });
        }
        Ok(Redirect { to: self.resolve(url).await?, path })
    }

    fn pin(
        &self,
        url: SourceUrl,
        found: impl IntoIterator<Item = IpAddr>,
    ) -> Result<Pinned, Refused> {
        let (mut addrs, mut refused) = (Vec::new(), None);
        for ip in found.into_iter().map(|ip| ip.to_canonical()).take(MAX_ADDRESSES) {
            match self.check(&url.host, ip) {
                Ok(()) => addrs.push(SocketAddr::new(ip, url.port)),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        if !addrs.is_empty() {
            return Ok(Pinned { url, addrs });
        }
        let none = || io::Error::new(io::ErrorKind::NotFound, "it has no address");
        Err(refused.unwrap_or_else(|| Refused::Unknown { host: url.host, error: none() }))
    }

    fn check(&self, host: &str, ip: IpAddr) -> Result<(), Refused> {
        let shown = || match host.parse::<IpAddr>() {
            Ok(_) => ip.to_string(),
            Err(_) => format!("{host} ({ip})"),
        };
        let inner = embedded(ip).map(IpAddr::V4);
        for ip in [Some(ip), inner].into_iter().flatten() {
            if let Some(what) = never(ip) {
                return Err(Refused::Never { host: shown(), what });
            }
            let named = |net: &IpNet| net.contains(&ip) && net.network().is_loopback();
            if ip.is_loopback() {
                let fine = self.loopback || self.networks.iter().any(named);
                return if fine { Ok(()) } else { Err(Refused::Loopback { host: shown() }) };
            }
        }
        let inside = self.networks.is_empty() || self.networks.iter().any(|net| net.contains(&ip));
        if inside { Ok(()) } else { Err(Refused::Outside { host: shown() }) }
    }
}

/// Where a camera sent the server on to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// Checked and pinned as any source.
    pub to: Pinned,
    /// Path and query as they go out, where a part of them is secret.
    pub path: Option<crate::wire::Secret>,
}

/// What an address is that no camera has.
fn never(ip: IpAddr) -> Option<&'static str> {
    if METADATA.contains(&ip) {
        return Some("a cloud's metadata service");
    }
    match ip {
        IpAddr::V4(v4) => match v4.octets() {
            [0, ..] => Some("an address of no machine"),
            [169, 254, ..] => Some("a link-local address"),
            [224..=239, ..] => Some("a multicast address"),
            [240..=255, ..] => Some("a broadcast or reserved address"),
            _ => None,
        },
        IpAddr::V6(v6) => match v6.segments() {
            [0, 0, 0, 0, 0, 0, 0, 0] => Some("an address of no machine"),
            [0xfe80..=0xfebf, ..] => Some("a link-local address"),
            // Deprecated by RFC 3879, and still what some networks use inside.
            [0xfec0..=0xfeff, ..] => Some("a site-local address"),
            [0xff00..=0xffff, ..] => Some("a multicast address"),
            // Teredo carries an IPv4 address with its bits turned over.
            [0x2001, 0, ..] => Some("a tunnel's address"),
            _ => None,
        },
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped (RFC 4291, 2.5.5), translated (RFC 6052,
/// RFC 8215), or tunneled (RFC 3056).
fn embedded(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = ip else { return None };
    if v6.is_loopback() || v6.is_unspecified() {
        return None;
    }
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(join(high, low)),
        [0x64, 0xff9b, _, _, _, _, high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

fn loopback_flag(host: &str) -> &'static str {
    if host.contains(':') { "::1" } else { "127.0.0.0/8" }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;

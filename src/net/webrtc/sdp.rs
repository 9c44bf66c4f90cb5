//! ICE candidates in session descriptions: ours into the answer, the browser's out of the offer.
//!
//! Works on lines of text only. What a description means beyond its candidates is left to the
//! `webrtc` crate.

use std::{
    fmt::Write as _,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// Addresses announced in one answer. A machine with many containers has hundreds of interfaces; a
/// browser tries all it is told, each with several of its own.
pub const MAX_LOCAL_CANDIDATES: usize = 16;

/// Candidates of one browser that are tried from here. They only help through a firewall on the
/// server's side, since the browser's own checks tell its address; and each makes the server send a
/// few packets to an address that nothing has proven.
pub const MAX_REMOTE_CANDIDATES: usize = 16;

/// Longest data channel message that is announced and received, in bytes: the most the crate
/// allows, and what Chromium announces itself.
pub const MAX_MESSAGE_BYTES: usize = 262_144;

/// The preference of a host candidate's type (RFC 8445 section 5.1.2.2).
const HOST_TYPE_PREFERENCE: u32 = 126;

/// Which addresses answers announce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates(Source);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Announced(Vec<SocketAddr>),
    /// Bound to a wildcard: whatever addresses the machine has when it answers.
    Interfaces {
        port: u16,
        v6: bool,
    },
}

/// An announced address that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CandidateError {
    /// Not `HOST:PORT`, or the name does not resolve.
    #[error("cannot resolve the ICE candidate {candidate:?}: {error}")]
    Unresolvable {
        /// As it was given.
        candidate: String,
        /// What the resolver says.
        error: io::Error,
    },
    /// An address no publisher can send to.
    #[error("the ICE candidate {0:?} must be an address and port that publishers can send to")]
    Unusable(String),
}

impl Candidates {
    /// The addresses of a socket bound to `bound`: that one, or, for a wildcard, those of the
    /// machine's interfaces (loopback last), looked up anew for every answer.
    #[must_use]
    pub fn local(bound: SocketAddr) -> Self {
        Self(if bound.ip().is_unspecified() {
            Source::Interfaces { port: bound.port(), v6: bound.is_ipv6() }
        } else {
            Source::Announced(vec![bound])
        })
    }

    /// Exactly these, each `HOST:PORT`, in this order of preference. Names are resolved once, now;
    /// a name with several addresses gives several candidates.
    ///
    /// # Errors
    /// When one cannot be resolved or can be reached by nobody.
    pub async fn announced(hosts: &[String]) -> Result<Self, CandidateError> {
        let mut addresses = Vec::new();
        for host in hosts {
            let resolved = tokio::net::lookup_host(host)
                .await
                .map_err(|error| CandidateError::Unresolvable { candidate: host.clone(), error })?;
            for address in resolved {
                let ip = address.ip();
                if ip.is_unspecified() || ip.is_multicast() || address.port() == 0 {
                    return Err(CandidateError::Unusable(host.clone()));
                }
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        addresses.truncate(MAX_LOCAL_CANDIDATES);
        Ok(Self(Source::Announced(addresses)))
    }

    /// The addresses to announce now, best first.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        match &self.0 {
            Source::Announced(addresses) => addresses.clone(),
            Source::Interfaces { port, v6 } => interface_addresses(*port, *v6),
        }
    }
}

fn interface_addresses(port: u16, v6: bool) -> Vec<SocketAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot list the network interfaces; announcing loopback only");
        Vec::new()
    });
    let mut ips: Vec<IpAddr> = interfaces
        .iter()
        .map(if_addrs::Interface::ip)
        .filter(|ip| !is_link_local(*ip) && (v6 || ip.is_ipv4()))
        .collect();
    ips.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
    if v6 {
        ips.push(IpAddr::V6(Ipv6Addr::LOCALHOST));
    }
    // IPv4 before IPv6, loopback behind all: it serves pages on this machine only.
    ips.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
    ips.dedup();
    let loopback = ips.iter().position(IpAddr::is_loopback).unwrap_or(ips.len());
    let loopbacks = ips.split_off(loopback);
    ips.truncate(MAX_LOCAL_CANDIDATES.saturating_sub(loopbacks.len()));
    ips.extend(loopbacks);
    ips.truncate(MAX_LOCAL_CANDIDATES);
    ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect()
}

/// A link-local IPv6 address means nothing without its interface, which a candidate cannot carry.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// The answer with `addresses` as its only candidates, in every media section, and the note that no
/// more will come.
#[must_use]
pub fn with_candidates(answer: &str, addresses: &[SocketAddr]) -> String {
    let mut lines = String::new();
    for (rank, address) in (0_u32..).zip(addresses) {
        let priority = (HOST_TYPE_PREFERENCE << 24) | ((65_535 - rank.min(65_535)) << 8) | 255;
        // Writing to a `String` cannot fail.
        let _ = write!(
            lines,
            "a=candidate:{foundation} 1 udp {priority} {ip} {port} typ host\r\n",
            foundation = rank + 1,
            ip = address.ip(),
            port = address.port(),
        );
    }
    lines.push_str("a=end-of-candidates\r\n");

    let mut out = String::with_capacity(answer.len() + 2 * lines.len());
    let mut in_media = false;
    for line in answer.lines() {
        if line.starts_with("a=candidate:") || line.starts_with("a=end-of-candidates") {
            continue;
        }
        if line.starts_with("m=") {
            if in_media {
                out.push_str(&lines);
            }
            in_media = true;
        }
        if !line.is_empty() {
            out.push_str(line);
            out.push_str("\r\n");
        }
    }
    if in_media {
        out.push_str(&lines);
    }
    out
}

/// The offer as the `webrtc` crate is to see it, and the candidates (`candidate:…`) that were in it
/// and may be tried from here.
///
/// The crate refuses to *receive* messages longer than the offer says its sender accepts (65,536
/// bytes when it says nothing), and the connection with them. So the offer is made to say what our
/// answer says.
#[must_use]
pub fn prepare_offer(offer: &str) -> (String, Vec<String>) {
    let mut rest = String::with_capacity(offer.len() + 64);
    let mut candidates = Vec::new();
    let mut in_application = false;
    for line in offer.lines().filter(|line| !line.is_empty()) {
        if line.starts_with("m=") {
            close_application(in_application, &mut rest);
            in_application = line.starts_with("m=application");
        }
        let attribute = line.strip_prefix("a=").unwrap_or("");
        if attribute.starts_with("candidate:") {
            if candidates.len() < MAX_REMOTE_CANDIDATES && is_usable(attribute) {
                candidates.push(attribute.to_owned());
            }
        } else if attribute != "end-of-candidates" && !attribute.starts_with("max-message-size:") {
            rest.push_str(line);
            rest.push_str("\r\n");
        }
    }
    close_application(in_application, &mut rest);
    (rest, candidates)
}

fn close_application(in_application: bool, sdp: &mut String) {
    if in_application {
        // Writing to a `String` cannot fail.
        let _ = write!(sdp, "a=max-message-size:{MAX_MESSAGE_BYTES}\r\n");
    }
}

/// Whether a candidate (`candidate:FOUNDATION COMPONENT udp PRIORITY IP PORT typ …`) names an
/// address that checks can go to. Names (`….local`, which browsers use to hide addresses) and TCP
/// are not.
#[must_use]
pub fn is_usable(candidate: &str) -> bool {
    let candidate = candidate.strip_prefix("candidate:").unwrap_or(candidate);
    let fields: Vec<&str> = candidate.split_ascii_whitespace().take(8).collect();
    let [_, "1", protocol, _, ip, port, "typ", _] = fields[..] else {
        return false;
    };
    let Ok(ip) = ip.parse::<IpAddr>() else {
        return false;
    };
    let nowhere = match ip {
        IpAddr::V4(ip) => ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast(),
    };
    protocol.eq_ignore_ascii_case("udp") && !nowhere && port.parse::<u16>().is_ok_and(|p| p != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> SocketAddr {
        address.parse().expect("an address")
    }

    const ANSWER: &str = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
        a=candidate:1 1 udp 1 127.0.0.1 40000 typ host\r\na=end-of-candidates\r\na=mid:0\r\n";

    #[test]
    fn our_candidates_replace_those_of_the_crate() {
        let addresses = [at("192.0.2.1:8080"), at("[2001:db8::1]:8080")];
        let answer = with_candidates(ANSWER, &addresses);
        assert!(!answer.contains("40000"), "{answer}");
        assert!(
            answer.ends_with(
                "a=mid:0\r\na=candidate:1 1 udp 2130706431 192.0.2.1 8080 typ host\r\n\
                 a=candidate:2 1 udp 2130706175 2001:db8::1 8080 typ host\r\na=end-of-candidates\r\n"
            ),
            "{answer}"
        );
    }

    #[test]
    fn every_media_section_gets_them_and_the_session_part_none() {
        let two = format!("{ANSWER}m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:1\n");
        let answer = with_candidates(&two, &[at("192.0.2.1:1")]);
        let sections: Vec<&str> = answer.split("m=").collect();
        let counts: Vec<usize> =
            sections.iter().map(|s| s.matches("a=candidate:").count()).collect();
        assert_eq!(counts, [0, 1, 1], "{answer}");
    }

    #[test]
    fn the_offer_gives_up_its_candidates_and_only_usable_ones_are_tried() {
        let mut offer = ANSWER.to_owned();
        for line in [
            "a=candidate:1 1 udp 2 192.0.2.9 5000 typ host generation 0",
            "a=candidate:1 1 UDP 2 2001:db8::9 5000 typ srflx raddr 0.0.0.0 rport 0",
            "a=candidate:1 1 udp 2 f00-ba4.local 5000 typ host",
            "a=candidate:1 1 tcp 2 192.0.2.9 9 typ host tcptype active",
            "a=candidate:1 2 udp 2 192.0.2.9 5000 typ host",
            "a=candidate:1 1 udp 2 224.0.0.1 5000 typ host",
            "a=candidate:1 1 udp 2 192.0.2.9 0 typ host",
            "a=candidate:",
        ] {
            offer.push_str(line);
            offer.push_str("\r\n");
        }
        let (rest, candidates) = prepare_offer(&offer);
        assert!(!rest.contains("candidate"), "{rest}");
        assert!(rest.ends_with("a=mid:0\r\na=max-message-size:262144\r\n"), "{rest}");
        assert_eq!(candidates.len(), 3, "{candidates:?}");
        assert!(candidates.iter().all(|c| c.starts_with("candidate:1 1 ")));

        let many = "a=candidate:1 1 udp 2 192.0.2.9 5000 typ host\r\n".repeat(1000);
        assert_eq!(prepare_offer(&many).1.len(), MAX_REMOTE_CANDIDATES);
    }

    #[test]
    fn a_bound_address_is_announced_alone_and_a_wildcard_by_its_interfaces() {
        let bound = at("192.0.2.1:7");
        assert_eq!(Candidates::local(bound).addresses(), [bound]);
        let v4 = Candidates::local(at("0.0.0.0:7")).addresses();
        assert_eq!(v4.last().map(ToString::to_string).as_deref(), Some("127.0.0.1:7"));
        assert!(v4.iter().all(SocketAddr::is_ipv4) && v4.len() <= MAX_LOCAL_CANDIDATES);
        let both = Candidates::local(at("[::]:7")).addresses();
        assert!(both.contains(&at("[::1]:7")));
        assert!(both.contains(&at("127.0.0.1:7")));
    }

    #[tokio::test]
    async fn announced_addresses_are_resolved_and_checked() {
        let hosts = |list: &[&str]| list.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>();
        let good = Candidates::announced(&hosts(&["203.0.113.5:8080", "localhost:9"])).await;
        let addresses = good.expect("resolves").addresses();
        assert_eq!(addresses[0], at("203.0.113.5:8080"));
        assert!(addresses[1..].iter().all(|a| a.ip().is_loopback() && a.port() == 9));
        for bad in ["203.0.113.5", "0.0.0.0:8080", "203.0.113.5:0", ""] {
            assert!(Candidates::announced(&hosts(&[bad])).await.is_err(), "{bad:?}");
        }
    }
}

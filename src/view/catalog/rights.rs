//! Who may change cameras, while there is no authentication.
//!
//! The view port is for viewers, and whoever may add a camera has the server connect somewhere. So
//! changes are taken from this machine only, unless `--manage-from` says otherwise. Pages of other
//! sites are refused before, by the origin guard.

use std::net::IpAddr;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use ipnet::IpNet;

use super::super::rest::Rest;
use crate::net::{ApiError, Peer};

/// The networks of `--manage-from`.
#[derive(Debug, Clone, Default)]
pub struct Managers(Vec<IpNet>);

impl Managers {
    /// With none given: this machine, and not through a proxy, behind which anybody can be.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    fn allow(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Result<(), ApiError> {
        let peer = peer.map(|peer| peer.to_canonical());
        let names = ["forwarded", "x-forwarded-for", "x-real-ip", header::VIA.as_str()];
        let forwarded = names.into_iter().any(|name| headers.contains_key(name));
        let fine = match peer {
            Some(peer) if self.0.is_empty() => peer.is_loopback() && !forwarded,
            Some(peer) => self.0.iter().any(|net| net.contains(&peer)),
            None => false,
        };
        if fine {
            return Ok(());
        }
        let to_allow = peer.map_or_else(|| "NETWORK".to_owned(), |peer| peer.to_string());
        let whose = match &*self.0 {
            [] if forwarded => "from this machine and not through a proxy",
            [] => "from this machine",
            _ => "from the networks of --manage-from",
        };
        Err(ApiError::new(
            "forbidden_address",
            format!(
                "cameras can be set up {whose} only; to allow your address: --manage-from {to_allow}"
            ),
        ))
    }
}

/// Whether the client may change cameras and see where they are.
pub(in super::super) struct Rights(pub Result<(), ApiError>);

impl FromRequestParts<Rest> for Rights {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, rest: &Rest) -> Result<Self, Self::Rejection> {
        let Ok(Peer(peer)) = Peer::from_request_parts(parts, rest).await;
        Ok(Self(rest.setup.managers.allow(peer.map(|peer| peer.ip()), &parts.headers)))
    }
}

/// As [`Rights`], refusing who has none before a body is read.
pub(in super::super) struct Manager;

impl FromRequestParts<Rest> for Manager {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, rest: &Rest) -> Result<Self, ApiError> {
        let Ok(Rights(rights)) = Rights::from_request_parts(parts, rest).await;
        rights.map(|()| Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(managers: &Managers, peer: &str, forwarded: bool) -> bool {
        let mut headers = HeaderMap::new();
        if forwarded {
            headers.insert("x-forwarded-for", header::HeaderValue::from_static("127.0.0.1"));
        }
        managers.allow(Some(peer.parse().unwrap()), &headers).is_ok()
    }

    #[test]
    fn by_default_only_this_machine_may_and_nobody_behind_a_proxy() {
        let managers = Managers::default();
        for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(allowed(&managers, peer, false), "{peer}");
            assert!(!allowed(&managers, peer, true), "{peer}");
        }
        assert!(!allowed(&managers, "192.168.1.7", false));
        assert!(managers.allow(None, &HeaderMap::new()).is_err());
        let refused = managers.allow("192.168.1.7".parse().ok(), &HeaderMap::new()).unwrap_err();
        assert!(refused.message.contains("--manage-from 192.168.1.7"), "{}", refused.message);
    }

    #[test]
    fn named_networks_may_through_a_proxy_too() {
        let managers = Managers::new(vec!["192.168.1.0/24".parse().unwrap()]);
        assert!(allowed(&managers, "192.168.1.7", false));
        assert!(allowed(&managers, "::ffff:192.168.1.7", true));
        assert!(!allowed(&managers, "192.168.2.7", false));
        assert!(!allowed(&managers, "127.0.0.1", false), "then it has to be named too");
    }
}

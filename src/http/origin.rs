//! Which sites' pages may use a port (RFC 6454, and the Fetch standard's CORS protocol).
//!
//! A browser lets any page open a WebSocket to any server, so without this a page of a stranger could
//! watch the cameras of whoever visits it. Programs that are no browser send no `Origin` and pass.
//!
//! A stranger's page can also have its own name answered with this server's address (DNS rebinding);
//! then its `Origin` and `Host` agree. So a public name is only served if it is allowed.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    net::{ApiError, WebSocketUpgrade},
    telemetry::SeldomEach,
};

/// Between two lines of the same page or name that was refused.
const REFUSALS_PERIOD: Duration = Duration::from_secs(60);

/// Most characters of a stranger's words in the log.
const MAX_LOGGED: usize = 300;

/// How long a browser may remember a preflight's answer, in seconds.
const PREFLIGHT_MAX_AGE: &str = "600";

/// Headers of ours that a page elsewhere may read.
const EXPOSED: &str = "etag, location, retry-after, x-framecast-seq, x-framecast-captured-us, \
                       x-framecast-received-us, x-framecast-age-ms";

/// Zones that public DNS never answers for: RFC 6761 and 6762, RFC 8375, and what routers and container
/// networks use.
const PRIVATE_ZONES: [&str; 5] = [".localhost", ".local", ".home.arpa", ".internal", ".lan"];

/// The sites of `--allow-origin`, beside the server's own pages and those on the same machine.
#[derive(Debug, Clone)]
pub struct Origins(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    allowed: Vec<String>,
    /// For lines of pages that were refused.
    refusals: SeldomEach,
}

impl Default for Origins {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl Origins {
    /// Each as a browser sends it, `https://host` or `http://host:port`; `*` is any.
    pub fn new(allowed: &[String]) -> Self {
        let plain = |origin: &String| origin.trim_end_matches('/').to_ascii_lowercase();
        let allowed = allowed.iter().map(plain).collect();
        Self(Arc::new(Inner { allowed, refusals: SeldomEach::new(REFUSALS_PERIOD) }))
    }

    /// Whether the server may be called by this name: an address, a name that no public DNS can
    /// answer, or the host of an allowed site.
    fn knows(&self, authority: &str) -> bool {
        let host = host_of(authority).trim_end_matches('.').to_ascii_lowercase();
        let private = |zone: &&str| host.strip_suffix(*zone).is_some_and(|rest| !rest.is_empty());
        host.parse::<IpAddr>().is_ok()
            || !host.contains('.')
            || PRIVATE_ZONES.iter().any(private)
            || self.0.allowed.iter().any(|allowed| {
                let theirs = allowed.split_once("://").map(|(_, authority)| host_of(authority));
                allowed == "*" || theirs == Some(&host)
            })
    }

    fn allow(&self, origin: &str, host: Option<&str>) -> bool {
        let origin = origin.to_ascii_lowercase();
        if self.0.allowed.iter().any(|allowed| *allowed == "*" || *allowed == origin) {
            return true;
        }
        let (Some((_, theirs)), Some(ours)) = (origin.split_once("://"), host) else {
            return false;
        };
        // A page served on this machine, such as a page's development server, is its owner's.
        theirs.eq_ignore_ascii_case(ours) || is_loopback(theirs) && is_loopback(ours)
    }

    fn refuse(&self, request: Request, message: String) -> Response {
        let logged: String = message.chars().take(MAX_LOGGED).collect();
        // By what it says: who it is about stands first in it.
        if let Some(unsaid) = self.0.refusals.event(&logged) {
            tracing::warn!("request refused: {logged:?}{unsaid}");
        }
        let error = ApiError::new("forbidden_origin", message);
        let (mut parts, _) = request.into_parts();
        match WebSocketUpgrade::from_parts(&mut parts) {
            Some(upgrade) => upgrade.refuse(error),
            None => error.into_response(),
        }
    }
}

/// The host of a `host[:port]`.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// Whether a `host[:port]` names this very machine.
fn is_loopback(authority: &str) -> bool {
    let host = host_of(authority);
    let by_number = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    by_number || host.eq_ignore_ascii_case("localhost")
}

/// Refuses pages of other sites, and tells browsers that the others may read the answers.
pub(super) async fn guard(
    State(origins): State<Origins>,
    request: Request,
    next: Next,
) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if let Some(host) = host.filter(|host| !origins.knows(host)) {
        let message = format!(
            "this server is not known as {host}; to allow it: --allow-origin http://{host}"
        );
        return origins.refuse(request, message);
    }
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else {
        return next.run(request).await;
    };
    if !origin.to_str().is_ok_and(|origin| origins.allow(origin, host)) {
        let origin = String::from_utf8_lossy(origin.as_bytes());
        let message = format!(
            "pages of {origin} may not use this server; to allow it: --allow-origin {origin}"
        );
        return origins.refuse(request, message);
    }
    let preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response =
        if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    allow(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    if preflight {
        allow(headers, header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, PATCH, DELETE");
        allow(
            headers,
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "content-type, if-match, if-none-match",
        );
        allow(headers, header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE);
        // A public site's page that calls a machine at home (Private Network Access).
        let private = HeaderName::from_static("access-control-allow-private-network");
        allow(headers, private, "true");
    }
    response
}

fn allow(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_pages_and_pages_of_the_same_machine_pass_and_others_do_not() {
        let origins = Origins::default();
        let pass = |origin: &str, host| origins.allow(origin, Some(host));
        assert!(pass("http://cam.example:8081", "cam.example:8081"));
        assert!(pass("https://CAM.example", "cam.example"));
        assert!(pass("http://localhost:5173", "127.0.0.1:8081"));
        assert!(pass("http://[::1]:5173", "localhost:8081"));
        assert!(!pass("http://evil.example", "cam.example:8081"));
        assert!(!pass("http://evil.example", "localhost:8081"));
        assert!(!pass("http://localhost:5173", "cam.example:8081"));
        assert!(!pass("http://localhost.evil.example", "localhost:8081"));
        assert!(!pass("http://127.0.0.1.evil.example", "127.0.0.1:8081"));
        assert!(!pass("null", "localhost:8081"));
        assert!(!origins.allow("http://localhost", None));
    }

    #[test]
    fn a_public_name_is_served_only_if_it_is_allowed() {
        let origins = Origins::new(&["https://cam.example".to_owned()]);
        for known in [
            "127.0.0.1:8081",
            "[::1]:8081",
            "192.0.2.7",
            "localhost",
            "framecast:8081",
            "pi.local",
            "cam.example",
            "CAM.example:443",
            "nas.lan.",
            "a.b.home.arpa",
        ] {
            assert!(origins.knows(known), "{known}");
        }
        for unknown in ["evil.example:8081", "127.0.0.1.evil.example", ".local.evil.example"] {
            assert!(!origins.knows(unknown), "{unknown}");
        }
        assert!(Origins::new(&["*".to_owned()]).knows("anything.example"));
    }

    #[test]
    fn allowed_sites_pass_to_the_letter_and_a_star_is_any() {
        let origins = Origins::new(&["https://wall.example/".to_owned()]);
        assert!(origins.allow("https://Wall.example", Some("cam.example")));
        assert!(!origins.allow("http://wall.example", Some("cam.example")));
        assert!(!origins.allow("https://wall.example:444", Some("cam.example")));
        assert!(Origins::new(&["*".to_owned()]).allow("null", None));
    }
}

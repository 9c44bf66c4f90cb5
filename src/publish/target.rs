//! Where to publish.

use http::Uri;

/// A server's publisher port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Host and port as in a `Host` header.
    authority: String,
    /// To connect to.
    pub(super) host: String,
    pub(super) port: u16,
    /// What stands before the server's own paths, behind a proxy.
    prefix: String,
}

impl Target {
    /// The publish WebSocket of a camera.
    pub(super) fn url(&self, camera: &str, name: Option<&str>) -> String {
        let name = name.map(|name| format!("?name={}", escape(name))).unwrap_or_default();
        format!("ws://{}{}/publish/{}{name}", self.authority, self.prefix, escape(camera))
    }
}

/// `ws://HOST:PORT`, `http://HOST:PORT`, or `HOST:PORT`.
pub(super) fn parse(text: &str) -> Result<Target, String> {
    let bad = || "use ws://HOST:PORT or http://HOST:PORT of the server's publisher port".to_owned();
    let full = if text.contains("://") { text.to_owned() } else { format!("ws://{text}") };
    let uri: Uri = full.parse().map_err(|_| bad())?;
    match uri.scheme_str() {
        Some("ws" | "http") => {}
        Some("wss" | "https") => {
            return Err(
                "this command speaks plain ws:// and http:// only; publish to the server's \
                        own port, or through an SSH tunnel or VPN"
                    .into(),
            );
        }
        _ => return Err(bad()),
    }
    let authority = uri.authority().ok_or_else(bad)?;
    if authority.as_str().contains('@') || uri.query().is_some() {
        return Err(bad());
    }
    Ok(Target {
        authority: authority.to_string(),
        host: authority.host().trim_matches(['[', ']']).to_owned(),
        port: authority.port_u16().unwrap_or(80),
        prefix: uri.path().trim_end_matches('/').to_owned(),
    })
}

/// Percent-encodes all but RFC 3986's unreserved characters.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_naming_a_server_leads_to_its_publish_socket() {
        for (text, host, port, url) in [
            ("ws://127.0.0.1:8080", "127.0.0.1", 8080, "ws://127.0.0.1:8080/publish/door"),
            ("http://cams.lan:9/", "cams.lan", 9, "ws://cams.lan:9/publish/door"),
            ("[::1]:8080", "::1", 8080, "ws://[::1]:8080/publish/door"),
            ("http://cams.lan/in/", "cams.lan", 80, "ws://cams.lan/in/publish/door"),
        ] {
            let target = parse(text).unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, port), "{text}");
            assert_eq!(target.url("door", None), url);
        }
        let target = parse("localhost:1").unwrap();
        assert_eq!(
            target.url("a/b", Some("Front dóor")),
            "ws://localhost:1/publish/a%2Fb?name=Front%20d%C3%B3or"
        );
    }

    #[test]
    fn what_cannot_be_published_to_is_refused() {
        for bad in ["", "ftp://x", "wss://x", "https://x", "ws://", "ws://u:p@x", "ws://x/?a=b"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}

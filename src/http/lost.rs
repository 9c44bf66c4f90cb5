//! Requests with a method that a path has not: what is answered, and what the log says of those that are
//! sent where nothing is.
//!
//! Belongs here: words for who lost the way. Does not: which path has which methods, which the router
//! knows and says in `Allow`.

use std::time::Duration;

use axum::http::Method;

use crate::{net::ApiError, telemetry::SeldomEach};

/// Between two lines of one path.
const PERIOD: Duration = Duration::from_secs(60);

/// Characters of a path or method that are shown; no route of this server has as many.
const MAX_SHOWN: usize = 100;

/// Of a path that is there.
pub(super) async fn other_method(method: Method) -> ApiError {
    refusal(&method, "docs/protocol.md has what is")
}

fn refusal(method: &Method, hint: &str) -> ApiError {
    let method: String = method.as_str().chars().take(MAX_SHOWN).collect();
    ApiError::new("method_not_allowed", format!("{method} is not for this path; {hint}"))
}

/// Who sends something to one port where there is nothing to send to.
#[derive(Debug)]
pub(super) struct Lost {
    hint: &'static str,
    told: SeldomEach,
}

impl Lost {
    /// `hint` says where to send it instead.
    pub(super) fn new(hint: &'static str) -> Self {
        Self { hint, told: SeldomEach::new(PERIOD) }
    }

    /// What is answered. In the log too, as many programs that send pictures show no answer: once a minute
    /// and path, so that who tries some paths hides no encoder that is set up for a wrong one; from as many on as
    /// [`SeldomEach`] remembers, they share one line.
    pub(super) fn refuse(&self, method: &Method, path: &str) -> ApiError {
        let error = refusal(method, self.hint);
        let path = plain(path);
        if let Some(unsaid) = self.told.event(&path) {
            tracing::warn!(path, "refused a request: {}{unsaid}", error.message);
        }
        error
    }
}

/// A path as programs mean it that join it of pieces: without empty ones, and no longer than is shown.
fn plain(path: &str) -> String {
    let mut plain = String::new();
    for piece in path.split('/').filter(|piece| !piece.is_empty()) {
        plain.push('/');
        plain.push_str(piece);
        if plain.len() > MAX_SHOWN {
            break;
        }
    }
    if plain.is_empty() {
        plain.push('/');
    }
    plain.chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_scanner_hides_no_encoder_that_is_set_up_for_a_wrong_path() {
        let lost = Lost::new("publish at /publish/{camera}");
        let error = lost.refuse(&Method::POST, "/live//door/");
        assert_eq!(error.code, "method_not_allowed");
        assert_eq!(error.message, "POST is not for this path; publish at /publish/{camera}");
        assert_eq!(lost.told.event("/live/door"), None, "told, however many slashes it has");
        for n in 0..50 {
            lost.refuse(&Method::POST, &format!("/cgi-bin/{n}"));
        }
        assert!(lost.told.event("/upload").is_some());
        tokio::time::advance(PERIOD).await;
        assert!(lost.told.event("/live/door").is_some());
    }

    #[test]
    fn what_is_shown_of_a_request_is_bounded() {
        for (path, shown) in [("", "/"), ("///", "/"), ("/a//b/", "/a/b"), ("a", "/a")] {
            assert_eq!(plain(path), shown);
        }
        assert_eq!(plain(&"/x".repeat(10_000)).len(), MAX_SHOWN);
        assert_eq!(plain(&"x".repeat(10_000)).len(), MAX_SHOWN);
        let brew = Method::from_bytes(&[b'B'; 10_000]).unwrap();
        let lost = Lost::new("publish elsewhere");
        assert!(lost.refuse(&brew, "/").message.len() < 2 * MAX_SHOWN);
    }
}

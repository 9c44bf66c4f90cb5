//! A GET of a camera's address over HTTP/1.1, with its login and within bounds.
//!
//! Belongs here: the request, redirects, basic and digest authentication. Does
//! not: what the answer is.

use bytes::Bytes;
use http_auth::{PasswordClient, PasswordParams};
use http_body_util::Empty;
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{AUTHORIZATION, CONNECTION, HOST, LOCATION, USER_AGENT, WWW_AUTHENTICATE},
};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;

use super::{dial::dial, live::Dial, words};
use crate::{
    net::guard::{MAX_REDIRECTS, Pinned},
    relay::{Failure, Source},
    wire::Secret,
};

/// Longest header of an answer, in bytes.
const MAX_HEADER: usize = 32 << 10;

/// An answer whose body comes; the connection ends when this is dropped.
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    pub(super) _connection: Connection,
}

/// Ends its task.
pub(super) struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Asks, follows redirects that the guard lets through, and logs in where that is asked for.
pub(super) async fn get(to: &Dial<'_>, mut pinned: Pinned) -> Result<Answer, Failure> {
    let source = to.source;
    let mut path = source.path.clone();
    let mut authorization: Option<String> = None;
    let mut redirects = 0;
    loop {
        let answer = ask(to, &pinned, &path, authorization.as_deref()).await;
        let is_elsewhere = !pinned.url.same_peer(&source.url);
        let answer = answer.map_err(|failure| match failure.code {
            "untrusted" if is_elsewhere => words::untrusted_elsewhere(&pinned.url),
            _ => failure,
        })?;
        let status = answer.response.status();
        if status.is_success() {
            return Ok(answer);
        }
        if status == StatusCode::UNAUTHORIZED
            && authorization.is_none()
            && let Some(login) = log_in(&answer.response, source, &pinned, &path)
        {
            authorization = Some(login);
            continue;
        }
        let has_login = source.username.is_some() || source.password.is_some();
        if status == StatusCode::UNAUTHORIZED && is_elsewhere && has_login {
            return Err(words::login_elsewhere(&pinned.url));
        }
        let location = answer.response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
        let (true, Some(location)) = (status.is_redirection(), location) else {
            return Err(words::of_status(status.as_u16(), source));
        };
        redirects += 1;
        if redirects > MAX_REDIRECTS {
            return Err(words::of_status(status.as_u16(), source));
        }
        let next = to.guard.redirect(&pinned.url, location).await;
        let next = next.map_err(|error| words::refused(&error))?;
        path = next.path.unwrap_or_else(|| Secret::new(next.to.url.path.clone()));
        pinned = next.to;
        authorization = None;
    }
}

/// One request on a connection of its own.
async fn ask(
    to: &Dial<'_>,
    pinned: &Pinned,
    path: &Secret,
    authorization: Option<&str>,
) -> Result<Answer, Failure> {
    let stream = dial(to, pinned).await?;
    let garbage = |_| words::garbage("HTTP");
    let handshake = http1::Builder::new()
        .max_buf_size(MAX_HEADER)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
        .await;
    let (mut sender, connection) = handshake.map_err(garbage)?;
    let connection = Connection(tokio::spawn(async move {
        // How it ends is seen by the one who reads the answer.
        let _ = connection.await;
    }));
    let mut request = Request::get(path.reveal())
        .header(HOST, pinned.url.authority())
        .header(USER_AGENT, concat!("framecast/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close");
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    let request = request.body(Empty::new()).map_err(|_| words::garbage("an address"))?;
    let response = sender.send_request(request).await.map_err(garbage)?;
    Ok(Answer { response, _connection: connection })
}

/// The answer to a challenge; only for whom the login was set.
fn log_in(
    response: &Response<Incoming>,
    source: &Source,
    pinned: &Pinned,
    path: &Secret,
) -> Option<String> {
    let username = source.username.as_deref().filter(|_| pinned.url.same_peer(&source.url))?;
    let password = source.password.as_ref().map_or("", |password| password.reveal());
    let challenges = response.headers().get_all(WWW_AUTHENTICATE).iter();
    let challenges: Vec<_> = challenges.filter_map(|text| text.to_str().ok()).collect();
    let mut client = PasswordClient::try_from(&challenges.join(", ")[..]).ok()?;
    let (uri, method, body) = (path.reveal(), "GET", Some(&[][..]));
    client.respond(&PasswordParams { username, password, uri, method, body }).ok()
}

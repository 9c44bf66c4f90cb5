//! Reading a request, with this server's errors.

use std::{net::SocketAddr, time::Duration};

use axum::{
    RequestPartsExt as _,
    extract::{
        ConnectInfo, FromRequest, FromRequestParts, Path, Request, rejection::QueryRejection,
    },
    http::request::Parts,
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{ApiError, Lifetime};

/// As axum's `Query`; what cannot be read is a `bad_request` that names the parameter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = axum::extract::Query::try_from_uri(&parts.uri);
        query.map(|axum::extract::Query(query)| Self(query)).map_err(|rejection| {
            let message = match &rejection {
                QueryRejection::FailedToDeserializeQueryString(inner) => inner.body_text(),
                other => other.body_text(),
            };
            let told = message.trim_start_matches("Failed to deserialize query string: ");
            let told = match told.split_once(": ") {
                Some((name, reason)) => format!("{name}: {}", plain(reason)),
                None => told.to_owned(),
            };
            ApiError::new("bad_request", format!("query parameter {told}"))
        })
    }
}

/// What the libraries say of a value, in words for whoever wrote it.
fn plain(reason: &str) -> &str {
    match reason {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "use a whole number"
        }
        "invalid float literal" | "cannot parse float from empty string" => "use a number",
        reason if reason.contains("expected a nonzero") => "use a whole number above 0",
        reason if reason.starts_with("number too large") => "the number is too large",
        reason => reason,
    }
}

/// The path's one parameter as it was sent, percent-decoded. Text that is not UTF-8 comes with
/// replacement characters, which no id of this server has.
#[derive(Debug, Clone)]
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let id = parts.extract::<Path<String>>().await;
        Ok(Self(id.map_or_else(|_| "\u{FFFD}".to_owned(), |Path(id)| id)))
    }
}

/// Most bytes of a JSON body: a thousand times what one has.
const MAX_JSON: usize = 64 << 10;

/// How long a JSON body may take.
const JSON_TIMEOUT: Duration = Duration::from_secs(10);

/// A JSON object as the body, whatever its Content-Type: `curl -d` says that it is a form. No error
/// repeats any of it.
#[derive(Debug, Clone)]
pub struct JsonObject(pub Map<String, Value>);

impl<S: Sync> FromRequest<S> for JsonObject {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        object(&whole(request).await?).map(Self)
    }
}

/// As [`JsonObject`]; no body at all is an empty object.
#[derive(Debug, Clone)]
pub struct MaybeJsonObject(pub Map<String, Value>);

impl<S: Sync> FromRequest<S> for MaybeJsonObject {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = whole(request).await?;
        if body.is_empty() { Ok(Self(Map::new())) } else { object(&body).map(Self) }
    }
}

async fn whole(request: Request) -> Result<Bytes, ApiError> {
    let body = Limited::new(request.into_body(), MAX_JSON).collect();
    let late = |_| ApiError::new("timeout", "the body did not come within 10 s");
    let body = tokio::time::timeout(JSON_TIMEOUT, body).await.map_err(late)?;
    let body = body.map_err(|error| {
        if error.is::<LengthLimitError>() {
            ApiError::new("too_large", format!("the body has more than {MAX_JSON} bytes"))
        } else {
            ApiError::new("bad_request", "the body breaks off")
        }
    })?;
    Ok(body.to_bytes())
}

fn object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if body.is_empty() {
        return Err(ApiError::new(
            "bad_request",
            "the body is empty; it must be a JSON object: {…}",
        ));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(ApiError::new("bad_request", "the body must be a JSON object: {…}")),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let message = format!("the body is not JSON, see line {line}, column {column}");
            Err(ApiError::new("bad_request", message))
        }
    }
}

/// Where the client connects from; `None` only where a router is called without a server.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub Option<SocketAddr>);

impl Peer {
    pub(super) fn of(parts: &Parts) -> Self {
        Self(parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(addr)| *addr))
    }
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(parts))
    }
}

impl<S: Sync> FromRequestParts<S> for Lifetime {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // Missing only where a router is called without a server, as tests do.
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

//! Reading a request, with this server's errors.

use axum::{
    RequestPartsExt as _,
    extract::{FromRequestParts, Path, rejection::QueryRejection},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

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
            ApiError::new("bad_request", format!("query parameter {told}"))
        })
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

impl<S: Sync> FromRequestParts<S> for Lifetime {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // Missing only where a router is called without a server, as tests do.
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

//! The pages, built by `npm run build` and embedded in the binary.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

/// The capture page, at `/` of the ingest port.
#[derive(Debug, RustEmbed)]
#[folder = "capture-web/dist"]
pub struct Capture;

/// The viewer page, at `/` of the view port.
#[derive(Debug, RustEmbed)]
#[folder = "viewer-web/dist"]
pub struct Viewer;

/// A file of a page; `/` is its `index.html`.
pub async fn page<Page: RustEmbed>(uri: Uri) -> Response {
    let path = Some(uri.path().trim_start_matches('/')).filter(|path| !path.is_empty());
    let path = path.unwrap_or("index.html");
    match Page::get(path) {
        Some(file) => serve(file, path),
        None if path == "index.html" => Html(NOT_BUILT).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn serve(file: EmbeddedFile, path: &str) -> Response {
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let mut response = Response::new(Body::from(file.data));
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(kind.as_ref()) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    response
}

const NOT_BUILT: &str = "<!doctype html><title>framecast</title><p>This server was built without its pages. \
Install Node.js and run <code>make build</code>.";

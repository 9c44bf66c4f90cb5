//! The pages, built by `npm run build` and embedded in the binary.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

use crate::net::{ApiError, is_known};

/// The capture page, at `/` of the ingest port.
#[derive(Debug, RustEmbed)]
#[folder = "capture-web/dist"]
pub(super) struct Capture;

/// The viewer page, at `/` of the view port.
#[derive(Debug, RustEmbed)]
#[folder = "viewer-web/dist"]
pub(super) struct Viewer;

/// What is for other sites' pages: the element, and the page that shows one camera in a frame.
#[derive(Debug, RustEmbed)]
#[folder = "embed-web/dist"]
struct Embed;

/// What a page may load. Styles may be inline, for elements that move; scripts may not.
const POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' blob: data:; \
                      media-src 'self' blob:; worker-src 'self' blob:; \
                      style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; \
                      form-action 'none'";

/// Headers of every file.
const HEADERS: [(&str, &str); 3] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("vary", "accept-encoding"),
];

/// The element as a script of any site's page, classic or module. There is nothing secret in it; what
/// it asks the server for is guarded.
pub(super) async fn element(headers: HeaderMap) -> Response {
    let mut response = embedded("framecast-view.js", &headers);
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let anywhere = HeaderValue::from_static("cross-origin");
    headers.insert("cross-origin-resource-policy", anywhere);
    response
}

/// One camera, for a frame in any site's page: it shows what it shows to whoever looks, and the site
/// around it can read none of it.
pub(super) async fn embed(headers: HeaderMap) -> Response {
    let mut response = embedded("embed.html", &headers);
    policy(&mut response, "frame-ancestors *");
    response
}

/// The script of [`embed`].
pub(super) async fn embed_script(headers: HeaderMap) -> Response {
    embedded("embed-page.js", &headers)
}

fn embedded(path: &str, headers: &HeaderMap) -> Response {
    serve::<Embed>(path, headers).unwrap_or_else(not_built)
}

fn policy(response: &mut Response, further: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("{POLICY}; {further}")) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, value);
    }
}

/// A file of a page; `/` is its `index.html`.
pub(super) async fn page<Page: RustEmbed>(uri: Uri, headers: HeaderMap) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    match serve::<Page>(path, &headers) {
        Some(mut response) => {
            policy(&mut response, "frame-ancestors 'self'");
            let own = HeaderValue::from_static("same-origin");
            response.headers_mut().insert("cross-origin-opener-policy", own);
            response
        }
        None if path == "index.html" => not_built(),
        None => ApiError::new("not_found", format!("there is no {}", uri.path())).into_response(),
    }
}

/// `None` when there is no such file.
fn serve<Page: RustEmbed>(path: &str, request: &HeaderMap) -> Option<Response> {
    let plain = Page::get(path)?;
    // The build has compressed what is worth it.
    let small = takes_gzip(request).then(|| Page::get(&format!("{path}.gz"))).flatten();
    let is_small = small.is_some();
    let kind = plain.metadata.mimetype().to_owned();
    let file = small.unwrap_or(plain);
    let hash = file.metadata.sha256_hash();
    let hex: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let etag = format!("\"{hex}\"");
    let known = is_known(request, &etag);
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind)], Body::from(file.data)).into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if is_small && !known {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    // The build puts a hash of the content into the names below assets/.
    let hashed = path.starts_with("assets/");
    let cache = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    Some(response)
}

/// Whether the client takes gzip (RFC 9110, section 12.5.3).
fn takes_gzip(request: &HeaderMap) -> bool {
    let values = request.get_all(header::ACCEPT_ENCODING).iter();
    let mut codings = values.filter_map(|value| value.to_str().ok()).flat_map(|all| all.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_some_and(|q| q > 0.0)
    })
}

/// What a server says that was built without Node.js.
fn not_built() -> Response {
    let page = include_str!("not_built.html");
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (headers, page).into_response()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use rust_embed::{EmbeddedFile, Metadata};

    use super::*;

    struct Built;

    impl RustEmbed for Built {
        fn get(path: &str) -> Option<EmbeddedFile> {
            let (data, hash, kind): (&[u8], _, _) = match path {
                "index.html" => (b"hello", 7, "text/html"),
                "assets/app-1a2b.js" => (b"hello", 8, "text/javascript"),
                "assets/app-1a2b.js.gz" => (b"small", 9, "application/gzip"),
                _ => return None,
            };
            let metadata = Metadata::__rust_embed_new([hash; 32], None, None, kind);
            Some(EmbeddedFile { data: Cow::Borrowed(data), metadata })
        }

        fn iter() -> impl Iterator<Item = Cow<'static, str>> + 'static {
            std::iter::empty()
        }
    }

    struct Empty;

    impl RustEmbed for Empty {
        fn get(_: &str) -> Option<EmbeddedFile> {
            None
        }

        fn iter() -> impl Iterator<Item = Cow<'static, str>> + 'static {
            std::iter::empty()
        }
    }

    fn header<'a>(response: &'a Response, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn hashed_files_are_kept_and_the_index_is_asked_for_again() {
        let get = async |path: &'static str| {
            page::<Built>(Uri::from_static(path), HeaderMap::new()).await
        };
        let index = get("/").await;
        assert_eq!(header(&index, "content-type"), "text/html");
        assert_eq!(header(&index, "cache-control"), "no-cache");
        assert!(header(&index, "content-security-policy").contains("object-src 'none'"));
        let script = get("/assets/app-1a2b.js").await;
        assert_eq!(header(&script, "content-type"), "text/javascript");
        assert!(header(&script, "cache-control").contains("immutable"));
        assert_eq!(get("/nothing").await.status(), StatusCode::NOT_FOUND);

        let ask = async |condition: String| {
            let mut again = HeaderMap::new();
            again.insert(header::IF_NONE_MATCH, HeaderValue::from_str(&condition).unwrap());
            page::<Built>(Uri::from_static("/"), again).await
        };
        let tag = header(&index, "etag");
        // A proxy that compresses makes the tag weak.
        for known in [tag, &format!("W/{tag}"), &format!("\"other\", {tag}"), "*"] {
            let unchanged = ask(known.to_owned()).await;
            assert_eq!(unchanged.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(header(&unchanged, "etag"), tag);
        }
        assert_eq!(ask("W/\"other\"".to_owned()).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_client_that_takes_gzip_gets_what_the_build_compressed() {
        let get = async |path: &'static str, codings: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(codings));
            page::<Built>(Uri::from_static(path), headers).await
        };
        let script = "/assets/app-1a2b.js";
        let plain = get(script, "br, gzip;q=0").await;
        for codings in ["gzip", "deflate, GZIP;q=0.5, br"] {
            let small = get(script, codings).await;
            assert_eq!(header(&small, "content-encoding"), "gzip");
            assert_eq!(header(&small, "content-type"), "text/javascript");
            assert_eq!(header(&small, "vary"), "accept-encoding");
            assert_ne!(small.headers()[header::ETAG], plain.headers()[header::ETAG]);
            let body = axum::body::to_bytes(small.into_body(), 1 << 20).await.unwrap();
            assert_eq!(body, "small");
        }
        for response in [plain, get("/", "gzip").await] {
            assert_eq!(header(&response, "content-encoding"), "");
            let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
            assert_eq!(body, "hello");
        }
    }

    #[tokio::test]
    async fn a_server_without_its_pages_says_what_to_do() {
        let response = page::<Empty>(Uri::from_static("/"), HeaderMap::new()).await;
        assert_eq!(response.status(), StatusCode::OK);
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        assert!(String::from_utf8_lossy(&body).contains("make build"));
    }
}

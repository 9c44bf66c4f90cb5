//! The routes of each port.

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderMap, Method, Uri},
    middleware::from_fn_with_state,
    response::Response,
    routing::get,
};
use rust_embed::RustEmbed;
use tokio_util::sync::CancellationToken;

use super::{
    Origins,
    lost::{Lost, other_method},
    origin::guard,
    pages::{Capture, Viewer, element, embed, embed_script, page},
};
use crate::{
    ingest::{self, Ingest, dialect, signaling, webrtc::Port},
    net::{Talk, WebSocketUpgrade},
    view::{
        self, Rest,
        stream::{Streams, stream},
        whep::{self, Whep},
    },
    wire::signal,
};

/// What the ingest port's routes need.
#[derive(Debug, Clone)]
pub struct IngestPort {
    /// Hands out producers.
    pub ingest: Ingest,
    /// The UDP port of all WebRTC publishers.
    pub webrtc: Arc<Port>,
    /// Cancelled when the server drains.
    pub shutdown: CancellationToken,
    /// Who may call from a browser.
    pub origins: Origins,
}

/// What the view port's routes need.
#[derive(Debug)]
pub struct ViewPort {
    /// The streaming viewers.
    pub streams: Streams,
    /// What REST answers.
    pub rest: Rest,
    /// Video over WebRTC.
    pub whep: Whep,
    /// Who may call from a browser.
    pub origins: Origins,
}

/// Signaling, publishing, and the capture page.
pub fn ingest_port(port: IngestPort) -> Router {
    let IngestPort { ingest, webrtc, shutdown, origins } = port;
    let shared = (ingest.clone(), webrtc.clone(), shutdown.clone());
    let signal = async move |upgrade: WebSocketUpgrade| {
        let peer = upgrade.peer();
        upgrade.on_socket(signal::MAX_TEXT_BYTES, async move |socket| {
            let (ingest, webrtc, shutdown) = shared;
            let talk = Talk::new(socket).with_peer(peer);
            signaling::serve(talk, None, &ingest, &webrtc, shutdown).await;
        })
    };
    let publish = ingest::routes(&ingest);
    let either = move |upgrade: WebSocketUpgrade| {
        let peer = upgrade.peer();
        upgrade.on_socket(dialect::max_socket_message(&ingest), async move |socket| {
            let talk = Talk::new(socket).with_peer(peer);
            dialect::serve(talk, &ingest, &webrtc, shutdown).await;
        })
    };
    let routes = publish.route("/signal", get(signal));
    let lost = "publish at /publish/{camera}, such as /publish/door";
    finish::<Capture>(routes, either, origins, lost)
}

/// Streaming, stills, figures, the viewer page, and what other sites' pages embed.
pub fn view_port(port: ViewPort) -> Router {
    let ViewPort { streams, rest, whep, origins } = port;
    let legacy = streams.clone();
    let legacy = move |upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(|stream, read| legacy.serve_legacy(stream, read))
    };
    let routes = Router::new().route("/stream", get(stream)).with_state(streams);
    let routes = routes
        .merge(view::routes(rest))
        .merge(whep::routes(whep))
        .route("/embed/{camera}", get(embed))
        .route("/embed-page.js", get(embed_script));
    let lost = "this port is for viewers; publish on the ingest port, 8080 unless it was set, at \
                /publish/{camera}";
    // Outside of the guard: a page that may not watch is to load the element, which then says why.
    finish::<Viewer>(routes, legacy, origins, lost)
        .route("/framecast-view.js", get(element).fallback(other_method))
}

/// Adds what every port has: `/` as a page or a WebSocket, the page's files, and the origin guard. Who
/// sends something where there is nothing to send to is told where to, by `lost`.
fn finish<Page: RustEmbed + 'static>(
    routes: Router,
    socket: impl FnOnce(WebSocketUpgrade) -> Response + Clone + Send + Sync + 'static,
    origins: Origins,
    lost: &'static str,
) -> Router {
    let root = async move |upgrade: Option<WebSocketUpgrade>, uri: Uri, headers: HeaderMap| {
        match upgrade {
            Some(upgrade) => socket(upgrade),
            None => page::<Page>(uri, headers).await,
        }
    };
    let lost = Arc::new(Lost::new(lost));
    let lost = async move |method: Method, uri: Uri| lost.refuse(&method, uri.path());
    routes
        .method_not_allowed_fallback(other_method)
        .route("/", get(root).fallback(lost.clone()))
        .fallback(get(page::<Page>).fallback(lost))
        .layer(from_fn_with_state(origins, guard))
}

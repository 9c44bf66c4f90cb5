//! The doors that legacy clients use, on ports of their own, and a client of the ingest door.

#[path = "eventually.rs"]
mod waiting;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use framecast::{
    ingest::{
        Ingest, dialect,
        webrtc::{Candidates, Dropper, Port},
    },
    net::{self, Lifetime, Talk, WebSocketUpgrade},
    relay::{Camera, Clock, Limits, Presence, Registry},
    view::{
        legacy_api::{self, StoreHealth},
        stream::Streams,
    },
    wire::jpeg,
};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, protocol::WebSocketConfig},
};

pub use self::waiting::eventually;

const PATIENCE: Duration = Duration::from_secs(10);

/// Largest frame these servers take.
pub const MAX_FRAME_BYTES: usize = 100_000;

/// See the module's header.
pub struct Server {
    pub registry: Arc<Registry>,
    pub lifetime: Lifetime,
    pub ingest: SocketAddr,
    pub view: SocketAddr,
    pub api: SocketAddr,
}

impl Server {
    pub async fn start() -> Self {
        Self::with(Limits::default(), Router::new(), None).await
    }

    /// With other limits, further routes on the ingest port, and packets that get lost.
    pub async fn with(mut limits: Limits, more: Router, dropper: Option<Box<Dropper>>) -> Self {
        limits.frame.max_bytes = MAX_FRAME_BYTES;
        let registry = Registry::new(limits, Clock::system());
        let lifetime = Lifetime::default();
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let candidates = Candidates::local(udp.local_addr().expect("bound"));
        let port = match dropper {
            Some(dropper) => Port::lossy(udp, candidates, dropper),
            None => Port::new(udp, candidates),
        };
        let port = Arc::new(port.expect("a port"));

        let (ingest, shutdown) = (Ingest { registry: registry.clone() }, lifetime.shutdown.clone());
        let max = dialect::max_socket_message(&ingest);
        let door = async move |upgrade: WebSocketUpgrade| {
            let (ingest, port, shutdown) = (ingest.clone(), port.clone(), shutdown.clone());
            upgrade.on_socket(max, async move |socket| {
                dialect::serve(Talk::new(socket), &ingest, &port, shutdown).await;
            })
        };
        let ingest = serve(more.route("/", get(door)), &lifetime).await;

        let (shutdown, tasks) = (&lifetime.shutdown, &lifetime.tasks);
        let streams = Streams::start(registry.clone(), 30.0, 1, shutdown, tasks);
        let door = async move |upgrade: WebSocketUpgrade| {
            let streams = streams.clone();
            upgrade.on_upgrade(move |stream, read| streams.serve_legacy(stream, read))
        };
        let view = serve(Router::new().route("/", get(door)), &lifetime).await;

        let health = StoreHealth { connected: true, pending: 3 };
        let api = legacy_api::router(registry.clone(), Arc::new(move || health));
        let api = serve(api, &lifetime).await;
        Self { registry, lifetime, ingest, view, api }
    }

    pub async fn publisher(&self) -> Client {
        Client::connect(self.ingest).await
    }

    /// A publisher that is registered.
    pub async fn registered(&self, id: &str) -> Client {
        let mut client = self.publisher().await;
        client.say(&json!({"type": "client-registration", "clientId": id}).to_string()).await;
        let answer = json!({"type": "registration-success", "clientId": id});
        assert_eq!(client.hear_json().await, answer);
        client
    }

    pub fn camera(&self, id: &str) -> Option<Arc<Camera>> {
        self.registry.get(id)
    }

    /// Number of the camera's newest frame; 0 without any.
    pub fn seq(&self, id: &str) -> u64 {
        self.camera(id).and_then(|camera| camera.latest()).map_or(0, |latest| latest.seq)
    }

    pub fn is_online(&self, id: &str) -> bool {
        let presence = self.camera(id).map(|camera| camera.presence());
        matches!(presence, Some(Presence::Online { .. }))
    }
}

async fn serve(router: Router, lifetime: &Lifetime) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("bound");
    tokio::spawn(net::serve(listener, router, lifetime.clone()));
    addr
}

/// A legacy client's socket, publisher or viewer.
pub struct Client(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    pub async fn connect(addr: SocketAddr) -> Self {
        let (socket, _) = connect_async(format!("ws://{addr}")).await.expect("upgraded");
        Self(socket)
    }

    pub async fn say(&mut self, text: &str) {
        self.send(Message::text(text)).await;
    }

    pub async fn send(&mut self, message: Message) {
        self.0.send(message).await.expect("sent");
    }

    /// The next text message, byte for byte, or the close code.
    pub async fn hear(&mut self) -> Result<String, u16> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await;
            match message.expect("a message in time") {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(Some(frame)))) => return Err(frame.code.into()),
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub async fn hear_json(&mut self) -> Value {
        serde_json::from_str(&self.hear().await.expect("no close")).expect("JSON")
    }

    /// The code of the next message, which is an error as v2 had them.
    pub async fn hear_error(&mut self) -> (String, String) {
        let error = self.hear_json().await;
        assert_eq!(error["type"], "error", "{error}");
        let field = |name: &str| error["payload"][name].as_str().expect("a text").to_owned();
        (field("code"), field("message"))
    }
}

/// A client that sends messages above tungstenite's own limits.
pub fn without_limits() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(None).max_frame_size(None)
}

/// A picture that differs by `fill`.
pub fn picture(fill: u8) -> Vec<u8> {
    jpeg::skeleton(640, 480, 2000, fill)
}

/// A `webcam_frame`, as v2's page lays it out.
pub fn frame(client: &str, jpeg: &[u8]) -> String {
    let data = STANDARD.encode(jpeg);
    let size = jpeg.len();
    format!(
        r#"{{"type":"webcam_frame","payload":{{"data":"{data}","size":{size},"format":"jpeg"}},"clientId":"{client}"}}"#
    )
}

/// The same as it goes over the socket.
pub fn wrapped(message: &str) -> String {
    format!(r#"{{"type":"data-channel-message","payload":{message}}}"#)
}

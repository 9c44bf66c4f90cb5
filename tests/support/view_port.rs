//! A view port on a free port number, with frames put straight into its relay.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use framecast::{
    net::{
        self, Lifetime,
        webrtc::{Candidates, Port},
    },
    relay::{CameraId, Clock, Limits, Producer, Publisher, Registry, Stamp, Transport},
    store::catalog::Catalog,
    view::{
        Rest, Setup, View, routes,
        stream::{Streams, stream},
        whep::{self, Whep},
    },
    wire::jpeg,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What `/api/info` is to say.
pub const INGEST_PORT: u16 = 8080;

pub struct ViewPort {
    pub registry: Arc<Registry>,
    pub streams: Streams,
    pub lifetime: Lifetime,
    /// Tells the REST routes to drain, while the port still takes connections.
    pub drain: CancellationToken,
    pub addr: SocketAddr,
}

impl ViewPort {
    pub async fn start() -> Self {
        Self::with(Limits::default(), 30.0).await
    }

    /// Its catalog is in memory.
    pub async fn with(limits: Limits, max_fps: f64) -> Self {
        Self::set_up(limits, max_fps, |registry| Setup {
            catalog: Some(Catalog::open(None, registry.clone()).unwrap()),
            ..Setup::default()
        })
        .await
    }

    /// With no catalog at all.
    pub async fn without_catalog() -> Self {
        Self::set_up(Limits::default(), 30.0, |_| Setup::default()).await
    }

    async fn set_up(
        limits: Limits,
        max_fps: f64,
        setup: impl FnOnce(&Arc<Registry>) -> Setup,
    ) -> Self {
        let registry = Registry::new(limits, Clock::system());
        let lifetime = Lifetime::default();
        let (shutdown, tasks) = (&lifetime.shutdown, &lifetime.tasks);
        let streams = Streams::start(registry.clone(), max_fps, 2, shutdown, tasks);
        let drain = shutdown.child_token();
        let view = View { registry: registry.clone(), max_fps };
        let rest = Rest::new(view, drain.clone(), INGEST_PORT).with_setup(setup(&registry));
        let rest =
            rest.with_figures(|| [("redis".to_owned(), Value::from("ok"))].into_iter().collect());
        let rest = rest.with_ingest_addresses(|| {
            ["192.0.2.7:8080", "[2001:db8::7]:8080", "127.0.0.1:8080", "[::1]:8080"]
                .map(|address| address.parse().unwrap())
                .into()
        });
        let router = Router::new().route("/stream", get(stream)).with_state(streams.clone());
        let router = router.merge(routes(rest)).merge(whep_routes(&registry, &drain));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(net::serve_viewers(listener, router, lifetime.clone()));
        Self { registry, streams, lifetime, drain, addr }
    }

    pub fn publish(&self, camera: &str) -> Producer {
        let id = CameraId::parse(camera).unwrap();
        self.registry.publish(&id, Publisher::over(Transport::Http)).unwrap()
    }

    /// Sends a request and leaves the connection to the caller.
    pub async fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }

    /// The whole answer. `headers` are lines, each with its `\r\n`.
    pub async fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        self.ask_with(method, path, headers, "").await
    }

    /// As [`Self::ask`], with JSON for a body.
    pub async fn tell(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask_with(method, path, "", &body.to_string()).await
    }

    /// As [`Self::ask`], with a body.
    pub async fn ask_with(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{headers}{length}\r\n{body}"
        );
        let mut stream = self.send(&request).await;
        let mut bytes = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
        read.unwrap_or_else(|_| panic!("{method} {path} is not answered in time")).unwrap();
        Answer::parse(&bytes)
    }
}

/// Those of viewers over WebRTC, on a UDP port of their own.
pub fn whep_routes(registry: &Arc<Registry>, shutdown: &CancellationToken) -> Router {
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let candidates = Candidates::local(udp.local_addr().unwrap());
    let port = Arc::new(Port::new(udp, candidates).unwrap());
    whep::routes(Whep::new(registry.clone(), port, shutdown.clone(), TaskTracker::new()))
}

/// An HTTP answer, taken apart.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let at = bytes.windows(4).position(|end| end == b"\r\n\r\n").expect("a whole head") + 4;
        let (status, headers) = head(&bytes[..at]);
        Self { status, headers, body: bytes[at..].to_vec() }
    }

    pub fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }

    pub fn number(&self, name: &str) -> u64 {
        self.header(name).parse().unwrap()
    }

    /// (status, code) of an error, whose message has some words.
    pub fn error(&self) -> (u16, String) {
        let error = &self.json()["error"];
        assert!(error["message"].as_str().unwrap().len() > 10, "{error}");
        (self.status, error["code"].as_str().unwrap().to_owned())
    }

    pub fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }
}

/// Status and headers.
pub fn head(bytes: &[u8]) -> (u16, HashMap<String, String>) {
    let mut lines = std::str::from_utf8(bytes).unwrap().trim_end().split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    (status, headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect())
}

/// A picture of which only its size can be read.
pub fn picture(fill: u8, len: usize) -> Vec<u8> {
    jpeg::skeleton(640, 480, len, fill)
}

pub fn put(producer: &Producer, fill: u8, len: usize) {
    producer.publish_jpeg(&picture(fill, len), Stamp::default()).unwrap();
}

/// Publishes at 30 fps, in the background, pictures of `len` bytes.
pub fn at_30_fps(producer: Producer, len: usize) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_micros(33_333));
        for n in 0.. {
            tick.tick().await;
            put(&producer, n as u8, len);
        }
    })
}

/// Waits until `reached`.
pub async fn until(mut reached: impl FnMut() -> bool) {
    let waiting = async {
        while !reached() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("it happens in time");
}

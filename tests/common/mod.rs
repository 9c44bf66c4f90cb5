//! A relay on ports that the system picks, and clients as plain as can be.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use framecast::{
    config::{Config, Expansion},
    relay::{Limits, Registry},
    server::Server,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A running server on ports that the system picks; dropped, it shuts down.
pub struct Relay {
    pub ingest: SocketAddr,
    pub view: SocketAddr,
    pub api: Option<SocketAddr>,
    pub registry: Arc<Registry>,
    server: Arc<Server>,
}

impl Relay {
    pub async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub async fn with(limits: Limits) -> Self {
        let any = "127.0.0.1:0".parse().unwrap();
        let config = Config {
            ingest_addr: any,
            view_addr: any,
            max_frame_bytes: limits.frame.max_bytes,
            max_pixels: limits.frame.max_pixels,
            max_cameras: limits.max_cameras,
            ..Config::default()
        };
        Self::of(config).await
    }

    /// With further flags of the command line.
    pub async fn with_flags(flags: &[&str]) -> Self {
        let any = ["--ingest-addr", "127.0.0.1:0", "--view-addr", "127.0.0.1:0"];
        let mut said = Expansion::default();
        said.args = any.iter().chain(flags).map(Into::into).collect();
        Self::of(Config::parse(&said).unwrap()).await
    }

    async fn of(config: Config) -> Self {
        let server = Server::start(config).await.unwrap();
        Self {
            ingest: server.ingest_addr(),
            view: server.view_addr(),
            api: server.api_addr(),
            registry: server.registry().clone(),
            server: server.into(),
        }
    }

    /// Starts the shutdown; the task ends when everybody is gone.
    pub fn drain(&self) -> tokio::task::JoinHandle<()> {
        let server = self.server.clone();
        tokio::spawn(async move { server.drain().await })
    }

    pub fn publish_url(&self, camera: &str) -> String {
        format!("http://{}/publish/{camera}", self.ingest)
    }

    pub fn camera_url(&self, camera: &str) -> String {
        format!("http://{}/api/cameras/{camera}", self.view)
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        reqwest::get(format!("http://{}{path}", self.view)).await.unwrap()
    }

    pub async fn json(&self, path: &str) -> serde_json::Value {
        json(self.get(path).await).await
    }

    /// Pushes one still and wants it taken.
    pub async fn still(&self, camera: &str, jpeg: Vec<u8>) {
        let answer = post(&self.publish_url(camera), "image/jpeg", jpeg).await;
        assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
    }

    /// A camera that gets a new picture 50 times a second, until dropped.
    pub async fn steady(&self, camera: &str) -> Steady {
        let (registry, id) = (self.registry.clone(), camera.to_owned());
        let mut socket = TcpStream::connect(self.ingest).await.unwrap();
        let head = format!(
            "POST /publish/{camera} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let task = tokio::spawn(async move {
            for n in 0u32.. {
                let jpeg = jpeg(64, 48, n);
                let chunk = [format!("{:x}\r\n", jpeg.len()).as_bytes(), &jpeg, b"\r\n"].concat();
                socket.write_all(&chunk).await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        until(|| registry.get(&id).is_some_and(|it| it.snapshot().frames > 3)).await;
        Steady { registry, id, task }
    }
}

pub struct Steady {
    registry: Arc<Registry>,
    id: String,
    task: tokio::task::JoinHandle<()>,
}

impl Steady {
    /// Frames keep coming, none was lost, and nobody was disturbed.
    pub async fn undisturbed(&self) {
        let camera = self.registry.get(&self.id).unwrap();
        let before = camera.snapshot();
        until(|| camera.snapshot().frames >= before.frames + 5).await;
        let after = camera.snapshot();
        assert!(after.online && after.drops.is_empty(), "{after:?}");
    }
}

impl Drop for Steady {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A real picture; each `seed` gives another one.
pub fn jpeg(width: u16, height: u16, seed: u32) -> Vec<u8> {
    let mut pixels = Vec::new();
    for at in 0..u32::from(width) * u32::from(height) {
        pixels.extend([(at + seed) as u8, (at / u32::from(width) * 3) as u8, (seed * 37) as u8]);
    }
    let mut out = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut out, 85);
    encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb).unwrap();
    out
}

pub async fn post(url: &str, kind: &str, body: impl Into<reqwest::Body>) -> reqwest::Response {
    let request = reqwest::Client::new().post(url).body(body);
    let request = if kind.is_empty() { request } else { request.header("content-type", kind) };
    request.send().await.unwrap()
}

pub async fn json(response: reqwest::Response) -> serde_json::Value {
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("application/json"));
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// The status and the error code of an answer that has to be an error with a message.
pub async fn error(response: reqwest::Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = json(response).await;
    assert!(body["error"]["message"].as_str().unwrap().len() > 10, "{body}");
    (status, body["error"]["code"].as_str().unwrap().to_owned())
}

/// Waits for something that takes a moment; fails after 10 s.
#[track_caller]
pub fn until(mut is: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let here = std::panic::Location::caller();
    async move {
        let start = Instant::now();
        while !is() {
            assert!(start.elapsed() < Duration::from_secs(10), "not within 10 s, at {here}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Sends these very bytes and returns all that comes back until the other side closes, or `wait`.
pub async fn raw(addr: SocketAddr, bytes: &[u8], wait: Duration) -> Vec<u8> {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    // The other side may close before it has read everything.
    let _ = socket.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(wait, socket.read_to_end(&mut answer)).await;
    answer
}

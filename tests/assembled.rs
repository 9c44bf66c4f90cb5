//! The server as `framecast serve` assembles it: parts that only meet there.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod common;
#[allow(dead_code, reason = "only its Redis is used here")]
#[path = "redis/rig.rs"]
mod rig;

use std::time::{Duration, Instant};

use common::{Relay, jpeg, raw};
use framecast::wire::envelope;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

const PATIENCE: Duration = Duration::from_secs(10);

async fn next(client: &mut Client) -> Message {
    timeout(PATIENCE, client.next()).await.expect("a message in time").unwrap().unwrap()
}

async fn viewer(relay: &Relay, query: &str) -> Client {
    connect_async(format!("ws://{}/stream{query}", relay.view)).await.unwrap().0
}

/// The camera and number of the next frame.
async fn frame(client: &mut Client) -> (String, u64) {
    loop {
        if let Message::Binary(message) = next(client).await {
            let (header, _) = envelope::read(&message).unwrap();
            return (header.camera.to_owned(), header.seq);
        }
    }
}

async fn close_code(client: &mut Client) -> u16 {
    loop {
        if let Message::Close(Some(close)) = next(client).await {
            return close.code.into();
        }
    }
}

/// A publisher over the publish WebSocket at 30 fps, until dropped.
struct Webcam(tokio::task::JoinHandle<()>);

impl Webcam {
    async fn start(relay: &Relay, camera: &str) -> Self {
        let url = format!("ws://{}/publish/{camera}", relay.ingest);
        let (mut socket, _) = connect_async(url).await.unwrap();
        Self(tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_micros(33_333));
            for n in 0.. {
                tick.tick().await;
                if socket.send(Message::binary(jpeg(160, 120, n))).await.is_err() {
                    return;
                }
            }
        }))
    }
}

impl Drop for Webcam {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[tokio::test]
async fn viewers_notice_nothing_of_a_redis_that_freezes_and_dies() {
    let mut redis = rig::Redis::start();
    let relay = Relay::with_flags(&["--redis-url", &redis.url()]).await;
    let _webcam = Webcam::start(&relay, "door").await;
    let mut viewer = viewer(&relay, "?cameras=door").await;
    let state = async |relay: &Relay| {
        relay.json("/api/stats").await["server"]["redis"]["state"].as_str().unwrap().to_owned()
    };
    until_async("connected", async || state(&relay).await == "connected").await;

    let (mut last, mut widest, mut seq) = (Instant::now(), Duration::ZERO, 0);
    let start = Instant::now();
    let mut frozen = false;
    let mut killed = false;
    while start.elapsed() < Duration::from_secs(5) {
        let (_, number) = frame(&mut viewer).await;
        assert!(number > seq, "{number} after {seq}");
        (widest, last, seq) = (widest.max(last.elapsed()), Instant::now(), number);
        if !frozen && start.elapsed() > Duration::from_secs(1) {
            redis.signal("STOP");
            frozen = true;
        }
        if !killed && start.elapsed() > Duration::from_secs(4) {
            assert_eq!(state(&relay).await, "down", "a frozen Redis is noticed");
            redis.signal("CONT");
            redis.kill();
            killed = true;
        }
    }
    assert!(seq >= 130, "{seq} frames in 5 s");
    assert!(widest < Duration::from_millis(500), "once nothing came for {widest:?}");
}

#[tokio::test]
async fn a_wall_of_all_cameras_misses_none_while_others_subscribe_by_name() {
    let relay = Relay::start().await;
    let mut wall = viewer(&relay, "").await;
    let mut other = viewer(&relay, "?cameras=none").await;
    let mut cameras = Vec::new();
    for n in 0..60 {
        let name = format!("cam{n}");
        let subscribe = json!({"type": "subscribe", "camera": name}).to_string();
        other.send(Message::text(subscribe.clone())).await.unwrap();
        let id = framecast::relay::CameraId::parse(&name).unwrap();
        let http = framecast::relay::Publisher::over(framecast::relay::Transport::Http);
        let producer = relay.registry.publish(&id, http).unwrap();
        other.send(Message::text(subscribe)).await.unwrap();
        producer.publish_jpeg(&jpeg(16, 16, n), Default::default()).unwrap();
        cameras.push(producer);
    }
    for viewer in [&mut wall, &mut other] {
        let mut seen = std::collections::BTreeSet::new();
        while seen.len() < cameras.len() {
            seen.insert(frame(viewer).await.0);
        }
    }
}

#[tokio::test]
async fn a_shutdown_tells_everybody_and_probes_hear_that_the_server_is_not_ready() {
    let relay = Relay::start().await;
    let _webcam = Webcam::start(&relay, "door").await;
    let mut viewer = viewer(&relay, "").await;
    frame(&mut viewer).await;
    // Holds the shutdown up for a moment: a viewer that does not answer its close.
    let _deaf = self::viewer(&relay, "").await;
    let start = Instant::now();
    let draining = relay.drain();
    assert_eq!(close_code(&mut viewer).await, 1001);
    drop(viewer);
    let probe = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = raw(relay.view, probe, Duration::from_secs(2)).await;
    assert!(answer.starts_with(b"HTTP/1.1 503 "), "{}", String::from_utf8_lossy(&answer));
    // One that connects and says nothing holds up nothing.
    let _silent = TcpStream::connect(relay.view).await.unwrap();
    draining.await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

#[tokio::test]
async fn the_legacy_api_has_its_own_port() {
    let relay = Relay::with_flags(&["--api-addr", "127.0.0.1:0"]).await;
    relay.still("door", jpeg(64, 48, 1)).await;
    let api = relay.api.unwrap();
    let get = async |path: &str| -> Value {
        let answer = reqwest::get(format!("http://{api}{path}")).await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    };
    assert_eq!(
        get("/api/cameras").await,
        json!({"success": true, "cameras": ["door"], "count": 1})
    );
    let camera = &get("/api/camera/door").await["camera"];
    assert_eq!((&camera["id"], &camera["status"]), (&json!("door"), &json!("online")));
    assert!(camera["image"].as_str().unwrap().starts_with("data:image/jpeg;base64,"));
}

#[tokio::test]
async fn who_publishes_where_nothing_is_published_is_told_where() {
    let relay = Relay::start().await;
    for (addr, path, told) in [
        (relay.view, "/publish/door", "ingest port"),
        (relay.view, "/", "ingest port"),
        (relay.ingest, "/publish", "/publish/{camera}"),
        (relay.ingest, "/", "/publish/{camera}"),
    ] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\
             Connection: close\r\n\r\n\u{1}\u{2}\u{3}\u{4}"
        );
        let answer = raw(addr, request.as_bytes(), PATIENCE).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 405 "), "{path}: {answer}");
        assert!(answer.contains("method_not_allowed") && answer.contains(told), "{path}: {answer}");
    }
}

#[tokio::test]
async fn every_path_refuses_a_method_that_it_has_not_with_what_to_do_and_those_it_has() {
    let relay = Relay::start().await;
    let pages =
        ["/", "/framecast-view.js", "/embed/door", "/embed-page.js", "/assets/x.js", "/stream"];
    let figures =
        ["/api/stats", "/api/cameras/door/frame.jpg", "/hls/cam_door/index.m3u8", "/readyz"];
    let on_view = pages.iter().chain(&figures).map(|path| (relay.view, *path, "GET,HEAD"));
    let on_ingest = ["/", "/signal", "/x.js"].map(|path| (relay.ingest, path, "GET,HEAD"));
    let others = [
        (relay.view, "/api/cameras", "GET,HEAD,POST"),
        (relay.view, "/whep/door", "OPTIONS,POST"),
        (relay.view, "/whep/door/session", "DELETE,OPTIONS,PATCH"),
        (relay.ingest, "/publish/door", "GET,HEAD,POST,PUT"),
    ];
    for (addr, path, allow) in on_view.chain(on_ingest).chain(others) {
        let request =
            format!("BREW {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = raw(addr, request.as_bytes(), PATIENCE).await;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 405 "), "{path}: {answer}");
        let allowed = head.lines().find_map(|line| line.strip_prefix("allow: "));
        let mut allowed: Vec<_> = allowed.unwrap_or_default().split(',').collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(","), allow, "{path}");
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["code"], "method_not_allowed", "{path}");
        assert!(body["error"]["message"].as_str().unwrap().len() > 30, "{path}: {body}");
    }
}

#[tokio::test]
async fn pages_of_strangers_are_refused_at_every_door() {
    let relay = Relay::start().await;
    relay.still("door", jpeg(64, 48, 1)).await;
    let ask = async |addr, path: &str, headers: &str| {
        let request = format!("GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
        String::from_utf8_lossy(&raw(addr, request.as_bytes(), PATIENCE).await).into_owned()
    };
    let foreign = "Host: localhost\r\nOrigin: http://evil.example\r\n";
    let rebound = "Host: evil.example\r\n";
    for headers in [foreign, rebound] {
        for (addr, path) in [
            (relay.view, "/api/cameras/door/frame.jpg"),
            (relay.view, "/"),
            (relay.ingest, "/publish/door"),
            (relay.ingest, "/"),
        ] {
            let answer = ask(addr, path, headers).await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{path}: {answer}");
            assert!(answer.contains("--allow-origin http://evil.example"), "{path}: {answer}");
        }
    }
    let own = ask(relay.view, "/api/cameras", "Host: localhost\r\nOrigin: http://localhost\r\n");
    assert!(own.await.starts_with("HTTP/1.1 200 "));

    // A browser shows a page nothing of a refused upgrade, so the error comes inside.
    let mut request = format!("ws://{}/stream", relay.view).into_client_request().unwrap();
    request.headers_mut().insert("origin", "http://evil.example".parse().unwrap());
    let (mut refused, _) = connect_async(request).await.unwrap();
    let Message::Text(error) = next(&mut refused).await else { panic!("an error first") };
    assert!(error.contains("forbidden_origin"), "{error}");
    assert_eq!(close_code(&mut refused).await, 4000);
}

#[tokio::test]
async fn what_is_for_other_sites_is_had_by_them_and_nothing_else_is_framed() {
    let relay = Relay::start().await;
    let ask = async |path: &str, headers: &str| {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n");
        let answer = raw(relay.view, request.as_bytes(), PATIENCE).await;
        String::from_utf8_lossy(&answer).to_ascii_lowercase()
    };
    let foreign = "Origin: http://wall.example\r\n";
    let element = ask("/framecast-view.js", foreign).await;
    assert!(element.starts_with("http/1.1 200 "), "{element}");
    for header in [
        "content-type: text/javascript",
        "access-control-allow-origin: *\r\n",
        "cross-origin-resource-policy: cross-origin\r\n",
        "cache-control: no-cache\r\n",
    ] {
        assert!(element.contains(header), "{header}: {element}");
    }
    let tag = element.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let again = ask("/framecast-view.js", &format!("If-None-Match: {tag}\r\n")).await;
    assert!(again.starts_with("http/1.1 304 "), "{again}");

    let framed = ask("/embed/door?fit=cover", "").await;
    assert!(
        framed.starts_with("http/1.1 200 ") && framed.contains("frame-ancestors *"),
        "{framed}"
    );
    assert!(framed.contains("default-src 'self'"), "{framed}");
    assert!(ask("/embed/door", foreign).await.starts_with("http/1.1 403 "));
    assert!(ask("/", "").await.contains("frame-ancestors 'self'"));
    assert!(ask("/embed/", "").await.starts_with("http/1.1 404 "));
}

/// Waits for something that has to be asked for; fails after 10 s.
async fn until_async(what: &str, is: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !is().await {
        assert!(start.elapsed() < PATIENCE, "not {what} within 10 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_publisher_that_closes_gets_its_close_answered() {
    let relay = Relay::start().await;
    for path in ["publish/door", "signal"] {
        let url = format!("ws://{}/{path}", relay.ingest);
        let (mut socket, _) = connect_async(url).await.unwrap();
        next(&mut socket).await;
        socket.close(None).await.unwrap();
        let answered = async {
            loop {
                match socket.next().await {
                    Some(Ok(Message::Close(_))) => return true,
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return false,
                }
            }
        };
        assert!(timeout(PATIENCE, answered).await.unwrap(), "{path}");
    }
}

#[tokio::test]
async fn a_shutdown_waits_for_no_connection_without_a_request() {
    let relay = Relay::start().await;
    let mut held = Vec::new();
    // Nothing, the start of a header, and an answered request with the start of another.
    let start = "GET /api/info HTTP/1.1\r\nHost: x\r\n";
    for addr in [relay.ingest, relay.view] {
        for bytes in ["", start, &format!("{start}\r\n{start}")] {
            let mut socket = TcpStream::connect(addr).await.unwrap();
            socket.write_all(bytes.as_bytes()).await.unwrap();
            if bytes.len() > start.len() {
                let mut answer = [0; 9];
                socket.read_exact(&mut answer).await.unwrap();
                assert_eq!(&answer, b"HTTP/1.1 ");
            }
            held.push(socket);
        }
    }
    let began = Instant::now();
    relay.drain().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_name_has_no_controls_and_many_cameras_are_no_reason_to_close() {
    let relay = Relay::start().await;
    let mut producers = Vec::new();
    for n in 0..900 {
        let id = framecast::relay::CameraId::parse(&format!("{n:060}")).unwrap();
        let name = Some("\u{1F4F7}\u{202E}\u{1}".repeat(200));
        let http = framecast::relay::Publisher::over(framecast::relay::Transport::Http);
        let publisher = framecast::relay::Publisher { name, ..http };
        producers.push(relay.registry.publish(&id, publisher).unwrap());
    }
    let name = producers[0].camera().name();
    assert_eq!(name, "\u{1F4F7}".repeat(80));
    let mut viewer = viewer(&relay, "").await;
    let Message::Text(hello) = next(&mut viewer).await else { panic!("hello first") };
    assert!(hello.starts_with(r#"{"type":"hello""#) && hello.len() > 400_000);
    producers[5].publish_jpeg(&jpeg(16, 16, 1), Default::default()).unwrap();
    assert_eq!(frame(&mut viewer).await.1, 1);
}

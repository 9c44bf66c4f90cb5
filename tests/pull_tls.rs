//! Cameras whose connections are encrypted, behind a real TLS server with a certificate made for the test.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

#[path = "support/binary.rs"]
mod binary;
mod common;
#[path = "support/rtsp_camera.rs"]
mod rtsp_camera;
#[path = "support/tls_proxy.rs"]
mod tls_proxy;

use std::net::SocketAddr;

use binary::{FREE, Server, framecast};
use common::{Relay, json, post};
use rtsp_camera::{PATIENCE, RtspCamera, clock, now_ms};
use serde_json::{Value, json as object};
use tls_proxy::{Authority, TlsProxy};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

async fn relay() -> Relay {
    Relay::with_flags(&["--data-dir", "off"]).await
}

/// Where the test camera listens.
fn addr(camera: &RtspCamera) -> SocketAddr {
    camera.url.split('/').nth(2).unwrap().parse().unwrap()
}

/// The answer of a trial.
async fn tried(relay: &Relay, body: Value) -> Value {
    let url = format!("http://{}/api/camera-test", relay.view);
    json(post(&url, "", body.to_string()).await).await
}

fn source(kind: &str, url: &str, fingerprint: &Value) -> Value {
    let mut source = object!({"type": kind, "url": url});
    if !fingerprint.is_null() {
        source["tls_fingerprint"] = fingerprint.clone();
    }
    object!({ "source": source })
}

/// A camera that is set up and watched shows a picture of now.
async fn shows_a_picture(relay: &Relay, mut body: Value) {
    body["id"] = "door".into();
    let added = post(&format!("http://{}/api/cameras", relay.view), "", body.to_string()).await;
    assert_eq!(added.status(), 201, "{:?}", added.text().await);
    let answer = relay.get("/api/cameras/door/frame.jpg").await;
    let status = answer.status();
    let bytes = answer.bytes().await.unwrap();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
    let taken = clock(&bytes, 640).expect("a clock in the picture");
    assert!(now_ms().abs_diff(taken) < 5000, "an old picture");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_tells_the_fingerprint_of_an_rtsps_camera_and_with_it_the_camera_works() {
    let rtsp = RtspCamera::start(&["--user", "admin", "--password", "hunter2", "--aac"]);
    let proxy = TlsProxy::start(addr(&rtsp)).await;
    let relay = relay().await;
    let url = format!("rtsps://admin:hunter2@{}/stream1", proxy.addr);

    let told = tried(&relay, source("rtsp", &url, &Value::Null)).await;
    let error = &told["error"];
    assert_eq!((&told["ok"], &error["code"]), (&false.into(), &"untrusted".into()), "{told}");
    let told = error["tls_fingerprint"].as_str().unwrap();
    assert_eq!(told.replace(':', "").to_lowercase(), proxy.fingerprint);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(told) && message.contains("signed by nobody"), "{message}");
    assert_eq!(rtsp.most_clients(), 0, "no byte of the login went there");

    let found = tried(&relay, source("rtsp", &url, &told.into())).await;
    let audio = &found["found"]["audio"];
    assert_eq!((&found["ok"], audio), (&true.into(), &"mp4a.40.2".into()), "{found}");
    shows_a_picture(&relay, source("rtsp", &url, &told.into())).await;
    let shown = relay.json("/api/cameras/door").await;
    assert_eq!(shown["source"]["tls_fingerprint"], told, "{shown}");
    let wrong = url.replace("hunter2", "wrong");
    let refused = tried(&relay, source("rtsp", &wrong, &told.into())).await;
    assert_eq!(refused["error"]["code"], "unauthorized", "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_certificate_than_the_one_that_was_named_is_not_trusted() {
    let rtsp = RtspCamera::start(&[]);
    let first = TlsProxy::start(addr(&rtsp)).await;
    let other = TlsProxy::start(addr(&rtsp)).await;
    let relay = relay().await;
    let url = format!("rtsps://{}/stream1", other.addr);
    let told = tried(&relay, source("rtsp", &url, &first.fingerprint.clone().into())).await;
    let error = &told["error"];
    assert_eq!(error["code"], "untrusted", "{told}");
    let shown = error["tls_fingerprint"].as_str().unwrap();
    assert_eq!(shown.replace(':', "").to_lowercase(), other.fingerprint);
    assert!(error["message"].as_str().unwrap().contains("another certificate"), "{error}");
    assert_eq!(rtsp.most_clients(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_the_system_trusts_needs_no_fingerprint_but_the_right_name() {
    let rtsp = RtspCamera::start(&[]);
    let authority = Authority::new();
    let right = TlsProxy::with(addr(&rtsp), authority.signs("127.0.0.1")).await;
    let wrong = TlsProxy::with(addr(&rtsp), authority.signs("camera.example")).await;
    let dir = tempfile::tempdir().unwrap();
    let trusted = dir.path().join("trusted.pem");
    std::fs::write(&trusted, &authority.pem).unwrap();
    let mut command = framecast(&FREE);
    let server = Server::start({
        command.env("SSL_CERT_FILE", trusted);
        command
    });
    server.addr("framecast capture page  ");
    let url = format!("http://{}/api/camera-test", server.addr("framecast viewer page   "));
    let tried = async |proxy: &TlsProxy| {
        let source = source("rtsp", &format!("rtsps://{}/stream1", proxy.addr), &Value::Null);
        json(post(&url, "", source.to_string()).await).await
    };
    let found = tried(&right).await;
    assert_eq!(found["found"]["codec"], "h264", "{found}");
    let told = tried(&wrong).await;
    assert_eq!(told["error"]["code"], "untrusted", "{told}");
    assert!(told["error"]["message"].as_str().unwrap().contains("is for another name"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mjpeg_over_https_works_and_is_reached_by_a_redirect_from_http() {
    let rtsp = RtspCamera::start(&["--codec", "mjpeg", "--fps", "10"]);
    let relay = relay().await;
    let camera = object!({"id": "origin", "source": {"type": "rtsp", "url": rtsp.url}}).to_string();
    let added = post(&format!("http://{}/api/cameras", relay.view), "", camera).await;
    assert_eq!(added.status(), 201);
    let proxy = TlsProxy::start(relay.view).await;
    let path = "/api/cameras/origin/stream.mjpeg";
    let url = format!("https://{}{path}", proxy.addr);
    let fingerprint = proxy.fingerprint.clone().into();
    let untrusted = tried(&relay, source("mjpeg", &url, &Value::Null)).await;
    assert_eq!(untrusted["error"]["code"], "untrusted", "{untrusted}");

    let redirects = redirects_to(url.clone()).await;
    let from = format!("http://{redirects}/");
    let untrusted = tried(&relay, source("mjpeg", &from, &Value::Null)).await;
    let at = proxy.addr.to_string();
    assert!(untrusted["error"]["message"].as_str().unwrap().contains(&at), "{untrusted}");
    shows_a_picture(&relay, source("mjpeg", &url, &fingerprint)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_that_drops_the_encryption_is_not_followed() {
    let relay = relay().await;
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("http://{}/", plain.local_addr().unwrap());
    let proxy = TlsProxy::start(redirects_to(to).await).await;
    let url = format!("https://admin:hunter2@{}/", proxy.addr);
    let told = tried(&relay, source("mjpeg", &url, &proxy.fingerprint.clone().into())).await;
    assert_eq!(told["error"]["code"], "refused_source", "{told}");
    assert!(told["error"]["message"].as_str().unwrap().contains("from https to http"), "{told}");
    let nobody = tokio::time::timeout(std::time::Duration::from_millis(200), plain.accept()).await;
    assert!(nobody.is_err(), "it was connected to");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_without_tls_is_told_in_words() {
    let rtsp = RtspCamera::start(&[]);
    let relay = relay().await;
    let url = rtsp.url.replace("rtsp://", "rtsps://");
    let told = tried(&relay, source("rtsp", &url, &Value::Null)).await;
    assert_eq!(told["error"]["code"], "unsupported", "{told}");
    assert!(told["error"]["message"].as_str().unwrap().contains("without TLS"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_closes_and_one_that_is_silent_while_tls_is_agreed_on_are_given_up() {
    let relay = relay().await;
    let closes = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("rtsps://{}/", closes.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = closes.accept().await.unwrap();
        let _ = stream.read_u8().await;
    });
    let told = tried(&relay, source("rtsp", &url, &Value::Null)).await;
    assert_eq!(told["error"]["code"], "ended", "{told}");
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("rtsps://{}/", silent.local_addr().unwrap());
    let told = tokio::time::timeout(PATIENCE, tried(&relay, source("rtsp", &url, &Value::Null)));
    assert_eq!(told.await.unwrap()["error"]["code"], "unreachable");
}

/// An HTTP server that redirects each request.
async fn redirects_to(url: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                request.push(byte);
            }
            let answer = format!("HTTP/1.1 302 Found\r\nLocation: {url}\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    addr
}

//! SkySentry v2's data channel, which the client opens: with the `webrtc` crate as the client, and
//! with Chromium on a page that talks as v2's.

#[path = "support/browser.rs"]
mod browser;
#[path = "support/legacy_server.rs"]
#[allow(dead_code)]
mod legacy_server;
#[path = "support/rtc_client.rs"]
#[allow(dead_code)]
mod rtc_client;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    response::Html,
    routing::{get, post},
};
use browser::Browser;
use framecast::relay::{Limits, Transport};
use legacy_server::{Server, eventually, frame, picture, wrapped};
use rtc_client::{Channel, Client};
use serde_json::{Value, json};
use webrtc::data_channel::RTCDataChannelInit;

fn unordered() -> Channel {
    Channel::Own(RTCDataChannelInit {
        ordered: false,
        max_retransmits: Some(0),
        ..RTCDataChannelInit::default()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_as_text_on_a_channel_of_the_client_and_after_it_on_the_socket() {
    let server = Server::start().await;
    let mut socket = server.registered("a").await;
    let (mut client, offer) = Client::offer(unordered(), "127.0.0.1:0").await;
    // A page's first candidate may come before its offer.
    let candidate = json!({"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMid": "0"});
    let message = json!({"type": "ice-candidate", "payload": candidate, "clientId": "a"});
    socket.say(&message.to_string()).await;
    let description = json!({"type": "offer", "sdp": offer});
    let message = json!({"type": "offer", "payload": description, "clientId": "a"});
    socket.say(&message.to_string()).await;
    let answer = socket.hear_json().await;
    assert_eq!((&answer["type"], &answer["payload"]["type"]), (&json!("answer"), &json!("answer")));
    let channel = client.connect(answer["payload"]["sdp"].as_str().expect("an SDP")).await;
    assert!(server.camera("a").is_none(), "an open channel alone takes no camera");

    channel.send_text(&frame("a", &picture(1))).await.expect("sent");
    eventually("the frame", || server.seq("a") == 1).await;
    let camera = server.camera("a").expect("known");
    assert_eq!(camera.latest().expect("a frame").jpeg(), picture(1));
    assert_eq!(camera.snapshot().transport, Some(Transport::Legacy));
    channel.send(bytes::BytesMut::from(&picture(2)[..])).await.expect("sent");
    eventually("a bare picture", || server.seq("a") == 2).await;

    channel.send_text(r#"{"type":"heartbeat"}"#).await.expect("sent");
    assert_eq!(socket.hear_json().await["type"], "heartbeat", "answered over the socket");
    channel.send_text("hello").await.expect("sent");
    assert_eq!(socket.hear_error().await.0, "bad_message");

    client.close().await;
    socket.say(&wrapped(&frame("a", &picture(3)))).await;
    eventually("the socket goes on", || server.seq("a") == 3).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(server.is_online("a"), "the camera belongs to the socket");
    drop(socket);
    eventually("offline with the socket", || !server.is_online("a")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offers_that_cannot_be_answered_are_told_and_a_second_offer_replaces_the_first() {
    let server = Server::start().await;
    let mut socket = server.publisher().await;
    let offer =
        |sdp: &str| json!({"type": "offer", "payload": {"type": "offer", "sdp": sdp}}).to_string();
    socket.say(&offer("v=0")).await;
    assert_eq!(socket.hear_error().await.0, "bad_message", "nobody is registered");
    let mut socket = server.registered("a").await;
    socket.say(&offer("v=0")).await;
    assert_eq!(socket.hear_error().await.0, "webrtc_failed");
    for number in 1..=2 {
        let (mut client, sdp) = Client::offer(unordered(), "127.0.0.1:0").await;
        socket.say(&offer(&sdp)).await;
        let answer = socket.hear_json().await;
        let channel = client.connect(answer["payload"]["sdp"].as_str().expect("an SDP")).await;
        channel.send_text(&frame("a", &picture(number))).await.expect("sent");
        eventually("its frame", || server.seq("a") == u64::from(number)).await;
    }
}

/// Each packet is lost with a probability of `per_mille` in 1000, by a seeded random sequence.
#[derive(Default)]
struct Loss {
    per_mille: AtomicU32,
    seen: AtomicU64,
}

impl Loss {
    /// splitmix64 of a counter.
    fn drops(&self) -> bool {
        let n = self.seen.fetch_add(1, Relaxed) + 99;
        let mut x = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x ^ (x >> 31)) % 1000 < u64::from(self.per_mille.load(Relaxed))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_v2_publishes_and_falls_back_to_its_socket_when_the_channel_stalls() {
    const CAMERA: &str = "demo-client-123456";
    let loss = Arc::new(Loss::default());
    let report = Arc::new(Mutex::new(Value::Null));
    let (drops, reported) = (loss.clone(), report.clone());
    let take = move |body: String| {
        *reported.lock().expect("no panic holds it") = body.parse().expect("JSON");
    };
    let routes = Router::new()
        .route("/page", get(async || Html(include_str!("support/legacy_page.html"))))
        .route("/report", post(async move |body: String| take(body)));
    let dropper = Box::new(move |_: &[u8], _| drops.drops());
    let server = Server::with(Limits::default(), routes, Some(dropper)).await;
    let _browser = Browser::open(&format!("http://{}/page", server.ingest));
    let sent = |way: &str| {
        let report = report.lock().expect("no panic holds it");
        assert!(report["error"].is_null(), "{report}");
        report[way].as_u64().unwrap_or(0)
    };
    let start = Instant::now();
    let until = async |what: &str, condition: &dyn Fn() -> bool| {
        while !condition() {
            assert!(start.elapsed() < Duration::from_secs(90), "{what}: {report:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    until("frames over the channel", &|| server.seq(CAMERA) >= 20 && sent("channel") >= 20).await;
    assert_eq!(sent("socket"), 0);
    assert_eq!(report.lock().expect("no panic holds it")["registered"], true);

    println!("{} frames over the channel after {:?}", sent("channel"), start.elapsed());
    loss.per_mille.store(50, Relaxed);
    until("the page falls back", &|| sent("socket") > 0).await;
    println!("on the socket after {:?}, {report:?}", start.elapsed());
    let seq = server.seq(CAMERA);
    until("frames over the socket", &|| server.seq(CAMERA) >= seq + 20).await;
    assert!(server.is_online(CAMERA));
}

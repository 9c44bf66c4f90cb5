//! The publish WebSocket, with a real client and with raw bytes.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod common;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use common::{Relay, jpeg, raw, until};
use framecast::{
    relay::{Camera, Limits, Transport},
    wire::{
        fragment::{PartHeader, split},
        jpeg::skeleton,
    },
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Message,
        protocol::frame::{
            Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);

struct Publisher(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Publisher {
    async fn connect(relay: &Relay, path: &str) -> Self {
        let url = format!("ws://{}/publish/{path}", relay.ingest);
        Self(connect_async(url).await.unwrap().0)
    }

    /// Connects and reads the hello.
    async fn open(relay: &Relay, path: &str) -> Self {
        let mut publisher = Self::connect(relay, path).await;
        let hello = publisher.text().await;
        assert_eq!((&hello["type"], &hello["protocol"]), (&json!("hello"), &json!(1)));
        assert_eq!(hello["max_frame_bytes"], 4 << 20);
        publisher
    }

    async fn binary(&mut self, bytes: Vec<u8>) {
        self.0.send(Message::binary(bytes)).await.unwrap();
    }

    /// Sends a picture and returns its camera.
    async fn first(&mut self, relay: &Relay, camera: &str) -> Arc<Camera> {
        let picture = jpeg(64, 48, 1);
        self.binary(picture.clone()).await;
        let arrived = || relay.registry.get(camera)?.latest();
        until(|| arrived().is_some_and(|frame| frame.jpeg() == picture)).await;
        relay.registry.get(camera).unwrap()
    }

    async fn message(&mut self) -> Message {
        let next = tokio::time::timeout(Duration::from_secs(10), self.0.next());
        next.await.expect("a message in 10 s").unwrap().unwrap()
    }

    async fn feedback(&mut self) -> Value {
        let Message::Text(text) = self.message().await else { panic!("no text") };
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["type"], "feedback");
        value
    }

    /// The next text that is no feedback.
    async fn text(&mut self) -> Value {
        loop {
            let Message::Text(text) = self.message().await else { panic!("no text") };
            let value: Value = serde_json::from_str(&text).unwrap();
            if value["type"] != "feedback" {
                return value;
            }
        }
    }

    async fn error(&mut self) -> String {
        let value = self.text().await;
        assert_eq!(value["type"], "error", "{value}");
        assert!(value["message"].as_str().unwrap().len() > 10);
        value["code"].as_str().unwrap().to_owned()
    }

    async fn close_code(&mut self) -> u16 {
        match self.message().await {
            Message::Close(Some(frame)) => frame.code.into(),
            other => panic!("{other:?}"),
        }
    }
}

fn part(part: u16, parts: u16, frame_len: u32, payload: usize) -> Vec<u8> {
    let header = PartHeader { part, parts, frame_len, seq: 7, captured_us: 0 };
    [&header.write()[..], &vec![0; payload]].concat()
}

#[tokio::test]
async fn whole_jpegs_and_parts_become_frames() {
    let relay = Relay::start().await;
    let mut publisher = Publisher::open(&relay, "door?name=Front%20door").await;
    let camera = publisher.first(&relay, "door").await;
    assert_eq!(camera.name(), "Front door");
    let picture = jpeg(640, 480, 2);
    let mut parts = split(&picture, 1, 0, 5000).unwrap();
    assert!(parts.len() > 3);
    parts.reverse();
    for part in parts {
        publisher.binary(part).await;
    }
    until(|| camera.snapshot().frames == 2).await;
    let got = relay.get("/api/cameras/door/frame.jpg").await;
    assert_eq!(got.bytes().await.unwrap(), picture);

    publisher.0.send(Message::text(r#"{"type":"ping","t":12.5}"#)).await.unwrap();
    let pong = publisher.text().await;
    assert_eq!((&pong["type"], &pong["t"]), (&json!("pong"), &json!(12.5)));
    assert!(pong["server_us"].as_u64().unwrap() > 1_700_000_000_000_000);

    let feedback = publisher.feedback().await;
    assert_eq!((&feedback["received"], &feedback["refused"]), (&json!(2), &json!(0)));

    // The last figures do not wait until they would be due.
    publisher.binary(b"no picture".to_vec()).await;
    assert_eq!(publisher.error().await, "not_jpeg");
    publisher.0.send(Message::text(r#"{"type":"bye"}"#)).await.unwrap();
    let feedback = publisher.feedback().await;
    assert_eq!((&feedback["received"], &feedback["refused"]), (&json!(2), &json!(1)));
    assert_eq!(publisher.close_code().await, 1000);
    let snapshot = camera.snapshot();
    assert_eq!(snapshot.reason.as_deref(), Some("publisher stopped"));
}

#[tokio::test]
async fn a_socket_that_is_gone_takes_its_camera_offline() {
    let relay = Relay::start().await;
    let mut publisher = Publisher::open(&relay, "door").await;
    let camera = publisher.first(&relay, "door").await;
    drop(publisher);
    until(|| !camera.snapshot().online).await;
    assert_eq!(camera.snapshot().reason.as_deref(), Some("publisher disconnected"));
}

#[tokio::test]
async fn the_newest_publisher_has_the_camera() {
    let relay = Relay::start().await;
    let mut older = Publisher::open(&relay, "door").await;
    let camera = older.first(&relay, "door").await;
    let mut newer = Publisher::open(&relay, "door").await;
    newer.binary(jpeg(64, 48, 2)).await;
    let told = older.text().await;
    assert_eq!((&told["type"], &told["camera"]), (&json!("replaced"), &json!("door")));
    assert_eq!(older.close_code().await, 4001);
    until(|| camera.snapshot().frames == 2).await;
    assert!(camera.snapshot().online);
}

#[tokio::test]
async fn who_sends_no_good_picture_takes_no_camera() {
    let relay = Relay::start().await;
    let steady = relay.steady("door").await;
    let mut silent = Publisher::open(&relay, "door").await;
    silent.0.send(Message::text(r#"{"type":"ping","t":1}"#)).await.unwrap();
    assert_eq!(silent.text().await["type"], "pong");
    steady.undisturbed().await;
    silent.binary(b"hello".to_vec()).await;
    assert_eq!(silent.error().await, "not_jpeg");
    silent.binary(part(0, 2, 100, 50)).await;
    drop(silent);
    let camera = relay.registry.get("door").unwrap();
    let frames = camera.snapshot().frames;
    until(|| camera.snapshot().frames > frames + 5).await;
    let snapshot = camera.snapshot();
    assert_eq!(snapshot.transport, Some(Transport::Http));
    assert!(snapshot.online, "{snapshot:?}");
}

#[tokio::test]
async fn what_cannot_be_served_is_said_before_the_close() {
    let limits = Limits { max_cameras: 1, ..Limits::default() };
    let relay = Relay::with(limits).await;
    let mut first = Publisher::open(&relay, "door").await;
    first.first(&relay, "door").await;
    for (path, code, close) in [
        ("-", "bad_camera_id", 4000),
        ("a%20b", "bad_camera_id", 4000),
        ("b", "too_many_cameras", 4004),
    ] {
        let mut refused = Publisher::connect(&relay, path).await;
        // Nobody takes these, and they stand in nobody's way.
        for fill in 1..=2 {
            refused.binary(skeleton(64, 48, 500, fill)).await;
        }
        assert_eq!(refused.error().await, code);
        assert_eq!(refused.close_code().await, close);
    }
}

#[tokio::test]
async fn a_shutdown_is_announced() {
    let relay = Relay::start().await;
    let mut publisher = Publisher::open(&relay, "door").await;
    publisher.first(&relay, "door").await;
    let draining = relay.drain();
    assert_eq!(publisher.error().await, "draining");
    assert_eq!(publisher.close_code().await, u16::from(CloseCode::Away));
    drop(publisher);
    tokio::time::timeout(Duration::from_secs(5), draining).await.unwrap().unwrap();
    let snapshot = relay.registry.get("door").unwrap().snapshot();
    assert_eq!(snapshot.reason.as_deref(), Some("server shutting down"));
}

#[tokio::test]
async fn bad_messages_are_refused_and_the_stream_goes_on() {
    let relay = Relay::start().await;
    let steady = relay.steady("steady").await;
    let good = jpeg(64, 48, 1);
    for (bad, code) in [
        (Message::binary(vec![]), "not_jpeg"),
        (Message::binary(b"hello".to_vec()), "not_jpeg"),
        (Message::binary(good[..300].to_vec()), "truncated"),
        (Message::binary(skeleton(65535, 65535, 300, 0)), "too_many_pixels"),
        (Message::binary(vec![1, 2, 0]), "bad_part"),
        (Message::binary(part(0, 65535, 70_000, 2)), "bad_part"),
        (Message::binary(part(3, 2, 100, 50)), "bad_part"),
        (Message::binary(part(0, 2, u32::MAX, 50)), "too_large"),
        (Message::text("hello"), "bad_message"),
        (Message::text(r#"{"type":"offer","camera":"x","sdp":""}"#), "bad_message"),
    ] {
        let mut publisher = Publisher::open(&relay, "door").await;
        publisher.0.send(bad).await.unwrap();
        assert_eq!(publisher.error().await, code);
        let camera = publisher.first(&relay, "door").await;
        let before = camera.snapshot();
        publisher.binary(jpeg(64, 48, before.frames as u32 + 50)).await;
        until(|| camera.snapshot().frames == before.frames + 1).await;
    }
    steady.undisturbed().await;
}

#[tokio::test]
async fn a_flood_of_bad_messages_is_answered_once_a_second() {
    let relay = Relay::start().await;
    let mut publisher = Publisher::open(&relay, "door").await;
    for _ in 0..200 {
        publisher.binary(b"hello".to_vec()).await;
    }
    let mut errors = 0;
    loop {
        let Message::Text(text) = publisher.message().await else { panic!() };
        let value: Value = serde_json::from_str(&text).unwrap();
        errors += u32::from(value["type"] == "error");
        if value["type"] == "feedback" {
            assert_eq!(value["refused"], 200);
            break;
        }
    }
    assert!(errors <= 2, "{errors}");
}

#[tokio::test]
async fn a_part_that_never_comes_is_counted_as_lost() {
    let relay = Relay::start().await;
    let mut publisher = Publisher::open(&relay, "door").await;
    let camera = publisher.first(&relay, "door").await;
    publisher.binary(part(0, 2, 100, 50)).await;
    until(|| camera.snapshot().drops.get("incomplete") == Some(&1)).await;
    publisher.binary(jpeg(64, 48, 2)).await;
    until(|| camera.snapshot().frames == 2).await;
}

#[tokio::test]
async fn a_message_over_the_limit_closes_with_1009_and_says_why() {
    let relay = Relay::start().await;
    let steady = relay.steady("steady").await;
    for message in [Message::binary(vec![0; 5 << 20]), Message::text(" ".repeat(70_000))] {
        let mut publisher = Publisher::open(&relay, "door").await;
        publisher.first(&relay, "door").await;
        // The server may close while this is still being sent.
        let _ = publisher.0.send(message).await;
        assert_eq!(publisher.error().await, "too_large");
        assert_eq!(publisher.close_code().await, 1009);
        let snapshot = relay.registry.get("door").unwrap().snapshot();
        assert!(!snapshot.online && snapshot.reason.is_some());
    }
    steady.undisturbed().await;
}

#[tokio::test]
async fn what_breaks_the_protocol_closes_with_1002() {
    let relay = Relay::start().await;
    let steady = relay.steady("steady").await;
    let whole = Frame::message(jpeg(64, 48, 2), OpCode::Data(Data::Binary), true);
    let begun = Frame::message(vec![0xFF, 0xD8], OpCode::Data(Data::Binary), false);
    let continued = Frame::message(vec![1, 2], OpCode::Data(Data::Continue), true);
    let not_utf8 = Frame::message(vec![0xC3, 0x28], OpCode::Data(Data::Text), true);
    // A message within a fragmented one, and more behind it; a continuation of nothing; a bad text.
    for frames in [&[begun, whole.clone(), whole.clone(), whole][..], &[continued], &[not_utf8]] {
        let mut publisher = Publisher::open(&relay, "door").await;
        let camera = publisher.first(&relay, "door").await;
        for frame in frames {
            publisher.0.feed(Message::Frame(frame.clone())).await.unwrap();
        }
        publisher.0.flush().await.unwrap();
        assert_eq!(publisher.close_code().await, 1002);
        let after = camera.snapshot();
        let reason = after.reason.map(|it| it.to_string()).unwrap_or_default();
        assert_eq!(
            (after.online, &reason[..]),
            (false, "the publisher broke the WebSocket protocol")
        );
    }
    steady.undisturbed().await;
}

#[tokio::test]
async fn broken_websocket_frames_end_their_own_connection_only() {
    let relay = Relay::start().await;
    let steady = relay.steady("steady").await;
    let upgrade = b"GET /publish/door HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // Garbage; not masked; a length beyond all bounds; a reserved opcode.
    for frame in [
        &[0xFF; 500][..],
        &[0x82, 2, 1, 2],
        &[0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4],
        &[0x83, 0x80, 1, 2, 3, 4],
    ] {
        let began = Instant::now();
        let answer = raw(relay.ingest, &[&upgrade[..], frame].concat(), PATIENCE).await;
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
        assert!(began.elapsed() < PATIENCE, "the connection stays");
    }
    let not_websocket =
        raw(relay.ingest, b"GET /publish/door HTTP/1.1\r\nHost: x\r\n\r\n", SECOND).await;
    assert!(not_websocket.starts_with(b"HTTP/1.1 426 "));
    steady.undisturbed().await;
}

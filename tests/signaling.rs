//! The signaling WebSocket of `docs/protocol.md`, with real connections behind it.

#[path = "support/rtc_client.rs"]
mod rtc_client;
#[path = "support/eventually.rs"]
mod waiting;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use framecast::{
    ingest::{
        Ingest, signaling,
        webrtc::{Candidates, Port},
    },
    net::{Talk, server_socket},
    relay::{CameraId, Clock, Limits, Presence, Publisher, Registry, Transport},
    wire::{
        fragment::{self, HEADER_LEN, PartHeader},
        jpeg::skeleton,
        signal::MAX_TEXT_BYTES,
    },
};
use futures_util::{SinkExt, StreamExt};
use rtc_client::{Channel, Client};
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};
use tokio_util::sync::CancellationToken;
use waiting::within;
use webrtc::data_channel::DataChannel;

struct Server {
    ingest: Ingest,
    port: Arc<Port>,
    shutdown: CancellationToken,
}

type Socket = WebSocketStream<DuplexStream>;

impl Server {
    fn start() -> Self {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let candidates = Candidates::local(socket.local_addr().expect("bound"));
        Self {
            ingest: Ingest { registry: Registry::new(Limits::default(), Clock::system()) },
            port: Arc::new(Port::new(socket, candidates).expect("a port")),
            shutdown: CancellationToken::new(),
        }
    }

    /// A signaling socket, already upgraded.
    async fn connect(&self) -> Socket {
        let (ours, theirs) = tokio::io::duplex(256 << 10);
        let theirs = server_socket(theirs, Bytes::new(), 2 * MAX_TEXT_BYTES).await;
        let (ingest, port) = (self.ingest.clone(), self.port.clone());
        let shutdown = self.shutdown.clone();
        tokio::spawn(async move {
            signaling::serve(Talk::new(theirs), None, &ingest, &port, shutdown).await;
        });
        WebSocketStream::from_raw_socket(ours, Role::Client, None).await
    }

    /// Why a camera is offline, `None` while it is online.
    fn offline(&self, camera: &str) -> Option<String> {
        match self.ingest.registry.get(camera).map(|camera| camera.presence()) {
            Some(Presence::Online { .. }) => None,
            Some(Presence::Offline { reason, .. }) => Some(reason.to_string()),
            None => Some("never published".to_owned()),
        }
    }

    async fn goes_offline(&self, camera: &str) -> (String, Duration) {
        let start = Instant::now();
        loop {
            if let Some(reason) = self.offline(camera) {
                return (reason, start.elapsed());
            }
            assert!(start.elapsed() < Duration::from_secs(10), "{camera} stays online");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.expect("sent");
}

/// The next text message, or the close code.
async fn hear(socket: &mut Socket) -> Result<Value, u16> {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(200), socket.next()).await;
        match message.expect("a message in time") {
            Some(Ok(Message::Text(text))) => {
                return Ok(serde_json::from_str(&text).expect("JSON"));
            }
            Some(Ok(Message::Close(Some(frame)))) => return Err(frame.code.into()),
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The next message of a type; others are passed over.
async fn hear_type(socket: &mut Socket, kind: &str) -> Value {
    loop {
        let message = hear(socket).await.expect("still open");
        if message["type"] == kind {
            return message;
        }
    }
}

/// Offers a camera, sends a picture, and returns when it is online.
async fn publish(
    server: &Server,
    socket: &mut Socket,
    camera: &str,
) -> (Client, Arc<dyn DataChannel>) {
    let (mut client, offer) = Client::offer(Channel::FromServer, "127.0.0.1:0").await;
    // What a busy machine has not sent within the usual 150 ms would be given up.
    let patient = json!({"max_packet_life_time_ms": 5000});
    let offer = json!({"type": "offer", "camera": camera, "sdp": offer, "name": "Door", "channel": patient});
    say(socket, offer).await;
    let answer = hear_type(socket, "answer").await;
    assert_eq!(answer["camera"], camera);
    let sdp = answer["sdp"].as_str().expect("an answer has an SDP");
    assert!(sdp.contains("typ host") && sdp.contains("max-message-size:262144"), "{sdp}");
    let channel = client.connect(sdp).await;
    channel.send(BytesMut::from(&jpeg(16, 9)[..])).await.expect("sent");
    within(Duration::from_secs(5), "it comes online", || server.offline(camera).is_none()).await;
    (client, channel)
}

fn jpeg(size: u16, filler: u8) -> Vec<u8> {
    let pixels: Vec<u8> = (0..usize::from(size) * usize::from(size) * 3)
        .map(|n| (n as u8).wrapping_mul(filler) ^ (n >> 8) as u8)
        .collect();
    let mut out = Vec::new();
    jpeg_encoder::Encoder::new(&mut out, 90)
        .encode(&pixels, size, size, jpeg_encoder::ColorType::Rgb)
        .expect("encodes");
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_whole_and_in_parts_are_published_and_reported() {
    let server = Server::start();
    let mut socket = server.connect().await;
    let hello = hear(&mut socket).await.expect("hello comes at once");
    assert_eq!((&hello["type"], &hello["protocol"]), (&json!("hello"), &json!(1)));
    assert_eq!(hello["max_frame_bytes"], 4 << 20);
    say(&mut socket, json!({"type": "ping", "t": 12.5})).await;
    assert_eq!(hear(&mut socket).await.expect("pong")["t"], 12.5);

    let (_client, channel) = publish(&server, &mut socket, "door").await;
    channel.send(BytesMut::from(&jpeg(64, 3)[..])).await.expect("a bare JPEG");
    // No larger than that: on a busy machine its parts must come before it is given up.
    let large = jpeg(700, 7);
    assert!(large.len() > 200_000, "several parts: {}", large.len());
    let parts = fragment::split(&large, 1, 0, 65_536).expect("fits");
    for part in parts.iter().rev() {
        channel.send(BytesMut::from(&part[..])).await.expect("a part");
    }
    channel.send(BytesMut::from(&b"no picture"[..])).await.expect("sent");
    channel.send_text("no picture either").await.expect("sent");
    let fault = hear_type(&mut socket, "error").await;
    println!("{fault}");
    // The channel is unordered: what was sent last may come first.
    let mut feedback = Value::Null;
    for _ in 0..10 {
        feedback = hear_type(&mut socket, "feedback").await;
        if feedback["received"] == 3 && feedback["refused"] == 2 {
            break;
        }
    }
    let counts = (&feedback["received"], &feedback["refused"], &feedback["camera"]);
    assert_eq!(counts, (&json!(3), &json!(2), &json!("door")));
    let camera = server.ingest.registry.get("door").expect("published");
    let newest = camera.latest().expect("a frame");
    assert_eq!(newest.jpeg(), &large[..]);

    say(&mut socket, json!({"type": "bye"})).await;
    assert_eq!(hear_close(&mut socket).await, 1000);
    assert_eq!(server.goes_offline("door").await.0, "publisher stopped");
}

/// The close code, passing over what comes before.
async fn hear_close(socket: &mut Socket) -> u16 {
    loop {
        if let Err(code) = hear(socket).await {
            return code;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_socket_takes_the_camera_offline_at_once_and_frees_the_port() {
    let server = Server::start();
    let mut socket = server.connect().await;
    let (_client, _channel) = publish(&server, &mut socket, "door").await;
    assert_eq!(server.offline("door"), None);
    drop(socket);
    let (reason, after) = server.goes_offline("door").await;
    println!("offline after {after:?}");
    assert_eq!(reason, "publisher disconnected");
    assert!(after < Duration::from_millis(200));
    let freed = || (server.port.sessions(), server.port.addresses()) == (0, 0);
    within(Duration::from_secs(2), "the port is freed", freed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_told_and_the_socket_can_offer_again() {
    let server = Server::start();
    let mut socket = server.connect().await;
    let (client, _channel) = publish(&server, &mut socket, "door").await;
    client.close().await;
    let error = hear_type(&mut socket, "error").await;
    assert_eq!(error["code"], "webrtc_failed");
    assert_eq!(server.goes_offline("door").await.0, "the publisher closed the connection");
    let (_client, _channel) = publish(&server, &mut socket, "door").await;
    assert_eq!(server.offline("door"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_offer_on_the_same_socket_replaces_the_session() {
    let server = Server::start();
    let mut socket = server.connect().await;
    let (_first, _channel) = publish(&server, &mut socket, "door").await;
    let (_second, channel) = publish(&server, &mut socket, "yard").await;
    assert_eq!(server.offline("door").as_deref(), Some("the publisher started anew"));
    channel.send(BytesMut::from(&jpeg(64, 3)[..])).await.expect("sent");
    let feedback = hear_type(&mut socket, "feedback").await;
    assert_eq!(feedback["camera"], "yard");
    let freed = || server.port.sessions() == 1;
    within(Duration::from_secs(2), "the first session is freed", freed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_publisher_takes_the_camera_and_the_older_is_told() {
    let server = Server::start();
    let mut socket = server.connect().await;
    let (_client, _channel) = publish(&server, &mut socket, "door").await;
    let id = CameraId::parse("door").expect("an id");
    let newer = Publisher::over(Transport::Http);
    let _producer = server.ingest.registry.publish(&id, newer).expect("published");
    let told = hear_type(&mut socket, "replaced").await;
    assert_eq!(told["camera"], "door");
    assert_eq!(hear_close(&mut socket).await, 4001);
    assert_eq!(server.offline("door"), None, "the newer publisher has it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_without_a_good_picture_takes_nothing() {
    let server = Server::start();
    let id = CameraId::parse("door").expect("an id");
    let publisher = Publisher::over(Transport::Http);
    let owner = server.ingest.registry.publish(&id, publisher).expect("published");
    let mut socket = server.connect().await;
    let (mut client, offer) = Client::offer(Channel::FromServer, "127.0.0.1:0").await;
    say(&mut socket, json!({"type": "offer", "camera": "door", "sdp": offer})).await;
    let answer = hear_type(&mut socket, "answer").await;
    let channel = client.connect(answer["sdp"].as_str().expect("an SDP")).await;
    channel.send(BytesMut::from(&b"hello"[..])).await.expect("sent");
    assert_eq!(hear_type(&mut socket, "error").await["code"], "not_jpeg");
    assert!(!owner.is_replaced());
    channel.send(BytesMut::from(&jpeg(16, 9)[..])).await.expect("sent");
    within(Duration::from_secs(3), "it takes the camera", || owner.is_replaced()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_that_never_connects_takes_nothing() {
    let server = Server::start();
    let mut socket = server.connect().await;
    let (_client, channel) = publish(&server, &mut socket, "door").await;
    let mut other = server.connect().await;
    let (_never, offer) = Client::offer(Channel::FromServer, "127.0.0.1:0").await;
    say(&mut other, json!({"type": "offer", "camera": "door", "sdp": offer})).await;
    hear_type(&mut other, "answer").await;
    channel.send(BytesMut::from(&jpeg(64, 3)[..])).await.expect("sent");
    let feedback = hear_type(&mut socket, "feedback").await;
    assert_eq!(feedback["camera"], "door");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_messages_are_told_and_harm_nothing() {
    let server = Server::start();
    let mut socket = server.connect().await;
    let (_client, channel) = publish(&server, &mut socket, "door").await;
    let offer = |camera: &str, more: Value| {
        let mut offer = json!({"type": "offer", "camera": camera, "sdp": "v=0\r\n"});
        offer
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().cloned().unwrap_or_default());
        offer.to_string()
    };
    let both = json!({"channel": {"max_retransmits": 0, "max_packet_life_time_ms": 9}});
    for (text, code) in [
        (String::new(), "bad_message"),
        ("{".repeat(60_000), "bad_message"),
        (json!({"type": "frame"}).to_string(), "bad_message"),
        (offer("../etc", json!({})), "bad_camera_id"),
        (offer("", json!({})), "bad_camera_id"),
        (offer("yard", json!({})), "webrtc_failed"),
        (offer("yard", both), "bad_message"),
    ] {
        socket.send(Message::text(text.clone())).await.expect("sent");
        let error = hear_type(&mut socket, "error").await;
        assert_eq!(error["code"], code, "{text:.80}");
    }
    socket.send(Message::binary(vec![0xFF, 0xD8])).await.expect("sent");
    assert_eq!(hear_type(&mut socket, "error").await["code"], "bad_message");
    for candidate in [
        json!(null),
        json!({"candidate": ""}),
        json!({"candidate": "candidate:junk"}),
        json!({"candidate": "candidate:1 1 udp 1 x.local 9 typ host", "sdpMid": "0"}),
    ] {
        say(&mut socket, json!({"type": "candidate", "candidate": candidate})).await;
    }
    channel.send(BytesMut::from(&jpeg(64, 3)[..])).await.expect("sent");
    loop {
        let message = hear(&mut socket).await.expect("still open");
        assert_eq!(message["type"], "feedback", "{message}");
        if message["received"] == 2 {
            break;
        }
    }
    socket.send(Message::text("x".repeat(MAX_TEXT_BYTES + 1))).await.expect("sent");
    assert_eq!(hear_close(&mut socket).await, 1009);
}

/// Bad input of the data channel, the code it is answered with, and words of the answer.
fn bad_binary() -> Vec<(&'static str, Vec<u8>, &'static str, &'static str)> {
    let header = |parts, frame_len| {
        let part = PartHeader { part: 0, parts, frame_len, seq: 1, captured_us: 0 };
        part.write().to_vec()
    };
    let picture = jpeg(64, 5);
    let garbage = (0..1000_u32).map(|n| (n * 7 + 9) as u8).collect();
    let over_limit = [header(1, (4 << 20) + 1), vec![7; 1000]].concat();
    let many_parts = [header(65_535, 65_535), vec![7]].concat();
    vec![
        ("garbage", garbage, "not_jpeg", "must be a JPEG"),
        ("half a JPEG", picture[..picture.len() / 2].to_vec(), "truncated", "FF D9"),
        ("65535x65535", skeleton(65_535, 65_535, 500, 7), "too_many_pixels", "--max-pixels"),
        ("over 4 MiB", over_limit, "too_large", "--max-frame-bytes"),
        ("65535 parts", many_parts, "bad_part", "1 to 1024 parts"),
        ("half a header", header(2, 9000)[..HEADER_LEN / 2].to_vec(), "bad_part", "28 bytes"),
    ]
}

/// Publishes one picture after the other, each when the one before it has arrived, until told to
/// stop. Returns how many there were.
fn keeps_publishing(
    server: &Server,
    camera: &str,
    channel: Arc<dyn DataChannel>,
    stop: CancellationToken,
) -> tokio::task::JoinHandle<u64> {
    let camera = server.ingest.registry.get(camera).expect("online");
    tokio::spawn(async move {
        let mut sent = 0;
        while !stop.is_cancelled() {
            sent += 1;
            let picture = skeleton(64, 48, 5000 + sent as usize, 1);
            channel.send(BytesMut::from(&picture[..])).await.expect("sent");
            let arrived = || camera.latest().is_some_and(|frame| frame.jpeg() == picture);
            within(Duration::from_secs(3), "the other camera's picture arrives", arrived).await;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        sent
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_on_the_channel_is_told_and_disturbs_neither_this_camera_nor_another() {
    let server = Server::start();
    let mut other_socket = server.connect().await;
    let (_other, other_channel) = publish(&server, &mut other_socket, "yard").await;
    let stop = CancellationToken::new();
    let other = keeps_publishing(&server, "yard", other_channel, stop.clone());

    let mut socket = server.connect().await;
    let (_client, channel) = publish(&server, &mut socket, "door").await;
    let camera = server.ingest.registry.get("door").expect("online");
    let drops = |reason: &str| camera.snapshot().drops.get(reason).copied().unwrap_or(0);
    let send = async |message: &[u8]| {
        channel.send(BytesMut::from(message)).await.expect("sent");
    };
    let mut good = 0;
    let mut goes_on = async |after: &str| {
        good += 1;
        let picture = skeleton(320, 240, 9000 + good, 2);
        send(&picture).await;
        let arrived = || camera.latest().is_some_and(|frame| frame.jpeg() == picture);
        within(Duration::from_secs(3), after, arrived).await;
    };
    goes_on("a first picture").await;

    for (what, message, code, words) in bad_binary() {
        let before = drops(code);
        send(&message).await;
        let error = hear_type(&mut socket, "error").await;
        let said = error["message"].as_str().expect("words");
        assert!(error["code"] == code && said.contains(words), "{what}: {error}");
        assert_eq!(drops(code), before + 1, "{what} is counted");
        goes_on(what).await;
        // A publisher hears of its faults once a second.
        tokio::time::sleep(Duration::from_millis(1050)).await;
    }
    channel.send_text("{\"type\":\"frame\"}").await.expect("sent");
    let error = hear_type(&mut socket, "error").await;
    assert_eq!(error["code"], "bad_message");
    assert!(error["message"].as_str().expect("words").contains("binary"), "{error}");
    goes_on("text").await;

    // A newer frame ends the wait for the rest of an older one; otherwise time does.
    let picture = jpeg(640, 3);
    let parts = |seq| fragment::split(&picture, seq, 0, 64 << 10).expect("fits");
    assert!(parts(1).len() > 1);
    send(&parts(1)[0]).await;
    for part in parts(2) {
        send(&part).await;
    }
    within(Duration::from_secs(3), "overtaken", || drops("incomplete") == 1).await;
    assert_eq!(camera.latest().expect("a frame").jpeg(), picture);
    send(&parts(3)[0]).await;
    within(Duration::from_secs(5), "given up", || drops("incomplete") == 2).await;
    goes_on("parts without an end").await;

    let feedback = loop {
        let feedback = hear_type(&mut socket, "feedback").await;
        if feedback["received"] == good + 2 {
            break feedback;
        }
    };
    assert_eq!((&feedback["refused"], &feedback["lost"]), (&json!(7), &json!(2)), "{feedback}");
    assert_eq!(server.offline("door"), None);

    stop.cancel();
    let sent = other.await.expect("the other camera was not disturbed");
    println!("{sent} pictures of the other camera meanwhile");
    let yard = server.ingest.registry.get("yard").expect("online").snapshot();
    assert!(yard.online && yard.drops.is_empty(), "{yard:?}");
    assert_eq!(yard.frames, 1 + sent);
    say(&mut other_socket, json!({"type": "bye"})).await;
    while let Ok(message) = hear(&mut other_socket).await {
        assert_ne!(message["type"], "error", "{message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_is_told() {
    let server = Server::start();
    let mut socket = server.connect().await;
    let (_client, _channel) = publish(&server, &mut socket, "door").await;
    server.shutdown.cancel();
    assert_eq!(hear_type(&mut socket, "error").await["code"], "draining");
    assert_eq!(hear_close(&mut socket).await, 1001);
    assert_eq!(server.goes_offline("door").await.0, "server shutting down");
}

#[tokio::test(start_paused = true)]
async fn a_socket_without_a_sign_of_life_is_closed_and_one_that_answers_pings_is_not() {
    let server = Server::start();
    // This one reads, so that its side answers the pings by itself.
    let mut alive = server.connect().await;
    let reading = tokio::spawn(async move {
        while let Some(message) = alive.next().await {
            assert!(!matches!(message, Ok(Message::Close(_)) | Err(_)), "{message:?}");
        }
    });
    let mut silent = server.connect().await;
    let start = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(149)).await;
    assert_eq!(hear(&mut silent).await.expect("only hello so far")["type"], "hello");
    // Reading would answer; a client that is gone does neither.
    let (_, mut raw) = (0, silent.into_inner());
    let mut rest = Vec::new();
    let read = tokio::time::timeout(
        Duration::from_secs(100),
        tokio::io::AsyncReadExt::read_to_end(&mut raw, &mut rest),
    );
    let _ = read.await.expect("closed");
    assert!(start.elapsed() < Duration::from_secs(155), "{:?}", start.elapsed());
    let close = rest.windows(2).any(|two| two == 4002_u16.to_be_bytes());
    assert!(close, "the close frame says 4002: {rest:?}");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(!reading.is_finished(), "a socket that answers stays");
}

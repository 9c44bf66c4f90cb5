//! SkySentry v2's clients over real sockets: what they send becomes frames, what is wrong is told,
//! and nobody else notices.

#[path = "support/legacy_server.rs"]
#[allow(dead_code)]
mod legacy_server;

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use framecast::{
    ingest::{
        Ingest, dialect,
        webrtc::{Candidates, Port},
    },
    net::{Talk, server_socket},
    relay::{Clock, Frame, Limits, Presence, Registry, Transport},
    wire::jpeg,
};
use futures_util::{SinkExt, StreamExt};
use legacy_server::{Client, MAX_FRAME_BYTES, Server, eventually, frame, picture, wrapped};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio_tungstenite::{
    WebSocketStream, connect_async_with_config,
    tungstenite::{Bytes, Message, protocol::Role},
};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_registered_client_publishes_directly_wrapped_and_as_bytes() {
    let server = Server::start().await;
    let mut client = server.publisher().await;
    client
        .say(r#"{"type":"client-registration","clientId":"demo-client-123456","timestamp":"2025-09-20T01:55:14.123Z"}"#)
        .await;
    let answer = r#"{"type":"registration-success","clientId":"demo-client-123456"}"#;
    assert_eq!(client.hear().await.unwrap(), answer);
    let camera = "demo-client-123456";
    assert!(server.camera(camera).is_none(), "a client that only registers takes no camera");

    client.say(&frame(camera, &picture(1))).await;
    client.say(&wrapped(&frame(camera, &picture(2)))).await;
    client.send(Message::Binary(Bytes::from(picture(3)))).await;
    eventually("three frames", || server.seq(camera) == 3).await;
    let known = server.camera(camera).unwrap();
    assert_eq!(known.latest().unwrap().jpeg(), picture(3));
    assert_eq!(known.cached(usize::MAX, Frame::jpeg)[0], picture(1), "to the byte");
    assert_eq!(known.latest().unwrap().captured_us, 0);
    let presence = known.presence();
    assert!(matches!(presence, Presence::Online { transport: Transport::Legacy, .. }));

    drop(client);
    eventually("offline", || !server.is_online(camera)).await;
}

#[tokio::test]
async fn what_else_v2_sends_is_accepted_and_a_heartbeat_answered() {
    let server = Server::start().await;
    let mut client = server.registered("a").await;
    for quiet in [
        r#"{"type":"connection_status","payload":{"status":"connected","details":"Camera initialized"},"clientId":"a"}"#,
        r#"{"type":"text_message","payload":"hello","clientId":"a"}"#,
        r#"{"type":"error","payload":{"message":"Camera error","code":"CAMERA_ACCESS_FAILED"}}"#,
        r#"{"type":"answer","payload":{"type":"answer","sdp":"v=0"}}"#,
        r#"{"type":"ice-candidate","payload":{"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host","sdpMid":"0"},"clientId":"a"}"#,
    ] {
        client.say(quiet).await;
        client.say(&wrapped(quiet)).await;
    }
    client.say(&wrapped(r#""[Binary data: 31337 bytes]""#)).await;
    let heartbeat = r#"{"type":"heartbeat","payload":{"timestamp":"2025-09-20T01:55:14.123Z"}}"#;
    client.say(&wrapped(heartbeat)).await;
    let answer = client.hear_json().await;
    assert_eq!(answer["type"], "heartbeat", "the first answer of all: {answer}");
    let timestamp = answer["payload"]["timestamp"].as_str().unwrap();
    assert!(timestamp.ends_with('Z') && timestamp.len() == 24, "{timestamp}");
}

/// Sends something wrong before the first good frame, and once more after.
async fn goes_on_after(server: &Server, id: String, text: String, expected: &str) {
    let mut client = server.registered(&id).await;
    let shown: String = text.chars().take(80).collect();
    client.say(&text).await;
    let (code, message) = client.hear_error().await;
    assert_eq!(code, expected, "{shown}: {message}");
    assert!(!server.is_online(&id), "{shown}");
    client.say(&frame(&id, &picture(1))).await;
    eventually("the client goes on", || server.is_online(&id)).await;
    tokio::time::sleep(Duration::from_millis(1001)).await;
    client.say(&text).await;
    assert_eq!(client.hear_error().await.0, expected, "{shown}");
    assert!(server.is_online(&id), "{shown}");
}

#[tokio::test]
async fn what_is_wrong_is_told_and_disturbs_neither_the_client_nor_others() {
    let server = Server::start().await;
    let mut other = server.registered("other").await;
    other.say(&frame("other", &picture(1))).await;
    eventually("the other's frame", || server.seq("other") == 1).await;

    let large = jpeg::skeleton(640, 480, MAX_FRAME_BYTES + 1, 1);
    let bomb = jpeg::skeleton(65535, 65535, 2000, 1);
    let cut = &picture(1)[..1000];
    let cases = [
        (frame("a", b"hello"), "not_jpeg"),
        (frame("a", cut), "truncated"),
        (frame("a", &large), "too_large"),
        (frame("a", &bomb), "too_many_pixels"),
        (frame("a", &[]), "not_jpeg"),
        (r#"{"type":"webcam_frame","payload":{"data":"%%%"}}"#.to_owned(), "not_jpeg"),
        (r#"{"type":"webcam_frame","payload":{"size":1}}"#.to_owned(), "bad_message"),
        (r#"{"type":"webcam_frame"}"#.to_owned(), "bad_message"),
        (r#"{"type":"join-room"}"#.to_owned(), "bad_message"),
        ("hello".to_owned(), "bad_message"),
        ("[".repeat(100_000), "bad_message"),
        (frame("b", &picture(1)), "bad_message"),
        (r#"{"type":"client-registration","clientId":"b"}"#.to_owned(), "bad_message"),
        (r#"{"type":"offer","payload":{"type":"offer","sdp":"v=0"}}"#.to_owned(), "webrtc_failed"),
    ];
    let played = cases.iter().enumerate().map(|(n, (text, expected))| {
        let id = format!("a{n}");
        let text = text.replace(r#""clientId":"a""#, &format!(r#""clientId":"{id}""#));
        goes_on_after(&server, id, text, expected)
    });
    futures_util::future::join_all(played).await;
    assert!(server.camera("b").is_none());
    for (id, reason) in [("a0", "not_jpeg"), ("a2", "too_large"), ("a3", "too_many_pixels")] {
        assert_eq!(server.camera(id).unwrap().snapshot().drops[reason], 1);
    }
    other.say(&frame("other", &picture(2))).await;
    eventually("the other goes on", || server.seq("other") == 2).await;
}

#[tokio::test]
async fn refusals_come_once_a_second_however_many_frames_are_bad() {
    let server = Server::start().await;
    let mut client = server.registered("a").await;
    client.say(&frame("a", &picture(1))).await;
    for _ in 0..500 {
        client.say(&frame("a", b"hello")).await;
    }
    client.say(r#"{"type":"heartbeat"}"#).await;
    assert_eq!(client.hear_error().await.0, "not_jpeg");
    let mut next = client.hear_json().await;
    if next["type"] == "error" {
        next = client.hear_json().await;
    }
    assert_eq!(next["type"], "heartbeat");
    assert_eq!(server.camera("a").unwrap().snapshot().drops["not_jpeg"], 500);
}

#[tokio::test]
async fn a_frame_before_registration_registers_its_client_or_is_told_to() {
    let server = Server::start().await;
    let mut nameless = server.publisher().await;
    let data = STANDARD.encode(picture(1));
    nameless.say(&json!({"type": "webcam_frame", "payload": {"data": data}}).to_string()).await;
    let (code, message) = nameless.hear_error().await;
    assert_eq!(code, "bad_message");
    assert!(message.contains("client-registration"), "{message}");
    assert!(server.registry.list().is_empty());

    let mut named = server.publisher().await;
    named.say(&frame("a", &picture(1))).await;
    eventually("v2 took it for a registration", || server.seq("a") == 1).await;
}

#[tokio::test]
async fn an_id_that_is_no_camera_id_is_refused_with_the_pattern() {
    let server = Server::start().await;
    let mut client = server.publisher().await;
    client.say(r#"{"type":"client-registration","clientId":"living room"}"#).await;
    let (code, message) = client.hear_error().await;
    assert_eq!(code, "bad_camera_id");
    assert!(message.contains("letters, digits"), "{message}");
    client.say(r#"{"type":"client-registration"}"#).await;
    assert_eq!(client.hear_error().await.0, "bad_camera_id");
    client.say(r#"{"type":"client-registration","clientId":"client_1726790000000"}"#).await;
    assert_eq!(client.hear_json().await["type"], "registration-success");
}

#[tokio::test]
async fn a_newer_publisher_takes_the_camera_and_the_older_is_told() {
    let server = Server::start().await;
    let mut older = server.registered("a").await;
    older.say(&frame("a", &picture(1))).await;
    eventually("the older's", || server.seq("a") == 1).await;
    let mut newer = server.registered("a").await;
    older.say(&frame("a", &picture(2))).await;
    eventually("registering takes nothing", || server.seq("a") == 2).await;
    newer.say(&frame("a", &picture(3))).await;
    assert_eq!(older.hear_error().await.0, "replaced");
    assert_eq!(older.hear().await, Err(4001));
    eventually("the newer's", || server.seq("a") == 3).await;
    drop(older);
    newer.say(&frame("a", &picture(4))).await;
    eventually("it stays", || server.seq("a") == 4 && server.is_online("a")).await;
}

#[tokio::test]
async fn messages_above_the_limit_end_the_connection_with_1009() {
    let server = Server::start().await;
    let url = format!("ws://{}", server.ingest);
    let config = Some(legacy_server::without_limits());
    let (socket, _) = connect_async_with_config(url, config, false).await.unwrap();
    let mut client = Client(socket);
    client.say(r#"{"type":"client-registration","clientId":"a"}"#).await;
    client.hear_json().await;
    client.say(&frame("a", &picture(1))).await;
    // The largest that fits: its own header besides.
    let largest = jpeg::skeleton(640, 480, MAX_FRAME_BYTES, 2);
    client.say(&wrapped(&frame("a", &largest))).await;
    eventually("the largest frame fits", || server.seq("a") == 2).await;
    client.say(&" ".repeat(2 * MAX_FRAME_BYTES)).await;
    assert_eq!(client.hear_error().await.0, "too_large");
    assert_eq!(client.hear().await, Err(1009));
    eventually("offline", || !server.is_online("a")).await;
}

#[tokio::test]
async fn too_many_cameras_and_shutdown_have_their_close_codes() {
    let limits = Limits { max_cameras: 1, ..Limits::default() };
    let server = Server::with(limits, axum::Router::new(), None).await;
    let mut first = server.registered("a").await;
    first.say(&frame("a", &picture(1))).await;
    eventually("online", || server.is_online("a")).await;
    let mut second = server.registered("b").await;
    second.say(&frame("b", &picture(1))).await;
    assert_eq!(second.hear_error().await.0, "too_many_cameras");
    assert_eq!(second.hear().await, Err(4004));

    let mut silent = server.publisher().await;
    server.lifetime.shutdown.cancel();
    assert_eq!(first.hear_error().await.0, "draining");
    assert_eq!(first.hear().await, Err(1001));
    assert_eq!(silent.hear().await, Err(1001));
    assert!(!server.is_online("a"));
}

#[tokio::test]
async fn the_first_message_settles_the_dialect() {
    let server = Server::start().await;
    let mut modern = server.publisher().await;
    modern.say(r#"{"type":"ping","t":7}"#).await;
    assert_eq!(modern.hear_json().await["type"], "hello");
    assert_eq!(modern.hear_json().await["t"], 7);
    for neither in [
        Message::text("hello"),
        Message::text(r#"{"type":"subscribe"}"#),
        Message::Binary(Bytes::from(picture(1))),
    ] {
        let mut client = server.publisher().await;
        client.send(neither).await;
        let error = client.hear_json().await;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("bad_message")));
        assert_eq!(client.hear().await, Err(4000));
    }
}

#[tokio::test]
async fn a_viewer_gets_the_newest_frames_then_each_newer_one_of_all_cameras() {
    let server = Server::start().await;
    let mut publisher = server.registered("b").await;
    publisher.say(&frame("b", &picture(1))).await;
    publisher.say(&frame("b", &picture(2))).await;
    eventually("a frame before the viewer", || server.seq("b") == 2).await;

    let mut viewer = Client::connect(server.view).await;
    let received_ms = server.camera("b").unwrap().latest().unwrap().received_us / 1000;
    let expected = format!(
        r#"{{"type":"frame_update","clientId":"b","frame":"{}","timestamp":{received_ms},"frameNumber":2,"size":2000}}"#,
        STANDARD.encode(picture(2))
    );
    assert_eq!(viewer.hear().await.unwrap(), expected);

    let mut late = server.registered("a").await;
    late.say(&frame("a", &picture(3))).await;
    let update = viewer.hear_json().await;
    assert_eq!((&update["clientId"], &update["frameNumber"]), (&json!("a"), &json!(1)));
    publisher.say(&frame("b", &picture(4))).await;
    let update = viewer.hear_json().await;
    assert_eq!((&update["clientId"], &update["frameNumber"]), (&json!("b"), &json!(3)));
    assert_eq!(update["frame"], STANDARD.encode(picture(4)));
}

async fn get(server: &Server, path: &str) -> (u16, Value) {
    let response = reqwest::get(format!("http://{}{path}", server.api)).await.expect("answered");
    assert_eq!(response.headers()["access-control-allow-origin"], "*", "{path}");
    assert_eq!(response.headers()["content-type"], "application/json", "{path}");
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON"))
}

#[tokio::test]
async fn the_api_has_the_shapes_of_v2() {
    let server = Server::start().await;
    assert_eq!(
        get(&server, "/api/cameras").await,
        (200, json!({"success": true, "cameras": [], "count": 0}))
    );
    let mut gone = server.registered("gone").await;
    gone.say(&frame("gone", &picture(1))).await;
    let mut here = server.registered("here").await;
    here.say(&frame("here", &picture(2))).await;
    eventually("both", || server.seq("gone") == 1 && server.seq("here") == 1).await;
    drop(gone);
    eventually("offline", || !server.is_online("gone")).await;

    let object = |id: &str, fill: u8, status: &str| {
        let latest = server.camera(id).unwrap().latest().unwrap();
        let timestamp = framecast::wire::iso8601::format_ms(latest.received_us / 1000);
        json!({
            "id": id, "timestamp": timestamp, "frameNumber": 1, "size": 2000, "status": status,
            "image": format!("data:image/jpeg;base64,{}", STANDARD.encode(picture(fill))),
        })
    };
    let (gone, here) = (object("gone", 1, "offline"), object("here", 2, "online"));
    assert_eq!(
        get(&server, "/api/cameras").await,
        (200, json!({"success": true, "cameras": ["gone", "here"], "count": 2}))
    );
    assert_eq!(
        get(&server, "/api/cameras/all").await,
        (200, json!({"success": true, "cameras": [gone, here], "count": 2}))
    );
    assert_eq!(
        get(&server, "/api/cameras/live").await,
        (200, json!({"success": true, "cameras": [here], "count": 1, "cached": true}))
    );
    assert_eq!(
        get(&server, "/api/camera/here").await,
        (200, json!({"success": true, "camera": here}))
    );
    let (status, unknown) = get(&server, "/api/camera/nobody").await;
    assert_eq!((status, &unknown["success"]), (404, &json!(false)));
    assert!(unknown["error"].is_string());
    assert_eq!(get(&server, "/nowhere").await.0, 404);

    let (_, answer) = get(&server, "/api/stats").await;
    let stats = &answer["stats"];
    assert_eq!(answer["success"], true);
    assert_eq!((&stats["totalFrames"], &stats["totalClients"]), (&json!(2), &json!(2)));
    assert_eq!((&stats["redisConnected"], &stats["pendingOperations"]), (&json!(true), &json!(3)));
    assert_eq!((&stats["redisUrl"], &stats["clientList"]), (&json!(""), &json!(["gone", "here"])));
    let client = &stats["clientsWithMetadata"][0];
    assert_eq!(
        (&client["id"], &client["metadata"]["status"]),
        (&json!("gone"), &json!("disconnected"))
    );
    assert!(client["metadata"]["connected_at"].is_string());
    assert!(client["metadata"]["last_seen"].is_string());
}

#[tokio::test]
async fn the_api_is_open_to_pages_of_all_sites_for_reading_only() {
    let server = Server::start().await;
    let client = reqwest::Client::new();
    let url = format!("http://{}/api/cameras", server.api);
    let preflight = client
        .request(reqwest::Method::OPTIONS, &url)
        .header("origin", "https://dashboard.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "x-own");
    let allowed = preflight.send().await.unwrap();
    assert_eq!(allowed.status(), 204);
    assert_eq!(allowed.headers()["access-control-allow-methods"], "GET");
    assert_eq!(allowed.headers()["access-control-allow-headers"], "x-own");
    assert_eq!(client.post(&url).send().await.unwrap().status(), 405);
}

#[tokio::test(start_paused = true)]
async fn a_socket_without_a_sign_of_life_is_closed_and_one_that_answers_pings_is_not() {
    let registry = Registry::new(Limits::default(), Clock::system());
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let candidates = Candidates::local(udp.local_addr().unwrap());
    let port = Arc::new(Port::new(udp, candidates).unwrap());
    let connect = async || {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let theirs = server_socket(theirs, bytes::Bytes::new(), 64 << 10).await;
        let (ingest, port) = (Ingest { registry: registry.clone() }, port.clone());
        tokio::spawn(async move {
            dialect::serve(Talk::new(theirs), &ingest, &port, CancellationToken::new()).await;
        });
        WebSocketStream::from_raw_socket(ours, Role::Client, None).await
    };
    let hello = r#"{"type":"client-registration","clientId":"a"}"#;
    for registers in [true, false] {
        let mut answering = connect().await;
        let mut silent = connect().await;
        if registers {
            answering.send(Message::text(hello)).await.unwrap();
            silent.send(Message::text(hello)).await.unwrap();
        }
        // Reading answers pings; a client that is gone does neither.
        let reading =
            tokio::spawn(async move { while let Some(Ok(_)) = answering.next().await {} });
        let start = tokio::time::Instant::now();
        let mut rest = Vec::new();
        let mut raw = silent.into_inner();
        let ended = tokio::time::timeout(Duration::from_secs(160), raw.read_to_end(&mut rest));
        let _ = ended.await.expect("closed in time");
        assert!(start.elapsed() > Duration::from_secs(149), "{:?}", start.elapsed());
        assert!(rest.windows(2).any(|two| two == 4002_u16.to_be_bytes()), "{rest:?}");
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!(!reading.is_finished(), "a socket that answers stays");
    }
}

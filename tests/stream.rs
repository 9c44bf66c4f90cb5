//! The streaming WebSocket over real sockets, frames put straight into the relay.

#![allow(clippy::unwrap_used)]

#[path = "support/view_port.rs"]
mod view_port;

use std::{sync::Arc, time::Duration};

use framecast::{
    relay::{Camera, CameraId, Configured, Demand},
    wire::{envelope, jpeg},
};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error as WsError, Message},
};
use view_port::{PATIENCE, ViewPort, at_30_fps, put};

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Connects and takes the `hello`.
async fn connect(relay: &ViewPort, query: &str) -> (Client, Value) {
    let url = format!("ws://{}/stream{query}", relay.addr);
    let (mut client, _) = connect_async(url).await.unwrap();
    let hello = text(&mut client).await;
    assert_eq!(hello["type"], "hello");
    (client, hello)
}

async fn next(client: &mut Client) -> Message {
    timeout(PATIENCE, client.next()).await.expect("a message in time").unwrap().unwrap()
}

/// The next text message but `stats`.
async fn text(client: &mut Client) -> Value {
    loop {
        if let Message::Text(text) = next(client).await {
            let value: Value = serde_json::from_str(&text).unwrap();
            if value["type"] != "stats" {
                return value;
            }
        }
    }
}

/// The next frame: camera, number, first byte of the picture data, bytes.
async fn frame(client: &mut Client) -> (String, u64, u8, usize) {
    loop {
        if let Message::Binary(message) = next(client).await {
            let (header, jpeg) = envelope::read(&message).unwrap();
            return (header.camera.to_owned(), header.seq, jpeg[30], jpeg.len());
        }
    }
}

async fn close_code(client: &mut Client) -> u16 {
    loop {
        match timeout(PATIENCE, client.next()).await.expect("a close in time") {
            Some(Ok(Message::Close(Some(close)))) => return close.code.into(),
            Some(Ok(_)) => {}
            other => panic!("expected a close frame, got {other:?}"),
        }
    }
}

async fn send(client: &mut Client, message: Value) {
    client.send(Message::text(message.to_string())).await.unwrap();
}

#[tokio::test]
async fn a_late_joiner_gets_the_newest_frame_at_once_and_then_each_newer_one() {
    let relay = ViewPort::start().await;
    let door = relay.publish("door");
    put(&door, 1, 500);
    put(&door, 2, 500);
    let (mut client, hello) = connect(&relay, "?cameras=door").await;
    assert_eq!(hello["protocol"], 1);
    assert_eq!(hello["cameras"][0]["camera"], "door");
    assert_eq!(hello["cameras"][0]["online"], true);
    assert_eq!(frame(&mut client).await, ("door".into(), 2, 2, 500));
    for fill in 3..10 {
        sleep(Duration::from_millis(34)).await;
        put(&door, fill, 500);
        assert_eq!(frame(&mut client).await, ("door".into(), u64::from(fill), fill, 500));
    }
}

fn set_up(relay: &ViewPort, on_demand: bool) -> Arc<Camera> {
    let configured = Configured { name: None, reason: "standing by".into(), on_demand };
    relay.registry.configure(&CameraId::parse("gate").unwrap(), configured).unwrap()
}

async fn wanted(demand: &mut Demand) -> bool {
    timeout(Duration::from_millis(300), demand.wanted()).await.is_ok()
}

#[tokio::test]
async fn only_by_its_name_is_a_camera_on_demand_connected_and_who_wants_all_sees_what_there_is() {
    let relay = ViewPort::start().await;
    // Those who want all are there first.
    let (mut client, _) = connect(&relay, "?cameras=*").await;
    let gate = set_up(&relay, true);
    gate.limit_viewers(1);
    let mut demand = gate.demand();
    let producer = relay.publish("gate");
    put(&producer, 1, 100);
    assert_eq!(frame(&mut client).await.1, 1);
    assert!(!wanted(&mut demand).await && gate.seats_taken() == 0);

    send(&mut client, json!({"type": "subscribe", "camera": "gate"})).await;
    assert!(wanted(&mut demand).await && gate.seats_taken() == 1);
    put(&producer, 2, 100);
    assert_eq!(frame(&mut client).await.1, 2);
    // Another one sees it too while it takes no place, and is told when it wants one.
    let (mut other, _) = connect(&relay, "?cameras=*").await;
    assert_eq!(frame(&mut other).await.1, 2);
    send(&mut other, json!({"type": "subscribe", "camera": "gate"})).await;
    loop {
        let told = text(&mut other).await;
        if told["type"] == "error" {
            assert_eq!(told["code"], "at_capacity");
            break;
        }
    }
    send(&mut client, json!({"type": "unsubscribe", "camera": "gate"})).await;
    timeout(PATIENCE, demand.unwanted_for(Duration::ZERO)).await.expect("no demand");
}

#[tokio::test]
async fn who_asks_again_for_one_full_camera_is_told_of_that_one_only() {
    let relay = ViewPort::start().await;
    let cameras = ["gate", "yard"].map(|id| {
        let configured = Configured { name: None, reason: "standing by".into(), on_demand: true };
        let id = CameraId::parse(id).unwrap();
        let camera = relay.registry.configure(&id, configured).unwrap();
        camera.limit_viewers(1);
        camera
    });
    let _seats = cameras.map(|camera| camera.seat().unwrap());
    let (mut client, _) = connect(&relay, "?cameras=gate,yard").await;
    let mut full = Vec::new();
    while full.len() < 2 {
        let told = text(&mut client).await;
        if told["type"] == "error" {
            full.push(told["camera"].clone());
        }
    }
    full.sort_by_key(Value::to_string);
    assert_eq!(full, ["gate", "yard"]);

    send(&mut client, json!({"type": "subscribe", "camera": "gate"})).await;
    send(&mut client, json!({"type": "ping", "t": 1})).await;
    full.clear();
    loop {
        let told = text(&mut client).await;
        match told["type"].as_str().unwrap() {
            "error" => full.push(told["camera"].clone()),
            "pong" => break,
            _ => {}
        }
    }
    assert_eq!(full, ["gate"]);
}

#[tokio::test]
async fn another_size_is_no_way_around_a_seat() {
    let relay = ViewPort::start().await;
    let gate = set_up(&relay, true);
    gate.limit_viewers(1);
    let _seat = gate.seat().unwrap();
    let mut demand = gate.demand();
    let (mut client, _) = connect(&relay, "?cameras=*").await;
    for quality in ["low", "medium"] {
        send(&mut client, json!({"type": "subscribe", "camera": "gate", "quality": quality})).await;
        let told = loop {
            let told = text(&mut client).await;
            if told["type"] == "error" {
                break told;
            }
        };
        assert_eq!(told["code"], "at_capacity");
        assert!(!wanted(&mut demand).await, "{quality}");
    }
}

#[tokio::test]
async fn a_camera_that_is_always_connected_is_watched_by_who_wants_all_and_so_is_one_that_becomes_so()
 {
    let relay = ViewPort::start().await;
    let (_client, _) = connect(&relay, "?cameras=*").await;
    let gate = set_up(&relay, true);
    let mut demand = gate.demand();
    assert!(!wanted(&mut demand).await);
    set_up(&relay, false);
    timeout(PATIENCE, demand.wanted()).await.expect("demand");
    set_up(&relay, true);
    timeout(PATIENCE, demand.unwanted_for(Duration::ZERO)).await.expect("no demand");
}

#[tokio::test]
async fn a_plain_client_sees_every_camera_also_those_that_come_later() {
    let relay = ViewPort::start().await;
    let _door = relay.publish("door");
    let (mut client, hello) = connect(&relay, "").await;
    assert_eq!(hello["cameras"].as_array().unwrap().len(), 1);
    let yard = relay.publish("yard");
    put(&yard, 1, 100);
    let camera = text(&mut client).await;
    assert_eq!((&camera["type"], &camera["camera"]), (&json!("camera"), &json!("yard")));
    assert_eq!(frame(&mut client).await.0, "yard");
    yard.close("battery empty");
    let offline = text(&mut client).await;
    assert_eq!(offline["online"], false);
    assert_eq!(offline["reason"], "battery empty");
    assert!(offline["since_us"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn json_frames_carry_the_picture_in_base64() {
    use base64::Engine as _;
    let relay = ViewPort::start().await;
    let door = relay.publish("door");
    put(&door, 9, 200);
    let (mut client, _) = connect(&relay, "?cameras=door&format=json").await;
    let frame = text(&mut client).await;
    assert_eq!(frame["type"], "frame");
    assert_eq!((&frame["camera"], &frame["seq"]), (&json!("door"), &json!(1)));
    assert_eq!(
        (&frame["width"], &frame["height"], &frame["size"]),
        (&json!(640), &json!(480), &json!(200))
    );
    let jpeg = base64::engine::general_purpose::STANDARD.decode(frame["jpeg"].as_str().unwrap());
    assert_eq!(jpeg.unwrap(), jpeg::skeleton(640, 480, 200, 9));
}

#[tokio::test]
async fn subscriptions_change_while_the_stream_runs() {
    let relay = ViewPort::start().await;
    let (door, yard) = (relay.publish("door"), relay.publish("yard"));
    put(&door, 1, 100);
    put(&yard, 1, 100);
    let (mut client, _) = connect(&relay, "?cameras=door").await;
    assert_eq!(frame(&mut client).await.0, "door");
    send(&mut client, json!({"type": "subscribe", "camera": "yard"})).await;
    assert_eq!(frame(&mut client).await.0, "yard");
    send(&mut client, json!({"type": "unsubscribe", "camera": "door"})).await;
    send(&mut client, json!({"type": "ping", "t": 5})).await;
    assert_eq!(text(&mut client).await["type"], "pong");
    put(&door, 2, 100);
    put(&yard, 2, 100);
    assert_eq!(frame(&mut client).await.0, "yard");
    // One camera left out of all.
    send(&mut client, json!({"type": "subscribe", "camera": "*"})).await;
    assert_eq!(frame(&mut client).await.0, "door");
    send(&mut client, json!({"type": "unsubscribe", "camera": "yard"})).await;
    send(&mut client, json!({"type": "ping", "t": 6})).await;
    assert_eq!(text(&mut client).await["t"], 6);
    put(&yard, 3, 100);
    sleep(Duration::from_millis(50)).await;
    put(&door, 3, 100);
    assert_eq!(frame(&mut client).await.0, "door");
}

#[tokio::test]
async fn a_camera_that_nobody_published_yet_is_watched_as_soon_as_it_appears() {
    let relay = ViewPort::start().await;
    let (mut client, hello) = connect(&relay, "?cameras=later").await;
    assert_eq!(hello["cameras"], json!([]));
    let status = text(&mut client).await;
    assert_eq!((&status["camera"], &status["online"]), (&json!("later"), &json!(false)));
    let later = relay.publish("later");
    put(&later, 1, 100);
    assert_eq!(text(&mut client).await["online"], true);
    assert_eq!(frame(&mut client).await, ("later".into(), 1, 1, 100));
}

#[tokio::test]
async fn a_viewer_that_wants_fewer_frames_gets_fewer_and_still_the_last() {
    let relay = ViewPort::start().await;
    let door = relay.publish("door");
    put(&door, 0, 100);
    let (mut client, _) = connect(&relay, "?cameras=door&max_fps=5").await;
    let start = Instant::now();
    for fill in 1..=30 {
        put(&door, fill, 100);
        sleep(Duration::from_millis(33)).await;
    }
    let mut seqs = Vec::new();
    while seqs.last() != Some(&31) {
        seqs.push(frame(&mut client).await.1);
    }
    let allowed = start.elapsed().as_secs_f64() * 5.0 + 2.0;
    assert!((4.0..=allowed).contains(&(seqs.len() as f64)), "{seqs:?}");
    assert!(seqs.is_sorted());
    assert!(door.camera().snapshot().drops["paced"] >= 15);
}

#[tokio::test]
async fn a_viewer_that_reads_nothing_delays_nobody_and_comes_back_to_a_fresh_frame() {
    let relay = ViewPort::start().await;
    let door = relay.publish("door");
    let camera = door.camera().clone();
    let (mut slow, _) = connect(&relay, "?cameras=door").await;
    let (mut quick, _) = connect(&relay, "?cameras=door").await;
    let task = at_30_fps(door, 200_000);
    let start = Instant::now();
    let mut gap = Duration::ZERO;
    let (mut last, mut frames) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(4) {
        frame(&mut quick).await;
        gap = gap.max(last.elapsed());
        last = Instant::now();
        frames += 1;
    }
    assert!(frames >= 110, "the quick viewer got {frames} of 120");
    assert!(gap < Duration::from_millis(250), "and once waited {gap:?}");
    // What the kernels held is old; behind it the stream is live again.
    let mut stale = 0;
    while frame(&mut slow).await.1 + 5 < camera.snapshot().seq {
        stale += 1;
    }
    assert!(stale <= 40, "{stale} old frames came first");
    assert!(camera.snapshot().drops["behind"] > 30);
    task.abort();
}

#[tokio::test]
async fn a_rate_that_is_raised_holds_for_the_frame_that_waited_and_for_the_next() {
    let relay = ViewPort::start().await;
    let door = relay.publish("door");
    put(&door, 1, 500);
    let (mut client, _) = connect(&relay, "?cameras=door&max_fps=0.01").await;
    assert_eq!(frame(&mut client).await.2, 1);
    put(&door, 2, 500);
    sleep(Duration::from_millis(50)).await;
    send(&mut client, json!({"type": "subscribe", "camera": "door", "max_fps": 20})).await;
    assert_eq!(frame(&mut client).await.2, 2);
    put(&door, 3, 500);
    // Held back until it is due, and not until the older rate's time.
    assert_eq!(frame(&mut client).await.2, 3);
}

#[tokio::test]
async fn pongs_and_texts_never_stand_inside_a_frame() {
    let relay = ViewPort::start().await;
    let task = at_30_fps(relay.publish("door"), 300_000);
    let (client, _) = connect(&relay, "?cameras=door").await;
    let (mut write, mut read) = client.split();
    let pings = tokio::spawn(async move {
        for n in 0u32..300 {
            write.send(Message::Ping(n.to_be_bytes().to_vec().into())).await.unwrap();
            write.send(Message::text(json!({"type": "ping", "t": n}).to_string())).await.unwrap();
            sleep(Duration::from_millis(5)).await;
        }
        write
    });
    let (mut frames, mut pongs, mut texts) = (0, 0, 0);
    // Each text is answered; of pongs only the newest (RFC 6455, 5.5.3).
    while texts < 300 || frames < 40 {
        match timeout(PATIENCE, read.next()).await.unwrap().unwrap().unwrap() {
            Message::Binary(message) => {
                let (_, jpeg) = envelope::read(&message).unwrap();
                assert_eq!((jpeg.len(), &jpeg[jpeg.len() - 2..]), (300_000, &[0xFF, 0xD9][..]));
                frames += 1;
            }
            Message::Pong(_) => pongs += 1,
            Message::Text(text) if text.contains("\"pong\"") => texts += 1,
            Message::Text(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(texts == 300 && pongs >= 10, "{pongs} pongs, {texts} texts");
    drop(pings.await.unwrap());
    task.abort();
}

#[tokio::test]
async fn bad_input_gets_a_clear_error_and_disturbs_nobody() {
    let relay = ViewPort::start().await;
    let task = at_30_fps(relay.publish("door"), 1000);
    let (mut other, _) = connect(&relay, "?cameras=door").await;
    let (mut client, _) = connect(&relay, "?cameras=nothing").await;
    assert_eq!(text(&mut client).await["type"], "camera");
    for (bad, code) in [
        (Message::text("garbage"), "bad_message"),
        (Message::text("{\"type\":\"dance\"}"), "bad_message"),
        (Message::text("{\"type\":\"ack\"}"), "bad_message"),
        (Message::text("[]"), "bad_message"),
        (Message::text("{\"type\":\"subscribe\",\"camera\":\"../etc\"}"), "bad_camera_id"),
        (Message::text("{\"type\":\"subscribe\",\"camera\":\"a\",\"max_fps\":-1}"), "bad_message"),
        (Message::binary(vec![1, 2, 3]), "bad_message"),
    ] {
        client.send(bad.clone()).await.unwrap();
        let error = text(&mut client).await;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!(code)), "{bad:?}");
        assert!(error["message"].as_str().unwrap().len() > 10);
    }
    send(&mut client, json!({"type": "ack", "camera": "door", "seq": u64::MAX})).await;
    client.send(Message::text("x".repeat(65 << 10))).await.unwrap();
    assert_eq!(close_code(&mut client).await, 1009);

    for (query, code) in [
        ("?cameras=a/b", "bad_camera_id"),
        ("?format=png", "bad_request"),
        ("?max_fps=0", "bad_request"),
        ("?max_fps=fast", "bad_request"),
    ] {
        let (mut client, _) =
            connect_async(format!("ws://{}/stream{query}", relay.addr)).await.unwrap();
        assert_eq!(text(&mut client).await["code"], code, "{query}");
        assert_eq!(close_code(&mut client).await, 4000, "{query}");
    }
    let before = frame(&mut other).await.1;
    assert!(frame(&mut other).await.1 <= before + 2);
    task.abort();
}

#[tokio::test]
async fn a_viewer_that_leaves_is_counted_out() {
    let relay = ViewPort::start().await;
    let door = relay.publish("door");
    let (client, _) = connect(&relay, "").await;
    let (mut polite, _) = connect(&relay, "").await;
    while door.camera().snapshot().viewers != 2 || relay.streams.viewers() != 2 {
        sleep(Duration::from_millis(5)).await;
    }
    drop(client);
    polite.close(None).await.unwrap();
    timeout(PATIENCE, async {
        while door.camera().snapshot().viewers != 0 || relay.streams.viewers() != 0 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("both are counted out");
}

#[tokio::test]
async fn viewers_are_told_of_the_shutdown() {
    let relay = ViewPort::start().await;
    let task = at_30_fps(relay.publish("door"), 50_000);
    let (mut client, _) = connect(&relay, "").await;
    let (_deaf, _) = connect(&relay, "").await;
    frame(&mut client).await;
    relay.lifetime.shutdown.cancel();
    relay.lifetime.tasks.close();
    assert_eq!(close_code(&mut client).await, 1001);
    drop(client);
    for _ in 0..3 {
        // While the others are told, and after that.
        let late = connect_async(format!("ws://{}/stream", relay.addr)).await;
        let Err(WsError::Http(answer)) = late else { panic!("{late:?}") };
        assert_eq!(answer.status(), 503);
        let body = String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default());
        assert!(body.contains("draining"), "{body}");
        sleep(Duration::from_millis(300)).await;
    }
    timeout(PATIENCE, relay.lifetime.tasks.wait()).await.expect("everything ends");
    task.abort();
}

//! Smaller pictures from the server as it is assembled: published, watched and counted over its ports.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod common;

use std::time::Duration;

use common::{Relay, error};
use framecast::{
    relay::{CameraId, Publisher, Stamp, Transport},
    synth::{Pattern, Variant},
    wire::{envelope, exif, jpeg, multipart::Splitter, pieces::Piece},
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

const PATIENCE: Duration = Duration::from_secs(10);

/// Different pictures of this size, which take no time to make when they are sent.
fn pictures(width: u16, height: u16) -> Vec<Vec<u8>> {
    let mut pattern = Pattern::new(width, height, Variant::Bars);
    (0..8).map(|n| pattern.frame(n * 500_000, n)).collect()
}

fn size(picture: &[u8]) -> (u16, u16) {
    let info = jpeg::inspect(picture, &jpeg::Limits::default()).unwrap();
    (info.width, info.height)
}

/// A publisher over the publish WebSocket, until dropped.
struct Webcam(tokio::task::JoinHandle<()>);

impl Webcam {
    async fn at_30_fps(relay: &Relay, camera: &str, pictures: Vec<Vec<u8>>) -> Self {
        let url = format!("ws://{}/publish/{camera}", relay.ingest);
        let (mut socket, _) = connect_async(url).await.unwrap();
        let webcam = Self(tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_micros(33_333));
            for picture in pictures.iter().cycle() {
                tick.tick().await;
                if socket.send(Message::binary(picture.clone())).await.is_err() {
                    return;
                }
            }
        }));
        common::until(|| relay.registry.get(camera).is_some_and(|it| it.snapshot().frames > 3))
            .await;
        webcam
    }
}

impl Drop for Webcam {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A viewer of the streaming WebSocket.
struct Viewer {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

#[derive(Debug)]
enum Heard {
    Frame { seq: u64, picture: Vec<u8> },
    Text(Value),
}

impl Viewer {
    async fn open(relay: &Relay, query: &str) -> Self {
        let url = format!("ws://{}/stream?{query}", relay.view);
        Self { socket: connect_async(url).await.unwrap().0 }
    }

    async fn next(&mut self) -> Heard {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.unwrap().unwrap().unwrap() {
                Message::Binary(message) => {
                    let (header, picture) = envelope::read(&message).unwrap();
                    // The header tells of the picture that is in it.
                    assert_eq!((header.width, header.height), size(picture));
                    return Heard::Frame { seq: header.seq, picture: picture.to_owned() };
                }
                Message::Text(text) => return Heard::Text(serde_json::from_str(&text).unwrap()),
                _ => {}
            }
        }
    }

    /// What `wanted` makes of the first thing heard that it makes anything of. Other things are heard all the
    /// time, so each of them coming soon would be no bound.
    async fn hears<T>(&mut self, what: &str, wanted: impl Fn(Heard) -> Option<T>) -> T {
        let heard = async {
            loop {
                if let Some(wanted) = wanted(self.next().await) {
                    return wanted;
                }
            }
        };
        timeout(PATIENCE, heard).await.unwrap_or_else(|_| panic!("{what} never came"))
    }

    async fn frame(&mut self) -> (u64, Vec<u8>) {
        self.hears("a frame", |heard| match heard {
            Heard::Frame { seq, picture } => Some((seq, picture)),
            Heard::Text(_) => None,
        })
        .await
    }

    /// The next text of this kind.
    async fn text(&mut self, kind: &str) -> Value {
        self.hears(kind, |heard| match heard {
            Heard::Text(text) if text["type"] == kind => Some(text),
            _ => None,
        })
        .await
    }

    /// Waits for `stats` that tell this quality of the camera.
    async fn is_told(&mut self, quality: &str) {
        self.hears(&format!("the quality {quality}"), |heard| match heard {
            Heard::Text(text) if text["type"] == "stats" => {
                (text["cameras"]["door"]["quality"] == quality).then_some(())
            }
            _ => None,
        })
        .await;
    }

    async fn send(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn ack(&mut self, seq: u64) {
        self.send(json!({"type": "ack", "camera": "door", "seq": seq})).await;
    }

    /// Acknowledges every frame this much after it came, until `stats` tell this quality and its
    /// pictures come. Returns how wide they are.
    async fn acks_until(&mut self, late: Duration, quality: &str) -> u16 {
        let within = Instant::now() + Duration::from_secs(30);
        let mut told = Value::Null;
        let mut shown = std::collections::VecDeque::new();
        loop {
            assert!(Instant::now() < within, "{quality} is not reached, but {told}");
            let due = shown.front().map_or(within, |&(at, _)| at);
            tokio::select! {
                heard = self.next() => match heard {
                    Heard::Frame { seq, picture } => {
                        if told == quality {
                            return size(&picture).0;
                        }
                        shown.push_back((Instant::now() + late, seq));
                    }
                    Heard::Text(text) if text["type"] == "stats" => {
                        told = text["cameras"]["door"]["quality"].clone();
                    }
                    Heard::Text(_) => {}
                },
                () = sleep_until(due) => {
                    if let Some((_, seq)) = shown.pop_front() {
                        self.ack(seq).await;
                    }
                }
            }
        }
    }
}

async fn made(relay: &Relay) -> u64 {
    relay.json("/api/stats").await["server"]["media"]["pictures"].as_u64().unwrap()
}

async fn rungs(relay: &Relay) -> Value {
    relay.json("/api/stats").await["cameras"][0]["rungs"].clone()
}

/// Waits until the first camera's first rung has this figure.
async fn until_rung(relay: &Relay, name: &str, figure: u64) {
    let within = Instant::now() + PATIENCE;
    loop {
        let rungs = rungs(relay).await;
        if rungs[0][name] == figure {
            return;
        }
        assert!(Instant::now() < within, "{name} never became {figure}: {rungs}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_viewer_whose_acks_grow_late_gets_smaller_pictures_and_the_large_ones_back() {
    let relay = Relay::start().await;
    let _webcam = Webcam::at_30_fps(&relay, "door", pictures(1280, 720)).await;
    let mut viewer = Viewer::open(&relay, "cameras=door&quality=auto&width=1280").await;
    let prompt = Duration::ZERO;
    // No narrower than the camera: its own pictures.
    assert_eq!(viewer.acks_until(prompt, "source").await, 1280);
    assert_eq!(viewer.acks_until(Duration::from_millis(250), "medium").await, 640);
    let better = Instant::now();
    assert_eq!(viewer.acks_until(prompt, "source").await, 1280);
    let took = better.elapsed();
    assert!((4.0..12.0).contains(&took.as_secs_f64()), "back after {took:?}");
}

#[tokio::test]
async fn many_viewers_of_a_size_cost_one_scaling_a_picture_and_none_when_they_have_left() {
    let relay = Relay::start().await;
    let stills = pictures(1280, 720);
    relay.still("door", stills[0].clone()).await;
    let mut viewers = Vec::new();
    for query in ["quality=medium", "quality=medium", "quality=auto&width=640", "width=600"] {
        viewers.push(Viewer::open(&relay, &format!("cameras=door&{query}")).await);
    }
    for (n, still) in stills.iter().enumerate() {
        if n > 0 {
            relay.still("door", still.clone()).await;
        }
        let mut shown = Vec::new();
        for viewer in &mut viewers {
            let (seq, picture) = viewer.frame().await;
            assert_eq!((seq, size(&picture)), (n as u64 + 1, (640, 360)));
            shown.push(picture);
        }
        assert!(shown.windows(2).all(|pair| pair[0] == pair[1]));
    }
    assert_eq!(made(&relay).await, stills.len() as u64);
    assert_eq!(rungs(&relay).await[0]["viewers"], 4);

    drop(viewers);
    until_rung(&relay, "viewers", 0).await;
    let _webcam = Webcam::at_30_fps(&relay, "door", stills.clone()).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(made(&relay).await, stills.len() as u64, "nobody watches, nothing is made");
    // The last viewer's pictures are not what the next one sees.
    let newest = relay.registry.get("door").unwrap().latest().unwrap().seq;
    let mut back = Viewer::open(&relay, "cameras=door&quality=medium").await;
    let (seq, picture) = back.frame().await;
    assert!(seq >= newest && size(&picture) == (640, 360), "{seq} after {newest}");
}

#[tokio::test]
async fn over_the_budget_frames_are_left_out_and_the_stats_say_so() {
    let relay = Relay::with_flags(&["--media-cpu", "1"]).await;
    let _webcam = Webcam::at_30_fps(&relay, "door", pictures(1280, 720)).await;
    let mut source = Viewer::open(&relay, "cameras=door").await;
    let mut viewer = Viewer::open(&relay, "cameras=door&quality=medium").await;
    let start = Instant::now();
    let (mut last, mut rung) = (0, Value::Null);
    while rung["lowered"] != true {
        assert!(start.elapsed() < PATIENCE, "never told: {}", rungs(&relay).await);
        let (seq, picture) = viewer.frame().await;
        assert!(seq > last && size(&picture).0 == 640);
        last = seq;
        rung = rungs(&relay).await[0].clone();
    }
    let [fps, due_fps] = ["fps", "due_fps"].map(|name| rung[name].as_f64().unwrap());
    assert!(fps < 0.7 * due_fps, "{rung}");
    let server = relay.json("/api/stats").await["server"]["media"].clone();
    let busy = server["busy_s"].as_f64().unwrap();
    let allowed = server["budget_cores"].as_f64().unwrap() * start.elapsed().as_secs_f64();
    // One picture more, which is made before its rest.
    let one = rung["encode_ms"].as_f64().unwrap() / 1000.0;
    assert!(busy <= allowed + 3.0 * one, "{server}, {allowed} s allowed");
    // Who watches the camera's own pictures notices nothing of it.
    let (first, _) = source.frame().await;
    let mut seq = first;
    for _ in 0..30 {
        seq = source.frame().await.0;
    }
    // A busy machine leaves some out; lowered like the rung it would be some 30 of 1000.
    assert!(seq - first <= 150, "30 of {}", seq - first);
}

#[tokio::test]
async fn a_picture_on_its_side_stays_so_and_is_measured_as_it_is_shown() {
    let relay = Relay::start().await;
    let upright = &pictures(1280, 720)[0];
    let turned = [&upright[..2], &exif::segment(6), &upright[2..]].concat();
    relay.still("door", turned.clone()).await;
    let get = async |query: &str| {
        let answer = relay.get(&format!("/api/cameras/door/frame.jpg?{query}")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "image/jpeg");
        answer.bytes().await.unwrap()
    };
    let small = get("width=320").await;
    // Shown it is 720 across and 1280 high.
    assert_eq!((exif::orientation(&small), size(&small)), (6, (569, 320)));
    assert_eq!(get("width=960").await, turned, "it is no wider than that");
    let mut viewer = Viewer::open(&relay, "cameras=door&quality=low").await;
    assert_eq!(exif::orientation(&viewer.frame().await.1), 6);
}

#[tokio::test]
async fn a_picture_that_cannot_be_decoded_is_missing_from_its_sizes_and_harms_nothing_else() {
    let relay = Relay::start().await;
    let stills = pictures(1280, 720);
    let mut source = Viewer::open(&relay, "cameras=door").await;
    let mut small = Viewer::open(&relay, "cameras=door&quality=low").await;
    let broken = jpeg::skeleton(1280, 720, 5000, 7);
    relay.still("door", stills[0].clone()).await;
    assert_eq!(small.frame().await.0, 1);
    relay.still("door", broken.clone()).await;
    assert_eq!(source.frame().await, (1, stills[0].clone()));
    assert_eq!(source.frame().await, (2, broken));
    let answer = relay.get("/api/cameras/door/frame.jpg?quality=medium").await;
    assert_eq!(error(answer).await, (422, "not_scaled".into()));
    until_rung(&relay, "failed", 1).await;
    relay.still("door", stills[1].clone()).await;
    let (seq, picture) = small.frame().await;
    assert_eq!((seq, size(&picture)), (3, (320, 180)));
}

#[tokio::test]
async fn a_camera_none_of_whose_pictures_can_be_scaled_is_shown_as_it_is_and_the_stats_say_so() {
    let relay = Relay::start().await;
    let broken = |n: u8| jpeg::skeleton(1280, 720, 5000, n);
    relay.still("door", broken(1)).await;
    let mut viewers = Vec::new();
    for query in ["quality=low", "quality=medium", "quality=auto&width=600", "width=640"] {
        viewers.push(Viewer::open(&relay, &format!("cameras=door&{query}")).await);
    }
    for viewer in &mut viewers {
        assert_eq!(viewer.frame().await, (1, broken(1)));
    }
    for n in 2..=8 {
        relay.still("door", broken(n)).await;
        for viewer in &mut viewers {
            assert_eq!(viewer.frame().await, (n.into(), broken(n)));
        }
    }
    for viewer in &mut viewers {
        assert_eq!(viewer.text("stats").await["cameras"]["door"]["quality"], "source");
    }
    relay.still("door", pictures(1280, 720).remove(0)).await;
    for (viewer, (quality, width)) in
        viewers.iter_mut().zip([("low", 320), ("medium", 640), ("medium", 640), ("medium", 640)])
    {
        let (seq, picture) = viewer.frame().await;
        assert_eq!((seq, size(&picture).0), (9, width));
        viewer.is_told(quality).await;
    }
}

#[tokio::test]
async fn who_asks_for_a_larger_picture_gets_it_also_where_no_newer_one_comes() {
    let relay = Relay::start().await;
    let still = pictures(1280, 720).remove(0);
    relay.still("door", still.clone()).await;
    let mut viewer = Viewer::open(&relay, "cameras=door&quality=low").await;
    let (seq, small) = viewer.frame().await;
    assert_eq!((seq, size(&small).0), (1, 320));
    let ask = |quality: &str| json!({"type": "subscribe", "camera": "door", "quality": quality});
    viewer.send(ask("medium")).await;
    let (seq, medium) = viewer.frame().await;
    assert_eq!((seq, size(&medium).0), (1, 640));
    viewer.send(ask("source")).await;
    assert_eq!(viewer.frame().await, (1, still));
    assert_eq!(viewer.text("stats").await["cameras"]["door"]["quality"], "source");
    // A smaller one of the same picture is of no use.
    viewer.send(ask("low")).await;
    assert_eq!(viewer.text("stats").await["cameras"]["door"]["sent"], 3);
    relay.still("door", pictures(1280, 720).remove(1)).await;
    let (seq, picture) = viewer.frame().await;
    assert_eq!((seq, size(&picture).0), (2, 320));
}

#[tokio::test]
async fn a_scaled_picture_that_stays_is_sent_again_each_4_s_to_who_watches_it_as_mjpeg() {
    let relay = Relay::start().await;
    let door = CameraId::parse("door").unwrap();
    let door = relay.registry.publish(&door, Publisher::over(Transport::Http)).unwrap();
    door.publish_jpeg(&pictures(640, 360)[0], Stamp::default()).unwrap();
    let begun = Instant::now();
    let mut answer = relay.get("/api/cameras/door/stream.mjpeg?width=320").await;
    let mut splitter = Splitter::new(None, 1 << 20, 0);
    let mut came = Vec::new();
    while came.len() < 2 {
        let chunk = timeout(PATIENCE, answer.chunk()).await.unwrap().unwrap().unwrap();
        let mut rest = &chunk[..];
        while let Some(Piece::Frame(picture)) = splitter.next(&mut rest).unwrap() {
            came.push(picture);
        }
    }
    assert!(begun.elapsed() >= Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(size(&came[0]).0, 320);
    assert!(came[0] == came[1]);
}

#[tokio::test]
async fn sizes_that_make_no_sense_are_refused_with_what_to_do() {
    let relay = Relay::start().await;
    relay.still("door", pictures(64, 48).remove(0)).await;
    for (query, word) in [
        ("width=0", "width"),
        ("width=abc", "width"),
        ("width=-5", "width"),
        ("width=99999999999", "width"),
        ("quality=nonsense", "use source, high, medium or low"),
        ("quality=auto", "use source, high, medium or low"),
        ("width=9&quality=low", "not together"),
    ] {
        for route in ["frame.jpg", "stream.mjpeg"] {
            let answer = relay.json(&format!("/api/cameras/door/{route}?{query}")).await;
            let error = &answer["error"];
            assert_eq!(error["code"], "bad_request", "{route}?{query}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(word), "{route}?{query}: {message}");
        }
    }
    for (query, word) in [
        ("width=0", "above 0"),
        ("width=abc", "width"),
        ("quality=nonsense", "source, high, medium, low or auto"),
    ] {
        let mut viewer = Viewer::open(&relay, query).await;
        let refused = viewer.text("error").await;
        assert!(refused["message"].as_str().unwrap().contains(word), "{query}: {refused}");
    }
    let mut viewer = Viewer::open(&relay, "cameras=door").await;
    for wish in [json!({"width": 0}), json!({"width": "wide"}), json!({"quality": "best"})] {
        let mut message = wish.clone();
        (message["type"], message["camera"]) = ("subscribe".into(), "door".into());
        viewer.send(message).await;
        assert_eq!(viewer.text("error").await["code"], "bad_message", "{wish}");
    }
    // It still has what it had.
    relay.still("door", pictures(64, 48).remove(1)).await;
    let second = |heard| matches!(heard, Heard::Frame { seq: 2, .. }).then_some(());
    viewer.hears("the second frame", second).await;
}

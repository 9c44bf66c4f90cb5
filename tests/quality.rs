//! Smaller pictures over real sockets, scaled from real JPEGs put straight into the relay.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not as it should be"
)]

#[path = "support/view_port.rs"]
mod view_port;

use std::{num::NonZeroUsize, time::Duration};

use framecast::{
    media::Media,
    relay::{Producer, Quality, Rung, Stamp},
    synth::{Pattern, Variant},
    wire::{huffman, jpeg},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::TcpStream,
    time::{sleep, timeout},
};
use view_port::{PATIENCE, ViewPort, until};

struct Stage {
    port: ViewPort,
    media: Media,
    pattern: Pattern,
}

impl Stage {
    async fn new(width: u16, height: u16, cpu_percent: u8) -> Self {
        let port = ViewPort::start().await;
        let (shutdown, tasks) = (&port.lifetime.shutdown, &port.lifetime.tasks);
        let media = Media::start(&port.registry, NonZeroUsize::MIN, cpu_percent, shutdown, tasks);
        Self { port, media, pattern: Pattern::new(width, height, Variant::Bars) }
    }

    fn put(&mut self, producer: &Producer, n: u64) -> Vec<u8> {
        let picture = self.pattern.frame(n * 33_333, n);
        producer.publish_jpeg(&picture, Stamp::default()).unwrap();
        picture
    }

    async fn rung(&self, camera: &str) -> Value {
        let answer = self.port.get(&format!("/api/cameras/{camera}")).await;
        answer.json()["rungs"][0].clone()
    }
}

fn size(picture: &[u8]) -> (u16, u16) {
    let info = jpeg::inspect(picture, &jpeg::Limits::default()).unwrap();
    (info.width, info.height)
}

/// An MJPEG stream, read part by part.
struct Stream(BufReader<TcpStream>);

impl Stream {
    async fn open(port: &ViewPort, query: &str) -> Self {
        let path = format!("/api/cameras/door/stream.mjpeg?{query}");
        Self(BufReader::new(port.send(&format!("GET {path} HTTP/1.0\r\n\r\n")).await))
    }

    /// The next part's number and picture.
    async fn part(&mut self) -> (u64, Vec<u8>) {
        let (mut seq, mut len) = (0, None);
        loop {
            let mut line = String::new();
            timeout(PATIENCE, self.0.read_line(&mut line)).await.unwrap().unwrap();
            assert!(!line.is_empty(), "the stream has ended");
            match line.trim_end().split_once(": ") {
                Some(("X-Framecast-Seq", value)) => seq = value.parse().unwrap(),
                Some(("Content-Length", value)) => len = Some(value.parse().unwrap()),
                None if line == "\r\n" && len.is_some() => break,
                _ => {}
            }
        }
        let mut picture = vec![0; len.unwrap()];
        timeout(PATIENCE, self.0.read_exact(&mut picture)).await.unwrap().unwrap();
        (seq, picture)
    }
}

#[tokio::test]
async fn a_still_of_some_width_is_scaled_once_for_all_who_ask() {
    let mut stage = Stage::new(1280, 720, 100).await;
    let door = stage.port.publish("door");
    let source = stage.put(&door, 1);
    let ask = || stage.port.get("/api/cameras/door/frame.jpg?width=600");
    let answers = futures_util::future::join_all((0..20).map(|_| ask())).await;
    for answer in &answers {
        assert_eq!((answer.status, size(&answer.body)), (200, (640, 360)));
        assert_eq!(answer.number("x-framecast-seq"), 1);
        assert!(answer.body.len() < source.len());
    }
    assert_eq!(stage.media.figures().pictures, 1);
    // The tag names this size and no other.
    let path = "/api/cameras/door/frame.jpg";
    let known = format!("If-None-Match: {}\r\n", answers[0].header("etag"));
    assert_eq!(stage.port.ask("GET", &format!("{path}?quality=medium"), &known).await.status, 304);
    assert_eq!(stage.port.ask("GET", path, &known).await.body, source);
}

#[tokio::test]
async fn a_camera_no_wider_than_asked_for_is_passed_on_byte_for_byte_without_work() {
    let mut stage = Stage::new(640, 480, 100).await;
    let door = stage.port.publish("door");
    let source = stage.put(&door, 1);
    for query in ["width=640", "width=2000", "quality=medium", "quality=high", "quality=source"] {
        let answer = stage.port.get(&format!("/api/cameras/door/frame.jpg?{query}")).await;
        assert_eq!(answer.body, source, "{query}");
    }
    let mut stream = Stream::open(&stage.port, "quality=high").await;
    assert_eq!(stream.part().await, (1, source));
    assert_eq!(stage.media.figures().pictures, 0);
}

#[tokio::test]
async fn a_still_of_before_or_after_some_frame_can_be_scaled_too() {
    let mut stage = Stage::new(1280, 720, 100).await;
    let door = stage.port.publish("door");
    stage.put(&door, 1);
    sleep(Duration::from_millis(300)).await;
    stage.put(&door, 2);
    let then = stage.port.get("/api/cameras/door/frame.jpg?at=-200ms&width=320").await;
    assert_eq!((then.number("x-framecast-seq"), size(&then.body)), (1, (320, 180)));
    let path = "/api/cameras/door/frame.jpg?after=2&quality=low";
    let third = stage.pattern.frame(99_999, 3);
    let (next, ()) = tokio::join!(stage.port.get(path), async {
        until(|| door.camera().snapshot().viewers == 1).await;
        door.publish_jpeg(&third, Stamp::default()).unwrap();
    });
    assert_eq!((next.number("x-framecast-seq"), size(&next.body)), (3, (320, 180)));
}

#[tokio::test]
async fn a_rung_is_made_once_for_all_its_viewers_and_keeps_numbers_and_times() {
    let mut stage = Stage::new(1280, 720, 100).await;
    let door = stage.port.publish("door");
    let mut streams = Vec::new();
    for query in ["quality=medium", "width=640", "width=500&max_fps=30"] {
        streams.push(Stream::open(&stage.port, query).await);
    }
    until(|| door.camera().snapshot().viewers == 3).await;
    for n in 1..=4 {
        stage.put(&door, n);
        let mut pictures = Vec::new();
        for stream in &mut streams {
            let (seq, picture) = stream.part().await;
            assert_eq!((seq, size(&picture)), (n, (640, 360)));
            pictures.push(picture);
        }
        assert!(pictures.windows(2).all(|pair| pair[0] == pair[1]));
        let shown = door.camera().shown(Rung::MEDIUM).unwrap();
        let source = door.camera().latest().unwrap();
        assert_eq!((shown.received_us, shown.width), (source.received_us, 640));
        sleep(Duration::from_millis(40)).await;
    }
    assert_eq!(stage.media.figures().pictures, 4);
    let rung = stage.rung("door").await;
    assert_eq!((&rung["rung"], &rung["viewers"]), (&"medium".into(), &3.into()));
    // Another size is another rung, and a still shares the one that runs.
    let low = stage.port.get("/api/cameras/door/frame.jpg?quality=medium").await;
    assert_eq!(size(&low.body), (640, 360));
    assert!(stage.media.figures().pictures <= 5);
}

#[tokio::test]
async fn over_the_budget_a_rung_has_fewer_frames_never_older_ones_and_says_so() {
    // A hundredth of a core: some two pictures a second.
    let mut stage = Stage::new(1280, 720, 1).await;
    let door = stage.port.publish("door");
    let watch = door.camera().watch(Quality::Rung(Rung::HIGH));
    let small = door.camera().watch(Quality::Rung(Rung::MEDIUM));
    let mut beat = tokio::time::interval(Duration::from_millis(33));
    for n in 1..=75 {
        beat.tick().await;
        stage.put(&door, n);
    }
    let newest = door.camera().latest().unwrap().seq;
    until(|| watch.feed().latest().is_some_and(|latest| latest.seq == newest)).await;
    let made = stage.media.figures().pictures;
    assert!((1..=40).contains(&made), "{made} pictures");
    let rungs = door.camera().snapshot().rungs;
    let medium = rungs.iter().find(|rung| rung.rung == "medium").unwrap();
    assert!(medium.lowered && medium.fps < 20.0 && medium.due_fps > 20.0, "{medium:?}");
    assert!(medium.encode_ms > 0.0);
    // No wider than the camera: not the business of the budget.
    let high = rungs.iter().find(|rung| rung.rung == "high").unwrap();
    assert!(!high.lowered && high.encode_ms == 0.0, "{high:?}");
    // What comes next is the newest, not the next of a queue.
    let mut consumer = small.feed().consumer();
    let _ = consumer.newer();
    let next = timeout(PATIENCE, consumer.next()).await.unwrap().unwrap();
    assert_eq!(next.frame.seq, newest);
}

#[tokio::test]
async fn a_broken_picture_costs_that_frame_only() {
    let mut stage = Stage::new(1280, 720, 100).await;
    let door = stage.port.publish("door");
    let mut stream = Stream::open(&stage.port, "quality=medium").await;
    stage.put(&door, 1);
    assert_eq!(stream.part().await.0, 1);
    let broken = jpeg::skeleton(1280, 720, 5000, 7);
    door.publish_jpeg(&broken, Stamp::default()).unwrap();
    until(|| door.camera().snapshot().rungs[0].failed == 1).await;
    let still = stage.port.get("/api/cameras/door/frame.jpg?width=320").await;
    assert_eq!(still.error(), (422, "not_scaled".into()));
    stage.put(&door, 3);
    assert_eq!(stream.part().await.0, 3);
}

#[tokio::test]
async fn pictures_that_cannot_be_scaled_are_left_out_of_a_size_for_a_while_and_then_shown_as_they_are()
 {
    let mut stage = Stage::new(1280, 720, 100).await;
    let door = stage.port.publish("door");
    let mut stream = Stream::open(&stage.port, "quality=medium").await;
    let put_broken = |n: u8| {
        let broken = jpeg::skeleton(1280, 720, 5000, n);
        door.publish_jpeg(&broken, Stamp::default()).unwrap();
        broken
    };
    // Nothing was scaled yet: better this than nothing.
    let broken = put_broken(1);
    assert_eq!(stream.part().await, (1, broken));
    // It is not what who asks for one picture of this size is given.
    let still = stage.port.get("/api/cameras/door/frame.jpg?quality=medium").await;
    assert_eq!(still.error(), (422, "not_scaled".into()));
    stage.put(&door, 2);
    let (seq, picture) = stream.part().await;
    assert_eq!((seq, size(&picture)), (2, (640, 360)));
    for n in 3..=6 {
        put_broken(n);
        until(|| door.camera().snapshot().rungs[0].failed == u64::from(n) - 1).await;
    }
    for n in 7..=8 {
        let broken = put_broken(n);
        assert_eq!(stream.part().await, (n.into(), broken));
    }
    stage.put(&door, 9);
    let (seq, picture) = stream.part().await;
    assert_eq!((seq, size(&picture)), (9, (640, 360)));
    // Each success begins anew.
    put_broken(10);
    until(|| door.camera().snapshot().rungs[0].failed == 8).await;
    stage.put(&door, 11);
    assert_eq!(stream.part().await.0, 11);
}

#[tokio::test]
async fn a_webcam_that_leaves_out_its_huffman_tables_is_had_in_every_size() {
    let mut stage = Stage::new(1280, 720, 100).await;
    let door = stage.port.publish("door");
    let bare = huffman::stripped(&stage.pattern.frame(0, 1));
    door.publish_jpeg(&bare, Stamp::default()).unwrap();
    let mut stream = Stream::open(&stage.port, "width=320").await;
    let (seq, picture) = stream.part().await;
    assert_eq!((seq, size(&picture)), (1, (320, 180)));
    let still = stage.port.get("/api/cameras/door/frame.jpg?width=640").await;
    assert_eq!((still.status, size(&still.body)), (200, (640, 360)));
    // Where it is not scaled it is what the webcam sent.
    assert_eq!(stage.port.get("/api/cameras/door/frame.jpg").await.body, bare);
    assert_eq!(stage.rung("door").await["failed"], 0);
}

#[tokio::test]
async fn a_size_that_makes_no_sense_is_refused() {
    let mut stage = Stage::new(64, 48, 100).await;
    let door = stage.port.publish("door");
    stage.put(&door, 1);
    for route in ["frame.jpg", "stream.mjpeg"] {
        for query in ["width=0", "width=wide", "width=-5", "quality=auto", "width=9&quality=low"] {
            let answer = stage.port.get(&format!("/api/cameras/door/{route}?{query}")).await;
            assert_eq!(answer.error(), (400, "bad_request".into()), "{route}?{query}");
        }
    }
}

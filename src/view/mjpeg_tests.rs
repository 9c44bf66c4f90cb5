use std::time::Duration;

use super::*;
use crate::{
    relay::{CameraId, Limits, Producer, Publisher, Registry, Stamp, Transport},
    wire::jpeg::skeleton,
};

struct Bench {
    registry: Arc<Registry>,
    producer: Producer,
}

impl Bench {
    fn new() -> Self {
        let registry = Registry::new(Limits::default(), Clock::starting_at(1));
        let id = CameraId::parse("door").unwrap();
        let producer = registry.publish(&id, Publisher::over(Transport::Http)).unwrap();
        Self { registry, producer }
    }

    fn publish(&self, fill: u8) {
        self.producer.publish_jpeg(&skeleton(64, 48, 300, fill), Stamp::default()).unwrap();
    }

    fn feed(&self, fps: f64) -> Feed {
        let camera = self.registry.get("door").unwrap();
        Feed {
            consumer: camera.consumer(),
            _viewing: camera.viewing(),
            camera,
            pacer: Pacer::new(fps),
            clock: self.registry.clock(),
            gate: Arc::default(),
            lifetime: Lifetime::default(),
            next: Next::Header,
        }
    }

    fn drops(&self) -> std::collections::BTreeMap<&'static str, u64> {
        self.registry.get("door").unwrap().snapshot().drops
    }
}

/// Reads one part; the chunk that shuts the gate comes back too.
async fn part(feed: &mut Feed) -> (String, Bytes, Bytes) {
    let header = feed.next().await.unwrap();
    let jpeg = feed.next().await.unwrap();
    let boundary = feed.next().await.unwrap();
    (String::from_utf8(header.to_vec()).unwrap(), jpeg, boundary)
}

#[tokio::test(start_paused = true)]
async fn the_boundary_follows_the_picture_at_once_and_nothing_is_copied() {
    let bench = Bench::new();
    bench.publish(1);
    let mut feed = bench.feed(30.0);
    let (header, jpeg, boundary) = part(&mut feed).await;
    assert!(
        header.starts_with(
            "Content-Type: image/jpeg\r\nContent-Length: 300\r\nX-Framecast-Seq: 1\r\n"
        )
    );
    assert_eq!(boundary, BOUNDARY);
    let cached = bench.registry.get("door").unwrap().latest().unwrap().jpeg();
    assert_eq!(jpeg.as_ptr(), cached.as_ptr());
}

#[tokio::test(start_paused = true)]
async fn the_last_change_of_a_camera_arrives_when_the_pace_allows_it() {
    let bench = Bench::new();
    let mut feed = bench.feed(2.0);
    bench.publish(1);
    part(&mut feed).await;
    for fill in 2..=4 {
        bench.publish(fill);
    }
    let waited = tokio::time::Instant::now();
    let (header, ..) = part(&mut feed).await;
    assert!(header.contains("Seq: 4\r\n"));
    assert!((200..=500).contains(&waited.elapsed().as_millis()), "{:?}", waited.elapsed());
    assert_eq!(bench.drops()["paced"], 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_chosen_while_the_frame_before_has_not_drained() {
    let bench = Bench::new();
    let mut feed = bench.feed(30.0);
    bench.publish(1);
    let (.., undrained) = part(&mut feed).await;
    bench.publish(2);
    let early = tokio::time::timeout(Duration::from_secs(5), feed.next()).await;
    assert!(early.is_err(), "{early:?}");
    // As a connection does that drops the future it was polling.
    feed.next = Next::Header;
    for fill in 3..=9 {
        bench.publish(fill);
    }
    drop(undrained);
    let (header, ..) = part(&mut feed).await;
    assert!(header.contains("Seq: 9\r\n"), "the newest, not the next: {header}");
    assert_eq!(bench.drops()["behind"], 7);
}

#[tokio::test(start_paused = true)]
async fn the_stream_outlives_the_publisher_and_ends_with_the_server() {
    let bench = Bench::new();
    let mut feed = bench.feed(30.0);
    bench.publish(1);
    part(&mut feed).await;
    let Bench { registry, producer } = bench;
    producer.close("gone");
    let shutdown = feed.lifetime.shutdown.clone();
    let reading = tokio::spawn(async move { feed.next().await });
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(!reading.is_finished());
    assert_eq!(registry.get("door").unwrap().snapshot().viewers, 1);
    shutdown.cancel();
    assert_eq!(reading.await.unwrap(), None);
    assert_eq!(registry.get("door").unwrap().snapshot().viewers, 0);
}

//! The relay as its edges use it, in virtual time.

use std::{sync::Arc, time::Duration};

use tokio::time::{advance, timeout};

use super::*;
use crate::wire::{envelope, jpeg};

const START_US: u64 = 1_700_000_000_000_000;

fn relay(limits: Limits) -> Arc<Registry> {
    Registry::new(limits, Clock::starting_at(START_US))
}

fn id(text: &str) -> CameraId {
    CameraId::parse(text).unwrap()
}

fn publish(relay: &Arc<Registry>, camera: &str) -> Producer {
    relay.publish(&id(camera), Publisher::over(Transport::Http)).unwrap()
}

fn picture(fill: u8, len: usize) -> Vec<u8> {
    jpeg::skeleton(64, 48, len, fill)
}

fn put(producer: &Producer, fill: u8) -> Outcome {
    producer.publish_jpeg(&picture(fill, 100), Stamp::default()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_frame_is_the_viewers_message_with_the_exact_source_bytes() {
    let relay = relay(Limits::default());
    let producer = publish(&relay, "door");
    advance(Duration::from_millis(5)).await;
    let source = picture(1, 300);
    let stamp = Stamp { publisher_seq: None, captured_us: START_US + 2000 };
    producer.publish_jpeg(&source, stamp).unwrap();

    let frame = relay.get("door").unwrap().latest().unwrap();
    let websocket = frame.websocket_message();
    assert_eq!(websocket[..2], [0x82, 126]);
    let (header, jpeg) = envelope::read(&websocket[4..]).unwrap();
    assert_eq!(jpeg, source);
    assert_eq!((header.camera, header.seq, header.width, header.height), ("door", 1, 64, 48));
    assert_eq!(header.captured_us, START_US + 2000);
    assert_eq!(header.received_us, START_US + 5000);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_sees_the_newest_frame_and_how_many_it_skipped() {
    let relay = relay(Limits::default());
    let producer = publish(&relay, "door");
    put(&producer, 1);
    put(&producer, 2);
    let camera = relay.get("door").unwrap();
    let mut consumer = camera.consumer();
    let next = consumer.next().await.unwrap();
    assert_eq!((next.frame.seq, next.skipped), (2, 0));
    assert!(timeout(Duration::from_secs(60), consumer.next()).await.is_err());
    for fill in 3..=7 {
        put(&producer, fill);
    }
    let next = consumer.next().await.unwrap();
    assert_eq!((next.frame.seq, next.skipped), (7, 4));
}

#[tokio::test(start_paused = true)]
async fn an_older_frame_never_overtakes_a_newer_one() {
    let relay = relay(Limits::default());
    let producer = publish(&relay, "door");
    let with = |seq| Stamp { publisher_seq: Some(seq), captured_us: 0 };
    assert!(producer.publish_jpeg(&picture(1, 90), with(10)).is_ok());
    assert_eq!(producer.publish_jpeg(&picture(2, 90), with(9)), Ok(Outcome::Late));
    assert_eq!(producer.publish_jpeg(&picture(3, 90), with(10)), Ok(Outcome::Late));
    let camera = relay.get("door").unwrap();
    assert_eq!(camera.latest().unwrap().seq, 1);
    assert_eq!(camera.snapshot().drops["late"], 2);
    // A publisher that starts anew starts its numbers anew.
    let again = publish(&relay, "door");
    assert_eq!(again.publish_jpeg(&picture(4, 90), with(1)), Ok(Outcome::Published { seq: 2 }));
}

#[tokio::test(start_paused = true)]
async fn the_same_bytes_again_are_not_sent_but_keep_the_camera_fresh() {
    let relay = relay(Limits::default());
    let producer = publish(&relay, "door");
    put(&producer, 1);
    let camera = relay.get("door").unwrap();
    let mut consumer = camera.consumer();
    let _ = consumer.next().await;
    advance(Duration::from_secs(5)).await;
    assert_eq!(put(&producer, 1), Outcome::Duplicate { seq: 1 });
    assert_eq!(camera.age(), Some(Duration::ZERO));
    assert!(timeout(Duration::from_secs(1), consumer.next()).await.is_err());
    assert_eq!(camera.snapshot().drops["duplicate"], 1);
}

#[tokio::test(start_paused = true)]
async fn refused_frames_are_counted_and_the_stream_goes_on() {
    let relay = relay(Limits::default());
    let producer = publish(&relay, "door");
    put(&producer, 1);
    let send = |bytes: &[u8]| producer.publish_jpeg(bytes, Stamp::default()).unwrap_err().code();
    assert_eq!(send(b"hello"), "not_jpeg");
    assert_eq!(send(&picture(1, 100)[..60]), "truncated");
    assert_eq!(send(&jpeg::skeleton(65535, 65535, 100, 0)), "too_many_pixels");
    assert_eq!(send(&picture(1, (4 << 20) + 1)), "too_large");
    assert_eq!(put(&producer, 2), Outcome::Published { seq: 2 });
    let drops = relay.get("door").unwrap().snapshot().drops;
    for reason in ["not_jpeg", "truncated", "too_many_pixels", "too_large"] {
        assert_eq!(drops[reason], 1, "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_publisher_takes_over_and_the_older_one_is_told() {
    let relay = relay(Limits::default());
    let older = publish(&relay, "door");
    put(&older, 1);
    assert!(timeout(Duration::from_secs(1), older.replaced()).await.is_err());
    let newer = publish(&relay, "door");
    older.replaced().await;
    let refused = older.publish_jpeg(&picture(9, 90), Stamp::default());
    assert_eq!(refused.unwrap_err().code(), "replaced");
    assert_eq!(put(&newer, 2), Outcome::Published { seq: 2 });
    // The older one's leaving changes nothing.
    drop(older);
    let camera = relay.get("door").unwrap();
    assert!(matches!(camera.presence(), Presence::Online { .. }));
    newer.close("battery empty");
    let Presence::Offline { reason, .. } = camera.presence() else { panic!("offline") };
    assert_eq!(&*reason, "battery empty");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_producer_takes_the_camera_offline_and_keeps_its_last_picture() {
    let relay = relay(Limits::default());
    let mut changes = relay.changes();
    let producer = publish(&relay, "door");
    assert!(changes.changed().await.is_ok());
    put(&producer, 1);
    advance(Duration::from_secs(3)).await;
    drop(producer);
    assert!(changes.changed().await.is_ok());
    let camera = relay.get("door").unwrap();
    let offline = Presence::Offline {
        since_us: START_US + 3_000_000,
        reason: "publisher disconnected".into(),
    };
    assert_eq!(camera.presence(), offline);
    advance(Duration::from_secs(600)).await;
    relay.sweep();
    assert_eq!(camera.consumer().next().await.unwrap().frame.seq, 1);
}

#[tokio::test(start_paused = true)]
async fn the_cache_holds_ten_seconds_and_rewinds() {
    let relay = relay(Limits::default());
    let producer = publish(&relay, "door");
    for second in 0..30 {
        put(&producer, second);
        advance(Duration::from_secs(1)).await;
    }
    let camera = relay.get("door").unwrap();
    let seqs = camera.cached(usize::MAX, |frame| frame.seq);
    assert_eq!(seqs, (20..=30).collect::<Vec<_>>());
    assert_eq!(camera.cached(2, |frame| frame.seq), [29, 30]);
    assert_eq!(camera.oldest_seq(), Some(20));
    // Frame 30 came 1 s ago, frame 27 4 s ago.
    assert_eq!(camera.rewound(Duration::from_millis(4500)).unwrap().seq, 26);
    assert_eq!(camera.rewound(Duration::from_secs(4)).unwrap().seq, 27);
    assert_eq!(camera.rewound(Duration::ZERO).unwrap().seq, 30);
    assert!(camera.rewound(Duration::from_secs(12)).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_cache_keeps_its_bounds_in_bytes_a_camera_and_in_total() {
    let limits = Limits { cache_bytes: 10_000, cache_total_bytes: 25_000, ..Limits::default() };
    let relay = relay(limits);
    let producers: Vec<_> = (0..5).map(|n| publish(&relay, &format!("cam{n}"))).collect();
    for producer in &producers[..2] {
        for fill in 0..50 {
            producer.publish_jpeg(&picture(fill, 1000), Stamp::default()).unwrap();
        }
        assert!(producer.camera().snapshot().cache.bytes <= 10_000);
        assert!(producer.camera().snapshot().cache.frames >= 7);
    }
    // Cameras that come later get their share, those before give up their oldest.
    for fill in 0..50 {
        for producer in &producers {
            producer.publish_jpeg(&picture(fill, 1000), Stamp::default()).unwrap();
        }
    }
    assert!(relay.cache_bytes() <= 25_000 + 5 * 1100, "{}", relay.cache_bytes());
    for producer in &producers {
        let frames = producer.camera().snapshot().cache.frames;
        assert!(frames >= 3, "{frames} frames for {:?}", producer.camera().id());
    }
}

#[tokio::test(start_paused = true)]
async fn the_bounds_of_the_cache_hold_for_tiny_frames_too() {
    let relay = relay(Limits { cache_bytes: 100_000, ..Limits::default() });
    let producer = publish(&relay, "door");
    for fill in 0..5000_u32 {
        put(&producer, fill as u8);
    }
    let cache = producer.camera().snapshot().cache;
    // A message of 100 bytes and its envelope, what describes it, and two allocations.
    let memory = cache.frames * (100 + 37 + size_of::<Frame>() + 48);
    assert!(cache.frames > 100 && memory <= 100_000, "{} frames: {memory}", cache.frames);
}

#[tokio::test(start_paused = true)]
async fn a_full_server_forgets_the_camera_longest_offline_or_refuses() {
    let relay = relay(Limits { max_cameras: 2, ..Limits::default() });
    let first = publish(&relay, "first");
    put(&first, 1);
    let mut watching = relay.get("first").unwrap().consumer();
    let _viewing = relay.get("first").unwrap().viewing();
    let _ = watching.next().await;
    let second = publish(&relay, "second");
    let refused = relay.publish(&id("third"), Publisher::over(Transport::Http));
    assert_eq!(refused.unwrap_err(), PublishError::TooManyCameras(2));
    drop(first);
    advance(Duration::from_secs(1)).await;
    drop(second);
    let _third = publish(&relay, "third");
    assert!(relay.get("first").is_none() && relay.get("second").is_some());
    assert!(watching.next().await.is_none(), "a consumer of a forgotten camera ends");
}

#[tokio::test(start_paused = true)]
async fn a_camera_long_offline_is_forgotten_unless_somebody_watches() {
    let relay = relay(Limits::default());
    for camera in ["watched", "alone"] {
        put(&publish(&relay, camera), 1);
    }
    let viewing = relay.get("watched").unwrap().viewing();
    advance(Duration::from_secs(24 * 3600 + 1)).await;
    relay.sweep();
    assert!(relay.get("watched").is_some() && relay.get("alone").is_none());
    drop(viewing);
    relay.sweep();
    assert!(relay.get("watched").is_none());
    assert_eq!(relay.cache_bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn demand_follows_the_viewers_and_lingers() {
    let relay = relay(Limits::default());
    let producer = publish(&relay, "door");
    let mut demand = producer.camera().demand();
    assert!(timeout(Duration::from_secs(60), demand.wanted()).await.is_err());
    let viewing = producer.camera().viewing();
    demand.wanted().await;
    drop(viewing);
    let unwanted = demand.unwanted_for(Duration::from_secs(15));
    tokio::pin!(unwanted);
    assert!(timeout(Duration::from_secs(14), unwanted.as_mut()).await.is_err());
    let again = producer.camera().viewing();
    assert!(timeout(Duration::from_secs(60), unwanted.as_mut()).await.is_err());
    drop(again);
    assert!(timeout(Duration::from_secs(16), unwanted).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_capture_time_that_cannot_be_is_taken_as_unknown() {
    let relay = relay(Limits::default());
    let producer = publish(&relay, "door");
    let captured = |fill, captured_us| {
        let stamp = Stamp { publisher_seq: None, captured_us };
        producer.publish_jpeg(&picture(fill, 90), stamp).unwrap();
        producer.camera().latest().unwrap().captured_us
    };
    assert_eq!(captured(1, START_US - 50_000), START_US - 50_000);
    assert_eq!(captured(2, START_US + 1_000_000), START_US);
    assert_eq!(captured(3, START_US + 3_000_000), 0);
    assert_eq!(captured(4, START_US - 61_000_000), 0);
    assert_eq!(captured(5, 0), 0);
    assert_eq!(captured(6, u64::MAX), 0);
}

#[tokio::test(start_paused = true)]
async fn a_draining_relay_takes_no_publisher() {
    let relay = relay(Limits::default());
    relay.drain();
    let refused = relay.publish(&id("door"), Publisher::over(Transport::Http));
    assert_eq!(refused.unwrap_err().code(), "draining");
}

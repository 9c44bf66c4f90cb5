//! Publishing into a full cache, and looking back in it.

use std::{
    hint::black_box,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use criterion::{BatchSize, Criterion, Throughput};
use framecast::{
    relay::{CameraId, Clock, Limits, Outcome, Producer, Publisher, Registry, Stamp, Transport},
    wire::jpeg::skeleton,
};

const JPEG: usize = 30_000;
/// Ten seconds at 30 fps.
const FRAMES: usize = 300;

/// A camera whose cache of ten seconds holds as many frames as it does at 30 fps. It is the bytes
/// that bound it here, as no ten seconds pass.
fn camera(cache_bytes: usize) -> Producer {
    let registry = Registry::new(Limits { cache_bytes, ..Limits::default() }, Clock::system());
    let id = CameraId::parse("door").expect("an id");
    registry.publish(&id, Publisher::over(Transport::WebSocket)).expect("a producer")
}

/// Pictures that differ in a byte, behind the producer's headroom.
fn buffers(producer: &Producer) -> impl FnMut() -> Vec<u8> + use<> {
    let headroom = producer.headroom();
    let mut n = 0_u64;
    move || {
        n += 1;
        let mut buf = vec![0; headroom];
        buf.extend(skeleton(640, 480, JPEG, 7));
        buf[headroom + 40..headroom + 48].copy_from_slice(&n.to_le_bytes().map(|b| b & 0x7F));
        buf
    }
}

fn publish(producer: &Producer, buf: Vec<u8>) {
    let outcome = producer.publish(black_box(buf), Stamp::default());
    assert!(matches!(outcome, Ok(Outcome::Published { .. })), "{outcome:?}");
}

pub fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("relay");
    let producer = camera(FRAMES * (JPEG + 100));
    let mut buffer = buffers(&producer);
    (0..FRAMES + 10).for_each(|_| publish(&producer, buffer()));
    let cached = producer.camera().snapshot().cache.frames;
    // What a frame takes beside its picture is not known here to the byte.
    assert!((FRAMES - 5..FRAMES + 5).contains(&cached), "{cached}");

    group.throughput(Throughput::Bytes(JPEG as u64));
    group.bench_function("publish_full_cache", |b| {
        b.iter_batched(&mut buffer, |buf| publish(&producer, buf), BatchSize::SmallInput);
    });
    // With the copy of a picture that stands in a WebSocket message.
    let mut picture = buffer()[producer.headroom()..].to_vec();
    let mut n = 0_u64;
    group.bench_function("publish_copy_full_cache", |b| {
        b.iter(|| {
            n += 1;
            picture[60..68].copy_from_slice(&n.to_le_bytes().map(|b| b & 0x7F));
            producer.publish_jpeg(black_box(&picture), Stamp::default()).is_ok()
        });
    });
    drop(group);
    rewound(c, &producer.camera().clone());
}

/// Looks back to the middle of what the cache holds. Frames a millisecond apart, so that it fills
/// soon.
fn rewound(c: &mut Criterion, camera: &Arc<framecast::relay::Camera>) {
    let producer = self::camera(64 << 20);
    let mut buffer = buffers(&producer);
    let start = Instant::now();
    for _ in 0..FRAMES {
        publish(&producer, buffer());
        thread::sleep(Duration::from_millis(1));
    }
    let mut group = c.benchmark_group("relay");
    group.bench_function("rewound", |b| {
        b.iter(|| {
            let ago = start.elapsed() - Duration::from_millis(FRAMES as u64 / 2);
            let frame = producer.camera().rewound(black_box(ago));
            assert!(frame.is_some());
            frame
        });
    });
    group.bench_function("latest", |b| b.iter(|| camera.latest().is_some()));
}

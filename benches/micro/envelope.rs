//! A frame's headers: written once a frame, read by clients.

use std::hint::black_box;

use criterion::Criterion;
use framecast::wire::envelope::{Header, headroom, read, write_before};

const JPEG: usize = 30_000;

pub fn benches(c: &mut Criterion) {
    let header = Header {
        seq: 123_456,
        captured_us: 1_700_000_000_000_001,
        received_us: 1_700_000_000_004_002,
        width: 640,
        height: 480,
        camera: "door",
    };
    let room_len = headroom(header.camera.len());
    let mut buf = vec![0xAB; room_len + JPEG];
    let mut group = c.benchmark_group("envelope");
    group.bench_function("write", |b| {
        b.iter(|| write_before(black_box(&mut buf[..room_len]), black_box(&header), JPEG));
    });
    let (_, envelope_at) = write_before(&mut buf[..room_len], &header, JPEG);
    let message = &buf[envelope_at..];
    assert_eq!(read(message).map(|(header, jpeg)| (header.seq, jpeg.len())), Ok((123_456, JPEG)));
    group.bench_function("read", |b| b.iter(|| read(black_box(message)).is_ok()));
}

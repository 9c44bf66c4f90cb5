//! The legacy JSON, in and out: all of it is base64 of whole pictures. Throughput counts the picture.

use std::hint::black_box;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use criterion::{Criterion, Throughput};
use framecast::wire::legacy::{Body, FromPublisher, decode_picture, frame_update};

const JPEG: usize = 30_000;

pub fn benches(c: &mut Criterion) {
    let picture: Vec<u8> = (0..JPEG as u32).map(|n| ((n * 7919) >> 5) as u8).collect();
    let data = STANDARD.encode(&picture);
    let frame = format!(
        r#"{{"type":"webcam_frame","payload":{{"data":"{data}","size":{JPEG},"format":"jpeg"}},"clientId":"cam-1","timestamp":"2025-09-20T01:55:14.123Z"}}"#
    );
    let wrapped = format!(r#"{{"type":"data-channel-message","payload":{frame}}}"#);
    let picture_in = |text: &str| match FromPublisher::parse(text) {
        Ok(FromPublisher { body: Body::Frame(frame), .. }) => {
            decode_picture(&frame.data, 47, 1 << 20).map_or(0, |buf| buf.len() - 47)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!((picture_in(&frame), picture_in(&wrapped)), (JPEG, JPEG));

    let mut group = c.benchmark_group("legacy");
    group.throughput(Throughput::Bytes(JPEG as u64));
    group.bench_function("in_parse", |b| {
        b.iter(|| FromPublisher::parse(black_box(&frame)).is_ok());
    });
    group.bench_function("in_decode", |b| {
        b.iter(|| decode_picture(black_box(&data), 47, 1 << 20));
    });
    group.bench_function("in_whole", |b| b.iter(|| picture_in(black_box(&frame))));
    group.bench_function("in_whole_wrapped", |b| b.iter(|| picture_in(black_box(&wrapped))));
    group.bench_function("out", |b| {
        b.iter(|| frame_update("cam-1", black_box(&picture), 1_700_000_000_000, 7));
    });
}

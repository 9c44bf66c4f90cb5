//! Finding the frames in an endless body, as its bytes come from a socket.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use framecast::{
    synth::{Pattern, Variant},
    wire::{
        mjpeg, multipart,
        pieces::{Piece, SplitError},
    },
};

const FRAMES: usize = 16;
/// Bytes that a read of a socket brings at the most.
const READ: usize = 16 << 10;
const MAX_FRAME: usize = 4 << 20;

/// Feeds `body` in reads and counts its frames.
fn count(
    body: &[u8],
    mut next: impl FnMut(&mut &[u8]) -> Result<Option<Piece>, SplitError>,
) -> usize {
    let mut frames = 0;
    for mut read in body.chunks(READ) {
        while let Ok(Some(piece)) = next(black_box(&mut read)) {
            frames += usize::from(matches!(piece, Piece::Frame(_)));
        }
    }
    frames
}

pub fn benches(c: &mut Criterion) {
    // At the best quality, so that there is much picture between the headers, as of a real camera.
    let mut pattern = Pattern::new(640, 480, Variant::Bars).with_quality(100);
    let pictures: Vec<Vec<u8>> = (0..FRAMES as u64).map(|n| pattern.frame(n * 33_333, n)).collect();
    let part = |length: bool, picture: &Vec<u8>| {
        let length =
            if length { format!("Content-Length: {}\r\n", picture.len()) } else { String::new() };
        let head = format!("--frame\r\nContent-Type: image/jpeg\r\n{length}\r\n");
        [head.as_bytes(), picture, b"\r\n"].concat()
    };
    let multipart_body =
        |length| -> Vec<u8> { pictures.iter().flat_map(|picture| part(length, picture)).collect() };

    let mut group = c.benchmark_group("splitters");
    let body = pictures.concat();
    group.throughput(Throughput::Bytes(body.len() as u64));
    let mjpeg = |body: &[u8]| {
        let mut splitter = mjpeg::Splitter::new(MAX_FRAME, 47);
        count(body, |input| splitter.next(input))
    };
    assert_eq!(mjpeg(&body), FRAMES);
    group.bench_function("mjpeg", |b| b.iter(|| mjpeg(&body)));

    let multipart = |body: &[u8]| {
        let mut splitter = multipart::Splitter::new(Some("frame"), MAX_FRAME, 47);
        count(body, |input| splitter.next(input))
    };
    for (name, with_length) in [("with_length", true), ("without_length", false)] {
        let body = multipart_body(with_length);
        assert_eq!(multipart(&body), FRAMES);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(BenchmarkId::new("multipart", name), |b| b.iter(|| multipart(&body)));
    }
}

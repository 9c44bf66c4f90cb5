//! Looking at a picture's header, which every frame gets once; and making a test picture.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use framecast::{
    synth::{Pattern, Variant},
    wire::jpeg::{Limits, inspect, skeleton},
};

pub fn benches(c: &mut Criterion) {
    let limits = Limits::default();
    let mut group = c.benchmark_group("jpeg_inspect");
    let small = skeleton(640, 480, 30_000, 7);
    // Ten times the bytes must cost the same: only the header is read.
    let large = skeleton(640, 480, 300_000, 7);
    let real = Pattern::new(640, 480, Variant::Bars).frame(1_700_000_000_123_456, 1);
    for (name, picture) in [("30KB", &small), ("300KB", &large), ("test_picture", &real)] {
        assert!(inspect(picture, &limits).is_ok());
        group.bench_function(name, |b| b.iter(|| inspect(black_box(picture), &limits).is_ok()));
    }
    drop(group);

    let mut group = c.benchmark_group("test_picture");
    for (width, height) in [(640, 480), (1280, 720)] {
        let mut pattern = Pattern::new(width, height, Variant::Clock);
        let mut n = 0;
        group.throughput(Throughput::Elements(u64::from(width) * u64::from(height)));
        group.bench_function(BenchmarkId::from_parameter(format!("{width}x{height}")), |b| {
            b.iter(|| {
                n += 1;
                pattern.frame(n * 33_333, n)
            });
        });
    }
}

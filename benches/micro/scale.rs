//! Scaling a picture: what each frame of a watched rung costs.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use framecast::{
    media::Scaler,
    relay::Rung,
    synth::{Pattern, Variant},
};
use jpeg_encoder::{ColorType, Encoder};

/// A picture with as much in it as a room has: gradients, edges, and the grain of a sensor. About 100 KB
/// at 1280×720.
fn room(width: u16, height: u16) -> Vec<u8> {
    let mut seed = 7u32;
    let mut grain = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 29) as usize
    };
    let pixels: Vec<u8> = (0..usize::from(height))
        .flat_map(|y| (0..usize::from(width)).map(move |x| (x, y)))
        .flat_map(|(x, y)| {
            let edge = if (x / 37 + y / 53) % 3 == 0 { 60 } else { 0 };
            let light = x * 120 / usize::from(width) + y * 60 / usize::from(height) + edge;
            [light + grain(), light * 3 / 4 + 20, light / 2 + 40].map(|n| n.min(255) as u8)
        })
        .collect();
    let mut jpeg = Vec::new();
    let encoder = Encoder::new(&mut jpeg, 80);
    encoder.encode(&pixels, width, height, ColorType::Rgb).expect("a Vec takes every byte");
    jpeg
}

pub fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("scale");
    let clock = Pattern::new(1280, 720, Variant::Clock).frame(1_700_000_000_123_456, 1);
    let pictures = [
        ("room_720p", room(1280, 720), (1280, 720)),
        ("test_720p", clock, (1280, 720)),
        ("room_1080p", room(1920, 1080), (1920, 1080)),
    ];
    for (name, picture, size) in &pictures {
        let mut scaler = Scaler::default();
        for rung in [Rung::HIGH, Rung::MEDIUM, Rung::LOW] {
            let mut small = || scaler.scale(black_box(picture), *size, rung, 64).ok().flatten();
            let Some(made) = small() else { continue };
            let of = format!(
                "{name}_{}KB_to_{}_{}KB",
                picture.len() / 1000,
                rung.name(),
                made.len() / 1000
            );
            group.bench_function(BenchmarkId::from_parameter(of), |b| b.iter(&mut small));
        }
    }
}

//! Frames in parts: splitting by a publisher, reassembly by the server, against a plain copy.

use std::{hint::black_box, time::Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use framecast::wire::{
    envelope,
    fragment::{Push, Reassembler, split},
    jpeg::skeleton,
};

const MAX_FRAME: usize = 4 << 20;
/// Bytes of one message of the capture page.
const MESSAGE: usize = 16 << 10;

/// The same disorder each time: every part is swapped with one that a simple generator picks.
fn shuffle<T>(items: &mut [T]) {
    let mut state = 1_u64;
    for at in (1..items.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        items.swap(at, (state >> 33) as usize % (at + 1));
    }
}

fn feed(parts: &[Vec<u8>], headroom: usize, now: Instant) -> Vec<u8> {
    let mut reassembler = Reassembler::new(MAX_FRAME, headroom);
    for part in parts {
        match reassembler.push(black_box(part), now) {
            Ok(Push::Whole(whole)) => return whole.buf,
            Ok(Push::Incomplete) => {}
            other => panic!("{other:?}"),
        }
    }
    panic!("parts are missing");
}

pub fn benches(c: &mut Criterion) {
    let headroom = envelope::headroom(4);
    let now = Instant::now();
    for len in [30_000, 250_000] {
        let jpeg = skeleton(640, 480, len, 7);
        // Parts of 1200 bytes, as of a publisher that fits them to packets, show what a part costs.
        for message in [MESSAGE, 1200] {
            let size = format!("{}KB_by_{message}", len / 1000);
            let parts = split(&jpeg, 1, 0, message).expect("not too many parts");
            let mut shuffled = parts.clone();
            shuffle(&mut shuffled);
            assert_eq!(feed(&shuffled, headroom, now)[headroom..], jpeg[..]);

            let mut group = c.benchmark_group("fragment");
            group.throughput(Throughput::Bytes(len as u64));
            group.bench_function(BenchmarkId::new("split", &size), |b| {
                b.iter(|| split(black_box(&jpeg), 1, 0, message));
            });
            for (name, parts) in [("join_in_order", &parts), ("join_shuffled", &shuffled)] {
                group.bench_function(BenchmarkId::new(name, &size), |b| {
                    b.iter(|| feed(parts, headroom, now));
                });
            }
        }
        let mut group = c.benchmark_group("fragment");
        group.throughput(Throughput::Bytes(len as u64));
        // What one copy costs, allocation included: joining can be no faster.
        group.bench_function(BenchmarkId::new("copy", format!("{}KB", len / 1000)), |b| {
            b.iter(|| black_box(&jpeg).clone());
        });
    }
}

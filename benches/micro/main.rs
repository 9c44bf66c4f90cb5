//! The hot paths one by one, `make bench-micro`: what a frame costs on its way through this process,
//! without sockets. `cargo bench -p framecast-micro -- legacy` measures those with this in their name.

mod envelope;
mod fragment;
mod jpeg;
mod legacy;
mod relay;
mod scale;
mod splitters;

use criterion::{criterion_group, criterion_main};

criterion_group!(
    micro,
    envelope::benches,
    fragment::benches,
    jpeg::benches,
    legacy::benches,
    relay::benches,
    scale::benches,
    splitters::benches
);
criterion_main!(micro);

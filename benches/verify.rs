//! Each algorithm, alone and as a layer: `cargo bench --bench verify`.

mod shared;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use shared::cases;

fn verify(criterion: &mut Criterion) {
    let mut cases = cases();
    let mut group = criterion.benchmark_group("verify");
    for case in &cases {
        group.bench_function(BenchmarkId::new("decode", case.name), |b| b.iter(|| case.decode()));
        group.bench_function(BenchmarkId::new("verify", case.name), |b| b.iter(|| case.verify()));
    }
    group.finish();

    let mut group = criterion.benchmark_group("layer");
    for case in &mut cases {
        group.bench_function(BenchmarkId::new("bare", case.name), |b| b.iter(|| case.bare()));
        group.bench_function(BenchmarkId::new("layer", case.name), |b| b.iter(|| case.layer()));
    }
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);

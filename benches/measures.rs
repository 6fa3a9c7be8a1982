//! Each measure for one cell that is average in the space (one 3×3 and one 1×1 edge), and for a batch of 16 such cells.
//!
//! `cargo bench` prints the time of a call; nothing here can fail for being slow.

use criterion::{criterion_group, criterion_main, Criterion};
use etnas::backend::Backend;
use etnas::cpu::Cpu;
use etnas::input::{Dataset, Images, RegressionTask, Source};
use etnas::random::Seeds;
use etnas::space::{Cell, Skeleton};
use etnas::weights::{Init, Weights};
use std::sync::Arc;

fn measures(criterion: &mut Criterion) {
    let cell: Cell = "|avg_pool_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"
        .parse()
        .expect("a cell");
    let seeds = Seeds::new(0);
    let skeleton = Skeleton::benchmark(10, 32);
    let weights = Arc::new(Weights::generated(skeleton, Init::Uniform, seeds.weight).expect("weights"));
    let images = Images::load(&Source::Photos, Dataset::Cifar10, 128, seeds.data, false).expect("photographs");
    let batch = images.batch();
    let task = RegressionTask::draw(images.regression_images(seeds.data), &seeds);
    let cpu = Cpu::new();
    let mut group = criterion.benchmark_group("measures");
    group.sample_size(10);
    for (name, cells) in [("one cell", vec![cell]), ("16 cells", vec![cell; 16])] {
        group.bench_function(format!("naswot, {name}"), |b| b.iter(|| cpu.hamming(&cells, &weights, &batch, &())));
        group.bench_function(format!("LogSynflow, {name}"), |b| b.iter(|| cpu.synflow(&cells, &weights, &())));
    }
    group.bench_function("LossSlope, one cell", |b| b.iter(|| cpu.train(&[cell], &weights, &task, &())));
    group.finish();
}

criterion_group!(benches, measures);
criterion_main!(benches);

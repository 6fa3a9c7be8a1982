//! Each kernel on one thread: with the best instruction set of this processor, with the portable one, and in plain f64.
//!
//! `cargo bench --bench kernels` takes about a minute; a word behind `--` picks kernels by name. At the end a table sets the
//! fastest samples beside the peak of multiply-adds on registers, the fastest of its own, measured before and after. Nothing
//! here can fail for being slow.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use etnas::cpu::peak::Peak;
use etnas::cpu::probe::{kernels, Kernel};
use etnas::cpu::Isa;
use std::time::{Duration, Instant};

fn main() {
    let isa = Isa::detect();
    // The plain versions use the threads of the pool.
    let single = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
    single.expect("a pool of one thread, as nothing has used it yet");
    let mut criterion = Criterion::default()
        .sample_size(15)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400))
        .nresamples(10_000)
        .configure_from_args();
    let before = Peak::measure(isa, 1);
    let mut rows = Vec::new();
    for mut kernel in kernels() {
        let mut group = criterion.benchmark_group(kernel.name.clone());
        group.throughput(match kernel.flop {
            0 => Throughput::BytesDecimal(kernel.bytes),
            flop => Throughput::Elements(flop),
        });
        let fast = seconds(&mut group, isa.name(), || kernel.run(isa));
        let portable = seconds(&mut group, Isa::Portable.name(), || kernel.run(Isa::Portable));
        let plain = seconds(&mut group, "plain f64", || kernel.run_plain());
        group.finish();
        rows.push(Row { kernel, fast, portable, plain });
    }
    criterion.final_summary();
    rows.retain(|row| row.fast.is_some());
    if !rows.is_empty() {
        let peak = before.or_higher(Peak::measure(isa, 1)).one_thread;
        println!("\nOne thread, {}, fastest samples. Peak of multiply-adds: {:.1} GFLOP/s.", isa.name(), peak / 1e9);
        println!(
            "{:46}{:>10}{:>9}{:>9}{:>7}{:>12}{:>8}",
            "", "µs", "GFLOP/s", "of peak", "GB/s", "× portable", "× plain"
        );
        rows.iter().for_each(|row| println!("{}", row.text(peak)));
    }
}

/// Lets criterion time `run`. Returns the seconds of a run in the fastest sample, `None` if it took none.
fn seconds(group: &mut BenchmarkGroup<WallTime>, name: &str, mut run: impl FnMut()) -> Option<f64> {
    let mut least: Option<f64> = None;
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|runs| {
            let start = Instant::now();
            (0..runs).for_each(|_| run());
            let time = start.elapsed();
            let sample = time.as_secs_f64() / runs as f64;
            least = Some(least.map_or(sample, |least| least.min(sample)));
            time
        });
    });
    least
}

/// One kernel's times, in seconds.
struct Row {
    kernel: Kernel,
    fast: Option<f64>,
    portable: Option<f64>,
    plain: Option<f64>,
}

impl Row {
    fn text(&self, peak: f64) -> String {
        let number = |value: Option<f64>, places: usize| value.map_or("–".to_string(), |v| format!("{v:.places$}"));
        let per_second = |amount: u64| self.fast.filter(|_| amount > 0).map(|seconds| amount as f64 / seconds);
        let ratio = |other: Option<f64>| other.zip(self.fast).map(|(other, fast)| other / fast);
        let flops = per_second(self.kernel.flop);
        format!(
            "{:46}{:>10}{:>9}{:>9}{:>7}{:>12}{:>8}",
            self.kernel.name,
            number(self.fast.map(|seconds| 1e6 * seconds), 2),
            number(flops.map(|rate| rate / 1e9), 1),
            flops.map_or("–".to_string(), |rate| format!("{:.0} %", 100.0 * rate / peak)),
            number(per_second(self.kernel.bytes).map(|rate| rate / 1e9), 1),
            number(ratio(self.portable), 1),
            number(ratio(self.plain), 1),
        )
    }
}

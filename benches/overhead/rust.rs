//! What a call costs beside its cells: one cell whose score is remembered, through `Engine::score`.

use etnas::engine::Engine;
use etnas::input::Dataset;
use etnas::measure::Measure;
use std::hint::black_box;
use std::time::Instant;

const CALLS: usize = 2_000;

fn main() {
    // `cargo test --benches` asks for nothing but that it runs.
    let calls = if std::env::args().any(|argument| argument == "--bench") { CALLS } else { 3 };
    let engine = Engine::builder().dataset(Dataset::ImageNet16).batch(8).build().expect("an engine of the defaults");
    let cells = ["9930".parse().expect("an index of the space")];
    let measures = [Measure::Naswot, Measure::LogSynflow, Measure::Degree];
    let mut seconds: Vec<f64> = (0..calls + 1)
        .map(|_| {
            let start = Instant::now();
            black_box(engine.score(black_box(&cells), &measures).expect("scores of a cell"));
            start.elapsed().as_secs_f64()
        })
        .skip(1)
        .collect();
    seconds.sort_by(f64::total_cmp);
    println!("Rust      {:8.1} us a call, median of {calls}", seconds[calls / 2] * 1e6);
}

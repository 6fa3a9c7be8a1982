//! Milliseconds of one call that computes LogSynflow of one cell, the median of as many as the first argument says:
//! `cargo run --release --example 06_overhead -- 1000`. Bindings to other languages are set against it.

use etnas::engine::{Device, Engine};
use etnas::measure::Measure;
use std::time::Instant;

fn main() -> etnas::Result<()> {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1000).max(1);
    let engine = Engine::builder().device(Device::Cpu).build()?;
    let cell = ["9930".parse()?];
    engine.score(&cell, &[Measure::LogSynflow])?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        engine.forget();
        engine.score(&cell, &[Measure::LogSynflow])?;
        times.push(1000.0 * start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    println!("{:.6}", times[times.len() / 2]);
    Ok(())
}

//! Scores many cells as they come, with progress and a way to stop: `cargo run --release --example 03_stream`.

use etnas::backend::Watch;
use etnas::engine::Engine;
use etnas::measure::Measure;
use etnas::space::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Counts networks that were run; anyone may end the work from any thread.
#[derive(Default)]
struct Progress {
    done: AtomicUsize,
    stop: AtomicBool,
}

impl Watch for Progress {
    fn advance(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn main() -> etnas::Result<()> {
    let engine = Engine::builder().build()?;
    let cells: Vec<Cell> = Cell::all().step_by(10).collect();
    let progress = Progress::default();
    let (mut best, mut seen) = ((f64::NEG_INFINITY, None), 0);
    for scores in engine.stream(&cells, &[Measure::LogSynflow], &progress)?.chunk(100) {
        let scores = match scores {
            // What came before stays valid.
            Err(etnas::Error::Interrupted) => break,
            other => other?,
        };
        seen += scores.len();
        for (cell, &value) in scores.cells.iter().zip(scores.values(Measure::LogSynflow)) {
            if value > best.0 {
                best = (value, Some(*cell));
            }
        }
        // As Ctrl-C or another thread would.
        progress.stop.store(seen >= 1000, Ordering::Relaxed);
    }
    let networks = progress.done.load(Ordering::Relaxed);
    println!("{seen} of {} cells seen, {networks} networks run", cells.len());
    if let Some(cell) = best.1 {
        println!("best LogSynflow {:.0}: {cell}", best.0);
    }
    Ok(())
}

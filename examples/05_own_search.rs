//! A search of one's own over the engine, beside ET-NAS: `cargo run --release --example 05_own_search`.

use etnas::engine::Engine;
use etnas::measure::Measure;
use etnas::random::Stream;
use etnas::search::{LiveScores, Method};
use etnas::space::{Cell, Op, SPACE_SIZE};
use etnas::table::Accuracies;

/// Climbs: of all cells that differ in one operation the best by LogSynflow, until none is better.
fn climb(engine: &Engine, start: Cell) -> etnas::Result<(Cell, usize)> {
    let (mut best, mut value, mut asked) = (start, f64::NEG_INFINITY, 0);
    loop {
        let mut neighbours = vec![best];
        for edge in 0..6 {
            for op in Op::ALL {
                let mut ops = *best.ops();
                ops[edge] = op;
                neighbours.push(Cell::new(ops));
            }
        }
        // One call for all of them: the engine works on many cells at a time, and remembers those it knows.
        let scores = engine.score(&neighbours, &[Measure::LogSynflow])?;
        asked += neighbours.len();
        let better = scores.values(Measure::LogSynflow).iter().zip(&scores.cells).max_by(|a, b| a.0.total_cmp(b.0));
        match better {
            Some((&found, cell)) if found > value => (best, value) = (*cell, found),
            _ => return Ok((best, asked)),
        }
    }
}

fn main() -> etnas::Result<()> {
    let engine = Engine::builder().build()?;
    let accuracies = Accuracies::builtin();
    let tell = |name: &str, cell: &Cell, note: String| {
        let accuracy = accuracies.lookup(cell, engine.options().dataset);
        let accuracy = accuracy.map_or("accuracy not built in".to_string(), |accuracy| format!("{accuracy:.2} %"));
        println!("{name:<8} {cell}  {accuracy}; {note}");
    };
    let start = Cell::from_index(Stream::new(3, &[]).below(SPACE_SIZE) as i64)?;
    let (cell, asked) = climb(&engine, start)?;
    tell("climbing", &cell, format!("{asked} LogSynflow asked for"));

    // Every method of etnas takes its scores through a trait: an engine, files, or whatever implements it.
    let found = Method::from_name("et-nas")?.run(&mut LiveScores::new(&engine, &()), None, 0, 0)?;
    tell("ET-NAS", &found.winner, format!("{} LogSynflow asked for", found.evaluations.log_synflow));
    Ok(())
}

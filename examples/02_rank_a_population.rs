//! Orders a random population by the utopian distance, which compares the cells of one call:
//! `cargo run --release --example 02_rank_a_population`.

use etnas::engine::Engine;
use etnas::measure::Measure;
use etnas::random::Stream;
use etnas::space::{Cell, SPACE_SIZE};
use etnas::table::Accuracies;

fn main() -> etnas::Result<()> {
    // A small batch is enough to tell good cells from bad ones, and quick.
    let engine = Engine::builder().batch(32).build()?;
    let drawn = Stream::new(7, &[]).distinct(40, SPACE_SIZE);
    let cells: Vec<Cell> =
        drawn.into_iter().map(|index| Cell::from_index(index as i64)).collect::<etnas::Result<_>>()?;
    let scores = engine.score(&cells, &[Measure::Utopian])?;

    let distances = scores.values(Measure::Utopian);
    let mut order: Vec<usize> = (0..cells.len()).collect();
    // Less is better here; every other measure is better where it is higher.
    order.sort_by(|&a, &b| distances[a].total_cmp(&distances[b]));
    // Accuracies of 75 cells are built in; `Accuracies::find` reads a table of all.
    let accuracies = Accuracies::builtin();
    for &i in order.iter().take(5) {
        let known = accuracies.lookup(&cells[i], engine.options().dataset);
        let accuracy = known.map_or("no accuracy built in".to_string(), |accuracy| format!("{accuracy:.2} %"));
        println!("{:.4}  {}  {accuracy}", distances[i], cells[i]);
    }
    Ok(())
}

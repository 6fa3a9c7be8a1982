//! Scores two cells in three lines: `cargo run --release --example 01_score_one`.

use etnas::engine::Engine;
use etnas::measure::Measure;

fn main() -> etnas::Result<()> {
    let engine = Engine::builder().build()?;
    let cells = ["1462".parse()?, "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|none~1|none~2|".parse()?];
    let scores = engine.score(&cells, &[Measure::Naswot, Measure::LogSynflow, Measure::LossSlope])?;

    for (i, cell) in scores.cells.iter().enumerate() {
        println!("{cell}, cell {} of the space: {}", cell.index(), scores.status[i].name());
        for column in &scores.columns {
            println!("  {:<12} {:>14.4}", column.measure.name(), column.values[i]);
        }
    }
    Ok(())
}

//! A sweep over the whole space as a search of its own: the best cell of all by a measure, or by several.

use super::entry::{Entry, Found, Origin, Quantity};
use super::laboratory::Laboratory;
use crate::error::Result;
use crate::space::SPACE_SIZE;
use crate::statistics::{best, Combination};
use std::time::Instant;

/// What is said of these rows.
pub const NOTE: &str = "A sweep is the best of all 15,625 cells by the scores named; its rows are there where score files hold them (--scores).";

const THREE: [&str; 3] = ["naswot", "log_synflow", "loss_slope"];

/// One row for each way to order the space by scores that stand in files.
///
/// # Errors
/// [`crate::Error::Internal`] alone.
pub fn entries(lab: &Laboratory) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (name, measures, how) in [
        ("Sweep by utopian distance", THREE.as_slice(), Combination::Utopian),
        ("Sweep by rank sum", &THREE, Combination::RankSum),
        ("Sweep by naswot", &THREE[..1], Combination::Single),
        ("Sweep by LogSynflow", &THREE[1..2], Combination::Single),
        ("Sweep by LossSlope", &THREE[2..], Combination::Single),
    ] {
        for &dataset in &lab.setting.datasets {
            let Some(set) = lab.on_file(dataset).filter(|set| measures.iter().all(|name| set.column(name).is_ok()))
            else {
                continue;
            };
            let start = Instant::now();
            let (cell, _) = best(set, how, measures)?;
            let origin = Origin { from_files: SPACE_SIZE * measures.len(), ..Origin::default() };
            let found = lab.accuracies.lookup(&cell, dataset).map(|mean| {
                let seconds = start.elapsed().as_secs_f64();
                Found { mean, n: 1, seconds, origin, ..Found::default() }
            });
            entries.push(Entry {
                row: name.to_string(),
                dataset,
                quantity: Quantity::Accuracy,
                paper: None,
                found: found.ok_or_else(|| lab.accuracies.missing(&cell, dataset)),
                note: format!("cell {}", cell.index()),
            });
        }
    }
    Ok(entries)
}

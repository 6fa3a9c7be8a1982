//! How fast measures and searches were, for people and for machines.

use super::grid::{pairs, Align, Grid};
use super::{json, measures, number};
use crate::cpu::peak::Peak;
use crate::measure::Measure;
use crate::search::Evaluations;
use crate::space::Cell;
use serde::Serialize;
use serde_json::{json, Value};

/// Where it was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's name, if the system tells it.
    pub processor: Option<String>,
    /// Threads that run at a time.
    pub cores: usize,
    /// What the kernels use of the processor.
    pub instruction_set: &'static str,
    /// `x86_64`, …
    pub architecture: &'static str,
    /// `linux`, …
    pub system: &'static str,
}

/// The samples of one quantity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Half of the samples are below.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// Of at least one sample; zeros of none.
    pub fn of(mut samples: Vec<f64>) -> Spread {
        samples.sort_by(f64::total_cmp);
        let (Some(&min), Some(&max)) = (samples.first(), samples.last()) else {
            return Spread { median: 0.0, min: 0.0, max: 0.0 };
        };
        let n = samples.len();
        Spread { median: (samples[(n - 1) / 2] + samples[n / 2]) / 2.0, min, max }
    }

    fn texts(&self, text: impl Fn(f64) -> String) -> [String; 3] {
        [self.median, self.min, self.max].map(text)
    }
}

/// One measure over all cells, again and again.
#[derive(Clone, Debug)]
pub struct MeasureTiming {
    /// The measure.
    pub measure: Measure,
    /// Milliseconds of wall time for a cell, each sample the mean over all cells.
    pub cell_ms: Spread,
    /// FLOP for a cell, the mean over all cells, as [`crate::engine::Engine::flop`] counts them.
    pub cell_flop: f64,
    /// The most bytes resident meanwhile, the program included.
    pub peak_memory: Option<u64>,
}

impl MeasureTiming {
    fn cells_per_second(&self) -> f64 {
        1e3 / self.cell_ms.median
    }

    /// GFLOP a second at the median.
    fn rate(&self) -> f64 {
        self.cell_flop / self.cell_ms.median / 1e6
    }
}

/// One search in three ways, in seconds of wall time.
#[derive(Clone, Debug)]
pub struct SearchTiming {
    /// By an engine that has just been made, its making included.
    pub cold: Spread,
    /// By the same engine again, which remembers every score.
    pub warm: Spread,
    /// By a table of the scores.
    pub table: Spread,
    /// The most bytes resident meanwhile, the program included.
    pub peak_memory: Option<u64>,
    /// What it found.
    pub winner: Cell,
    /// What it asked for.
    pub evaluations: Evaluations,
}

/// Everything that was timed, and how.
pub struct BenchReport {
    /// What decides the scores.
    pub configuration: Value,
    /// Where.
    pub machine: Machine,
    /// Worker threads of the engine.
    pub threads: usize,
    /// Cells scored at a time.
    pub chunk: usize,
    /// Samples of each quantity.
    pub repeats: usize,
    /// The cells that were scored.
    pub cells: Vec<Cell>,
    /// The processor's rate of multiply-adds on registers, measured in between.
    pub peak: Peak,
    /// The card that computed, if one did, and its f32 operations a second by its data.
    pub card: Option<(String, f64)>,
    /// By measure.
    pub timings: Vec<MeasureTiming>,
    /// If it was asked for.
    pub search: Option<SearchTiming>,
    /// Lines under the table for people.
    pub notes: Vec<(&'static str, String)>,
}

impl BenchReport {
    /// What shares refer to, in 10⁹ operations a second.
    fn whole_peak(&self) -> f64 {
        self.card.as_ref().map_or(self.peak.all_threads, |(_, peak)| *peak) / 1e9
    }

    /// For machines: one object.
    pub fn json(&self) -> String {
        let peak = self.whole_peak();
        let measure = |t: &MeasureTiming| {
            json!({
                "measure": t.measure.key(),
                "cells_per_second": t.cells_per_second(),
                "ms_per_cell": t.cell_ms,
                "gflop_per_cell": t.cell_flop / 1e9,
                "gflops": t.rate(),
                "share_of_peak": t.rate() / peak,
                "peak_memory_bytes": t.peak_memory,
            })
        };
        let search = |t: &SearchTiming| {
            json!({
                "cold_seconds": t.cold,
                "warm_seconds": t.warm,
                "table_seconds": t.table,
                "peak_memory_bytes": t.peak_memory,
                "index": t.winner.index(),
                "arch": t.winner.to_string(),
                "evaluations": t.evaluations,
            })
        };
        let processor = [self.peak.one_thread, self.peak.all_threads].map(|rate| rate / 1e9);
        let mut peaks = json!({"one_thread": processor[0], "all_threads": processor[1]});
        if self.card.is_some() {
            peaks["card"] = peak.into();
        }
        json::pretty(&json!({
            "program": "etnas-fast",
            "version": env!("CARGO_PKG_VERSION"),
            "command": "bench",
            "machine": self.machine,
            "configuration": self.configuration,
            "threads": self.threads,
            "chunk": self.chunk,
            "repeats": self.repeats,
            "cells": self.cells.iter().map(Cell::index).collect::<Vec<_>>(),
            "archs": self.cells.iter().map(Cell::to_string).collect::<Vec<_>>(),
            "peak_gflops": peaks,
            "measures": self.timings.iter().map(measure).collect::<Value>(),
            "search": self.search.as_ref().map(search),
        }))
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut blocks = Vec::new();
        if !self.timings.is_empty() {
            blocks.push(self.measures());
        }
        if let Some(search) = &self.search {
            blocks.push(self.search(search));
        }
        let Machine { processor, cores, instruction_set, architecture, system } = &self.machine;
        let processor = processor.as_deref().unwrap_or("unknown");
        let mut notes = vec![
            ("processor", format!("{processor}, cores: {cores}, {instruction_set}, {architecture} {system}")),
            (
                "FMA peak",
                format!(
                    "{:.1} GFLOP/s on one thread, {:.1} on {}, measured in this run",
                    self.peak.one_thread / 1e9,
                    self.peak.all_threads / 1e9,
                    self.threads
                ),
            ),
        ];
        if let Some((name, peak)) = &self.card {
            notes
                .push(("card", format!("{name}, {:.0} GFLOP/s in f32 by its data, which shares refer to", peak / 1e9)));
        }
        notes.extend([("cells", format!("{}, {} at a time, {} repeats", self.cells.len(), self.chunk, self.repeats))]);
        notes.extend(self.notes.iter().cloned());
        blocks.push(pairs(&notes));
        blocks.join("\n")
    }

    fn measures(&self) -> String {
        let header = ["cells/s", "ms per cell", "min", "max", "GFLOP", "GFLOP/s", "of FMA peak", "memory, MB"];
        let header = header.map(|title| (title.to_string(), Align::Right));
        let mut grid = Grid::new([("measure".to_string(), Align::Left)].into_iter().chain(header).collect());
        for t in &self.timings {
            let mut row = vec![measures::title(t.measure).to_string(), digits(t.cells_per_second())];
            row.extend(t.cell_ms.texts(digits));
            row.extend([digits(t.cell_flop / 1e9), digits(t.rate())]);
            row.push(format!("{:.0} %", 1e2 * t.rate() / self.whole_peak()));
            row.push(megabytes(t.peak_memory));
            grid.row(row);
        }
        grid.text()
    }

    fn search(&self, search: &SearchTiming) -> String {
        let header = ["seconds", "min", "max"].map(|title| (title.to_string(), Align::Right));
        let mut grid = Grid::new([("search".to_string(), Align::Left)].into_iter().chain(header).collect());
        for (name, spread) in [
            ("cold: a new engine", search.cold),
            ("warm: every score remembered", search.warm),
            ("scores from a table", search.table),
        ] {
            grid.row([name.to_string()].into_iter().chain(spread.texts(digits)).collect());
        }
        let Evaluations { log_synflow, naswot, loss_slope, .. } = search.evaluations;
        let found = pairs(&[
            ("found", format!("{} {}", search.winner.index(), search.winner)),
            ("evaluated", format!("{log_synflow} LogSynflow, {naswot} naswot, {loss_slope} LossSlope")),
            ("memory", format!("{} MB", megabytes(search.peak_memory))),
        ]);
        format!("{}\n{found}", grid.text())
    }
}

fn megabytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| number::ABSENT.to_string(), |bytes| format!("{:.0}", bytes as f64 / 1e6))
}

/// Three digits that count; none after the point from 100 on.
fn digits(x: f64) -> String {
    let places = if x > 0.0 { (2 - x.log10().floor() as i32).clamp(0, 9) } else { 0 };
    format!("{x:.*}", places as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_and_digits() {
        assert_eq!(Spread::of(vec![3.0, 1.0, 9.0]), Spread { median: 3.0, min: 1.0, max: 9.0 });
        assert_eq!(Spread::of(vec![4.0, 1.0]), Spread { median: 2.5, min: 1.0, max: 4.0 });
        assert_eq!(Spread::of(vec![7.0]), Spread { median: 7.0, min: 7.0, max: 7.0 });
        let texts = [1234.5, 123.4, 12.34, 1.234, 0.01234, 0.0].map(digits);
        assert_eq!(texts, ["1234", "123", "12.3", "1.23", "0.0123", "0"]);
    }
}

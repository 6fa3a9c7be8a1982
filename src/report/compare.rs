//! Two score files side by side, in every format.

use super::correlate::{figure, label, significant, signs};
use super::grid::{pairs, Align, Grid};
use super::score::csv_rows;
use super::{json, number, Format, Output};
use crate::error::Result;
use crate::space::Cell;
use crate::statistics::{Compared, Comparison, Difference};
use serde_json::{json, Value};

/// What is told of two files.
pub struct CompareReport<'a> {
    /// The files as they were named.
    pub files: [&'a str; 2],
    /// How they compare.
    pub comparison: &'a Comparison,
}

impl CompareReport<'_> {
    /// Writes the report and completes the output.
    pub fn write(&self, format: Format, mut output: Output) -> Result<()> {
        let metadata = self.metadata();
        let rows: Vec<Value> = self.comparison.columns.iter().map(|c| self.object(c)).collect();
        let text = match format {
            Format::Table => self.text(),
            Format::Json => {
                let lists = self.comparison.columns.iter().zip(rows).map(|(compared, mut row)| {
                    row["largest"] = compared.largest.iter().map(difference).collect();
                    row
                });
                json::pretty(&json!({"meta": metadata, "rows": lists.collect::<Vec<_>>()}))
            }
            Format::Jsonl => rows.iter().map(|row| format!("{row}\n")).collect(),
            Format::Csv => csv_rows(&rows)?,
        };
        output.write(&text)?;
        output.finish(&metadata)
    }

    fn metadata(&self) -> Value {
        let c = self.comparison;
        let named = |cells: &[Cell]| -> Value {
            cells.iter().map(|cell| json!({"index": cell.index(), "arch": cell.to_string()})).collect()
        };
        json!({
            "program": "etnas-fast",
            "version": env!("CARGO_PKG_VERSION"),
            "command": "correlate",
            "first": self.files[0],
            "second": self.files[1],
            "cells": c.both,
            "first_only": named(&c.first_only),
            "second_only": named(&c.second_only),
            "first_columns": c.first_columns,
            "second_columns": c.second_columns,
        })
    }

    fn object(&self, c: &Compared) -> Value {
        let largest = c.largest.first();
        json!({
            "score": c.score.name,
            "n": self.comparison.both,
            "tau_b": c.coefficients.tau,
            "rho": c.coefficients.rho,
            "equal": c.equal,
            "in_one_only": c.one_only,
            "mean_difference": c.mean_difference,
            "largest_difference": largest.map(Difference::signed),
            "largest_index": largest.map(|d| d.cell.index()),
            "largest_arch": largest.map(|d| d.cell.to_string()),
        })
    }

    fn text(&self) -> String {
        let right = |title: &str| (title.to_string(), Align::Right);
        let header = ["τ-b", "ρ", "equal", "in one only", "mean of B − A", "largest B − A"].map(right);
        let mut grid = Grid::new([("score".to_string(), Align::Left)].into_iter().chain(header).collect());
        let absent = || number::ABSENT.to_string();
        let count = |n: usize| number::grouped(n as u64);
        let columns = &self.comparison.columns;
        for c in columns {
            let coefficient = |value: Option<f64>| value.map_or_else(absent, |v| format!("{v:.5}"));
            grid.row(vec![
                label(&c.score),
                coefficient(c.coefficients.tau),
                coefficient(c.coefficients.rho),
                count(c.equal),
                count(c.one_only),
                c.mean_difference.map_or_else(absent, significant),
                c.largest.first().map_or_else(absent, |d| significant(d.signed())),
            ]);
        }
        let mut text = format!("{} cells in both files\n\n{}\n", count(self.comparison.both), grid.text());
        if columns.iter().any(|c| !c.largest.is_empty()) {
            text.push_str("The largest differences:\n\n");
            text.push_str(&self.largest());
            text.push('\n');
        }
        text + &pairs(&self.notes())
    }

    fn largest(&self) -> String {
        let right = |title: &str| (title.to_string(), Align::Right);
        let mut grid = Grid::new(vec![
            ("score".to_string(), Align::Left),
            right("index"),
            right("A"),
            right("B"),
            right("B − A"),
            ("cell".to_string(), Align::Left),
        ]);
        for c in &self.comparison.columns {
            for d in &c.largest {
                grid.row(vec![
                    label(&c.score),
                    d.cell.index().to_string(),
                    figure(&c.score, Some(d.first)),
                    figure(&c.score, Some(d.second)),
                    significant(d.signed()),
                    d.cell.to_string(),
                ]);
            }
        }
        grid.text()
    }

    fn notes(&self) -> Vec<(&'static str, String)> {
        let c = self.comparison;
        let mut notes = Vec::new();
        let sides = [
            ("A", self.files[0], &c.first_only, &c.first_columns),
            ("B", self.files[1], &c.second_only, &c.second_columns),
        ];
        for (name, file, cells, columns) in sides {
            let mut text = file.to_string();
            if !cells.is_empty() {
                text.push_str(&format!(
                    "\ncells here alone: {}",
                    some(cells.iter().map(|cell| format!("{} {cell}", cell.index())))
                ));
            }
            if !columns.is_empty() {
                text.push_str(&format!("\ncolumns here alone: {}", some(columns.iter().cloned())));
            }
            notes.push((name, text));
        }
        notes.push(("equal", "to the bit, or in neither file".to_string()));
        notes.push(("ties", "equal values are tied; a score that does not exist is −∞, below all others".to_string()));
        notes.push(("signs", signs(c.columns.iter().map(|c| &c.score))));
        notes
    }
}

fn difference(d: &Difference) -> Value {
    json!({
        "index": d.cell.index(),
        "arch": d.cell.to_string(),
        "first": d.first,
        "second": d.second,
        "difference": d.signed(),
    })
}

/// Ten of a list, and how many more there are.
fn some(list: impl ExactSizeIterator<Item = String>) -> String {
    let n = list.len();
    let mut text = list.take(10).collect::<Vec<_>>().join(", ");
    if n > 10 {
        text.push_str(&format!(" and {} more", number::grouped((n - 10) as u64)));
    }
    text
}

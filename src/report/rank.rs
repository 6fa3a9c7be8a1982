//! Cells in the order of their scores, in every format.

use super::correlate::{figure, label, opening, scores_notes, significant, signs, utopian_note};
use super::grid::{pairs, Align, Grid};
use super::score::{csv_rows, percent};
use super::{json, number, Format, Output};
use crate::error::Result;
use crate::measure::Measure;
use crate::statistics::{ranks_from_best, Combination, ScoreSet};
use crate::table::{column_info, Accuracies, ScoreColumn};
use serde_json::{json, Value};

/// An order of cells.
pub struct RankReport<'a> {
    /// The score files as they were named.
    pub files: &'a [String],
    /// Their scores.
    pub scores: &'a ScoreSet,
    /// How the scores became one number.
    pub by: Combination,
    /// The scores that it is of.
    pub columns: Vec<&'a ScoreColumn>,
    /// The number of each cell, as [`crate::statistics::combine`] gives it.
    pub numbers: &'a [f64],
    /// The places of the cells that are told, the best first.
    pub order: &'a [usize],
    /// Where accuracies are looked up.
    pub accuracies: &'a Accuracies,
    /// Which of their columns are told.
    pub accuracy_columns: &'a [String],
    /// Columns that were shifted before the utopian distance was taken.
    pub shifted: &'a [String],
}

/// A column of accuracies, and ranks if every cell has one.
struct Known<'a> {
    name: &'a str,
    values: &'a [f64],
    ranks: Option<Vec<usize>>,
}

impl Known<'_> {
    fn value(&self, index: usize) -> Option<f64> {
        self.values.get(index).copied().filter(|value| !value.is_nan())
    }

    fn rank(&self, index: usize) -> Option<usize> {
        self.ranks.as_ref()?.get(index).copied()
    }
}

impl RankReport<'_> {
    /// Writes the report and completes the output.
    pub fn write(&self, format: Format, mut output: Output) -> Result<()> {
        let known: Vec<Known> = self.accuracy_columns.iter().filter_map(|name| self.known(name)).collect();
        let metadata = self.metadata();
        let rows = || self.rows(&known);
        let text = match format {
            Format::Table => self.text(&known),
            Format::Json => json::pretty(&json!({"meta": metadata, "records": rows()})),
            Format::Jsonl => rows().iter().map(|row| format!("{row}\n")).collect(),
            Format::Csv => {
                let rows = rows();
                csv_rows(&rows)?
            }
        };
        output.write(&text)?;
        output.finish(&metadata)
    }

    fn known<'b>(&'b self, name: &'b str) -> Option<Known<'b>> {
        let values = self.accuracies.column(name)?;
        Some(Known { name, values, ranks: ranks_from_best(values) })
    }

    fn metadata(&self) -> Value {
        let mut meta = opening("rank", self.files, self.scores);
        let columns = self.columns.iter().map(
            |column| json!({"name": column.name, "better": if column.higher_is_better { "higher" } else { "lower" }}),
        );
        meta.extend(json::object([
            ("by", Value::from(self.by.name())),
            ("better", Value::from(self.better())),
            ("scores", columns.collect()),
            ("ties", Value::from(TIES)),
            ("utopian_shifted", Value::from(self.shifted)),
            ("accuracies", Value::from(self.accuracies.source())),
        ]));
        Value::Object(meta)
    }

    /// Which values of what orders are first: sums of ranks and distances are better the lower they are.
    fn better(&self) -> &'static str {
        match (self.by, self.columns.first()) {
            (Combination::Single, Some(column)) if column.higher_is_better => "higher",
            _ => "lower",
        }
    }

    /// The ranks of each score over all cells, where the order is made of them.
    fn ranks(&self) -> Vec<Option<Vec<usize>>> {
        let of_ranks = matches!(self.by, Combination::RankSum | Combination::LogRankSum);
        self.columns.iter().map(|column| ranks_from_best(&column.promise()).filter(|_| of_ranks)).collect()
    }

    fn rows(&self, known: &[Known]) -> Vec<Value> {
        let ranks = self.ranks();
        let row = |(place, &at): (usize, &usize)| {
            let cell = self.scores.cells().get(at)?;
            let mut row = json::object([
                ("rank", Value::from(place + 1)),
                ("index", Value::from(cell.index())),
                ("arch", Value::from(cell.to_string())),
            ]);
            let mut put = |key: String, value: Value| {
                // A score may bear any name, also one that is taken.
                let key = if row.contains_key(&key) { format!("score_{key}") } else { key };
                row.insert(key, value);
            };
            if let (Some(number), false) = (self.numbers.get(at), self.by == Combination::Single) {
                let like = if self.by == Combination::RankSum { Measure::Degree } else { Measure::Utopian };
                put(self.by.name().replace('-', "_"), number::exact(like, Some(*number)));
            }
            for (column, ranks) in self.columns.iter().zip(&ranks) {
                let value = column.values.get(at).copied().flatten();
                put(column.name.clone(), number::exact(column.measure.unwrap_or(Measure::Naswot), value));
                if let Some(ranks) = ranks {
                    put(format!("{}_rank", column.name), ranks.get(at).copied().into());
                }
            }
            for known in known {
                put(known.name.to_string(), known.value(cell.index()).into());
                put(format!("{}_rank", known.name), known.rank(cell.index()).into());
            }
            Some(Value::Object(row))
        };
        self.order.iter().enumerate().filter_map(row).collect()
    }

    fn text(&self, known: &[Known]) -> String {
        let right = |title: &str| (title.to_string(), Align::Right);
        let ranks = self.ranks();
        let mut header = vec![right("rank"), right("index")];
        header.extend(match self.by {
            Combination::Single => None,
            Combination::RankSum => Some(right("rank sum ↓")),
            Combination::LogRankSum => Some(right("log rank sum ↓")),
            Combination::Utopian => Some(right("distance ↓")),
        });
        for (column, ranks) in self.columns.iter().zip(&ranks) {
            header.push(right(&label(column)));
            header.extend(ranks.as_ref().map(|_| right("rank")));
        }
        for known in known {
            header.push(right(&accuracy_label(known.name)));
            header.extend(known.ranks.as_ref().map(|_| right("rank")));
        }
        header.push(("cell".to_string(), Align::Left));
        let mut grid = Grid::new(header);
        for (place, &at) in self.order.iter().enumerate() {
            let Some(cell) = self.scores.cells().get(at) else { continue };
            let mut row = vec![(place + 1).to_string(), cell.index().to_string()];
            if let (Some(&number), false) = (self.numbers.get(at), self.by == Combination::Single) {
                row.push(match self.by {
                    Combination::RankSum => number::grouped(number as u64),
                    Combination::LogRankSum => format!("{number:.3}"),
                    _ => number::rounded(Measure::Utopian, Some(number)),
                });
            }
            for (column, ranks) in self.columns.iter().zip(&ranks) {
                row.push(figure(column, column.values.get(at).copied().flatten()));
                row.extend(ranks.as_ref().map(|ranks| grouped(ranks.get(at))));
            }
            for known in known {
                let value = known.value(cell.index());
                row.push(if known.name.contains("_test") || known.name.contains("_valid") {
                    percent(value)
                } else {
                    value.map_or_else(|| number::ABSENT.to_string(), significant)
                });
                row.extend(known.ranks.as_ref().map(|ranks| grouped(ranks.get(cell.index()))));
            }
            row.push(cell.to_string());
            grid.row(row);
        }
        format!("{}\n{}", grid.text(), pairs(&self.notes(known)))
    }

    fn notes(&self, known: &[Known]) -> Vec<(&'static str, String)> {
        let mut notes = scores_notes(self.files, self.scores);
        if !known.is_empty() {
            let meaning = |known: &Known| {
                let column = column_info(known.name)?;
                Some(format!("{}: {}", accuracy_label(known.name), column.meaning))
            };
            let lines = known.iter().filter_map(meaning).chain([self.accuracies.source().to_string()]);
            notes.push(("accuracies", lines.collect::<Vec<_>>().join("\n")));
        }
        notes.push(("ties", TIES.to_string()));
        if self.by == Combination::Utopian {
            notes.push(("utopian", utopian_note(self.scores, self.shifted)));
        }
        notes.push(("signs", signs(self.columns.iter().copied())));
        notes
    }
}

/// The rule of ties.
const TIES: &str =
    "equal scores share the better rank; equal cells are in the order of their indices; what does not exist is last";

fn grouped(rank: Option<&usize>) -> String {
    rank.map_or_else(|| number::ABSENT.to_string(), |&rank| number::grouped(rank as u64))
}

/// A narrow title of a column of accuracies: `CIFAR-10 test %`. The notes say the rest.
fn accuracy_label(column: &str) -> String {
    for dataset in crate::input::Dataset::ALL {
        if crate::table::test_column(dataset) == column {
            return format!("{} test %", dataset.title());
        }
    }
    column.to_string()
}

//! Scored cells, in every format.

use super::grid::{pairs, Align, Grid};
use super::{json, measures, number, Columns, Finished, Format, Output};
use crate::engine::Record;
use crate::error::{Error, Result};
use crate::input::Dataset;
use crate::space::Cell;
use crate::table::Accuracies;
use serde_json::{json, Value};

/// What the `table` format shows beside the records.
pub struct Screen<'a> {
    /// Test accuracies, shown where one is known.
    pub accuracies: &'a Accuracies,
    /// Name and value of each line under the table: data set, images, seed.
    pub notes: Vec<(&'static str, String)>,
}

/// Writes records as they come. JSON Lines and CSV leave at once; the other formats wait for the end.
pub struct ScoreReport {
    format: Format,
    columns: Columns,
    output: Output,
    kept: Vec<Record>,
    done: Finished,
}

impl ScoreReport {
    /// A report into an open output, which holds the finished records of an earlier sweep.
    pub fn new(format: Format, columns: Columns, output: Output, done: Finished) -> ScoreReport {
        ScoreReport { format, columns, output, kept: Vec::new(), done }
    }

    /// Records so far, the earlier ones included.
    pub fn count(&self) -> usize {
        self.done.count
    }

    /// Adds records.
    pub fn add(&mut self, records: Vec<Record>) -> Result<()> {
        self.done.count += records.len();
        match self.format {
            Format::Table | Format::Json => {
                self.kept.extend(records);
                return Ok(());
            }
            Format::Jsonl => {
                let lines: String = records.iter().map(|r| format!("{}\n", self.columns.object(r))).collect();
                self.output.write(&lines)?;
            }
            Format::Csv => {
                let header = (!self.done.header).then(|| self.columns.keys());
                self.done.header = true;
                let rows = records.iter().map(|record| fields(&self.columns.object(record)));
                let text = csv_text(header.into_iter().chain(rows))?;
                self.output.write(&text)?;
            }
        }
        self.output.flush()
    }

    /// Writes what waited, and the metadata where it belongs.
    pub fn finish(mut self, metadata: &Value, screen: &Screen) -> Result<()> {
        match self.format {
            Format::Jsonl => {}
            Format::Csv if self.done.header => {}
            Format::Csv => self.output.write(&csv_text([self.columns.keys()])?)?,
            Format::Json => {
                let records: Vec<Value> = self.kept.iter().map(|record| self.columns.object(record)).collect();
                self.output.write(&json::pretty(&json!({"meta": metadata, "records": records})))?;
            }
            Format::Table => {
                let text = screen.text(&self.columns, &self.kept);
                self.output.write(&text)?;
            }
        }
        self.output.finish(metadata)
    }
}

/// The values of an object as CSV fields.
pub(super) fn fields(object: &Value) -> Vec<String> {
    object.as_object().map(|map| map.values().map(number::field).collect()).unwrap_or_default()
}

/// Objects with the same keys as CSV: their keys as header, a line for each.
pub(super) fn csv_rows(rows: &[Value]) -> Result<String> {
    let header = rows.first().and_then(Value::as_object).map(|row| row.keys().cloned().collect());
    csv_text(header.into_iter().chain(rows.iter().map(fields)))
}

/// Lines of CSV.
pub(super) fn csv_text(lines: impl IntoIterator<Item = Vec<String>>) -> Result<String> {
    let broken = |e: &dyn std::fmt::Display| Error::Internal(format!("a CSV line could not be made: {e}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    for line in lines {
        writer.write_record(&line).map_err(|e| broken(&e))?;
    }
    let bytes = writer.into_inner().map_err(|e| broken(&e))?;
    String::from_utf8(bytes).map_err(|e| broken(&e))
}

impl Screen<'_> {
    fn text(&self, columns: &Columns, records: &[Record]) -> String {
        let accuracy = |cell: &Cell, dataset: Dataset| self.accuracies.lookup(cell, dataset);
        let some_accuracy = records.iter().any(|r| accuracy(&r.cell, r.dataset).is_some());
        let mut header = vec![("index".to_string(), Align::Right)];
        for (measure, std) in columns.measures() {
            let arrow = if measure.higher_is_better() { '↑' } else { '↓' };
            header.push((format!("{} {arrow}", measures::title(*measure)), Align::Right));
            if *std {
                header.push(("±".to_string(), Align::Right));
            }
        }
        if some_accuracy {
            header.push(("test %".to_string(), Align::Right));
        }
        header.extend([("status".to_string(), Align::Left), ("cell".to_string(), Align::Left)]);

        let mut grid = Grid::new(header);
        for record in records {
            let mut row = vec![record.cell.index().to_string()];
            for (measure, std) in columns.measures() {
                let score = record.score(*measure).unwrap_or_default();
                row.push(number::rounded(*measure, score.value));
                if *std {
                    row.push(number::rounded(*measure, score.std));
                }
            }
            if some_accuracy {
                row.push(percent(accuracy(&record.cell, record.dataset)));
            }
            row.extend([record.status.name().to_string(), record.cell.to_string()]);
            grid.row(row);
        }
        let mut notes = self.notes.clone();
        if some_accuracy {
            notes.push(("test %", sourced(self.accuracies)));
        }
        notes.push(("signs", legend(columns)));
        let mut text = grid.text();
        text.push('\n');
        text.push_str(&pairs(&notes));
        text
    }
}

fn legend(columns: &Columns) -> String {
    let mut signs = vec!["↑ higher promises a better cell"];
    if columns.measures().iter().any(|(m, _)| !m.higher_is_better()) {
        signs.push("↓ lower does");
    }
    if columns.measures().iter().any(|(_, std)| *std) {
        signs.push("± standard deviation over the repeats");
    }
    signs.push("– does not exist");
    signs.join(", ")
}

/// An accuracy in percent for people.
pub(super) fn percent(accuracy: Option<f64>) -> String {
    accuracy.map_or_else(|| number::ABSENT.to_string(), |a| format!("{a:.2}"))
}

/// What test accuracies are, and where they come from.
pub(super) fn sourced(accuracies: &Accuracies) -> String {
    format!("mean test accuracy after 200 epochs; {}", accuracies.source())
}

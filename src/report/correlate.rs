//! Scores against accuracies, in every format.

use super::grid::{pairs, Align, Grid};
use super::score::csv_rows;
use super::{json, measures, number, Format, Output};
use crate::error::Result;
use crate::space::SPACE_SIZE;
use crate::statistics::{Interval, Population, Row, ScoreSet, Settings, Top, LEVEL};
use crate::table::{Accuracies, ScoreColumn};
use serde_json::{json, Map, Value};

/// What is told of scores and accuracies.
pub struct CorrelateReport<'a> {
    /// The score files as they were named.
    pub files: &'a [String],
    /// Their scores.
    pub scores: &'a ScoreSet,
    /// Columns that were shifted before the utopian distance was taken; `None` if it was not taken here.
    pub utopian: Option<Vec<String>>,
    /// Where the accuracies are from.
    pub accuracies: &'a Accuracies,
    /// What was computed.
    pub settings: &'a Settings,
    /// The results, those of one accuracy and population one after the other.
    pub rows: &'a [Row],
}

impl CorrelateReport<'_> {
    /// Writes the report and completes the output.
    pub fn write(&self, format: Format, mut output: Output) -> Result<()> {
        let rows: Vec<Value> = self.rows.iter().map(|row| self.object(row)).collect();
        let metadata = self.metadata();
        let text = match format {
            Format::Table => self.text(),
            Format::Json => json::pretty(&json!({"meta": metadata, "rows": rows})),
            Format::Jsonl => rows.iter().map(|row| format!("{row}\n")).collect(),
            Format::Csv => csv_rows(&rows)?,
        };
        output.write(&text)?;
        output.finish(&metadata)
    }

    fn metadata(&self) -> Value {
        let mut meta = opening("correlate", self.files, self.scores);
        meta.extend(json::object([
            ("accuracies", Value::from(self.accuracies.source())),
            ("ties", Value::from(TIES)),
            (
                "bootstrap",
                match self.settings.resamples {
                    0 => Value::Null,
                    n => json!({"resamples": n, "seed": self.settings.seed, "level": LEVEL, "interval": "percentile"}),
                },
            ),
            ("utopian_shifted", self.utopian.clone().into()),
        ]));
        Value::Object(meta)
    }

    fn object(&self, row: &Row) -> Value {
        let c = &row.correlation;
        let mut object = json::object([
            ("accuracy", Value::from(row.accuracy.as_str())),
            ("population", Value::from(row.population.name())),
            ("n", Value::from(c.n)),
            ("score", Value::from(row.score.name.as_str())),
            ("better", Value::from(if row.score.higher_is_better { "higher" } else { "lower" })),
            ("baseline", Value::from(row.baseline)),
        ]);
        for (name, value, interval) in
            [("tau_b", c.coefficients.tau, c.intervals.tau), ("rho", c.coefficients.rho, c.intervals.rho)]
        {
            object.insert(name.to_string(), value.into());
            if self.settings.resamples > 0 {
                object.insert(format!("{name}_low"), interval.map(|i| i.low).into());
                object.insert(format!("{name}_high"), interval.map(|i| i.high).into());
            }
        }
        for (top, (_, share)) in self.settings.top.iter().zip(&c.top) {
            object.insert(format!("overlap_{top}"), (*share).into());
        }
        Value::Object(object)
    }

    fn text(&self) -> String {
        let same = |a: &Row, b: &Row| a.accuracy == b.accuracy && a.population == b.population;
        let mut text = String::new();
        for block in self.rows.chunk_by(same) {
            text.push_str(&self.block(block));
            text.push('\n');
        }
        text + &pairs(&self.notes())
    }

    /// The scores against one column of accuracies.
    fn block(&self, rows: &[Row]) -> String {
        let Some(first) = rows.first() else { return String::new() };
        let n = first.correlation.n;
        let cells = match (first.population, n) {
            (Population::All, SPACE_SIZE) => "all cells",
            (Population::All, _) => "the file's cells",
            (Population::Unique, _) => "unique cells",
        };
        let right = |title: &str| (title.to_string(), Align::Right);
        let mut header = vec![("score".to_string(), Align::Left)];
        let intervals = self.settings.resamples > 0;
        for name in ["τ-b", "ρ"] {
            header.push(right(name));
            if intervals {
                header.push(right(&format!("{:.0} %", LEVEL * 100.0)));
            }
        }
        for (top, (k, _)) in self.settings.top.iter().zip(&first.correlation.top) {
            header.push(right(&match top {
                Top::Count(_) => format!("best {k}"),
                Top::Percent(percent) => format!("best {percent} % ({k})"),
            }));
        }
        let mut grid = Grid::new(header);
        for row in rows {
            let c = &row.correlation;
            let baseline = if row.baseline { " (baseline)" } else { "" };
            let mut line = vec![format!("{}{baseline}", label(&row.score))];
            for (value, interval) in [(c.coefficients.tau, c.intervals.tau), (c.coefficients.rho, c.intervals.rho)] {
                line.push(value.map_or_else(absent, |value| format!("{value:.3}")));
                if intervals {
                    line.push(interval.map_or_else(absent, |Interval { low, high }| format!("{low:.3} to {high:.3}")));
                }
            }
            line.extend(c.top.iter().map(|(_, share)| share.map_or_else(absent, |s| format!("{:.0} %", s * 100.0))));
            grid.row(line);
        }
        format!(
            "{} over {cells}, n = {}\n\n{}",
            accuracy_title(&first.accuracy),
            number::grouped(n as u64),
            grid.text()
        )
    }

    fn notes(&self) -> Vec<(&'static str, String)> {
        let mut notes = scores_notes(self.files, self.scores);
        let cells = self.scores.cells().len();
        let known = self.rows.iter().filter(|row| row.population == Population::All).map(|row| row.correlation.n).max();
        let few = known.filter(|known| *known < cells).map_or_else(String::new, |known| {
            let [known, cells] = [known, cells].map(|n| number::grouped(n as u64));
            format!("\nknown of {known} of the {cells} cells; --table FILE names a table that knows more")
        });
        notes.push(("accuracies", format!("{}{few}", self.accuracies.source())));
        if self.rows.iter().any(|row| row.population == Population::Unique) {
            notes.push(("unique", "of each isomorphism class the cell of lowest index".to_string()));
        }
        notes.push(("ties", TIES.to_string()));
        if self.settings.resamples > 0 {
            let resamples = number::grouped(self.settings.resamples as u64);
            let text = format!("{:.0} %, percentiles of {resamples} resamples of the cells", LEVEL * 100.0);
            notes.push(("intervals", format!("{text}, seed {}", self.settings.seed)));
        }
        if !self.settings.top.is_empty() {
            let text =
                "how many of the k most accurate cells are among the first k by score; ties share the last places";
            notes.push(("best k", text.to_string()));
        }
        if let Some(shifted) = &self.utopian {
            notes.push(("utopian", utopian_note(self.scores, shifted)));
        }
        notes.push(("signs", signs(self.rows.iter().map(|row| &row.score))));
        notes
    }
}

/// The rule of ties, for people and for machines.
const TIES: &str = "equal values are tied (τ-b; average ranks); a score that does not exist is −∞, tied with its like below all others";

fn absent() -> String {
    number::ABSENT.to_string()
}

/// The metadata that begin every report on score files.
pub(super) fn opening(command: &str, files: &[String], scores: &ScoreSet) -> Map<String, Value> {
    json::object([
        ("program", Value::from("etnas-fast")),
        ("version", Value::from(env!("CARGO_PKG_VERSION"))),
        ("command", Value::from(command)),
        ("files", Value::from(files)),
        ("dataset", scores.dataset().map(|dataset| dataset.name()).into()),
        ("cells", Value::from(scores.cells().len())),
        ("cells_left_out", Value::from(scores.left_out())),
        ("averaged", scores.averaged().iter().map(|(name, files)| json!({"name": name, "files": files})).collect()),
    ])
}

/// Where the scores are from, for people.
pub(super) fn scores_notes(files: &[String], scores: &ScoreSet) -> Vec<(&'static str, String)> {
    let count = |n: usize| number::grouped(n as u64);
    let mut text = match files {
        [file] => format!("{} cells of {file}", count(scores.cells().len())),
        several => {
            let numbered = several.iter().enumerate().map(|(i, file)| format!("[{}] {file}", i + 1));
            let cells = format!("{} cells that all of these files have:", count(scores.cells().len()));
            [cells].into_iter().chain(numbered).collect::<Vec<_>>().join("\n")
        }
    };
    if scores.left_out() > 0 {
        text.push_str(&format!("\nleft out, as not all files have them: {} cells", count(scores.left_out())));
    }
    for (name, files) in scores.averaged() {
        let files: Vec<String> = files.iter().map(|file| format!("[{file}]")).collect();
        text.push_str(&format!("\n{name} is the mean of {}", files.join(", ")));
    }
    let mut notes = vec![("scores", text)];
    if let Some(dataset) = scores.dataset() {
        notes.push(("data set", dataset.title().to_string()));
    }
    notes
}

/// Over what the utopian distance is taken.
pub(super) fn utopian_note(scores: &ScoreSet, shifted: &[String]) -> String {
    let mut text = format!("distance over the {} cells", number::grouped(scores.cells().len() as u64));
    for column in shifted {
        text.push_str(&format!("; {column}, which is never positive, is shifted by its minimum"));
    }
    text
}

/// What arrows and dashes mean.
pub(super) fn signs<'a>(scores: impl Iterator<Item = &'a ScoreColumn> + Clone) -> String {
    let mut signs = Vec::new();
    if scores.clone().any(|score| score.higher_is_better) {
        signs.push("↑ higher promises a better cell");
    }
    if scores.clone().any(|score| !score.higher_is_better) {
        signs.push("↓ lower does");
    }
    signs.push("– does not exist");
    signs.join(", ")
}

/// A score's name and direction for people.
pub(super) fn label(score: &ScoreColumn) -> String {
    let arrow = if score.higher_is_better { '↑' } else { '↓' };
    let title = match score.measure {
        Some(measure) => score
            .name
            .replace(measure.key(), measures::title(measure))
            .replace(measure.name(), measures::title(measure)),
        None => score.name.clone(),
    };
    format!("{title} {arrow}")
}

/// A column of accuracies for people: `CIFAR-10, test accuracy after 200 epochs`.
pub(super) fn accuracy_title(column: &str) -> String {
    for dataset in crate::input::Dataset::ALL {
        let prefix = crate::table::test_column(dataset).trim_end_matches("test200");
        let Some(rest) = column.strip_prefix(prefix) else { continue };
        for (kind, word) in [("test", "test"), ("valid", "validation")] {
            if let Some(epochs) = rest.strip_prefix(kind) {
                return format!("{}, {word} accuracy after {epochs} epochs,", dataset.title());
            }
        }
    }
    column.to_string()
}

/// A value of a column for people.
pub(super) fn figure(score: &ScoreColumn, value: Option<f64>) -> String {
    match (score.measure, value) {
        (Some(measure), value) => number::rounded(measure, value),
        (None, Some(value)) => significant(value),
        (None, None) => absent(),
    }
}

/// Five digits that count; none that is no digit of a whole number.
pub(super) fn significant(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e9).contains(&magnitude) {
        return format!("{value:.4e}");
    }
    if value.fract() == 0.0 {
        return format!("{value:.0}");
    }
    let places = (4 - magnitude.log10().floor() as i32).clamp(0, 8);
    format!("{value:.*}", places as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Measure;

    #[test]
    fn names_and_numbers_for_people() {
        assert_eq!(accuracy_title("imagenet16_120_valid12"), "ImageNet16-120, validation accuracy after 12 epochs,");
        assert_eq!(accuracy_title("cifar100_test200"), "CIFAR-100, test accuracy after 200 epochs,");
        assert_eq!(accuracy_title("seconds"), "seconds");
        let texts = [1234.5678, 0.012345678, 3.0, -0.5, 1.5e12, 2e-7, 0.0].map(significant);
        assert_eq!(texts, ["1234.6", "0.012346", "3", "-0.50000", "1.5000e12", "2.0000e-7", "0"]);
        let column = |name: &str| ScoreColumn {
            name: name.to_string(),
            measure: Measure::from_name(name.split('[').next().unwrap()).ok(),
            higher_is_better: name != "utopian",
            values: vec![],
        };
        let labels = ["log-synflow", "loss_slope[2]", "utopian", "my_proxy"].map(|name| label(&column(name)));
        assert_eq!(labels, ["LogSynflow ↑", "LossSlope[2] ↑", "utopian ↓", "my_proxy ↑"]);
    }
}

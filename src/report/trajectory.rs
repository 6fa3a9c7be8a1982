//! The best cell so far over the course of searches, in files.

use super::score::{csv_text, fields};
use super::{json, Output, SearchReport};
use crate::error::{Error, Result};
use serde_json::Value;
use std::path::Path;

/// The forms of a trajectory file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrajectoryForm {
    /// A header and a line for each point.
    Csv,
    /// An object for each point.
    Jsonl,
}

impl TrajectoryForm {
    /// The form that a file's name asks for.
    ///
    /// # Errors
    /// [`Error::Options`] for a name that ends neither in `.csv` nor in `.jsonl`.
    pub fn of(path: &Path) -> Result<TrajectoryForm> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => Ok(TrajectoryForm::Csv),
            Some("jsonl") => Ok(TrajectoryForm::Jsonl),
            _ => Err(Error::options(
                "The file of --trajectory",
                "a name that ends in .csv or .jsonl, which says its form",
                path.display().to_string(),
                "Give the file one of these endings.",
            )),
        }
    }
}

/// Writes a line for each point of each run: the best cell after each evaluation, what it is best by, what had been spent, and its
/// test accuracy, which the search did not see.
///
/// # Errors
/// [`Error::Io`].
pub fn write_trajectory(
    report: &SearchReport,
    form: TrajectoryForm,
    metadata: &Value,
    mut output: Output,
) -> Result<()> {
    let (method, accuracies) = (report.setting.method.name(), report.setting.accuracies);
    let mut header = true;
    for run in report.runs {
        let points = run.outcome.trajectory.iter().map(|point| {
            Value::Object(json::object([
                ("method", Value::from(method)),
                ("dataset", Value::from(report.dataset.name())),
                ("run", Value::from(run.number)),
                ("evaluations", Value::from(point.evaluations)),
                ("seconds", Value::from(point.seconds)),
                ("simulated_seconds", Value::from(point.simulated_seconds)),
                ("criterion", Value::from(point.criterion.key())),
                ("score", Value::from(point.score)),
                ("index", Value::from(point.cell.index())),
                ("arch", Value::from(point.cell.to_string())),
                ("test_accuracy", Value::from(accuracies.lookup(&point.cell, report.dataset))),
            ]))
        });
        let text = match form {
            TrajectoryForm::Jsonl => points.map(|point| format!("{point}\n")).collect(),
            TrajectoryForm::Csv => {
                let points: Vec<Value> = points.collect();
                let names = points.first().and_then(Value::as_object).map(|point| point.keys().cloned().collect());
                let names = names.filter(|_| std::mem::take(&mut header));
                csv_text(names.into_iter().chain(points.iter().map(fields)))?
            }
        };
        output.write(&text)?;
    }
    output.finish(metadata)
}

//! The cells among which ET-NAS chose, with their scores: for machines and for people.

use super::grid::{Align, Grid};
use super::score::percent;
use super::{json, number, Run, SearchReport};
use crate::measure::Measure;
use crate::search::{Criterion, Finalist};
use crate::space::Cell;
use serde_json::{Map, Value};

/// Keys of a finalist's scores, and the measure of those that are drawn, which repeats give a deviation.
const SCORES: [(&str, Option<Measure>); 6] = [
    ("log_synflow", Some(Measure::LogSynflow)),
    ("naswot", Some(Measure::Naswot)),
    ("loss_slope", Some(Measure::LossSlope)),
    ("degree", None),
    ("distance", None),
    ("rank_sum", None),
];

/// Values under the keys of [`SCORES`]; with repeats those that are drawn are followed by `NAME_std`.
fn keyed(run: &Run, cell: &Cell, values: [Value; 6]) -> Map<String, Value> {
    let mut object = Map::new();
    for ((key, measure), value) in SCORES.into_iter().zip(values) {
        object.insert(key.to_string(), value);
        if let (Some(measure), true) = (measure, run.repeated.is_some()) {
            object.insert(format!("{key}_std"), Value::from(run.std(cell, measure)));
        }
    }
    object
}

/// What is known of the winner's scores.
pub(super) fn winner_scores(run: &Run) -> Map<String, Value> {
    let outcome = &run.outcome;
    if let Some(winner) = outcome.front.iter().find(|f| f.cell == outcome.winner) {
        return scores(run, winner);
    }
    let naswot = outcome.score.filter(|_| outcome.criterion == Criterion::Naswot);
    let degree = Value::from(outcome.winner.degree());
    let values = [Value::Null, Value::from(naswot), Value::Null, degree, Value::Null, Value::Null];
    keyed(run, &outcome.winner, values)
}

fn scores(run: &Run, f: &Finalist) -> Map<String, Value> {
    let values = [
        Value::from(f.log_synflow),
        Value::from(f.naswot),
        Value::from(f.loss_slope),
        Value::from(f.degree),
        Value::from(f.distance),
        Value::from(f.rank_sum),
    ];
    keyed(run, &f.cell, values)
}

/// A finalist of a run as an object.
pub(super) fn finalist(run: &Run, f: &Finalist) -> Value {
    let mut object = json::object([("arch", Value::from(f.cell.to_string())), ("index", Value::from(f.cell.index()))]);
    object.extend(scores(run, f));
    Value::Object(object)
}

/// The finalists of a run for people.
pub(super) fn front_grid(report: &SearchReport, run: &Run) -> String {
    let outcome = &run.outcome;
    let ranked = outcome.front.iter().any(|f| f.rank_sum.is_some());
    let right = |name: &str| (name.to_string(), Align::Right);
    let mut header = ["", "index"].map(right).to_vec();
    for name in ["LogSynflow ↑", "naswot ↑", "LossSlope ↑"] {
        header.push(right(name));
        if run.repeated.is_some() {
            header.push(right("±"));
        }
    }
    header.extend(["Degree ↑", if ranked { "ranks ↓" } else { "distance ↓" }, "test %"].map(right));
    header.push(("cell".to_string(), Align::Left));
    let mut grid = Grid::new(header);
    for f in &outcome.front {
        let mark = if f.cell == outcome.winner { "*" } else { " " };
        let mut row = vec![mark.to_string(), f.cell.index().to_string()];
        for (measure, value) in [
            (Measure::LogSynflow, Some(f.log_synflow)),
            (Measure::Naswot, Some(f.naswot)),
            (Measure::LossSlope, f.loss_slope),
        ] {
            row.push(number::rounded(measure, value));
            if run.repeated.is_some() {
                row.push(number::rounded(measure, run.std(&f.cell, measure)));
            }
        }
        let ranks = f.rank_sum.map_or_else(|| number::ABSENT.to_string(), |sum| sum.to_string());
        row.extend([
            f.degree.to_string(),
            if ranked { ranks } else { number::rounded(Measure::Utopian, f.distance) },
            percent(report.setting.accuracies.lookup(&f.cell, report.dataset)),
            f.cell.to_string(),
        ]);
        grid.row(row);
    }
    grid.text()
}

//! What NATS-Bench and NAS-Bench-201 hold of a cell: results of each data set, seed and number of epochs.

use super::cells::{CellValues, Reading};
use super::REMEDY;
use crate::error::{Error, Result};
use crate::pickle::{Dict, Sequence, Value};
use crate::space::Cell;
use std::collections::BTreeMap;
use std::path::Path;

/// The schedules: the keys of NATS-Bench and of NAS-Bench-201, and the number of epochs.
pub(super) const SCHEDULES: [(&str, i64); 4] = [("12", 12), ("200", 200), ("less", 12), ("full", 200)];

/// Data set, set of images, and the column's name without the number of epochs. `cifar10-valid` is CIFAR-10 trained on half of its
/// training images; the validation images are the other half.
const ACCURACIES: [(&str, &str, &str); 9] = [
    ("cifar10-valid", "x-valid", "cifar10_valid"),
    ("cifar10", "ori-test", "cifar10_test"),
    ("cifar10-valid", "ori-test", "cifar10_half_test"),
    ("cifar100", "x-valid", "cifar100_valid"),
    ("cifar100", "x-test", "cifar100_test"),
    ("cifar100", "ori-test", "cifar100_valtest"),
    ("ImageNet16-120", "x-valid", "imagenet16_120_valid"),
    ("ImageNet16-120", "x-test", "imagenet16_120_test"),
    ("ImageNet16-120", "ori-test", "imagenet16_120_valtest"),
];

/// Data set, and the columns of its seconds for an epoch, its parameters and its multiply-accumulates.
const COSTS: [(&str, &str, Option<[&str; 2]>); 4] = [
    ("cifar10-valid", "train_time_epoch_25k_s", None),
    ("cifar10", "train_time_epoch_50k_s", Some(["params_m_cifar10", "flops_m_cifar10"])),
    ("cifar100", "train_time_epoch_cifar100_s", Some(["params_m_cifar100", "flops_m_cifar100"])),
    (
        "ImageNet16-120",
        "train_time_epoch_imagenet16_120_s",
        Some(["params_m_imagenet16_120", "flops_m_imagenet16_120"]),
    ),
];

/// The values of a cell: `schedules` holds what [`SCHEDULES`] names. `index` is the one that the source gives it.
pub(super) fn cell(path: &Path, index: Option<i64>, schedules: Dict) -> Result<CellValues> {
    let mut values: Option<CellValues> = None;
    for (key, state) in schedules.iter() {
        let Some(key) = key.as_text() else { continue };
        let more = schedule(path, index, key, state)?;
        values = Some(match values {
            Some(values) => values.with(path, more)?,
            None => more,
        });
    }
    values.ok_or_else(|| Error::data(path, format!("one of the keys {}", keys()), "none", REMEDY))
}

fn keys() -> String {
    SCHEDULES.map(|(key, _)| key).join(", ")
}

/// The values of a cell after one schedule.
pub(super) fn schedule(path: &Path, index: Option<i64>, key: &str, state: Value) -> Result<CellValues> {
    let state = Part { path, name: format!("schedule {key}") }.dict(state)?;
    let cell = cell_of(path, state, index)?;
    let Some((_, epochs)) = SCHEDULES.into_iter().find(|(known, _)| *known == key) else {
        return Err(Error::data(path, format!("the schedules {}", keys()), format!("{key:?}"), REMEDY));
    };
    let mut lacks = Vec::new();
    let at = Schedule { path, cell, epochs, results: state.get("all_results"), seeds: state.get("dataset_seed") };
    let readings = at.readings(&mut lacks)?;
    Ok(CellValues { cell, epochs, readings, lacks })
}

/// The cell of a schedule's state, which names it twice.
fn cell_of(path: &Path, state: Dict, index: Option<i64>) -> Result<Cell> {
    let text = state.get("arch_str").and_then(Value::as_text);
    let text = text.ok_or_else(|| Error::data(path, "an architecture string under arch_str", "none", REMEDY))?;
    let cell = topology(path, text)?;
    let own = state.get("arch_index").and_then(Value::as_i64);
    for found in [own, index].into_iter().flatten() {
        if usize::try_from(found).ok() != Some(cell.index()) {
            let expected = format!("the index {} beside {cell}", cell.index());
            return Err(Error::data(path, expected, found.to_string(), REMEDY));
        }
    }
    Ok(cell)
}

/// The cell of an architecture string.
pub(super) fn topology(path: &Path, text: &str) -> Result<Cell> {
    text.parse::<Cell>().map_err(|error| match error {
        Error::SizeSpaceCell { .. } => size_space(path, text),
        error => Error::data(path, "an architecture string of the topology search space", error.to_string(), REMEDY),
    })
}

/// The list of all cells must be that of the topology search space, in its order.
pub(super) fn check_archs(path: &Path, archs: Sequence) -> Result<()> {
    for (i, arch) in archs.iter().enumerate() {
        let text = arch.as_text().ok_or_else(|| Error::data(path, "architecture strings", arch.describe(), REMEDY))?;
        let cell = topology(path, text)?;
        if cell.index() != i {
            let expected = format!("the cells in the order of NATS-Bench, {cell} at place {}", cell.index());
            return Err(Error::data(path, expected, format!("it at place {i}"), REMEDY));
        }
    }
    Ok(())
}

/// The refusal of NATS-Bench's other search space.
pub(super) fn size_space(path: &Path, text: &str) -> Error {
    let text: String = text.chars().take(40).collect();
    Error::data(
        path,
        "cells of NATS-Bench's topology search space (NATS-tss)",
        format!("{text:?}, a network of its size search space (NATS-sss)"),
        "etnas knows the topology search space alone: give NATS-tss-v1_0-3ffb9.",
    )
}

/// A part of a file, for errors.
struct Part<'a> {
    path: &'a Path,
    name: String,
}

impl Part<'_> {
    fn dict<'p>(&self, value: Value<'p>) -> Result<Dict<'p>> {
        value.as_dict().ok_or_else(|| self.wrong("a dict", value.describe()))
    }

    fn wrong(&self, expected: &str, found: &str) -> Error {
        Error::data(self.path, format!("{expected} as {}", self.name), found, REMEDY)
    }
}

/// One schedule of one cell.
struct Schedule<'a, 'p> {
    path: &'a Path,
    cell: Cell,
    epochs: i64,
    results: Option<Value<'p>>,
    seeds: Option<Value<'p>>,
}

/// The result of one seed.
type Run<'p> = Dict<'p>;

impl<'p> Schedule<'_, 'p> {
    fn part(&self, name: &str) -> Part<'_> {
        Part { path: self.path, name: format!("{name} of cell {} after {} epochs", self.cell.index(), self.epochs) }
    }

    fn readings(&self, lacks: &mut Vec<String>) -> Result<Vec<Reading>> {
        let mut runs: BTreeMap<&str, Vec<Run<'p>>> = BTreeMap::new();
        for dataset in COSTS.map(|(dataset, ..)| dataset) {
            runs.insert(dataset, self.runs(dataset)?);
        }
        let mut readings = Vec::new();
        let mut take = |column: &str, values: Vec<Option<f64>>, lacks: &mut Vec<String>| {
            let known: Vec<f64> = values.iter().flatten().copied().collect();
            match known.len() {
                0 => {}
                n if n == values.len() => readings.push(Reading {
                    column: column.to_string(),
                    value: known.iter().sum::<f64>() / n as f64,
                    seeds: Some(n),
                }),
                // A mean over some of the seeds is not what the benchmark calls its mean.
                _ => lacks.push(format!("{column}, which a seed lacks")),
            }
        };
        for (dataset, set, name) in ACCURACIES {
            let key = format!("{set}@{}", self.epochs - 1);
            let values = self.each(&runs, dataset, |run| Ok(number(run, "eval_acc1es", &key)))?;
            take(&format!("{name}{}", self.epochs), values, lacks);
        }
        let key = format!("x-valid@{}", self.epochs - 1);
        let times = self.each(&runs, "cifar10-valid", |run| Ok(number(run, "eval_times", &key)))?;
        take("valid_time_25k_s", times, lacks);
        for (dataset, column, _) in COSTS {
            take(column, self.each(&runs, dataset, |run| self.train_time(run))?, lacks);
        }
        for (dataset, _, columns) in COSTS {
            for (column, key) in columns.into_iter().flatten().zip(["params", "flop"]) {
                let values = self.each(&runs, dataset, |run| Ok(run.get(key).and_then(Value::as_f64)))?;
                match cost(self.seeds_of(dataset)?, &values) {
                    Some(value) => readings.push(Reading { column: column.to_string(), value, seeds: None }),
                    None if values.is_empty() => {}
                    None => lacks.push(format!("{column}, on which the seeds disagree")),
                }
            }
        }
        Ok(readings)
    }

    fn each<T>(
        &self,
        runs: &BTreeMap<&str, Vec<Run<'p>>>,
        dataset: &str,
        value: impl Fn(Run<'p>) -> Result<T>,
    ) -> Result<Vec<T>> {
        runs.get(dataset).into_iter().flatten().map(|run| value(*run)).collect()
    }

    /// The seeds of a data set; none if it was not trained on.
    fn seeds_of(&self, dataset: &str) -> Result<Vec<i64>> {
        let part = self.part("dataset_seed");
        let all = part.dict(self.seeds.unwrap_or(Value::None))?;
        let Some(list) = all.get(dataset) else { return Ok(Vec::new()) };
        let seeds = list.as_sequence().and_then(|list| list.iter().map(Value::as_i64).collect::<Option<Vec<_>>>());
        let seeds = seeds.ok_or_else(|| part.wrong("a list of seeds", list.describe()))?;
        if seeds.iter().enumerate().any(|(i, seed)| seeds[..i].contains(seed)) {
            return Err(part.wrong("each seed once", "one twice"));
        }
        Ok(seeds)
    }

    fn runs(&self, dataset: &str) -> Result<Vec<Run<'p>>> {
        let part = self.part(&format!("all_results of {dataset}"));
        let results = part.dict(self.results.unwrap_or(Value::None))?;
        let run = |seed: i64| {
            let is_key = |key: Value| {
                let pair = key.as_sequence().filter(|pair| pair.len() == 2);
                let named = pair.and_then(|pair| pair.get(0)).and_then(Value::as_text) == Some(dataset);
                named && pair.and_then(|pair| pair.get(1)).and_then(Value::as_i64) == Some(seed)
            };
            let found = results.iter().find(|(key, _)| is_key(*key)).map(|(_, value)| value);
            let run = part.dict(found.ok_or_else(|| part.wrong(&format!("a result of seed {seed}"), "none"))?)?;
            match run.get("epochs").and_then(Value::as_i64) {
                Some(epochs) if epochs == self.epochs => Ok(run),
                Some(epochs) => Err(part.wrong(&format!("{} epochs", self.epochs), &epochs.to_string())),
                None => Err(part.wrong("the number of epochs", "none")),
            }
        };
        self.seeds_of(dataset)?.into_iter().map(run).collect()
    }

    /// Seconds of an epoch of training, the mean over the epochs.
    fn train_time(&self, run: Run<'p>) -> Result<Option<f64>> {
        let Some(times) = run.get("train_times").and_then(Value::as_dict).filter(|times| !times.is_empty()) else {
            return Ok(None);
        };
        let sum = times.iter().map(|(_, time)| time.as_f64()).sum::<Option<f64>>();
        let sum = sum.ok_or_else(|| self.part("train_times").wrong("numbers", "another value"))?;
        Ok(Some(sum / times.len() as f64))
    }
}

/// A number in a dict of a run.
fn number(run: Run, dict: &str, key: &str) -> Option<f64> {
    run.get(dict)?.as_dict()?.get(key)?.as_f64()
}

/// Parameters or multiply-accumulates: the same for each seed. Some files hold wrong ones for old seeds; nats_bench then takes
/// those of seed 888.
fn cost(seeds: Vec<i64>, values: &[Option<f64>]) -> Option<f64> {
    let first = (*values.first()?)?;
    let rounded = |value: f64| (value * 1e5).round();
    if values.iter().all(|value| value.is_some_and(|value| rounded(value) == rounded(first))) {
        return Some(first);
    }
    let at = seeds.iter().position(|seed| *seed == 888)?;
    *values.get(at)?
}

//! What NASLib publishes of a cell, of one seed: its pickles of whole trainings, and its scores in JSON.
//!
//! NASLib's "validation accuracy" is kept apart from NATS-Bench's: it is of one seed, and of CIFAR-100 and ImageNet16-120 it follows the
//! test accuracies more closely than the validation accuracies.

use super::super::csv;
use super::cells::{CellValues, Cells, Reading};
use super::{nats, Imported, REMEDY};
use crate::backend::Watch;
use crate::error::{Error, Result};
use crate::pickle::{Dict, Value};
use crate::space::{Cell, Encoding};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::Deserializer;
use std::collections::HashMap;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The most bytes of JSON that are read: thirty times what the whole space has.
const MOST_BYTES: u64 = 1 << 30;
/// Epochs of the trainings.
const EPOCHS: usize = 200;

/// The names of a data set in NASLib, and the columns: its accuracy, its seconds for an epoch, its parameters and
/// multiply-accumulates.
const DATASETS: [(&str, &str, [&str; 4]); 3] = [
    (
        "cifar10-valid",
        "cifar10",
        ["cifar10_naslib_val200_seed", "train_time_epoch_25k_s_seed", "params_m_cifar10", "flops_m_cifar10"],
    ),
    (
        "cifar100",
        "cifar100",
        ["cifar100_naslib_val200_seed", "train_time_epoch_cifar100_s_seed", "params_m_cifar100", "flops_m_cifar100"],
    ),
    (
        "ImageNet16-120",
        "ImageNet16-120",
        [
            "imagenet16_120_naslib_val200_seed",
            "train_time_epoch_imagenet16_120_s_seed",
            "params_m_imagenet16_120",
            "flops_m_imagenet16_120",
        ],
    ),
];

/// The values of a cell in a pickle of whole trainings: `{data set: {eval_acc1es: [200 numbers], cost_info: {…}, …}}`.
pub(super) fn trained(path: &Path, arch: &str, value: Value) -> Result<CellValues> {
    let cell = nats::topology(path, arch)?;
    let wrong = |expected: String, found: &str| {
        Error::data(path, format!("{expected} for cell {}", cell.index()), found, REMEDY)
    };
    let dict = |value: Option<Value<'_>>, name: &str| match value.and_then(Value::as_dict) {
        Some(_) => Ok(()),
        None => Err(wrong(format!("a dict under {name}"), value.map_or("none", Value::describe))),
    };
    dict(Some(value), "its name")?;
    let mut readings = Vec::new();
    let mut lacks = Vec::new();
    for (dataset, training) in value.as_dict().iter().flat_map(|datasets| datasets.iter()) {
        let name = dataset.as_text().unwrap_or("");
        let Some((_, _, columns)) = DATASETS.iter().find(|(known, ..)| *known == name) else {
            lacks.push(format!("the data set {name:.30} of NASLib, which is not read"));
            continue;
        };
        dict(Some(training), name)?;
        let training = training.as_dict();
        let list = training.and_then(|training| training.get("eval_acc1es"));
        let accuracies = list.and_then(Value::as_sequence).filter(|list| list.len() == EPOCHS);
        let last = accuracies.and_then(|list| list.get(EPOCHS - 1)).and_then(Value::as_f64);
        let last = last.ok_or_else(|| {
            wrong(format!("{EPOCHS} numbers under eval_acc1es of {name}"), list.map_or("none", Value::describe))
        })?;
        readings.push(Reading { column: columns[0].to_string(), value: last, seeds: Some(1) });
        let costs = training.and_then(|training| training.get("cost_info")).and_then(Value::as_dict);
        for (column, key) in columns[1..].iter().zip(["train_time", "params", "flops"]) {
            if let Some(value) = costs.and_then(|costs: Dict| costs.get(key)).and_then(Value::as_f64) {
                let seeds = column.ends_with("_seed").then_some(1);
                readings.push(Reading { column: column.to_string(), value, seeds });
            }
        }
    }
    Ok(CellValues { cell, epochs: EPOCHS as i64, readings, lacks })
}

/// Reads the scores of `zc_nasbench201.json`: `{data set: {cell: {"val_accuracy": %, proxy: …}}}`, in older files under
/// `nasbench201`. Cells are tuples in NASLib's order, written as text. Proxies are passed over.
pub(super) fn scores(path: &Path, watch: &dyn Watch) -> Result<Imported> {
    let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
    let mut reader = BufReader::new(csv::open(path, MOST_BYTES)?);
    if reader.fill_buf().map_err(unreadable)?.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
    }
    let mut gathered = Gathered { cells: HashMap::new(), watch, error: None };
    let mut json = serde_json::Deserializer::from_reader(reader);
    let read = Root { gathered: &mut gathered, path }.deserialize(&mut json).and_then(|()| json.end());
    if let Some(error) = gathered.error {
        return Err(error);
    }
    read.map_err(|e| Error::data(path, "NASLib's scores in JSON", e.to_string(), REMEDY))?;
    let mut cells = Cells::new(path);
    let mut found: Vec<(Cell, Vec<Reading>)> = gathered.cells.into_iter().collect();
    found.sort_by_key(|(cell, _)| cell.index());
    for (cell, readings) in found {
        cells.add(CellValues { cell, epochs: EPOCHS as i64, readings, lacks: Vec::new() })?;
    }
    cells.table("NASLib's scores, one seed")
}

struct Gathered<'a> {
    cells: HashMap<Cell, Vec<Reading>>,
    watch: &'a dyn Watch,
    /// What the reading ended with, if not with the JSON.
    error: Option<Error>,
}

/// The root, or what stands under `nasbench201`.
struct Root<'g, 'a> {
    gathered: &'g mut Gathered<'a>,
    path: &'g Path,
}

impl<'de> DeserializeSeed<'de> for Root<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Root<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the data sets cifar10, cifar100 and ImageNet16-120")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "nasbench201" {
                map.next_value_seed(Root { gathered: self.gathered, path: self.path })?;
            } else if let Some((_, _, columns)) = DATASETS.iter().find(|(_, name, _)| *name == key) {
                map.next_value_seed(Scored { gathered: self.gathered, path: self.path, column: columns[0] })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// The cells of a data set.
struct Scored<'g, 'a> {
    gathered: &'g mut Gathered<'a>,
    path: &'g Path,
    column: &'static str,
}

#[derive(serde::Deserialize)]
struct Scores {
    val_accuracy: Option<f64>,
}

impl<'de> DeserializeSeed<'de> for Scored<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Scored<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("cells as tuples of six op ids, each with its scores")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let stop = |error: Error, gathered: &mut Gathered| {
            gathered.error = Some(error);
            serde::de::Error::custom("stopped")
        };
        while let Some((key, scores)) = map.next_entry::<String, Scores>()? {
            if self.gathered.watch.cancelled() {
                return Err(stop(Error::Interrupted, self.gathered));
            }
            let cell = match Cell::parse(&key, Encoding::Naslib) {
                Ok(cell) => cell,
                Err(error) => {
                    let error = Error::data(self.path, "cells as NASLib's tuples", error.to_string(), REMEDY);
                    return Err(stop(error, self.gathered));
                }
            };
            let Some(value) = scores.val_accuracy else { continue };
            let readings = self.gathered.cells.entry(cell).or_default();
            readings.push(Reading { column: self.column.to_string(), value, seeds: Some(1) });
        }
        Ok(())
    }
}

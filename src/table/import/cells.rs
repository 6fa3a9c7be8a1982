//! The values of cells as they come, gathered to a table.

use super::super::accuracies::{Accuracies, TableColumn};
use super::super::columns::{column_info, COLUMNS};
use super::{Imported, REMEDY};
use crate::error::{Error, Result};
use crate::space::{Cell, SPACE_SIZE};
use std::collections::BTreeMap;
use std::path::Path;

/// A value of a cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    /// The column's name.
    pub column: String,
    pub value: f64,
    /// Seeds that it is the mean of, where it depends on a seed.
    pub seeds: Option<usize>,
}

/// All values of a cell that a source has.
#[derive(Clone, Debug)]
pub(super) struct CellValues {
    pub cell: Cell,
    /// Epochs of the longest schedule.
    pub epochs: i64,
    pub readings: Vec<Reading>,
    /// What is not known though the source has a part of it.
    pub lacks: Vec<String>,
}

impl CellValues {
    /// Both schedules of a cell. Costs, which both have, are those of the longer one.
    pub fn with(self, path: &Path, other: CellValues) -> Result<CellValues> {
        if self.cell != other.cell {
            let found = format!("{} and {}", self.cell, other.cell);
            return Err(Error::data(path, "one cell in all schedules", found, REMEDY));
        }
        let (mut longer, shorter) = if other.epochs > self.epochs { (other, self) } else { (self, other) };
        let is_new = |reading: &Reading| longer.readings.iter().all(|known| known.column != reading.column);
        let more: Vec<Reading> = shorter.readings.into_iter().filter(is_new).collect();
        longer.readings.extend(more);
        longer.lacks.extend(shorter.lacks);
        longer.lacks.sort();
        longer.lacks.dedup();
        Ok(longer)
    }
}

/// Values by column and cell.
pub(super) struct Cells<'a> {
    path: &'a Path,
    columns: Vec<Option<TableColumn>>,
    seen: Vec<bool>,
    /// What some cells lack, with how many do.
    lacks: BTreeMap<String, usize>,
}

impl<'a> Cells<'a> {
    /// No cell of the source at `path` yet.
    pub fn new(path: &'a Path) -> Cells<'a> {
        Cells { path, columns: vec![None; COLUMNS.len()], seen: vec![false; SPACE_SIZE], lacks: BTreeMap::new() }
    }

    /// Adds the values of a cell.
    ///
    /// # Errors
    /// [`Error::Data`] for a value that cannot be meant, and for one that is there already.
    pub fn add(&mut self, CellValues { cell, readings, lacks, .. }: CellValues) -> Result<()> {
        let index = cell.index();
        for Reading { column, value, seeds } in readings {
            let place = COLUMNS.iter().position(|info| info.name == column);
            let (Some(info), Some(place)) = (column_info(&column), place) else {
                return Err(Error::Internal(format!("an importer made a column {column}")));
            };
            if !info.unit.holds(value) {
                let expected = format!("a number of {} ({}) that can be meant", info.unit.sign(), info.meaning);
                let found = format!("{value} for cell {index}");
                return Err(Error::data(self.path, expected, found, REMEDY));
            }
            let kept =
                self.columns[place].get_or_insert_with(|| TableColumn::new(info.name, vec![f64::NAN; SPACE_SIZE]));
            if !kept.values[index].is_nan() {
                let expected = format!("each cell once in {column}");
                return Err(Error::data(self.path, expected, format!("cell {index} twice"), REMEDY));
            }
            kept.values[index] = value;
            if let Some(seeds) = seeds {
                *kept.seeds.entry(seeds).or_default() += 1;
            }
        }
        lacks.into_iter().for_each(|what| *self.lacks.entry(what).or_default() += 1);
        self.seen[index] = true;
        Ok(())
    }

    /// The cells that have been added.
    pub fn count(&self) -> usize {
        self.seen.iter().filter(|seen| **seen).count()
    }

    /// The table.
    ///
    /// # Errors
    /// [`Error::Data`] if there is no value at all.
    pub fn table(self, kind: &str) -> Result<Imported> {
        let count = self.count();
        let columns: Vec<TableColumn> = self.columns.into_iter().flatten().collect();
        if columns.is_empty() {
            let remedy = "Give a file that has results of trained cells.";
            return Err(Error::data(self.path, "the results of a cell at least", "none", remedy));
        }
        let mut notes = Vec::new();
        if count < SPACE_SIZE {
            notes.push(format!("The source has {count} of the {SPACE_SIZE} cells; the others are unknown."));
        }
        notes.extend(self.lacks.into_iter().map(|(what, cells)| format!("Unknown of {cells} cells: {what}.")));
        let source = format!("{}, {count} cells", self.path.display());
        let table = Accuracies { source, kind: kind.to_string(), compiled_in: false, columns };
        Ok(Imported { table, notes })
    }
}

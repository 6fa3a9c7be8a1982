//! Scores out of one or several files, side by side for the same cells.

use super::combine::{combine, Combination, Combined};
use crate::error::{Error, Result};
use crate::input::Dataset;
use crate::measure::Measure;
use crate::space::{Cell, Skeleton};
use crate::table::{ScoreColumn, ScoreFile};
use std::collections::HashSet;

/// What becomes of columns of one name in several files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clash {
    /// An error says so.
    Refuse,
    /// Their mean bears the name, and is followed by the columns of the files, NAME\[1\], NAME\[2\], … by the place of the file in
    /// the list. As in `score --repeats` the mean exists where every one of them does.
    Average,
}

/// The three measures that the utopian distance is taken over.
const UTOPIAN: [Measure; 3] = [Measure::Naswot, Measure::LogSynflow, Measure::LossSlope];

/// Columns of scores over the same cells, by index.
#[derive(Clone, Debug)]
pub struct ScoreSet {
    cells: Vec<Cell>,
    columns: Vec<ScoreColumn>,
    dataset: Option<Dataset>,
    left_out: usize,
    averaged: Vec<(String, Vec<usize>)>,
}

impl ScoreSet {
    /// Joins files by cell. The cells that all files have are kept, sorted by index.
    ///
    /// # Errors
    /// [`Error::Options`] if the files name different data sets, have no cell in common, or clash with [`Clash::Refuse`].
    pub fn join(files: &[ScoreFile], clash: Clash) -> Result<ScoreSet> {
        let dataset = one_dataset(files)?;
        let Some((first, others)) = files.split_first() else {
            return Err(Error::options("The score files", "at least one", "none", "Name a file."));
        };
        let mut cells = first.cells().to_vec();
        cells.retain(|cell| others.iter().all(|file| file.place(cell).is_some()));
        cells.sort_unstable_by_key(Cell::index);
        let every: HashSet<Cell> = files.iter().flat_map(ScoreFile::cells).copied().collect();
        if cells.is_empty() {
            let found = format!("none among {}", every.len());
            let remedy = "Give files of the same cells, or merge files of different ones first.";
            return Err(Error::options("The score files", "a cell that all of them have", found, remedy));
        }
        let left_out = every.len() - cells.len();
        let mut set = ScoreSet { cells, columns: Vec::new(), dataset, left_out, averaged: Vec::new() };

        let mut named: Vec<(&ScoreColumn, Vec<usize>)> = Vec::new();
        for (i, file) in files.iter().enumerate() {
            for column in file.columns() {
                match named.iter_mut().find(|(known, _)| same(known, column)) {
                    Some((_, at)) => at.push(i),
                    None => named.push((column, vec![i])),
                }
            }
        }
        for (column, at) in named {
            let singles: Vec<ScoreColumn> =
                at.iter().filter_map(|&i| files.get(i).and_then(|file| set.taken(file, column))).collect();
            match (singles.as_slice(), clash) {
                ([_], _) => set.columns.extend(singles),
                (_, Clash::Average) => {
                    let mean = |k: usize| {
                        let values: Option<Vec<f64>> = singles.iter().map(|single| single.values[k]).collect();
                        values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
                    };
                    let values = (0..set.cells.len()).map(mean).collect();
                    set.columns.push(ScoreColumn { values, ..column.clone() });
                    set.averaged.push((column.name.clone(), at.iter().map(|i| i + 1).collect()));
                    set.columns.extend(singles.into_iter().zip(&at).map(|(single, i)| {
                        let name = format!("{}[{}]", column.name, i + 1);
                        ScoreColumn { name, ..single }
                    }));
                }
                (_, Clash::Refuse) => {
                    let paths: Vec<String> =
                        at.iter().filter_map(|&i| files.get(i)).map(|file| file.path().display().to_string()).collect();
                    return Err(Error::options(
                        format!("The column {}", column.name),
                        "one file that has it",
                        paths.join(" and "),
                        "Leave files out, or take the mean with --average, or compare two files with correlate --compare.",
                    ));
                }
            }
        }
        Ok(set)
    }

    /// A column of a file over the cells of the set.
    fn taken(&self, file: &ScoreFile, like: &ScoreColumn) -> Option<ScoreColumn> {
        let column = file.columns().iter().find(|column| same(column, like))?;
        let value = |cell: &Cell| column.values.get(file.place(cell)?).copied().flatten();
        let values = self.cells.iter().map(value).collect();
        Some(ScoreColumn { name: like.name.clone(), values, ..*column })
    }

    /// The cells, by index.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The columns, in the order of the files.
    pub fn columns(&self) -> &[ScoreColumn] {
        &self.columns
    }

    /// The data set, where files name one.
    pub fn dataset(&self) -> Option<Dataset> {
        self.dataset
    }

    /// How many cells are left out, as some of the files do not have them.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The columns that are means, each with the places of its files in the list, from 1.
    pub fn averaged(&self) -> &[(String, Vec<usize>)] {
        &self.averaged
    }

    /// The column of a name; of measures both spellings are understood.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    pub fn column(&self, name: &str) -> Result<&ScoreColumn> {
        self.find(name).and_then(|i| self.columns.get(i)).ok_or_else(|| self.unknown(name))
    }

    fn find(&self, name: &str) -> Option<usize> {
        let by_name = self.columns.iter().position(|column| column.name == name);
        by_name.or_else(|| self.place(Measure::from_name(name).ok()?))
    }

    fn unknown(&self, name: &str) -> Error {
        let allowed = self.columns.iter().map(|column| column.name.clone()).collect();
        Error::UnknownName { kind: "score column", found: name.to_string(), allowed }
    }

    /// The column of a measure.
    pub fn measure(&self, measure: Measure) -> Option<&ScoreColumn> {
        self.place(measure).and_then(|i| self.columns.get(i))
    }

    fn place(&self, measure: Measure) -> Option<usize> {
        self.columns.iter().position(|column| column.measure == Some(measure))
    }

    /// Says of columns that their lower values promise the better cells.
    ///
    /// # Errors
    /// [`Error::UnknownName`]; [`Error::Options`] for a measure, whose direction is known.
    pub fn lower_is_better(&mut self, names: &[String]) -> Result<()> {
        for name in names {
            let at = self.find(name);
            match at.and_then(|i| self.columns.get_mut(i)) {
                None => return Err(self.unknown(name)),
                Some(ScoreColumn { measure: Some(_), .. }) => {
                    let remedy = "Rename the column if it holds another measure.";
                    return Err(Error::options("--lower", "a column that is no measure of etnas", name, remedy));
                }
                Some(column) => column.higher_is_better = false,
            }
        }
        Ok(())
    }

    /// Adds the distance to the utopian point of naswot, LogSynflow and LossSlope over the cells of the set, if these three are
    /// there and it is not. Gives the columns that had to be shifted (see [`crate::measure::utopian::distances`]).
    pub fn add_utopian(&mut self) -> Vec<String> {
        let [Some(naswot), Some(synflow), Some(slope)] = UTOPIAN.map(|measure| self.measure(measure)) else {
            return Vec::new();
        };
        if self.measure(Measure::Utopian).is_some() {
            return Vec::new();
        }
        // Three columns of one length can always be combined.
        let Ok(Combined { numbers, shifted }) = combine(Combination::Utopian, &[naswot, synflow, slope]) else {
            return Vec::new();
        };
        self.columns.push(ScoreColumn {
            name: Measure::Utopian.key().to_string(),
            measure: Some(Measure::Utopian),
            higher_is_better: false,
            values: numbers.into_iter().map(Some).collect(),
        });
        shifted
    }

    /// Puts Degree, parameters and multiply-accumulates at the end, counted where no file has them: what any score must beat.
    pub fn add_baselines(&mut self) {
        let dataset = self.dataset.unwrap_or_default();
        let skeleton = Skeleton::benchmark(dataset.classes(), dataset.size());
        let count = |measure: Measure, cell: &Cell| match measure {
            Measure::Degree => f64::from(cell.degree()),
            Measure::Params => skeleton.params(cell) as f64,
            _ => skeleton.macs(cell) as f64,
        };
        for measure in [Measure::Degree, Measure::Params, Measure::Macs] {
            let column = match self.place(measure) {
                Some(i) => self.columns.remove(i),
                None => ScoreColumn {
                    name: measure.key().to_string(),
                    measure: Some(measure),
                    higher_is_better: true,
                    values: self.cells.iter().map(|cell| Some(count(measure, cell))).collect(),
                },
            };
            self.columns.push(column);
        }
    }
}

/// The column counts something in a cell's text and runs no network.
pub(super) fn is_baseline(column: &ScoreColumn) -> bool {
    matches!(column.measure, Some(Measure::Degree | Measure::Params | Measure::Macs))
}

/// Columns of one name, or of one measure in two spellings.
pub(super) fn same(a: &ScoreColumn, b: &ScoreColumn) -> bool {
    a.name == b.name || (a.measure.is_some() && a.measure == b.measure)
}

fn one_dataset(files: &[ScoreFile]) -> Result<Option<Dataset>> {
    let mut known: Option<(Dataset, &ScoreFile)> = None;
    for file in files {
        match (known, file.dataset()) {
            (Some((first, of)), Some(other)) if first != other => {
                let found = format!(
                    "{} in {} and {} in {}",
                    first.name(),
                    of.path().display(),
                    other.name(),
                    file.path().display()
                );
                return Err(Error::options("The score files", "one data set", found, "Take each data set by itself."));
            }
            (None, Some(dataset)) => known = Some((dataset, file)),
            _ => {}
        }
    }
    Ok(known.map(|(dataset, _)| dataset))
}

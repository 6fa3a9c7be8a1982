//! Accuracies by cell and data set: compiled in for 75 cells, or from a table of the user's.

use super::columns::{column_info, COLUMNS};
use super::import::Kind;
use super::{builtin, compact, csv};
use crate::error::{Error, Result};
use crate::input::Dataset;
use crate::space::{Cell, SPACE_SIZE};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The environment variable that names a table.
pub const VARIABLE: &str = "ETNAS_TABLE";

/// The environment variable under which nats_bench looks for its files.
pub const TORCH_HOME: &str = "TORCH_HOME";

/// The benchmark's name in file names: that of nats_bench's newest topology files.
pub const NATS_NAME: &str = "NATS-tss-v1_0-3ffb9";

/// The compact table that is looked for in `$TORCH_HOME`, beside NATS-Bench's own files.
pub const COMPACT_NAME: &str = "NATS-tss-v1_0-3ffb9.safetensors";

/// The column of a data set's mean test accuracy after 200 epochs.
pub fn test_column(dataset: Dataset) -> &'static str {
    match dataset {
        Dataset::Cifar10 => "cifar10_test200",
        Dataset::Cifar100 => "cifar100_test200",
        Dataset::ImageNet16 => "imagenet16_120_test200",
    }
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableColumn {
    /// Its name, one of [`COLUMNS`](super::COLUMNS) where the table is of ours.
    pub name: String,
    /// What it is in words.
    pub meaning: String,
    /// One value per cell of the space, by NATS-Bench index; NaN where not known.
    pub values: Vec<f64>,
    /// How many cells have a mean over how many seeds; empty where the source does not tell.
    pub seeds: BTreeMap<usize, usize>,
}

impl TableColumn {
    /// A column of which nothing but the values is known.
    pub(super) fn new(name: &str, values: Vec<f64>) -> TableColumn {
        let meaning = column_info(name).map_or_else(String::new, |info| info.meaning.to_string());
        TableColumn { name: name.to_string(), meaning, values, seeds: BTreeMap::new() }
    }

    /// Cells whose value is known.
    pub fn known(&self) -> usize {
        self.values.iter().filter(|value| !value.is_nan()).count()
    }
}

/// A table of accuracies.
#[derive(Clone, Debug)]
pub struct Accuracies {
    /// Where the table comes from, a phrase.
    pub(super) source: String,
    /// Of what kind the file is that the values were first read from: `CSV`, `NATS-Bench folder`, …
    pub(super) kind: String,
    /// Whether the table is the compiled-in one, which few cells have.
    pub(super) compiled_in: bool,
    pub(super) columns: Vec<TableColumn>,
}

impl Accuracies {
    /// The compiled-in table: test accuracies after 200 epochs of the 72 cells of Degree 7 and three landmarks (SPEC
    /// section 9).
    pub fn builtin() -> Accuracies {
        let columns = Dataset::ALL.into_iter().enumerate().map(|(d, dataset)| {
            let mut values = vec![f64::NAN; SPACE_SIZE];
            for (index, accuracies) in builtin::CELLS {
                values[usize::from(index)] = accuracies[d];
            }
            TableColumn::new(test_column(dataset), values)
        });
        Accuracies {
            source: format!("compiled in, {} cells (NATS-Bench; Dong, Liu, Musial, Gabrys 2021)", builtin::CELLS.len()),
            kind: "compiled in".to_string(),
            compiled_in: true,
            columns: columns.collect(),
        }
    }

    /// Reads a table, recognised by its content: a compact file that `table import` wrote, or CSV, also packed by gzip. A CSV
    /// file has a column `arch_index` or `arch_str` and any of [`COLUMNS`](super::COLUMNS), among them the test accuracy after
    /// 200 epochs of one data set at least. Its other columns are ignored; cells and values may be missing.
    ///
    /// # Errors
    /// [`Error::Unreadable`]; [`Error::Data`] for what is not such a table, with line and column of a CSV file. The files of
    /// NATS-Bench and its kin are named, with the advice to import them.
    pub fn open(path: &Path) -> Result<Accuracies> {
        match Kind::of(path)? {
            Kind::Compact => compact::open(path),
            Kind::Csv => {
                let table = Accuracies::open_csv(path)?;
                if !Dataset::ALL.into_iter().any(|dataset| table.test(dataset).is_some()) {
                    let expected = format!("one of the columns {}", Dataset::ALL.map(test_column).join(", "));
                    let names: Vec<&str> = table.column_names().collect();
                    return Err(Error::data(path, expected, csv::listed(&names), "Give a table of accuracies."));
                }
                Ok(table)
            }
            other => {
                let advice = format!("Import it once: etnas-fast table import {} -o FILE.", path.display());
                Err(Error::data(path, "a table in CSV or one that table import wrote", other.describe(), advice))
            }
        }
    }

    /// A CSV table with any of the known columns.
    pub(super) fn open_csv(path: &Path) -> Result<Accuracies> {
        let valid = |name: &str, value: f64| column_info(name).is_some_and(|info| info.unit.holds(value));
        let range = "a number that is not negative (accuracies in %, at most 100)";
        let table = csv::read(path, &|name| column_info(name).is_some(), &valid, range)?;
        if table.columns.is_empty() {
            let tests = Dataset::ALL.map(test_column).join(", ");
            let expected =
                format!("one of the columns {tests}, or another of the {} that a table may have", COLUMNS.len());
            return Err(Error::data(path, expected, csv::listed(&table.header), "Give a table of accuracies."));
        }
        Ok(Accuracies {
            source: format!("{}, {} cells", path.display(), table.rows),
            kind: "CSV".to_string(),
            compiled_in: false,
            columns: table.columns.into_iter().map(|(name, values)| TableColumn::new(&name, values)).collect(),
        })
    }

    /// The table to use: the one given (`--table`), else the one that `$ETNAS_TABLE` names, else [`COMPACT_NAME`] in
    /// `$TORCH_HOME` if that is set and has it, else the compiled-in one.
    ///
    /// # Errors
    /// Those of [`Accuracies::open`]: a table that was named or found and cannot be read is never passed over.
    pub fn find(option: Option<&Path>) -> Result<Accuracies> {
        Accuracies::choose(option, std::env::var_os(VARIABLE), std::env::var_os(TORCH_HOME))
    }

    fn choose(option: Option<&Path>, variable: Option<OsString>, torch: Option<OsString>) -> Result<Accuracies> {
        let path_of = |value: Option<OsString>| value.filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(path) = option {
            return Accuracies::open(path);
        }
        if let Some(path) = path_of(variable) {
            let table = Accuracies::open(&path)?;
            return Ok(Accuracies { source: format!("{} (${VARIABLE})", table.source), ..table });
        }
        let Some(folder) = path_of(torch) else { return Ok(Accuracies::builtin()) };
        let compact = folder.join(COMPACT_NAME);
        if compact.is_file() {
            let table = Accuracies::open(&compact)?;
            return Ok(Accuracies { source: format!("{} (${TORCH_HOME})", table.source), ..table });
        }
        // NATS-Bench's own files take minutes to read: they are imported once, not for a look-up.
        let builtin = Accuracies::builtin();
        let names = [format!("{NATS_NAME}-simple"), format!("{NATS_NAME}.pickle.pbz2")];
        Ok(match names.iter().map(|name| folder.join(name)).find(|path| path.exists()) {
            Some(found) => Accuracies {
                source: format!(
                    "{}\n{} has the whole space: etnas-fast table import {} -o {}",
                    builtin.source,
                    found.display(),
                    found.display(),
                    compact.display()
                ),
                ..builtin
            },
            None => builtin,
        })
    }

    /// Where the accuracies come from, and how many cells have a row.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Of what kind the file is that the values were first read from, as `CSV`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The columns in the order of the table.
    pub fn columns(&self) -> &[TableColumn] {
        &self.columns
    }

    /// Cells of which any value is known.
    pub fn cells(&self) -> usize {
        let known = |i: &usize| self.columns.iter().any(|column| column.values.get(*i).is_some_and(|v| !v.is_nan()));
        (0..SPACE_SIZE).filter(known).count()
    }

    /// The names of the columns that there are, in the order of the table.
    pub fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// The values of a column, if the table has it: one value per cell of the space, by NATS-Bench index; NaN where
    /// not known.
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        self.columns.iter().find(|column| column.name == name).map(|column| column.values.as_slice())
    }

    fn test(&self, dataset: Dataset) -> Option<&[f64]> {
        self.column(test_column(dataset))
    }

    /// The mean test accuracy after 200 epochs, in %, if it is known.
    pub fn lookup(&self, cell: &Cell, dataset: Dataset) -> Option<f64> {
        let value = *self.test(dataset)?.get(cell.index())?;
        (!value.is_nan()).then_some(value)
    }

    /// The test accuracy of every cell of the space is known.
    pub fn is_whole(&self, dataset: Dataset) -> bool {
        self.test(dataset).is_some_and(|all| !all.iter().any(|v| v.is_nan()))
    }

    /// A cell's rank by test accuracy and the number of cells: 1 is the best, equal accuracies share the better rank.
    /// Only a table that knows the accuracy of every cell can say.
    pub fn rank(&self, cell: &Cell, dataset: Dataset) -> Option<(usize, usize)> {
        let all = self.test(dataset)?;
        let own = *all.get(cell.index())?;
        if all.iter().any(|v| v.is_nan()) {
            return None;
        }
        Some((1 + all.iter().filter(|v| **v > own).count(), all.len()))
    }

    /// The best cell that the table knows and its test accuracy; of equal ones the lowest index.
    pub fn best(&self, dataset: Dataset) -> Option<(Cell, f64)> {
        let known = self.test(dataset)?.iter().enumerate().filter(|(_, v)| !v.is_nan());
        let (index, accuracy) = known.max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)))?;
        Some((Cell::from_index(index as i64).ok()?, *accuracy))
    }

    /// The sentence for a cell whose accuracy is not known: what is missing, and how to get it.
    pub fn missing(&self, cell: &Cell, dataset: Dataset) -> String {
        let (index, title, column) = (cell.index(), dataset.title(), test_column(dataset));
        if self.compiled_in {
            format!(
                "The test accuracy of cell {index} on {title} is not compiled in: give a table of the whole space with --table \
                 FILE or in {VARIABLE} (CSV with the columns arch_index and {column}, or a file of table import)."
            )
        } else {
            format!(
                "The test accuracy of cell {index} on {title} is not in the table ({}): give one that has it in its column \
                 {column} with --table FILE or in {VARIABLE}.",
                self.source
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_precedes_the_variable_and_both_precede_what_is_compiled_in() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, accuracy: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("arch_index,cifar10_test200\n7,{accuracy}\n")).unwrap();
            path
        };
        let (option, variable) = (file("option.csv", "11.5"), file("variable.csv", "22.5"));
        let seven = Cell::from_index(7).unwrap();
        let found = |option: Option<&Path>, variable: Option<OsString>| {
            Accuracies::choose(option, variable, None).unwrap().lookup(&seven, Dataset::Cifar10)
        };
        assert_eq!(found(Some(&option), Some(variable.clone().into())), Some(11.5));
        assert_eq!(found(None, Some(variable.into())), Some(22.5));
        assert_eq!(found(None, None), None);
        assert_eq!(found(None, Some(OsString::new())), None);
        // A table that is named and absent is an error, not the compiled-in one.
        let absent = folder.path().join("absent.csv");
        let error = Accuracies::choose(None, Some(absent.into()), None).unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. }), "{error}");
    }
}

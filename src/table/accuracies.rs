//! Accuracies by cell and data set: compiled in for 75 cells, or from a table of the user's.

use super::builtin;
use super::csv;
use crate::error::{Error, Result};
use crate::input::Dataset;
use crate::space::{Cell, SPACE_SIZE};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The environment variable that names a table.
pub const VARIABLE: &str = "ETNAS_TABLE";

/// The columns that a table may have besides `arch_index` and `arch_str`: accuracies in % after 12 and 200 epochs on
/// validation and test images, seconds of one epoch on 50,000 CIFAR images, millions of parameters and of
/// multiply-accumulates.
pub const COLUMNS: [&str; 15] = [
    "cifar10_valid12",
    "cifar10_test12",
    "cifar100_valid12",
    "cifar100_test12",
    "imagenet16_120_valid12",
    "imagenet16_120_test12",
    "cifar10_valid200",
    "cifar10_test200",
    "cifar100_valid200",
    "cifar100_test200",
    "imagenet16_120_valid200",
    "imagenet16_120_test200",
    "train_time_epoch_50k_s",
    "params_m_cifar10",
    "flops_m_cifar10",
];

/// The column of a data set's mean test accuracy after 200 epochs.
pub fn test_column(dataset: Dataset) -> &'static str {
    match dataset {
        Dataset::Cifar10 => "cifar10_test200",
        Dataset::Cifar100 => "cifar100_test200",
        Dataset::ImageNet16 => "imagenet16_120_test200",
    }
}

/// A table of accuracies.
#[derive(Clone, Debug)]
pub struct Accuracies {
    source: String,
    /// Whether the table is the compiled-in one, which few cells have.
    compiled_in: bool,
    /// Names and one value per cell of the space, by index; NaN where not known.
    columns: Vec<(String, Vec<f64>)>,
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
            (test_column(dataset).to_string(), values)
        });
        Accuracies {
            source: format!("compiled in, {} cells (NATS-Bench; Dong, Liu, Musial, Gabrys 2021)", builtin::CELLS.len()),
            compiled_in: true,
            columns: columns.collect(),
        }
    }

    /// Reads a CSV table: a column `arch_index` or `arch_str` and any of [`COLUMNS`], among them the test accuracy
    /// after 200 epochs of one data set at least. Other columns are ignored; cells and values may be missing.
    ///
    /// # Errors
    /// [`Error::Unreadable`]; [`Error::Data`] with line and column for what is not such a table.
    pub fn open(path: &Path) -> Result<Accuracies> {
        let percent = |name: &str| name.contains("_valid") || name.contains("_test");
        let valid = |name: &str, value: f64| (0.0..=if percent(name) { 100.0 } else { f64::MAX }).contains(&value);
        let range = "a number that is not negative (accuracies in %, at most 100)";
        let table = csv::read(path, &|name| COLUMNS.contains(&name), &valid, range)?;
        let names: Vec<&str> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
        if !Dataset::ALL.into_iter().any(|d| names.contains(&test_column(d))) {
            return Err(Error::data(
                path,
                format!("one of the columns {}", Dataset::ALL.map(test_column).join(", ")),
                csv::listed(&table.header),
                "Give a table of accuracies.",
            ));
        }
        let source = format!("{}, {} cells", path.display(), table.rows);
        Ok(Accuracies { source, compiled_in: false, columns: table.columns })
    }

    /// The table to use: the one given (`--table`), else the one that `$ETNAS_TABLE` names, else the compiled-in one.
    ///
    /// # Errors
    /// Those of [`Accuracies::open`]: a table that was named and cannot be read is never passed over.
    pub fn find(option: Option<&Path>) -> Result<Accuracies> {
        Accuracies::choose(option, std::env::var_os(VARIABLE))
    }

    fn choose(option: Option<&Path>, variable: Option<OsString>) -> Result<Accuracies> {
        let variable = variable.filter(|value| !value.is_empty()).map(PathBuf::from);
        match option.or(variable.as_deref()) {
            Some(path) => Accuracies::open(path),
            None => Ok(Accuracies::builtin()),
        }
    }

    /// Where the accuracies come from, and how many cells have a row.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The names of the columns that there are, in the order of the table.
    pub fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// A column of [`COLUMNS`], if the table has it: one value per cell of the space, by NATS-Bench index; NaN where
    /// not known.
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        self.columns.iter().find(|(n, _)| n == name).map(|(_, values)| values.as_slice())
    }

    fn test(&self, dataset: Dataset) -> Option<&[f64]> {
        self.column(test_column(dataset))
    }

    /// The mean test accuracy after 200 epochs, in %, if it is known.
    pub fn lookup(&self, cell: &Cell, dataset: Dataset) -> Option<f64> {
        let value = *self.test(dataset)?.get(cell.index())?;
        (!value.is_nan()).then_some(value)
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
                 FILE or in {VARIABLE} (CSV with the columns arch_index and {column})."
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
            Accuracies::choose(option, variable).unwrap().lookup(&seven, Dataset::Cifar10)
        };
        assert_eq!(found(Some(&option), Some(variable.clone().into())), Some(11.5));
        assert_eq!(found(None, Some(variable.into())), Some(22.5));
        assert_eq!(found(None, None), None);
        assert_eq!(found(None, Some(OsString::new())), None);
        // A table that is named and absent is an error, not the compiled-in one.
        let absent = folder.path().join("absent.csv");
        let error = Accuracies::choose(None, Some(absent.into())).unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. }), "{error}");
    }
}

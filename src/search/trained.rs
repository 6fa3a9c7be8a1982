//! What a search that trains may know of a cell: its validation accuracy after 12 epochs, and what the training costs.
//!
//! Nothing is trained: the values of a table stand for the training, as in NATS-Bench's `simulate_train_eval`. Test accuracies
//! cannot be reached from here.

use crate::error::{Error, Result};
use crate::input::Dataset;
use crate::space::Cell;
use crate::table::Accuracies;

/// The epochs of a search's trainings.
pub const EPOCHS: f64 = 12.0;

/// Seconds of an epoch on 50,000 CIFAR images.
const TIME_COLUMN: &str = "train_time_epoch_50k_s";

/// The trainings of one data set, out of a table.
#[derive(Clone, Copy, Debug)]
pub struct Trained<'a> {
    dataset: Dataset,
    source: &'a str,
    column: &'static str,
    accuracies: &'a [f64],
    epoch_seconds: &'a [f64],
}

/// One training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Training {
    /// Validation accuracy after 12 epochs in %.
    pub accuracy: f64,
    /// Seconds that the training would have taken on NATS-Bench's GPU. Its validation, which the tables do not have, would add some
    /// 3 % on CIFAR-10, 0.4 % on CIFAR-100 and 0.03 % on ImageNet16-120.
    pub seconds: f64,
}

impl<'a> Trained<'a> {
    /// The trainings of a search on `dataset` that compares cells by their validation accuracy on `validated_on`: the same data
    /// set, but for the paper's Table II, which takes CIFAR-10's everywhere. Costs are those of `dataset`.
    ///
    /// # Errors
    /// [`Error::Data`] for a table that lacks the validation accuracies after 12 epochs or the seconds of an epoch.
    pub fn new(table: &'a Accuracies, dataset: Dataset, validated_on: Dataset) -> Result<Trained<'a>> {
        let column = valid_column(validated_on);
        match (table.column(column), table.column(TIME_COLUMN)) {
            (Some(accuracies), Some(epoch_seconds)) => {
                Ok(Trained { dataset, source: table.source(), column, accuracies, epoch_seconds })
            }
            _ => Err(Error::Data {
                what: format!("The table of accuracies ({})", table.source()),
                expected: format!("the columns {column} and {TIME_COLUMN}"),
                found: format!("the columns {}", table.column_names().collect::<Vec<_>>().join(", ")),
                remedy: "Give a table of the whole space that has both with --table FILE or in ETNAS_TABLE."
                    .to_string(),
            }),
        }
    }

    /// The data set that is searched.
    pub fn dataset(&self) -> Dataset {
        self.dataset
    }

    /// A cell's training.
    ///
    /// # Errors
    /// [`Error::Data`] where the table lacks one of the cell's values, or has a training that takes no time.
    pub fn of(&self, cell: &Cell) -> Result<Training> {
        let value = |values: &[f64]| values.get(cell.index()).copied().unwrap_or(f64::NAN);
        let missing = |column: &str, expected: &str, found: String| Error::Data {
            what: format!("The table of accuracies ({})", self.source),
            expected: format!("{expected} of cell {} in the column {column}", cell.index()),
            found,
            remedy: "Give a table of the whole space.".to_string(),
        };
        let found = |value: f64| if value.is_nan() { "none".to_string() } else { value.to_string() };
        let (accuracy, epoch) = (value(self.accuracies), value(self.epoch_seconds));
        if !accuracy.is_finite() {
            return Err(missing(self.column, "the accuracy", found(accuracy)));
        }
        if !(epoch > 0.0 && epoch.is_finite()) {
            return Err(missing(TIME_COLUMN, "a positive number of seconds", found(epoch)));
        }
        Ok(Training { accuracy, seconds: EPOCHS * epoch * epoch_share(self.dataset) })
    }
}

/// The column of the validation accuracy after 12 epochs.
fn valid_column(dataset: Dataset) -> &'static str {
    match dataset {
        Dataset::Cifar10 => "cifar10_valid12",
        Dataset::Cifar100 => "cifar100_valid12",
        Dataset::ImageNet16 => "imagenet16_120_valid12",
    }
}

/// An epoch of a search's training over one on 50,000 CIFAR images, in NATS-Bench's own times: CIFAR-10 is searched on
/// `cifar10-valid`, half of the training images; ImageNet16-120 has 151,700 smaller images.
fn epoch_share(dataset: Dataset) -> f64 {
    match dataset {
        Dataset::Cifar10 => 0.5,
        Dataset::Cifar100 => 1.0,
        Dataset::ImageNet16 => 3.034,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Accuracies {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, text).unwrap();
        Accuracies::open(&path).unwrap()
    }

    #[test]
    fn cost_is_that_of_the_data_set_searched_and_accuracy_that_of_the_one_named() {
        let table = table(
            "arch_index,cifar10_test200,cifar10_valid12,imagenet16_120_valid12,train_time_epoch_50k_s\n7,90,80,20,10\n",
        );
        let seven = Cell::from_index(7).unwrap();
        let of = |dataset, on| Trained::new(&table, dataset, on).unwrap().of(&seven).unwrap();
        assert_eq!(of(Dataset::Cifar10, Dataset::Cifar10), Training { accuracy: 80.0, seconds: 60.0 });
        assert_eq!(of(Dataset::Cifar100, Dataset::Cifar10), Training { accuracy: 80.0, seconds: 120.0 });
        let imagenet = of(Dataset::ImageNet16, Dataset::ImageNet16);
        assert!(imagenet.accuracy == 20.0 && (imagenet.seconds - 364.08).abs() < 1e-9, "{imagenet:?}");
    }

    #[test]
    fn what_is_not_in_the_table_is_said() {
        let whole = table("arch_index,cifar10_test200,cifar10_valid12,train_time_epoch_50k_s\n7,90,80,0\n8,90,,10\n");
        let trained = Trained::new(&whole, Dataset::Cifar10, Dataset::Cifar10).unwrap();
        for (cell, part) in [(7, "positive number of seconds of cell 7"), (8, "accuracy of cell 8"), (9, "cell 9")] {
            let error = trained.of(&Cell::from_index(cell).unwrap()).unwrap_err();
            assert!(error.to_string().contains(part) && error.exit_code() == 2, "{error}");
        }
        for lacking in [Accuracies::builtin(), table("arch_index,cifar10_test200,cifar10_valid12\n7,90,80\n")] {
            let error = Trained::new(&lacking, Dataset::Cifar10, Dataset::Cifar10).unwrap_err().to_string();
            assert!(error.contains("cifar10_valid12 and train_time_epoch_50k_s"), "{error}");
            assert!(error.contains("found the columns cifar10_test200") && error.contains("--table FILE"), "{error}");
        }
    }
}

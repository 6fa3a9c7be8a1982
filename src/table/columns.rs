//! The columns that a table of accuracies may have: their names, and what they are in words.

/// What a column counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Per cent of images classified as labelled, 0 to 100.
    Percent,
    /// Seconds.
    Seconds,
    /// Millions of parameters or of multiply-accumulates.
    Millions,
}

impl Unit {
    /// The sign behind a number.
    pub fn sign(self) -> &'static str {
        match self {
            Unit::Percent => "%",
            Unit::Seconds => "s",
            Unit::Millions => "M",
        }
    }

    /// A number that can be meant: none is negative, and of per cent there are 100 at most.
    pub fn holds(self, value: f64) -> bool {
        (0.0..=if self == Unit::Percent { 100.0 } else { f64::MAX }).contains(&value)
    }
}

/// A column that tables know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnInfo {
    /// The name in files.
    pub name: &'static str,
    /// The unit.
    pub unit: Unit,
    /// What it is: data set, images, epochs.
    pub meaning: &'static str,
}

const fn percent(name: &'static str, meaning: &'static str) -> ColumnInfo {
    ColumnInfo { name, unit: Unit::Percent, meaning }
}

const fn seconds(name: &'static str, meaning: &'static str) -> ColumnInfo {
    ColumnInfo { name, unit: Unit::Seconds, meaning }
}

const fn millions(name: &'static str, meaning: &'static str) -> ColumnInfo {
    ColumnInfo { name, unit: Unit::Millions, meaning }
}

/// The columns besides `arch_index` and `arch_str`. Accuracies and times are means over the seeds that a benchmark holds
/// (NATS-Bench's `is_random=False`); a name that ends in `_seed` says that the value is one seed's.
#[rustfmt::skip]
pub const COLUMNS: [ColumnInfo; 35] = [
    percent("cifar10_valid12", "CIFAR-10, validation images, 12 epochs on half of the training images"),
    percent("cifar10_test12", "CIFAR-10, test images, 12 epochs on all training images"),
    percent("cifar100_valid12", "CIFAR-100, validation images, 12 epochs"),
    percent("cifar100_test12", "CIFAR-100, test images, 12 epochs"),
    percent("imagenet16_120_valid12", "ImageNet16-120, validation images, 12 epochs"),
    percent("imagenet16_120_test12", "ImageNet16-120, test images, 12 epochs"),
    percent("cifar10_valid200", "CIFAR-10, validation images, 200 epochs on half of the training images"),
    percent("cifar10_test200", "CIFAR-10, test images, 200 epochs on all training images"),
    percent("cifar100_valid200", "CIFAR-100, validation images, 200 epochs"),
    percent("cifar100_test200", "CIFAR-100, test images, 200 epochs"),
    percent("imagenet16_120_valid200", "ImageNet16-120, validation images, 200 epochs"),
    percent("imagenet16_120_test200", "ImageNet16-120, test images, 200 epochs"),
    percent("cifar10_half_test12", "CIFAR-10, test images, 12 epochs on half of the training images"),
    percent("cifar10_half_test200", "CIFAR-10, test images, 200 epochs on half of the training images"),
    percent("cifar100_valtest12", "CIFAR-100, validation and test images together, 12 epochs"),
    percent("cifar100_valtest200", "CIFAR-100, validation and test images together, 200 epochs"),
    percent("imagenet16_120_valtest12", "ImageNet16-120, validation and test images together, 12 epochs"),
    percent("imagenet16_120_valtest200", "ImageNet16-120, validation and test images together, 200 epochs"),
    percent("cifar10_naslib_val200_seed", "CIFAR-10, what NASLib calls validation, 200 epochs, one seed"),
    percent("cifar100_naslib_val200_seed", "CIFAR-100, what NASLib calls validation, 200 epochs, one seed"),
    percent("imagenet16_120_naslib_val200_seed", "ImageNet16-120, what NASLib calls validation, 200 epochs, one seed"),
    seconds("train_time_epoch_50k_s", "one epoch on the 50,000 training images of CIFAR-10"),
    seconds("train_time_epoch_25k_s", "one epoch on half of the training images of CIFAR-10"),
    seconds("train_time_epoch_cifar100_s", "one epoch on the training images of CIFAR-100"),
    seconds("train_time_epoch_imagenet16_120_s", "one epoch on the training images of ImageNet16-120"),
    seconds("train_time_epoch_25k_s_seed", "one epoch on half of the training images of CIFAR-10, one seed"),
    seconds("train_time_epoch_cifar100_s_seed", "one epoch on the training images of CIFAR-100, one seed"),
    seconds("train_time_epoch_imagenet16_120_s_seed", "one epoch on the training images of ImageNet16-120, one seed"),
    seconds("valid_time_25k_s", "one pass over the validation images of CIFAR-10"),
    millions("params_m_cifar10", "parameters of CIFAR-10's network"),
    millions("params_m_cifar100", "parameters of CIFAR-100's network"),
    millions("params_m_imagenet16_120", "parameters of ImageNet16-120's network"),
    millions("flops_m_cifar10", "multiply-accumulates of CIFAR-10's network for one image"),
    millions("flops_m_cifar100", "multiply-accumulates of CIFAR-100's network for one image"),
    millions("flops_m_imagenet16_120", "multiply-accumulates of ImageNet16-120's network for one image"),
];

/// The known column of a name.
pub fn column_info(name: &str) -> Option<&'static ColumnInfo> {
    COLUMNS.iter().find(|column| column.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_the_words_say() {
        for (i, ColumnInfo { name, unit, meaning }) in COLUMNS.iter().enumerate() {
            assert!(COLUMNS[..i].iter().all(|other| other.name != *name && other.meaning != *meaning), "{name}");
            assert_eq!(name.ends_with("_seed"), meaning.contains("one seed"), "{name}");
            assert_eq!(
                name.contains("_valid") && *unit == Unit::Percent,
                meaning.contains("validation images,"),
                "{name}"
            );
            assert_eq!(name.ends_with("12"), meaning.contains("12 epochs"), "{name}");
            assert_eq!(name.contains("200"), meaning.contains("200 epochs"), "{name}");
            assert_eq!(
                name.ends_with("_test12") || name.ends_with("_test200"),
                meaning.contains(", test images"),
                "{name}"
            );
        }
    }

    #[test]
    fn units_bound_their_numbers() {
        assert!(Unit::Percent.holds(100.0) && !Unit::Percent.holds(100.1) && !Unit::Percent.holds(-0.1));
        assert!(Unit::Seconds.holds(1e6) && !Unit::Seconds.holds(f64::INFINITY) && !Unit::Millions.holds(f64::NAN));
    }
}

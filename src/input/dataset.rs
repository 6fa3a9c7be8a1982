//! The three data sets of the benchmark: classes, image size, normalisation.

use crate::error::{Error, Result};

/// A data set of the benchmark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
pub enum Dataset {
    /// CIFAR-10.
    #[default]
    #[serde(rename = "cifar10")]
    Cifar10,
    /// CIFAR-100.
    #[serde(rename = "cifar100")]
    Cifar100,
    /// ImageNet16-120: 16×16 pixels, 120 classes.
    #[serde(rename = "imagenet16-120")]
    ImageNet16,
}

impl Dataset {
    /// All three.
    pub const ALL: [Dataset; 3] = [Dataset::Cifar10, Dataset::Cifar100, Dataset::ImageNet16];

    /// The name on the command line and in records.
    pub fn name(self) -> &'static str {
        ["cifar10", "cifar100", "imagenet16-120"][self as usize]
    }

    /// The name that people write in prose.
    pub fn title(self) -> &'static str {
        ["CIFAR-10", "CIFAR-100", "ImageNet16-120"][self as usize]
    }

    /// The data set of a name.
    pub fn from_name(name: &str) -> Result<Dataset> {
        Dataset::ALL.into_iter().find(|d| d.name() == name).ok_or_else(|| Error::UnknownName {
            kind: "data set",
            found: name.to_string(),
            allowed: Dataset::ALL.iter().map(|d| d.name().to_string()).collect(),
        })
    }

    /// Classes of the classifier.
    pub fn classes(self) -> usize {
        [10, 100, 120][self as usize]
    }

    /// Height and width of its images in pixels.
    pub fn size(self) -> usize {
        [32, 32, 16][self as usize]
    }

    /// Mean of each channel (red, green, blue), of 255.
    pub fn mean(self) -> [f64; 3] {
        [[125.3, 123.0, 113.9], [129.3, 124.1, 112.4], [122.68, 116.66, 104.01]][self as usize]
    }

    /// Standard deviation of each channel, of 255.
    pub fn deviation(self) -> [f64; 3] {
        [[63.0, 62.1, 66.7], [68.2, 65.4, 70.4], [63.22, 61.26, 65.09]][self as usize]
    }
}

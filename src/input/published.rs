//! What the data sets' publishers say of their training files.
//!
//! MD5 sums of the python version of CIFAR are those of torchvision (`datasets/cifar.py`), of ImageNet16 those of xautodl
//! (`datasets/DownsampledImageNet.py`), by whose author NATS-Bench is. The binary version's sizes follow from its records.

use super::dataset::Dataset;

/// A file as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Published {
    pub dataset: Dataset,
    /// Its size, where that is known.
    pub bytes: Option<u64>,
    /// Its MD5 sum in hexadecimal, where it is known.
    pub md5: Option<&'static str>,
    /// Images in it; 0 where that is not known.
    pub images: usize,
}

impl Published {
    /// What is expected, for people.
    pub fn describe(&self) -> String {
        let mut parts = Vec::new();
        parts.extend((self.images > 0).then(|| format!("{} images", self.images)));
        parts.extend(self.bytes.map(|bytes| format!("{bytes} bytes")));
        parts.extend(self.md5.map(|md5| format!("the MD5 sum {md5}")));
        parts.join(", ")
    }
}

const CIFAR10_PICKLES: [(&str, &str); 5] = [
    ("data_batch_1", "c99cafc152244af753f735de768cd75f"),
    ("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
    ("data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
    ("data_batch_4", "634d18415352ddfa80567beed471001a"),
    ("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
];
const CIFAR100_PICKLE: (&str, &str) = ("train", "16019d7e3df5f24257cddd939b257f8d");
const IMAGENET16: [(&str, &str); 10] = [
    ("train_data_batch_1", "27846dcaa50de8e21a7d1a35f30f0e91"),
    ("train_data_batch_2", "c7254a054e0e795c69120a5727050e3f"),
    ("train_data_batch_3", "4333d3df2e5ffb114b05d2ffc19b1e87"),
    ("train_data_batch_4", "1620cdf193304f4a92677b695d70d10f"),
    ("train_data_batch_5", "348b3c2fdbb3940c4e9e834affd3b18d"),
    ("train_data_batch_6", "6e765307c242a1b3d7d5ef9139b48945"),
    ("train_data_batch_7", "564926d8cbf8fc4818ba23d2faac7564"),
    ("train_data_batch_8", "f4755871f718ccb653440b9dd0ebac66"),
    ("train_data_batch_9", "bb6dd660c38c58552125b1a92f86b5d4"),
    ("train_data_batch_10", "8f03f34ac4b42271a294f91bf480f29b"),
];

/// What is known of files of this name.
pub(super) fn of(name: &str) -> Vec<Published> {
    let mut known = Vec::new();
    let find = |list: &[(&str, &'static str)]| list.iter().find(|(file, _)| *file == name).map(|(_, md5)| *md5);
    let pickle = |dataset, images, md5: Option<&'static str>| {
        md5.map(|md5| Published { dataset, bytes: None, md5: Some(md5), images })
    };
    known.extend(pickle(Dataset::Cifar10, 10_000, find(&CIFAR10_PICKLES)));
    known.extend(pickle(Dataset::Cifar100, 50_000, find(&[CIFAR100_PICKLE])));
    known.extend(pickle(Dataset::ImageNet16, 0, find(&IMAGENET16)));
    let numbered = |stem: &str| name.strip_prefix("data_batch_").and_then(|rest| rest.strip_suffix(stem));
    if numbered(".bin").is_some_and(|number| ["1", "2", "3", "4", "5"].contains(&number)) {
        known.push(Published { dataset: Dataset::Cifar10, bytes: Some(10_000 * 3073), md5: None, images: 10_000 });
    }
    if name == "train.bin" {
        known.push(Published { dataset: Dataset::Cifar100, bytes: Some(50_000 * 3074), md5: None, images: 50_000 });
    }
    known
}

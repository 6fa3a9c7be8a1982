//! Golden files: inputs, weights and results of the measures (tests/golden/README.md).

use etnas::input::{Batch, RegressionTask};
use etnas::space::Cell;
use etnas::tensor_file::TensorFile;
use etnas::weights::Weights;
use std::path::{Path, PathBuf};

/// One golden file.
pub struct Golden {
    pub name: String,
    pub file: TensorFile,
    pub cell: Cell,
    pub json: serde_json::Value,
}

/// The files `*.KIND.safetensors` of a folder of tests/golden; at least one.
pub fn names(folder: &str, kind: &str) -> Vec<PathBuf> {
    files(&super::golden(folder), kind)
}

/// The files `*.KIND.safetensors` of a folder; at least one.
pub fn files(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let ending = format!(".{kind}.safetensors");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(&ending))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} has no files *{ending}", folder.display());
    paths
}

impl Golden {
    pub fn open(path: &Path) -> Golden {
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let json: serde_json::Value = serde_json::from_str(&header.metadata().as_ref().unwrap()["json"]).unwrap();
        Golden {
            name: path.file_name().unwrap().to_string_lossy().into_owned(),
            file: TensorFile::open(path).unwrap(),
            cell: json["arch"].as_str().unwrap().parse().unwrap(),
            json,
        }
    }

    pub fn weights(&self, size: (usize, usize)) -> Weights {
        Weights::from_safetensors(&self.file, "net.", &self.cell, size).unwrap()
    }

    pub fn batch(&self, name: &str) -> Batch {
        let tensor = self.file.require(name).unwrap();
        let [count, 3, height, width] = tensor.shape[..] else { panic!("{:?}", tensor.shape) };
        Batch { count, height, width, pixels: tensor.values }
    }

    pub fn tensor(&self, name: &str) -> Vec<f32> {
        self.file.require(name).unwrap().values
    }

    /// LossSlope's task.
    pub fn task(&self) -> RegressionTask {
        let images = self.batch("slope.input");
        let noise = self.tensor("slope.noise").chunks_exact(images.pixels.len()).map(<[f32]>::to_vec).collect();
        let targets = [0, 1, 2].map(|stage| self.tensor(&format!("slope.target.{stage}")));
        RegressionTask { images, noise, targets }
    }

    pub fn tensor_f64(&self, name: &str) -> Vec<f64> {
        // K's entries are whole numbers below 2²⁴, exact in f32.
        self.tensor(name).into_iter().map(f64::from).collect()
    }
}

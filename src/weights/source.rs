//! Where the weights of one cell's network are given.

use crate::error::Result;
use crate::tensor_file::TensorFile;
use std::path::PathBuf;
use std::sync::Arc;

/// Weights under the names of a NATS-Bench state_dict.
#[derive(Clone, Debug)]
pub enum WeightSource {
    /// A safetensors file.
    File(PathBuf),
    /// Tensors in memory.
    Tensors(Arc<TensorFile>),
}

impl WeightSource {
    /// The tensors.
    ///
    /// # Errors
    /// Those of [`TensorFile::open`].
    pub fn open(&self) -> Result<Arc<TensorFile>> {
        match self {
            WeightSource::File(path) => TensorFile::open(path).map(Arc::new),
            WeightSource::Tensors(tensors) => Ok(tensors.clone()),
        }
    }
}

impl PartialEq for WeightSource {
    /// The same path, or the same bytes.
    fn eq(&self, other: &WeightSource) -> bool {
        match (self, other) {
            (WeightSource::File(a), WeightSource::File(b)) => a == b,
            (WeightSource::Tensors(a), WeightSource::Tensors(b)) => Arc::ptr_eq(a, b) || a.bytes() == b.bytes(),
            _ => false,
        }
    }
}

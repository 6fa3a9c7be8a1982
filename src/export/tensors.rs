//! Tensors on their way into a safetensors file.

use super::origin::{self, Origin};
use crate::error::{Error, Result};
use safetensors::tensor::TensorView;
use safetensors::Dtype;
use std::collections::HashMap;

/// Tensors by name.
#[derive(Default)]
pub struct Tensors(Vec<Entry>);

struct Entry {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensors {
    /// Adds a tensor of f32.
    pub fn single(&mut self, name: &str, shape: &[usize], values: impl IntoIterator<Item = f32>) {
        self.add(name, Dtype::F32, shape, values.into_iter().flat_map(f32::to_le_bytes).collect());
    }

    /// Adds a tensor of f64.
    pub fn double(&mut self, name: &str, shape: &[usize], values: impl IntoIterator<Item = f64>) {
        self.add(name, Dtype::F64, shape, values.into_iter().flat_map(f64::to_le_bytes).collect());
    }

    /// Adds a whole number, a tensor without dimensions.
    pub fn whole(&mut self, name: &str, value: i64) {
        self.add(name, Dtype::I64, &[], value.to_le_bytes().to_vec());
    }

    fn add(&mut self, name: &str, dtype: Dtype, shape: &[usize], bytes: Vec<u8>) {
        self.0.push(Entry { name: name.to_string(), dtype, shape: shape.to_vec(), bytes });
    }

    /// The bytes of the file.
    pub fn file(&self, origin: &Origin) -> Result<Vec<u8>> {
        let broken = |what: String| Error::Internal(format!("a safetensors file could not be made: {what}"));
        let mut views = Vec::new();
        for Entry { name, dtype, shape, bytes } in &self.0 {
            let view = TensorView::new(*dtype, shape.clone(), bytes).map_err(|e| broken(format!("{name}: {e}")))?;
            views.push((name.as_str(), view));
        }
        // One key: the order of several would differ from one run to the next.
        let metadata = HashMap::from([(origin::KEY.to_string(), origin.json())]);
        safetensors::serialize(views, Some(metadata)).map_err(|e| broken(e.to_string()))
    }
}

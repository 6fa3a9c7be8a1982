//! Reading tensors of safetensors files as f32, with checks that name the file, the tensor, what was expected and found.

use crate::error::{Error, Result};
use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors};
use std::path::{Path, PathBuf};

/// No weights or images that are meant come near this size.
const LARGEST: u64 = 1 << 32;
/// Bytes before the header, which tell its length.
const LENGTH: usize = 8;

/// A safetensors file in memory.
pub struct TensorFile {
    path: PathBuf,
    bytes: Vec<u8>,
    /// Read once: a network has hundreds of tensors, and a hostile header may be long.
    header: Metadata,
    /// Where the tensors' bytes begin.
    begin: usize,
}

impl std::fmt::Debug for TensorFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TensorFile").field("path", &self.path).field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// One tensor: its shape and its values in row-major order.
pub struct Tensor {
    /// Sizes of the dimensions.
    pub shape: Vec<usize>,
    /// The values; f16, bf16 and f64 are converted to f32.
    pub values: Vec<f32>,
}

impl TensorFile {
    /// Reads the file and checks its header.
    ///
    /// # Errors
    /// [`Error::Unreadable`]; [`Error::Data`] for what is no regular file of at most 4 GiB, or no safetensors file.
    pub fn open(path: &Path) -> Result<TensorFile> {
        let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
        let what = std::fs::metadata(path).map_err(unreadable)?;
        if !what.is_file() || what.len() > LARGEST {
            let found = if what.is_file() { format!("{} bytes", what.len()) } else { "no regular file".to_string() };
            let expected = format!("a safetensors file of at most {LARGEST} bytes");
            return Err(Error::data(path, expected, found, "Give a file with the weights or images of one network."));
        }
        TensorFile::of_bytes(path, std::fs::read(path).map_err(unreadable)?)
    }

    /// Takes the bytes of a safetensors file that is in memory; `name` stands for its path in messages.
    ///
    /// # Errors
    /// [`Error::Data`] for what is no safetensors file.
    pub fn of_bytes(name: impl AsRef<Path>, bytes: Vec<u8>) -> Result<TensorFile> {
        let path = name.as_ref();
        let (length, header) = SafeTensors::read_metadata(&bytes).map_err(|e| {
            Error::data(
                path,
                "a safetensors file",
                format!("{} bytes that are not one ({e})", bytes.len()),
                "Write it with safetensors' save_file; a truncated copy must be copied again.",
            )
        })?;
        Ok(TensorFile { path: path.to_path_buf(), bytes, header, begin: LENGTH + length })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The names of its tensors, sorted.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = self.header.tensors().into_keys().collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The tensor of a name, or `None` where the file has none.
    ///
    /// # Errors
    /// When its type is not a floating-point type of 16, 32 or 64 bits, or a value is not finite.
    pub fn get(&self, name: &str) -> Result<Option<Tensor>> {
        let Some(tensor) = self.header.info(name) else { return Ok(None) };
        let (from, to) = tensor.data_offsets;
        let data = self.bytes.get(self.begin.saturating_add(from)..self.begin.saturating_add(to));
        let Some(data) = data else {
            return Err(self.wrong(name, "its bytes in the file", "none", "Copy the file again."));
        };
        let wide = |size: usize| data.chunks_exact(size);
        let values: Vec<f32> = match tensor.dtype {
            Dtype::F32 => wide(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            Dtype::F64 => wide(8).map(|b| f64::from_le_bytes(b.try_into().expect("8 bytes")) as f32).collect(),
            Dtype::F16 => wide(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
            Dtype::BF16 => wide(2).map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
            other => {
                return Err(self.wrong(
                    name,
                    "f32 (or f16, bf16, f64) values",
                    format!("{other:?}"),
                    "Convert it to float32.",
                ))
            }
        };
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            let found = format!("{} at element {at}", values[at]);
            return Err(self.wrong(name, "finite values", found, "Mend the program that wrote it."));
        }
        Ok(Some(Tensor { shape: tensor.shape.clone(), values }))
    }

    /// The tensor of a name, which must be there.
    pub fn require(&self, name: &str) -> Result<Tensor> {
        match self.get(name)? {
            Some(tensor) => Ok(tensor),
            None => {
                let names = self.names()?;
                let shown = if names.is_empty() {
                    "no tensors".to_string()
                } else {
                    let more = if names.len() > 8 { ", …" } else { "" };
                    format!("{} tensors ({}{more})", names.len(), names[..names.len().min(8)].join(", "))
                };
                Err(Error::data(
                    &self.path,
                    format!("a tensor called {name:?}"),
                    shown,
                    "Check the names that the file was written with.",
                ))
            }
        }
    }

    /// The error of a tensor that is not what it should be.
    pub fn wrong(&self, name: &str, expected: impl Into<String>, found: impl Into<String>, remedy: &str) -> Error {
        Error::Data {
            what: format!("The tensor {name:?} of {}", self.path.display()),
            expected: expected.into(),
            found: found.into(),
            remedy: remedy.to_string(),
        }
    }
}

//! The part of the ONNX format that the networks need: messages of `onnx.proto` (IR version 8), declared field by field under its
//! numbers, and a builder of graphs.
//!
//! Messages lack fields that the networks do not use; reading skips those.

mod builder;
mod messages;

pub use builder::Builder;
pub use messages::{
    Attribute, Dimension, Entry, Graph, Model, Node, OperatorSet, Shape, Tensor, TensorType, Type, ValueInfo,
};

use crate::error::{Error, Result};
use prost::Message;

/// The version of the file format.
pub const IR_VERSION: i64 = 8;
/// The version of the operators.
pub const OPSET: i64 = 17;

impl Model {
    /// The bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// [`Error::Data`] where they are no message of this form.
    pub fn read(bytes: &[u8]) -> Result<Model> {
        Model::decode(bytes).map_err(|e| Error::Data {
            what: "An ONNX model".to_string(),
            expected: "the bytes of one".to_string(),
            found: format!("{} others ({e})", bytes.len()),
            remedy: "Write it again.".to_string(),
        })
    }
}

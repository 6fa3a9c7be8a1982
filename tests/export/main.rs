//! What is exported is what scores are computed from: read again it gives the same bits, and the ONNX model gives the logits.

#[path = "../common/mod.rs"]
mod common;

mod files;
mod model;
mod run;

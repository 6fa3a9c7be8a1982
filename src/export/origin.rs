//! What an exported file is of, as it stands in the file.

use crate::engine::{Configuration, Engine};
use crate::space::Cell;
use serde_json::{json, Value};

/// The key of a file's metadata that holds the origin.
pub const KEY: &str = "json";

/// What an exported file is of: cell, index, and what decides weights and images, in JSON. It names no device, as none has a part
/// in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin(Value);

impl Origin {
    /// The origin of a cell's network, or of images alone.
    pub fn new(engine: &Engine, cell: Option<&Cell>) -> Origin {
        let Configuration { dataset, images, regression_images, seeds, init, slope_init, weights, .. } =
            engine.configuration();
        let network = engine.network();
        Origin(json!({
            "program": "etnas-fast",
            "version": env!("CARGO_PKG_VERSION"),
            "arch": cell.map(Cell::to_string),
            "index": cell.map(Cell::index),
            "dataset": dataset,
            "images": images,
            "regression_images": regression_images,
            "network": {
                "channels": network.channels,
                "cells_per_stage": network.cells_per_stage,
                "classes": network.classes,
            },
            "seeds": seeds,
            "init": init,
            "slope_init": slope_init,
            "weights": weights,
        }))
    }

    /// As JSON, on one line.
    pub fn json(&self) -> String {
        self.0.to_string()
    }
}

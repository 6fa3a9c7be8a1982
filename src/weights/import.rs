//! Weights of one cell's network from a safetensors file.

use super::{Norm, NormSlot, Reduce, Slot, Weights};
use crate::error::{Error, Result};
use crate::space::{Block, Cell, Skeleton};
use crate::tensor_file::TensorFile;
use std::sync::Arc;

const REMEDY: &str = "Save the state_dict of the NATS-Bench network of this very cell.";

impl Weights {
    /// The weights of `cell`'s network, under the names of its state_dict, each behind `prefix`. Channels, cells per stage
    /// and classes are read off the shapes; `size` is the images' height and width.
    ///
    /// BatchNorms that the file lacks are γ = 1, β = 0; running statistics are ignored; LossSlope's heads are read if there.
    ///
    /// # Errors
    /// A tensor that the cell needs is missing or misshapen, or the file holds convolutions that the cell does not have.
    pub fn from_safetensors(file: &TensorFile, prefix: &str, cell: &Cell, size: (usize, usize)) -> Result<Weights> {
        let skeleton = Weights::skeleton_of(file, prefix, size)?;
        let mut weights = Weights::empty(skeleton, None);
        let mut slots = vec![Slot::Stem, Slot::Classifier, Slot::ClassifierBias];
        slots.extend((0..3).flat_map(|stage| [Slot::Head(stage), Slot::HeadBias(stage)]));
        for (block, kind) in skeleton.blocks().enumerate() {
            match kind {
                Block::Reduction { stage } => slots.extend(
                    [Reduce::ConvA, Reduce::ConvB, Reduce::Shortcut].map(|conv| Slot::Reduction { stage, conv }),
                ),
                Block::Cell { .. } => {
                    for (edge, op) in cell.ops().iter().enumerate() {
                        let name = format!("{prefix}cells.{block}.layers.{edge}.op.1.weight");
                        match op.kernel() {
                            Some(kernel) => slots.push(Slot::Edge { block, edge, kernel }),
                            None if file.get(&name)?.is_some() => {
                                let found = format!("a convolution where the cell {cell} has {}", op.name());
                                return Err(file.wrong(&name, "no such tensor", found, REMEDY));
                            }
                            None => {}
                        }
                    }
                }
            }
        }
        for slot in slots {
            weights.read_slot(file, prefix, slot)?;
        }
        for norm in [NormSlot::Last, NormSlot::Head(0), NormSlot::Head(1), NormSlot::Head(2)] {
            let stage = if let NormSlot::Head(stage) = norm { stage } else { 2 };
            weights.read_norm(file, prefix, norm, skeleton.stage_channels(stage))?;
        }
        Ok(weights)
    }

    fn read_slot(&mut self, file: &TensorFile, prefix: &str, slot: Slot) -> Result<()> {
        let skeleton = self.skeleton;
        let head = matches!(slot, Slot::Head(_) | Slot::HeadBias(_));
        // The heads are no part of the benchmark's network: their names never stand behind its prefix.
        let name = format!("{}{}", if head { "" } else { prefix }, slot.name(&skeleton));
        let optional = head || matches!(slot, Slot::Classifier | Slot::ClassifierBias);
        let Some(tensor) = (if optional { file.get(&name)? } else { Some(file.require(&name)?) }) else {
            return Ok(());
        };
        let shape = slot.shape(&skeleton);
        let bias = matches!(slot, Slot::ClassifierBias | Slot::HeadBias(_));
        let linear = slot == Slot::Classifier;
        let expected = &shape[..if bias {
            1
        } else if linear {
            2
        } else {
            4
        }];
        if tensor.shape != expected {
            return Err(file.wrong(&name, format!("the shape {expected:?}"), format!("{:?}", tensor.shape), REMEDY));
        }
        let values: Arc<[f32]> = tensor.values.into();
        self.tensors[slot.position()] = values.into();
        self.given.get_or_insert_default().insert(slot);
        if !bias && !linear && !head && !matches!(slot, Slot::Reduction { conv: Reduce::Shortcut, .. }) {
            self.read_norm(file, prefix, NormSlot::After(slot), shape[0])?;
        }
        Ok(())
    }

    fn read_norm(&mut self, file: &TensorFile, prefix: &str, slot: NormSlot, channels: usize) -> Result<()> {
        let prefix = if matches!(slot, NormSlot::Head(_)) { "" } else { prefix };
        let [gamma, beta] = slot.names(&self.skeleton).map(|name| format!("{prefix}{name}"));
        let (Some(g), Some(b)) = (file.get(&gamma)?, file.get(&beta)?) else { return Ok(()) };
        for (name, tensor) in [(&gamma, &g), (&beta, &b)] {
            if tensor.shape != [channels] {
                return Err(file.wrong(name, format!("the shape [{channels}]"), format!("{:?}", tensor.shape), REMEDY));
            }
        }
        self.norms.insert(slot, Norm { gamma: g.values, beta: b.values });
        Ok(())
    }
}

impl Weights {
    /// The network that a file's weights belong to, read off names and shapes; `(height, width)` is that of the images.
    pub fn skeleton_of(file: &TensorFile, prefix: &str, (height, width): (usize, usize)) -> Result<Skeleton> {
        let stem = format!("{prefix}stem.0.weight");
        let shape = file.require(&stem)?.shape;
        let [channels, 3, 3, 3] = shape[..] else {
            return Err(file.wrong(&stem, "the shape [C, 3, 3, 3]", format!("{shape:?}"), REMEDY));
        };
        let reductions: Vec<usize> = file
            .names()?
            .iter()
            .filter_map(|name| {
                name.strip_prefix(prefix)?.strip_prefix("cells.")?.strip_suffix(".conv_a.op.1.weight")?.parse().ok()
            })
            .collect();
        let (least, most) = (reductions.iter().min().copied(), reductions.iter().max().copied());
        let cells_per_stage = match (reductions.len(), least, most) {
            (2, Some(first), Some(second)) if first >= 1 && second == 2 * first + 1 => first,
            _ => {
                let found = format!("reductions at {reductions:?}");
                return Err(file.wrong(
                    &format!("{prefix}cells.*.conv_a.op.1.weight"),
                    "two reductions, at cells N and 2N+1",
                    found,
                    REMEDY,
                ));
            }
        };
        let classifier = format!("{prefix}classifier.weight");
        let classes = match file.get(&classifier)? {
            Some(tensor) if tensor.shape.len() == 2 => tensor.shape[0],
            Some(tensor) => {
                return Err(file.wrong(&classifier, "the shape [classes, 4C]", format!("{:?}", tensor.shape), REMEDY))
            }
            None => 1,
        };
        let skeleton = Skeleton { channels, cells_per_stage, classes, height, width };
        skeleton.check().map_err(|error| match error {
            Error::Options { what, expected, found, remedy } => {
                let what = format!("{what} in {}", file.path().display());
                Error::Data { what, expected, found, remedy }
            }
            other => other,
        })?;
        Ok(skeleton)
    }
}

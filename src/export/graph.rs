//! A cell's network as an ONNX graph, operation by operation under the names of the state_dict's modules.

use super::onnx::{Attribute, Builder, Model};
use super::origin::{self, Origin};
use super::pass::norm_name;
use crate::engine::Inputs;
use crate::error::{Error, Result};
use crate::reference::norm::{Moments, EPS};
use crate::reference::parameters::{self, Form, Parameters};
use crate::space::{Block, Cell, Op, Skeleton, EDGES};
use crate::weights::{NormSlot, Reduce, Slot};
use std::collections::BTreeMap;

/// The network of `cell` whose BatchNorms have these moments.
pub fn model(cell: &Cell, inputs: &Inputs, moments: &BTreeMap<String, Moments>, origin: &Origin) -> Result<Model> {
    let skeleton = *inputs.weights.skeleton();
    let parameters = parameters::initial(cell, &inputs.weights, Form::Classifier);
    let mut walk = Walk { cell, skeleton, parameters, moments, graph: Builder::default() };
    walk.graph.input("images", &[3, inputs.batch.height, inputs.batch.width]);
    let logits = walk.network("images")?;
    walk.graph.output(&logits, &[skeleton.classes]);
    let metadata = [("arch", cell.to_string()), ("index", cell.index().to_string()), (origin::KEY, origin.json())];
    Ok(walk.graph.model(&format!("NATS-Bench topology cell {}", cell.index()), &metadata))
}

struct Walk<'a> {
    cell: &'a Cell,
    skeleton: Skeleton,
    parameters: Parameters,
    moments: &'a BTreeMap<String, Moments>,
    graph: Builder,
}

impl Walk<'_> {
    /// From images to logits.
    fn network(&mut self, images: &str) -> Result<String> {
        let mut x = self.conv_norm(images, Slot::Stem, 1)?;
        let skeleton = self.skeleton;
        for (block, kind) in skeleton.blocks().enumerate() {
            x = match kind {
                Block::Cell { .. } => self.searched_cell(block, x)?,
                Block::Reduction { stage } => self.reduction(block, stage, &x)?,
            };
        }
        let x = self.norm(&x, NormSlot::Last)?;
        let x = self.graph.node("Relu", "lastact.1", &[&x], Vec::new());
        let x = self.graph.node("GlobalAveragePool", "pooling", &[&x], Vec::new());
        let x = self.graph.node("Flatten", "flat", &[&x], vec![Attribute::int("axis", 1)]);
        let [weight, bias] = [Slot::Classifier, Slot::ClassifierBias].map(|slot| slot.name(&skeleton));
        self.parameter(&weight)?;
        self.parameter(&bias)?;
        Ok(self.graph.node("Gemm", "logits", &[&x, &weight, &bias], vec![Attribute::int("transB", 1)]))
    }

    /// Node 3 of the cell at position `block` with input `x`.
    fn searched_cell(&mut self, block: usize, x: String) -> Result<String> {
        let mut nodes = vec![x];
        for node in 1..4 {
            let mut terms = Vec::new();
            for (edge, (from, _)) in EDGES.into_iter().enumerate().filter(|(_, (_, to))| *to == node) {
                let (op, source) = (self.cell.ops()[edge], nodes[from].clone());
                match (op, op.kernel()) {
                    (_, Some(kernel)) => {
                        terms.push(self.relu_conv_norm(&source, Slot::Edge { block, edge, kernel }, 1)?);
                    }
                    (Op::AvgPool3x3, _) => {
                        terms.push(self.average(&format!("cells.{block}.layers.{edge}"), &source, 3, 1, 1));
                    }
                    (Op::SkipConnect, _) => terms.push(source),
                    _ => {}
                }
            }
            let place = format!("cells.{block}.nodes.{node}");
            let value = match &terms[..] {
                [] => {
                    self.graph.constant("zero", &[], [0.0]);
                    self.graph.node("Mul", &place, &[&nodes[0], "zero"], Vec::new())
                }
                [one] => one.clone(),
                several => {
                    let terms: Vec<&str> = several.iter().map(String::as_str).collect();
                    self.graph.node("Sum", &place, &terms, Vec::new())
                }
            };
            nodes.push(value);
        }
        Ok(nodes.swap_remove(3))
    }

    /// The residual block that leads to `stage`.
    fn reduction(&mut self, block: usize, stage: usize, x: &str) -> Result<String> {
        let slot = |conv| Slot::Reduction { stage, conv };
        let a = self.relu_conv_norm(x, slot(Reduce::ConvA), 2)?;
        let b = self.relu_conv_norm(&a, slot(Reduce::ConvB), 1)?;
        let half = self.average(&format!("cells.{block}.downsample.0"), x, 2, 2, 0);
        let shortcut = self.conv(&half, slot(Reduce::Shortcut), 1)?;
        Ok(self.graph.node("Add", &format!("cells.{block}"), &[&shortcut, &b], Vec::new()))
    }

    fn relu_conv_norm(&mut self, x: &str, slot: Slot, stride: usize) -> Result<String> {
        let relu = slot.name(&self.skeleton).replace(".op.1.weight", ".op.0");
        let x = self.graph.node("Relu", &relu, &[x], Vec::new());
        self.conv_norm(&x, slot, stride)
    }

    fn conv_norm(&mut self, x: &str, slot: Slot, stride: usize) -> Result<String> {
        let x = self.conv(x, slot, stride)?;
        self.norm(&x, NormSlot::After(slot))
    }

    fn conv(&mut self, x: &str, slot: Slot, stride: usize) -> Result<String> {
        let weight = slot.name(&self.skeleton);
        self.parameter(&weight)?;
        let side = slot.shape(&self.skeleton)[2];
        let attributes = vec![
            Attribute::ints("kernel_shape", &[side, side]),
            Attribute::ints("pads", &[side / 2; 4]),
            Attribute::ints("strides", &[stride, stride]),
        ];
        Ok(self.graph.node("Conv", weight.trim_end_matches(".weight"), &[x, &weight], attributes))
    }

    /// BatchNorm in the form of inference, with the statistics of the batch.
    fn norm(&mut self, x: &str, slot: NormSlot) -> Result<String> {
        let name = norm_name(slot, &self.skeleton);
        let [gamma, beta] = slot.names(&self.skeleton);
        self.parameter(&gamma)?;
        self.parameter(&beta)?;
        let moments = self.moments.get(&name).ok_or_else(|| missing(&name))?;
        let [mean, variance] = ["mean", "var"].map(|of| format!("{name}.running_{of}"));
        self.graph.constant(&mean, &[moments.mean.len()], moments.mean.iter().map(|&v| v as f32));
        let variances = moments.scale.iter().map(|scale| (1.0 / (scale * scale) - EPS).max(0.0) as f32);
        self.graph.constant(&variance, &[moments.scale.len()], variances);
        let epsilon = vec![Attribute::float("epsilon", EPS as f32)];
        Ok(self.graph.node("BatchNormalization", &name, &[x, &gamma, &beta, &mean, &variance], epsilon))
    }

    /// The average over windows; pixels outside the image do not count.
    fn average(&mut self, name: &str, x: &str, side: usize, stride: usize, pad: usize) -> String {
        let attributes = vec![
            Attribute::int("count_include_pad", 0),
            Attribute::ints("kernel_shape", &[side, side]),
            Attribute::ints("pads", &[pad; 4]),
            Attribute::ints("strides", &[stride, stride]),
        ];
        self.graph.node("AveragePool", name, &[x], attributes)
    }

    fn parameter(&mut self, name: &str) -> Result<()> {
        let parameter = self.parameters.get(name).ok_or_else(|| missing(name))?;
        self.graph.constant(name, &parameter.shape, parameter.values.iter().map(|&v| v as f32));
        Ok(())
    }
}

fn missing(name: &str) -> Error {
    Error::Internal(format!("the network has no {name}"))
}

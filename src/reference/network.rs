//! The network of a cell, walked block by block and edge by edge: nothing is left out because it reaches no output, and
//! nothing is shared between edges.

use super::parameters::Parameters;
use super::pool::Pool;
use super::tape::{Gradients, Tape, Value};
use super::tensor::Tensor;
use crate::space::{Block, Cell, Op, Skeleton, EDGES};
use crate::weights::{NormSlot, Reduce, Slot};

/// Height and width of the maps that LossSlope's heads read and give.
pub const HEAD_SIZE: usize = 8;

/// What BatchNorm does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norms {
    /// Normalises by the statistics of the batch.
    Batch,
    /// Nothing (Synflow).
    Identity,
}

/// Someone who looks at the values of a forward pass as they are made.
pub trait Observer {
    /// The input of a ReLU, in the order of the network; once per convolution that a ReLU stands before.
    fn relu(&mut self, _input: &Tensor) {}

    /// The input of a BatchNorm that works on the statistics of the batch.
    fn norm(&mut self, _slot: NormSlot, _input: &Tensor) {}

    /// The value of a place: `stem`, `cells.3.nodes.1` (nodes 1 to 3 of a searched cell), `cells.5` (a reduction),
    /// `logits`, `heads.0`.
    fn value(&mut self, _place: &str, _value: &Tensor) {}
}

/// Nobody looks.
impl Observer for () {}

/// A forward pass in progress.
pub struct Network<'a> {
    cell: Cell,
    skeleton: Skeleton,
    norms: Norms,
    tape: Tape<'a>,
    observer: &'a mut dyn Observer,
}

impl<'a> Network<'a> {
    /// The network of `cell` with parameters of [`super::parameters::initial`], from the same skeleton. The size of its maps
    /// follows from the images. `record` if [`Network::backward`] will be called.
    pub fn new(
        cell: &Cell,
        skeleton: &Skeleton,
        parameters: &'a Parameters,
        norms: Norms,
        record: bool,
        observer: &'a mut dyn Observer,
    ) -> Network<'a> {
        Network { cell: *cell, skeleton: *skeleton, norms, tape: Tape::new(parameters, record), observer }
    }

    /// The outputs of the three stages.
    pub fn stages(&mut self, images: Tensor) -> [Value; 3] {
        let images = self.tape.input(images);
        let x = self.conv_norm(&images, Slot::Stem, 1);
        self.observer.value("stem", &x);
        let (mut x, skeleton) = (x, self.skeleton);
        let mut outputs = [x.clone(), x.clone(), x.clone()];
        for (block, kind) in skeleton.blocks().enumerate() {
            let (Block::Cell { stage } | Block::Reduction { stage }) = kind;
            x = match kind {
                Block::Cell { .. } => self.searched_cell(block, x),
                Block::Reduction { stage } => self.reduction(block, stage, &x),
            };
            outputs[stage] = x.clone();
        }
        outputs
    }

    /// The classifier's outputs `[n, classes, 1, 1]` from the output of the last stage.
    pub fn logits(&mut self, x: &Value) -> Value {
        let x = self.norm(x, NormSlot::Last);
        let x = self.relu(&x);
        let x = self.tape.pool(&x, Pool::Mean);
        self.biased(&x, Slot::Classifier, Slot::ClassifierBias, "logits")
    }

    /// The outputs of LossSlope's heads, `[n, c, 8, 8]`.
    pub fn heads(&mut self, stages: &[Value; 3]) -> [Value; 3] {
        [0, 1, 2].map(|stage| {
            let x = self.tape.pool(&stages[stage], Pool::Nearest(HEAD_SIZE, HEAD_SIZE));
            let x = self.norm(&x, NormSlot::Head(stage));
            self.biased(&x, Slot::Head(stage), Slot::HeadBias(stage), &format!("heads.{stage}"))
        })
    }

    /// The gradients of Σ ⟨seed, value⟩.
    pub fn backward(self, seeds: Vec<(Value, Tensor)>) -> Gradients {
        self.tape.backward(seeds)
    }

    /// Node 3 of the cell at position `block` with input `x`; a node is the sum of its incoming edges.
    fn searched_cell(&mut self, block: usize, x: Value) -> Value {
        let shape = x.shape;
        let mut nodes = vec![x];
        for node in 1..4 {
            let mut terms = Vec::new();
            for (edge, (from, _)) in EDGES.into_iter().enumerate().filter(|(_, (_, to))| *to == node) {
                let op = self.cell.ops()[edge];
                let source = nodes[from].clone();
                match (op, op.kernel()) {
                    (Op::AvgPool3x3, _) => terms.push(self.tape.pool(&source, Pool::Average3)),
                    (_, Some(kernel)) => {
                        terms.push(self.relu_conv_norm(&source, Slot::Edge { block, edge, kernel }, 1));
                    }
                    (Op::SkipConnect, _) => terms.push(source),
                    _ => {}
                }
            }
            let value = self.tape.sum(&terms, shape);
            self.observer.value(&format!("cells.{block}.nodes.{node}"), &value);
            nodes.push(value);
        }
        nodes.swap_remove(3)
    }

    /// The residual block that leads to `stage`.
    fn reduction(&mut self, block: usize, stage: usize, x: &Value) -> Value {
        let slot = |conv| Slot::Reduction { stage, conv };
        let a = self.relu_conv_norm(x, slot(Reduce::ConvA), 2);
        let b = self.relu_conv_norm(&a, slot(Reduce::ConvB), 1);
        let half = self.tape.pool(x, Pool::Average2);
        let shortcut = self.tape.conv(&half, &slot(Reduce::Shortcut).name(&self.skeleton), 1);
        let y = self.tape.sum(&[shortcut, b.clone()], b.shape);
        self.observer.value(&format!("cells.{block}"), &y);
        y
    }

    fn relu_conv_norm(&mut self, x: &Value, slot: Slot, stride: usize) -> Value {
        let x = self.relu(x);
        self.conv_norm(&x, slot, stride)
    }

    fn conv_norm(&mut self, x: &Value, slot: Slot, stride: usize) -> Value {
        let x = self.tape.conv(x, &slot.name(&self.skeleton), stride);
        self.norm(&x, NormSlot::After(slot))
    }

    fn relu(&mut self, x: &Value) -> Value {
        self.observer.relu(x);
        self.tape.relu(x)
    }

    fn norm(&mut self, x: &Value, slot: NormSlot) -> Value {
        match self.norms {
            Norms::Batch => {
                self.observer.norm(slot, x);
                self.tape.batch_norm(x, slot.names(&self.skeleton))
            }
            Norms::Identity => x.clone(),
        }
    }

    fn biased(&mut self, x: &Value, weight: Slot, bias: Slot, place: &str) -> Value {
        let y = self.tape.conv(x, &weight.name(&self.skeleton), 1);
        let y = self.tape.bias(&y, &bias.name(&self.skeleton));
        self.observer.value(place, &y);
        y
    }
}

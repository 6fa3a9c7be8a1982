//! The way back of a chunk of cells: from the gradients by the stages' outputs to those by all weights.
//!
//! Places are walked last first. At each, the gradients of the cells' values are added up from all who read them; then the
//! convolutions that feed these values go back: BatchNorm, weights, source.

use super::super::forward::{backward_shape, forward_shape, CellAddresses};
use super::super::jobs::{ConvJob, ConvShape, GradientJob, MapJob, NormBackJob, Reader, WeightGradientJob};
use super::super::launches;
use super::super::layout::{inputs, padded, ConvParts};
use super::super::program::Program;
use super::super::Precision;
use crate::plan::{Before, Conv, Place, Plan, Shape, Source, Term};
use std::collections::BTreeMap;

/// A cell on its way back, with addresses.
pub struct Returning<'a> {
    /// Its network.
    pub plan: &'a Plan,
    /// Its tensors.
    pub addresses: &'a CellAddresses,
    /// The gradient by each value.
    pub values: Vec<u64>,
    /// The gradient by each convolution's source; 0 for the image's.
    pub sources: Vec<u64>,
    /// Of each BatchNorm's way back.
    pub coefficients: Vec<u64>,
    /// Each convolution's weights turned.
    pub turned: Vec<u64>,
    /// Each convolution's weights.
    pub weights: Vec<u64>,
    /// The gradient by each convolution's weights.
    pub weight_gradients: Vec<u64>,
    /// γ of each trained BatchNorm behind a convolution, with the gradients by it and by its β; else zeros.
    pub norms: Vec<[u64; 3]>,
    /// The gradient by each stage's output, resized to 8×8.
    pub heads: [u64; 3],
}

/// Convolutions of one shape.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kernel: usize,
    norm: bool,
    height: usize,
    width: usize,
    inputs: usize,
    outputs: usize,
    stride: usize,
    relu: bool,
    /// Whether the source's gradient is wanted.
    inner: bool,
}

impl Key {
    fn of(conv: &Conv) -> Key {
        Key {
            kernel: conv.kernel,
            norm: conv.norm,
            height: conv.shape.height,
            width: conv.shape.width,
            inputs: inputs(conv),
            outputs: padded(conv.shape.channels),
            stride: conv.stride,
            relu: conv.before == Before::Relu,
            inner: conv.source != Source::Image,
        }
    }

    fn shape(&self, images: usize) -> ConvShape {
        let output = Shape { channels: self.outputs, height: self.height, width: self.width };
        forward_shape(images, &output, self.inputs, self.stride, self.relu)
    }
}

/// Adds the launches that turn the weights of all convolutions whose source has a gradient.
pub fn turn_weights(program: &mut Program, cells: &[Returning]) {
    let mut groups: BTreeMap<(usize, usize, usize), Vec<MapJob>> = BTreeMap::new();
    for cell in cells {
        for (id, conv) in cell.plan.convs.iter().enumerate().filter(|(_, conv)| conv.source != Source::Image) {
            let key = (inputs(conv), padded(conv.shape.channels), conv.kernel * conv.kernel);
            groups.entry(key).or_default().push(MapJob { from: cell.weights[id], to: cell.turned[id] });
        }
    }
    for ((inputs, outputs, taps), jobs) in groups {
        launches::transpose_weights(program, inputs, outputs, taps, &jobs);
    }
}

/// The images of a step.
#[derive(Clone, Copy)]
pub struct Images {
    /// Their number.
    pub count: usize,
    /// Their map.
    pub map: u64,
}

/// Adds the launches of the whole way back.
pub fn emit(program: &mut Program, images: Images, precision: Precision, cells: &[Returning]) {
    let mut places: BTreeMap<Place, Vec<(usize, usize)>> = BTreeMap::new();
    for (at, cell) in cells.iter().enumerate() {
        for (id, value) in cell.plan.values.iter().enumerate() {
            places.entry(value.place).or_default().push((at, id));
        }
    }
    for items in places.into_values().rev() {
        gradients(program, images.count, cells, &items);
        let mut groups: BTreeMap<Key, Vec<(usize, usize)>> = BTreeMap::new();
        for (at, id) in items {
            let plan = cells[at].plan;
            for term in &plan.values[id].terms {
                if let Term::Conv(conv) = *term {
                    groups.entry(Key::of(&plan.convs[conv])).or_default().push((at, conv));
                }
            }
        }
        for (key, convs) in groups {
            back(program, images, precision, cells, key, &convs);
        }
    }
}

/// The gradients of values that lie at one place.
fn gradients(program: &mut Program, images: usize, cells: &[Returning], items: &[(usize, usize)]) {
    type Group = (Vec<GradientJob>, Vec<Reader>);
    let mut groups: BTreeMap<(usize, usize, usize), Group> = BTreeMap::new();
    for &(at, id) in items {
        let (cell, plan) = (&cells[at], cells[at].plan);
        let Shape { channels, height, width } = plan.values[id].shape;
        let (jobs, readers) = groups.entry((height, width, padded(channels))).or_default();
        let first = readers.len();
        for &conv in &plan.values[id].convs {
            let kind = if plan.convs[conv].before == Before::Average { Reader::HALF } else { Reader::CONV };
            readers.push(Reader::new(kind, cell.sources[conv]));
        }
        for (reader, term) in plan.readers(id) {
            let kind = if matches!(term, Term::Pool(_)) { Reader::POOL } else { Reader::SKIP };
            readers.push(Reader::new(kind, cell.values[reader]));
        }
        let stages = (0..3).filter(|stage| plan.stages[*stage] == Some(id));
        readers.extend(stages.map(|stage| Reader::new(Reader::NEAREST, cell.heads[stage])));
        jobs.push(GradientJob {
            value: cell.addresses.values[id],
            gradient: cell.values[id],
            first: first as i32,
            count: (readers.len() - first) as i32,
        });
    }
    for ((height, width, channels), (jobs, readers)) in groups {
        launches::node_gradient(program, images, (height, width, channels), &jobs, &readers);
    }
}

/// Convolutions of one shape: BatchNorm's way back, then the gradients by weights and source.
fn back(
    program: &mut Program,
    Images { count: images, map: image }: Images,
    precision: Precision,
    cells: &[Returning],
    key: Key,
    convs: &[(usize, usize)],
) {
    let pixels = images * key.height * key.width;
    let (mut norms, mut weights, mut sources) = (Vec::new(), Vec::new(), Vec::new());
    for &(at, id) in convs {
        let (cell, conv) = (&cells[at], &cells[at].plan.convs[id]);
        let y = cell.addresses.convs[id];
        let of_target = cell.values[conv.target];
        let g = if key.norm { y } else { of_target };
        if key.norm {
            let place = ConvParts::of(conv, images);
            let [gamma, gamma_gradient, beta_gradient] = cell.norms[id];
            norms.push(NormBackJob {
                g: of_target,
                y,
                moments: y + place.moments as u64,
                gamma,
                sums: y + place.sums as u64,
                coefficients: cell.coefficients[id],
                gamma_gradient,
                beta_gradient,
            });
        }
        let x = match conv.source {
            Source::Image => image,
            Source::Value(_) if conv.before == Before::Average => cell.addresses.halves[id],
            Source::Value(value) => cell.addresses.values[value],
        };
        weights.push(WeightGradientJob { x, g, gradient: cell.weight_gradients[id] });
        sources.push(ConvJob { x: g, w: cell.turned[id], y: cell.sources[id], sums: 0 });
    }
    launches::norm_back(program, pixels, key.outputs, &norms);
    launches::weight_gradient(program, precision, key.kernel, key.shape(images), &weights);
    if key.inner {
        launches::convolution(program, precision, key.kernel, backward_shape(key.shape(images)), &sources);
    }
}

//! The way forward of a chunk of cells: which launches, in which order, over which jobs.
//!
//! At each place the cells go in step (`layout`): one launch adds up the values of all cells, one for each shape of
//! convolution runs all that leave the place, and one turns their sums into BatchNorm's scale and shift, which the next values
//! apply. Jobs of a launch stand in the order of their weights.

use super::bank::NormAddress;
use super::jobs::{ConvJob, ConvShape, MapJob, MomentsJob, NodeJob, Term as TermJob};
use super::launches;
use super::layout::{inputs, padded, CellLayout, ConvParts, Phase, Turns};
use super::program::Program;
use super::Precision;
use crate::plan::{Before, Plan, Shape, Source, Term};
use crate::weights::NormSlot;
use std::collections::BTreeMap;

/// Addresses of a cell's tensors; 0 where there is none.
#[derive(Clone, Debug, Default)]
pub struct CellAddresses {
    /// Of each value.
    pub values: Vec<u64>,
    /// Of each convolution's output, with its sums, scale and shift, and moments behind it ([`ConvParts`]).
    pub convs: Vec<u64>,
    /// Of each halved source.
    pub halves: Vec<u64>,
    /// Of each value's code.
    pub codes: Vec<u64>,
}

impl CellAddresses {
    /// The addresses of a layout at `base`; what lies elsewhere is 0.
    pub fn new(layout: &CellLayout, base: u64) -> CellAddresses {
        let place = |at: &usize| if *at == usize::MAX { 0 } else { base + *at as u64 };
        let places = |list: &[usize]| list.iter().map(place).collect();
        CellAddresses {
            values: places(&layout.values),
            convs: places(&layout.convs),
            halves: places(&layout.halves),
            codes: vec![0; layout.values.len()],
        }
    }
}

/// A cell on its way.
pub struct Traveller<'a> {
    /// Its network.
    pub plan: &'a Plan,
    /// When its values and convolutions have their turn.
    pub turns: &'a Turns,
    /// Where its tensors lie.
    pub addresses: CellAddresses,
}

/// What all cells of a chunk share.
pub struct Way<'a> {
    /// Images of the batch.
    pub images: usize,
    /// Arithmetic of the convolutions.
    pub precision: Precision,
    /// The image map.
    pub image: u64,
    /// Words between the codes of two images.
    pub code_stride: usize,
    /// Packed weights, by cell and number of the convolution.
    pub weight: &'a dyn Fn(usize, usize) -> u64,
    /// γ and β, by cell and place.
    pub norm: &'a dyn Fn(usize, NormSlot) -> NormAddress,
    /// Whether moments are kept for the way back.
    pub moments: bool,
    /// What is computed once for several cells: (cell, number) whose result another cell's job gives.
    pub given: &'a dyn Fn(usize, Phase, usize) -> bool,
}

impl Way<'_> {
    /// Adds the launches of all cells' networks, from the image to the last value.
    pub fn emit(&self, program: &mut Program, cells: &[Traveller]) {
        let mut steps: BTreeMap<_, Vec<(usize, usize)>> = BTreeMap::new();
        for (at, cell) in cells.iter().enumerate() {
            for (step, items) in &cell.turns.steps {
                steps.entry(*step).or_default().extend(items.iter().map(|item| (at, *item)));
            }
        }
        for ((_, phase), items) in steps {
            match phase {
                Phase::Value => self.values(program, cells, &items),
                Phase::Convs => self.convs(program, cells, &items),
            }
        }
    }

    fn values(&self, program: &mut Program, cells: &[Traveller], items: &[(usize, usize)]) {
        let mut groups: BTreeMap<(usize, usize, usize), Vec<NodeJob>> = BTreeMap::new();
        for &(at, id) in items {
            let (cell, value) = (&cells[at], &cells[at].plan.values[id]);
            let given = (self.given)(at, Phase::Value, id);
            // A value that only its code is wanted of is not stored.
            let stored = self.moments || is_read(cell.plan, id);
            let result = if given || !stored { 0 } else { cell.addresses.values[id] };
            let job = NodeJob { terms: self.terms(cell, at, id), value: result, code: cell.addresses.codes[id] };
            let Shape { channels, height, width } = value.shape;
            if job.value != 0 || job.code != 0 {
                groups.entry((height, width, padded(channels))).or_default().push(job);
            }
        }
        for (shape, jobs) in groups {
            launches::node(program, self.images, shape, self.code_stride, &jobs);
        }
    }

    fn terms(&self, cell: &Traveller, at: usize, id: usize) -> [TermJob; 3] {
        let mut terms = [TermJob::default(); 3];
        for (job, term) in terms.iter_mut().zip(&cell.plan.values[id].terms) {
            *job = match *term {
                Term::Conv(conv) => {
                    let y = cell.addresses.convs[conv];
                    let planned = &cell.plan.convs[conv];
                    let affine = ConvParts::of(planned, self.images).affine as u64;
                    TermJob::new(TermJob::MAP, y, if planned.norm { y + affine } else { 0 })
                }
                Term::Skip(source) => TermJob::new(TermJob::MAP, cell.addresses.values[source], 0),
                Term::Pool(source) => TermJob::new(TermJob::POOL, cell.addresses.values[source], 0),
                Term::Shift(slot) => TermJob::new(TermJob::SHIFT, 0, (self.norm)(at, slot).gamma),
            };
        }
        terms
    }

    fn convs(&self, program: &mut Program, cells: &[Traveller], items: &[(usize, usize)]) {
        type Jobs = (Vec<ConvJob>, Vec<MomentsJob>);
        let mut halves: BTreeMap<(usize, usize, usize), Vec<MapJob>> = BTreeMap::new();
        let mut groups: BTreeMap<(usize, bool, [usize; 6]), Jobs> = BTreeMap::new();
        for &(at, id) in items {
            if (self.given)(at, Phase::Convs, id) {
                continue;
            }
            let (cell, conv) = (&cells[at], &cells[at].plan.convs[id]);
            let mut x = match conv.source {
                Source::Image => self.image,
                Source::Value(source) => cell.addresses.values[source],
            };
            let Shape { height, width, channels } = conv.shape;
            if conv.before == Before::Average {
                let to = cell.addresses.halves[id];
                halves.entry((2 * height, 2 * width, inputs(conv))).or_default().push(MapJob { from: x, to });
                x = to;
            }
            let (y, place) = (cell.addresses.convs[id], ConvParts::of(conv, self.images));
            let sums = if conv.norm { y + place.sums as u64 } else { 0 };
            let relu = usize::from(conv.before == Before::Relu);
            let key = [height, width, inputs(conv), padded(channels), conv.stride, relu];
            let (convs, moments) = groups.entry((conv.kernel, conv.norm, key)).or_default();
            convs.push(ConvJob { x, w: (self.weight)(at, id), y, sums });
            if conv.norm {
                let NormAddress { gamma, beta } = (self.norm)(at, NormSlot::After(conv.slot));
                let kept = if self.moments { y + place.moments as u64 } else { 0 };
                moments.push(MomentsJob { sums, gamma, beta, affine: y + place.affine as u64, moments: kept });
            }
        }
        for (shape, jobs) in halves {
            launches::average2(program, self.images, shape, &jobs);
        }
        for ((kernel, _, [height, width, inputs, outputs, stride, relu]), (mut jobs, moments)) in groups {
            jobs.sort_by_key(|job| job.w);
            let shape =
                forward_shape(self.images, &Shape { channels: outputs, height, width }, inputs, stride, relu == 1);
            launches::convolution(program, self.precision, kernel, shape, &jobs);
            launches::norm_moments(program, self.images * height * width, outputs, &moments);
        }
    }
}

/// Whether a value is read by anything but its code.
pub fn is_read(plan: &Plan, id: usize) -> bool {
    plan.values[id].kept_until.is_some() || !plan.values[id].convs.is_empty()
}

/// The shape of a convolution with this output.
pub fn forward_shape(images: usize, output: &Shape, inputs: usize, stride: usize, relu: bool) -> ConvShape {
    ConvShape {
        images: images as i32,
        source_height: (output.height * stride) as i32,
        source_width: (output.width * stride) as i32,
        height: output.height as i32,
        width: output.width as i32,
        inputs: inputs as i32,
        outputs: output.channels as i32,
        stride: stride as i32,
        spread: 1,
        relu: i32::from(relu),
    }
}

/// The convolution, over turned weights, that gives the gradient by the source of one of this shape.
pub fn backward_shape(forward: ConvShape) -> ConvShape {
    ConvShape {
        source_height: forward.height,
        source_width: forward.width,
        height: forward.source_height,
        width: forward.source_width,
        inputs: forward.outputs,
        outputs: forward.inputs,
        stride: 1,
        spread: forward.stride,
        relu: 0,
        ..forward
    }
}

//! Synflow's raw numbers: one image of ones forward and back on |weights|, in f32 with tracked exponents.
//!
//! The network is positively homogeneous and nothing is negative: sums never cancel, and scaling a map by a power of two
//! is exact. Each map is kept with its largest element in [1, 2) beside the exponent that was taken out, and so are the
//! weights; true values reach 1e66, in f32 nothing comes near its limits. Logarithms and sums are f64.
//!
//! Per cell: 3 × 2 FLOP × MACs (0.3 GFLOP on average) and two logarithms per weight.

use super::bank::{source_channels, Bank};
use super::conv::{forward, weight_gradient, Geometry};
use super::layout::{map_len, pad_image, padded_channels, padded_len, IMAGE_CHANNELS};
use super::maps;
use super::scratch::{grown, with, Buffer, Scratch};
use super::simd::{kernels, Isa, Vector, BLOCK};
use crate::backend::SynflowSums;
use crate::plan::{Before, Conv, Plan, Slots, Source, Storage, Term};
use crate::space::{Block, Cell};
use crate::weights::{Reduce, Slot};

/// Added to g in the reference form of LogSynflow.
const REFERENCE: f64 = 1e-6;

/// Memory of one cell in flight.
#[derive(Default)]
pub struct Workspace {
    arena: Buffer,
    gradients: Buffer,
    weight_gradient: Buffer,
}

kernels! {
    /// Largest element, 0 for an empty map. No element is negative.
    fn largest(map: &[f32]) -> f32 = largest_body;
    /// `map *= factor`.
    fn multiply(map: &mut [f32], factor: f32) = multiply_body;
    /// `out += factor · other`.
    fn add_times(out: &mut [f32], other: &[f32], factor: f32) = add_times_body;
    /// Σ w·g, Σ w·|ln(g + 1e-6)|, Σ w·|ln(g + 1)| with g = `g`·`factor`; w and g are not negative.
    fn log_sums(w: &[f32], g: &[f32], factor: f64) -> [f64; 3] = log_sums_body;
}

#[inline(always)]
fn largest_body<V: Vector>(map: &[f32]) -> f32 {
    let mut most = [0.0f32; BLOCK];
    for block in map.as_chunks::<BLOCK>().0 {
        for k in 0..BLOCK {
            most[k] = if block[k] > most[k] { block[k] } else { most[k] };
        }
    }
    most.into_iter().fold(0.0, f32::max)
}

#[inline(always)]
fn multiply_body<V: Vector>(map: &mut [f32], factor: f32) {
    map.iter_mut().for_each(|x| *x *= factor);
}

#[inline(always)]
fn add_times_body<V: Vector>(out: &mut [f32], other: &[f32], factor: f32) {
    out.iter_mut().zip(other).for_each(|(out, x)| *out += factor * x);
}

/// |ln x| of a positive normal number to 1e-15: x = 2^e·m with m in [√½, √2), ln m = 2·artanh((m − 1)/(m + 1)).
#[inline(always)]
fn abs_ln(x: f64) -> f64 {
    let bits = x.to_bits();
    // Bits of √½, so that the exponent that is left belongs to a mantissa in [√½, √2).
    let shifted = bits.wrapping_sub(0x3fe6_a09e_667f_3bcd);
    let exponent = (shifted as i64 >> 52) as i32;
    let m = f64::from_bits(bits.wrapping_sub(shifted & 0xfff0_0000_0000_0000));
    let s = (m - 1.0) / (m + 1.0);
    let q = s * s;
    let mut series = 1.0 / 21.0;
    for k in (1..10).rev() {
        series = series * q + 1.0 / f64::from(2 * k + 1);
    }
    (f64::from(exponent) * std::f64::consts::LN_2 + 2.0 * s * (series * q + 1.0)).abs()
}

#[inline(always)]
fn log_sums_body<V: Vector>(w: &[f32], g: &[f32], factor: f64) -> [f64; 3] {
    let mut sums = [[0.0f64; BLOCK]; 3];
    for (w, g) in w.as_chunks::<BLOCK>().0.iter().zip(g.as_chunks::<BLOCK>().0) {
        for k in 0..BLOCK {
            let (w, g) = (f64::from(w[k]), f64::from(g[k]) * factor);
            sums[0][k] += w * g;
            sums[1][k] += w * abs_ln(g + REFERENCE);
            sums[2][k] += w * abs_ln(g + 1.0);
        }
    }
    sums.map(|lanes| lanes.into_iter().sum())
}

/// 2^exponent, 0 or infinite out of range.
fn power(exponent: i32) -> f64 {
    libm::ldexp(1.0, exponent)
}

/// Scales a map so that its largest element lies in [1, 2); returns the exponent taken out (0 for a map of zeros).
fn normalise(isa: Isa, map: &mut [f32]) -> i32 {
    let most = largest(isa, map);
    if most == 0.0 || !most.is_finite() {
        return 0;
    }
    let exponent = libm::ilogbf(most);
    // In two halves, as 2^±149 is out of range for one f32 factor.
    let half = exponent / 2;
    multiply(isa, map, power(-half) as f32);
    multiply(isa, map, power(half - exponent) as f32);
    exponent
}

/// All sums of a cell's network.
pub fn sums(isa: Isa, cell: &Cell, plan: &Plan, bank: &Bank, space: &mut Workspace) -> SynflowSums {
    let mut totals = [0.0; 3];
    let mut add = |sums: [f64; 3]| totals.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    for slot in unused(cell, plan, bank) {
        add([0.0, bank.sum(slot) * abs_ln(REFERENCE), 0.0]);
    }
    if let Some(last) = plan.stages[2] {
        let mut pass = Pass::new(isa, plan, bank, space);
        pass.forward();
        add(pass.classifier(last));
        for v in (0..plan.values.len()).rev() {
            pass.backward(v, &mut add);
        }
        for conv in plan.convs.iter().filter(|conv| conv.source == Source::Image) {
            with(|scratch| {
                ones(bank, &mut scratch.padded);
                add(pass.weights(conv, &scratch.padded, 0));
            });
        }
    }
    SynflowSums { product: totals[0], log_reference: totals[1], log_one_plus: totals[2] }
}

/// The slots of the network whose weights have gradient zero, as no signal passes them.
fn unused(cell: &Cell, plan: &Plan, bank: &Bank) -> Vec<Slot> {
    let mut slots = vec![Slot::Stem];
    for (block, kind) in bank.weights.skeleton().blocks().enumerate() {
        match kind {
            Block::Cell { .. } => slots.extend(
                cell.ops()
                    .iter()
                    .enumerate()
                    .filter_map(|(edge, op)| op.kernel().map(|kernel| Slot::Edge { block, edge, kernel })),
            ),
            Block::Reduction { stage } => slots
                .extend([Reduce::ConvA, Reduce::ConvB, Reduce::Shortcut].map(|conv| Slot::Reduction { stage, conv })),
        }
    }
    slots.retain(|slot| plan.convs.iter().all(|conv| conv.slot != *slot));
    if plan.stages[2].is_none() {
        slots.push(Slot::Classifier);
    }
    slots
}

/// The padded image of ones.
fn ones(bank: &Bank, padded: &mut Buffer) {
    let skeleton = bank.weights.skeleton();
    let (h, w) = (skeleton.height, skeleton.width);
    pad_image(&vec![1.0; 3 * h * w], None, h, w, grown(padded, padded_len(h, w, IMAGE_CHANNELS)));
}

/// One cell's passes: maps and their exponents.
struct Pass<'a> {
    isa: Isa,
    plan: &'a Plan,
    bank: &'a Bank,
    slots: Slots,
    arena: &'a mut [f32],
    gradients: &'a mut [f32],
    weight_gradient: &'a mut Buffer,
    exponents: Vec<i32>,
    gradient_exponents: Vec<i32>,
}

impl<'a> Pass<'a> {
    fn new(isa: Isa, plan: &'a Plan, bank: &'a Bank, space: &'a mut Workspace) -> Pass<'a> {
        let slots = Slots::assign(plan, Storage::Everything, |c, pixels| padded_channels(c) * pixels);
        Pass {
            isa,
            plan,
            bank,
            arena: grown(&mut space.arena, slots.size),
            gradients: grown(&mut space.gradients, slots.size),
            weight_gradient: &mut space.weight_gradient,
            slots,
            exponents: vec![0; plan.values.len()],
            gradient_exponents: vec![0; plan.values.len()],
        }
    }

    fn value_at(&self, v: usize) -> std::ops::Range<usize> {
        let slot = self.slots.values[v].unwrap_or(0);
        slot..slot + map_len(&self.plan.values[v].shape)
    }

    /// The exponent of a convolution's output.
    fn conv_exponent(&self, c: usize) -> i32 {
        let source = match self.plan.convs[c].source {
            Source::Image => 0,
            Source::Value(v) => self.exponents[v],
        };
        source + self.bank.absolute(&self.plan.convs[c]).exponent
    }

    fn forward(&mut self) {
        let plan = self.plan;
        with(|scratch| {
            for (c, conv) in plan.convs.iter().enumerate().filter(|(_, conv)| conv.source == Source::Image) {
                ones(self.bank, &mut scratch.padded);
                self.convolve(c, conv, &scratch.padded);
            }
            for (v, value) in plan.values.iter().enumerate() {
                let exponent = |term: &Term| match *term {
                    Term::Conv(c) => Some(self.conv_exponent(c)),
                    Term::Skip(u) | Term::Pool(u) => Some(self.exponents[u]),
                    Term::Shift(_) => None,
                };
                let top = value.terms.iter().filter_map(exponent).max().unwrap_or(0);
                let len = map_len(&value.shape);
                let out = grown(&mut scratch.value, len);
                out.fill(0.0);
                for term in &value.terms {
                    let factor = power(exponent(term).unwrap_or(top) - top) as f32;
                    match *term {
                        Term::Conv(c) => add_times(self.isa, out, &self.arena[self.slots.convs[c]..][..len], factor),
                        Term::Skip(u) => add_times(self.isa, out, &self.arena[self.value_at(u)], factor),
                        Term::Pool(u) => {
                            let pooled = grown(&mut scratch.map, len);
                            pooled.fill(0.0);
                            let size = (value.shape.height, value.shape.width);
                            let columns = grown(&mut scratch.columns, (size.1 + 2) * (len / (size.0 * size.1)));
                            maps::add_pool(self.isa, pooled, &self.arena[self.value_at(u)], size, columns);
                            add_times(self.isa, out, pooled, factor);
                        }
                        Term::Shift(_) => {}
                    }
                }
                self.exponents[v] = top + normalise(self.isa, out);
                let at = self.value_at(v);
                self.arena[at].copy_from_slice(out);
                for &c in &value.convs {
                    let conv = &plan.convs[c];
                    self.source(v, conv, scratch);
                    self.convolve(c, conv, &scratch.padded);
                }
            }
        });
    }

    /// The padded source of a convolution that leaves value `v`, into `scratch.padded`.
    fn source(&self, v: usize, conv: &Conv, scratch: &mut Scratch) {
        let shape = &self.plan.values[v].shape;
        let (size, c) = ((shape.height, shape.width), padded_channels(shape.channels));
        let map = &self.arena[self.value_at(v)];
        if conv.before == Before::Average {
            maps::average_padded(
                self.isa,
                map,
                size,
                grown(&mut scratch.padded, padded_len(size.0 / 2, size.1 / 2, c)),
            );
        } else {
            maps::relu_padded(self.isa, map, size, grown(&mut scratch.padded, padded_len(size.0, size.1, c)));
        }
    }

    fn geometry(conv: &Conv) -> (Geometry, usize) {
        let size = (conv.shape.height, conv.shape.width);
        Geometry::over_padded(
            conv.kernel,
            conv.stride,
            source_channels(conv),
            size,
            padded_channels(conv.shape.channels),
        )
    }

    fn convolve(&mut self, c: usize, conv: &Conv, padded: &[f32]) {
        let (geometry, start) = Pass::geometry(conv);
        let out = &mut self.arena[self.slots.convs[c]..][..map_len(&conv.shape)];
        forward(self.isa, &geometry, &padded[start..], &self.bank.absolute(conv).forward, out);
    }

    /// The classifier's sums; leaves the gradient of the last value behind.
    fn classifier(&mut self, last: usize) -> [f64; 3] {
        let shape = self.plan.values[last].shape;
        let at = self.value_at(last);
        let channels = at.len() / shape.pixels();
        let weights = self.bank.weights.tensor(Slot::Classifier);
        let mut columns = vec![0.0f64; channels];
        for row in weights.chunks_exact(shape.channels) {
            columns.iter_mut().zip(row).for_each(|(sum, w)| *sum += f64::from(w.abs()));
        }
        let mut means = vec![0.0f64; channels];
        for pixel in self.arena[at.clone()].chunks_exact(channels) {
            means.iter_mut().zip(pixel).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        let scale = power(self.exponents[last]) / shape.pixels() as f64;
        let mut sums = [0.0; 3];
        for (w, g) in columns.iter().zip(means.iter().map(|mean| mean * scale)) {
            sums[0] += w * g;
            sums[1] += w * abs_ln(g + REFERENCE);
            sums[2] += w * abs_ln(g + 1.0);
        }
        // The largest column sum is taken out before the step to f32.
        let most = columns.iter().copied().fold(0.0, f64::max);
        let exponent = if most > 0.0 { libm::ilogb(most) } else { 0 };
        let factor = power(-exponent) / shape.pixels() as f64;
        let gradient = &mut self.gradients[at];
        for pixel in gradient.chunks_exact_mut(channels) {
            pixel.iter_mut().zip(&columns).for_each(|(g, sum)| *g = (sum * factor) as f32);
        }
        self.gradient_exponents[last] = exponent + normalise(self.isa, gradient);
        sums
    }

    /// The gradient of value `v` from its readers, and the sums of the convolutions that leave it.
    fn backward(&mut self, v: usize, add: &mut impl FnMut([f64; 3])) {
        let (isa, plan) = (self.isa, self.plan);
        let value = &plan.values[v];
        let size = (value.shape.height, value.shape.width);
        let len = map_len(&value.shape);
        let channels = padded_channels(value.shape.channels);
        let at = self.value_at(v);
        with(|scratch| {
            if plan.stages[2] != Some(v) {
                let conv_exponent = |c: usize| {
                    let conv = &plan.convs[c];
                    self.gradient_exponents[conv.target] + self.bank.absolute(conv).exponent
                };
                let readers: Vec<(usize, &Term)> = plan.readers(v).collect();
                let of_convs = value.convs.iter().map(|&c| conv_exponent(c));
                let top = of_convs.chain(readers.iter().map(|(u, _)| self.gradient_exponents[*u])).max().unwrap_or(0);
                let out = grown(&mut scratch.value, len);
                out.fill(0.0);
                for (u, term) in readers {
                    let factor = power(self.gradient_exponents[u] - top) as f32;
                    let d = &self.gradients[self.value_at(u)];
                    if matches!(term, Term::Pool(_)) {
                        let pooled = grown(&mut scratch.map, len);
                        pooled.fill(0.0);
                        let columns = grown(&mut scratch.columns, (size.1 + 2) * channels);
                        maps::add_pool_adjoint(isa, pooled, d, size, columns);
                        add_times(isa, out, pooled, factor);
                    } else {
                        add_times(isa, out, d, factor);
                    }
                }
                for &c in &value.convs {
                    let conv = &plan.convs[c];
                    let factor = power(conv_exponent(c) - top) as f32;
                    let d = &self.gradients[self.value_at(conv.target)];
                    let outputs = padded_channels(conv.shape.channels);
                    let (h, w) = if conv.before == Before::Average { (size.0 / 2, size.1 / 2) } else { size };
                    let padded = grown(&mut scratch.padded, padded_len(h, w, outputs));
                    maps::spread(d, (conv.shape.height, conv.shape.width), conv.stride, outputs, padded);
                    let (geometry, start) = Geometry::over_padded(conv.kernel, 1, outputs, (h, w), channels);
                    let back = grown(&mut scratch.map, h * w * channels);
                    forward(isa, &geometry, &padded[start..], &self.bank.absolute(conv).backward, back);
                    if conv.before == Before::Average {
                        multiply(isa, back, factor);
                        maps::add_average_adjoint(isa, out, back, size);
                    } else {
                        // Where the value is zero so is its gradient's only use, the weights before it; where it is
                        // positive the ReLU passes everything.
                        add_times(isa, out, back, factor);
                    }
                }
                self.gradient_exponents[v] = top + normalise(isa, out);
                self.gradients[at.clone()].copy_from_slice(out);
            }
            for &c in &value.convs {
                let conv = &plan.convs[c];
                self.source(v, conv, scratch);
                add(self.weights(conv, &scratch.padded, self.exponents[v]));
            }
        });
    }

    /// The sums over one convolution's weights; `exponent` belongs to its padded source.
    fn weights(&mut self, conv: &Conv, padded: &[f32], exponent: i32) -> [f64; 3] {
        let packed = self.bank.absolute(conv);
        let (geometry, start) = Pass::geometry(conv);
        let d = &self.gradients[self.value_at(conv.target)];
        let g = grown(self.weight_gradient, packed.forward.len());
        g.fill(0.0);
        weight_gradient(self.isa, &geometry, &padded[start..], d, g);
        let factor = power(exponent + self.gradient_exponents[conv.target]);
        log_sums(self.isa, &packed.forward, g, factor).map(|sum| sum * power(packed.exponent))
    }
}

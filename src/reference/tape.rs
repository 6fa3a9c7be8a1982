//! Forward operations that remember what their backward pass needs.
//!
//! A [`Tape`] carries out one operation at a time and, if it records, lists them; [`Tape::backward`] walks the list in reverse
//! and adds up gradients. A tape that does not record frees each value as soon as nobody holds it.

use super::conv::Conv;
use super::norm::Moments;
use super::parameters::Parameters;
use super::pool::Pool;
use super::tensor::Tensor;
use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::rc::Rc;

/// A tensor that was computed on a tape.
#[derive(Clone, Debug)]
pub struct Value {
    id: usize,
    tensor: Rc<Tensor>,
}

impl Deref for Value {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        &self.tensor
    }
}

enum Operation {
    Conv { x: Value, conv: Conv, weight: String },
    Bias { x: usize, bias: String },
    BatchNorm { x: Value, moments: Moments, gamma: String, beta: String },
    Relu { x: Value },
    Pool { x: usize, shape: [usize; 4], pool: Pool },
    Sum { terms: Vec<usize> },
}

/// Gradients of what a backward pass was started from.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    /// With respect to the parameters that the recorded operations used, by name: zeros where no path led to one.
    pub parameters: BTreeMap<String, Vec<f64>>,
    leaves: HashMap<usize, Tensor>,
}

impl Gradients {
    /// The gradient with respect to a value that entered by [`Tape::input`]; `None` where no path led to it.
    pub fn of(&self, leaf: &Value) -> Option<&Tensor> {
        self.leaves.get(&leaf.id)
    }

    fn add(&mut self, name: String, gradient: Option<Vec<f64>>, parameters: &Parameters) {
        let sum = self.parameters.entry(name).or_insert_with_key(|name| vec![0.0; parameters[name].values.len()]);
        if let Some(gradient) = gradient {
            sum.iter_mut().zip(gradient).for_each(|(a, b)| *a += b);
        }
    }
}

/// The operations of one forward pass over given parameters.
///
/// # Panics
/// Operations panic when a convolution's or a bias' parameter is missing or when shapes do not fit together.
pub struct Tape<'a> {
    parameters: &'a Parameters,
    record: bool,
    list: Vec<(usize, Operation)>,
    values: usize,
}

impl<'a> Tape<'a> {
    /// An empty tape; `record` if [`Tape::backward`] will be called.
    pub fn new(parameters: &'a Parameters, record: bool) -> Tape<'a> {
        Tape { parameters, record, list: Vec::new(), values: 0 }
    }

    /// A value that comes from outside.
    pub fn input(&mut self, tensor: Tensor) -> Value {
        self.values += 1;
        Value { id: self.values - 1, tensor: Rc::new(tensor) }
    }

    /// Convolution with the parameter `weight`, padding half its side, stride `stride`. A weight of two dimensions is a
    /// 1×1 kernel.
    pub fn conv(&mut self, x: &Value, weight: &str, stride: usize) -> Value {
        let parameter = &self.parameters[weight];
        let side = parameter.shape.get(2).copied().unwrap_or(1);
        let conv = Conv { outputs: parameter.shape[0], inputs: parameter.shape[1], side, stride };
        assert_eq!(x.shape[1], conv.inputs, "channels that {weight} reads");
        let y = conv.forward(x, &parameter.values);
        self.push(y, || Operation::Conv { x: x.clone(), conv, weight: weight.to_string() })
    }

    /// Adds the parameter `bias`, one number per channel.
    pub fn bias(&mut self, x: &Value, bias: &str) -> Value {
        let parameter = &self.parameters[bias].values;
        assert_eq!(x.shape[1], parameter.len(), "channels that {bias} shifts");
        let mut y = Tensor::clone(x);
        let pixels = y.pixels();
        for (i, map) in y.values.chunks_exact_mut(pixels).enumerate() {
            map.iter_mut().for_each(|v| *v += parameter[i % parameter.len()]);
        }
        self.push(y, || Operation::Bias { x: x.id, bias: bias.to_string() })
    }

    /// BatchNorm with the parameters `[γ, β]`, or without scale and shift where they are not among the parameters.
    pub fn batch_norm(&mut self, x: &Value, [gamma, beta]: [String; 2]) -> Value {
        let moments = Moments::of(x);
        let affine = self.parameters.get(&gamma).zip(self.parameters.get(&beta));
        let y = moments.normalise(x, affine.map(|(g, b)| [&g.values[..], &b.values[..]]));
        self.push(y, || Operation::BatchNorm { x: x.clone(), moments, gamma, beta })
    }

    /// max(x, 0), with derivative 0 at 0. NaN stays NaN.
    pub fn relu(&mut self, x: &Value) -> Value {
        self.push(x.map(|v| if v <= 0.0 { 0.0 } else { v }), || Operation::Relu { x: x.clone() })
    }

    /// An average or a resize.
    pub fn pool(&mut self, x: &Value, pool: Pool) -> Value {
        self.push(pool.forward(x), || Operation::Pool { x: x.id, shape: x.shape, pool })
    }

    /// The sum of the terms, zeros of this shape where there are none.
    pub fn sum(&mut self, terms: &[Value], shape: [usize; 4]) -> Value {
        let mut y = Tensor::zeros(shape);
        terms.iter().for_each(|term| y.add(term));
        self.push(y, || Operation::Sum { terms: terms.iter().map(|term| term.id).collect() })
    }

    fn push(&mut self, y: Tensor, operation: impl FnOnce() -> Operation) -> Value {
        let y = self.input(y);
        if self.record {
            self.list.push((y.id, operation()));
        }
        y
    }

    /// The gradients of Σ ⟨seed, value⟩ over the given pairs.
    pub fn backward(self, seeds: Vec<(Value, Tensor)>) -> Gradients {
        let mut pending: HashMap<usize, Tensor> = HashMap::new();
        for (value, seed) in seeds {
            accumulate(&mut pending, value.id, seed);
        }
        let mut result = Gradients::default();
        for (y, operation) in self.list.into_iter().rev() {
            let g = pending.remove(&y);
            match operation {
                Operation::Conv { x, conv, weight } => {
                    let values = &self.parameters[&weight].values;
                    if let Some(g) = &g {
                        accumulate(&mut pending, x.id, conv.input_gradient(g, values, x.shape));
                    }
                    result.add(weight, g.map(|g| conv.weight_gradient(&x, &g)), self.parameters);
                }
                Operation::Bias { x, bias } => {
                    let channels = self.parameters[&bias].values.len();
                    result.add(bias, g.as_ref().map(|g| channel_sums(g, channels)), self.parameters);
                    g.into_iter().for_each(|g| accumulate(&mut pending, x, g));
                }
                Operation::BatchNorm { x, moments, gamma, beta } => {
                    let scale = self.parameters.get(&gamma).map(|p| &p.values[..]);
                    let of = g.map(|g| moments.backward(&x, scale, &g));
                    let (mut of_gamma, mut of_beta) = (None, None);
                    if let Some(of) = of {
                        accumulate(&mut pending, x.id, of.x);
                        (of_gamma, of_beta) = (Some(of.gamma), Some(of.beta));
                    }
                    if scale.is_some() {
                        result.add(gamma, of_gamma, self.parameters);
                        result.add(beta, of_beta, self.parameters);
                    }
                }
                Operation::Relu { x } => {
                    if let Some(mut g) = g {
                        g.values.iter_mut().zip(&x.values).for_each(|(g, &x)| *g = if x <= 0.0 { 0.0 } else { *g });
                        accumulate(&mut pending, x.id, g);
                    }
                }
                Operation::Pool { x, shape, pool } => {
                    g.into_iter().for_each(|g| accumulate(&mut pending, x, pool.input_gradient(&g, shape)));
                }
                Operation::Sum { terms } => {
                    if let Some(g) = g {
                        terms.into_iter().for_each(|term| accumulate(&mut pending, term, g.clone()));
                    }
                }
            }
        }
        result.leaves = pending;
        result
    }
}

fn accumulate(pending: &mut HashMap<usize, Tensor>, id: usize, g: Tensor) {
    match pending.entry(id) {
        std::collections::hash_map::Entry::Occupied(mut sum) => sum.get_mut().add(&g),
        std::collections::hash_map::Entry::Vacant(place) => {
            place.insert(g);
        }
    }
}

fn channel_sums(g: &Tensor, channels: usize) -> Vec<f64> {
    let mut sums = vec![0.0; channels];
    for (i, map) in g.values.chunks_exact(g.pixels()).enumerate() {
        sums[i % channels] += map.iter().sum::<f64>();
    }
    sums
}

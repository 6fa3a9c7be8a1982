//! LossSlope's raw numbers for a population: ten steps of SGD, all on the card.
//!
//! A chunk's cells go in step. A step is the same launches each time: forward, heads, back, update; only the images and the place of
//! the loss differ. So the whole training of a chunk is recorded as one graph and started once; the losses are read at its end.
//! Where the driver does not record, the same launches are given one by one, with the same results to the last bit.

mod backward;
mod heads;
mod layout;

use super::bank::Bank;
use super::chunk::{self, chunks, Arena};
use super::device::{aligned, Device, Memory, Recording};
use super::forward::{CellAddresses, Traveller, Way};
use super::jobs::{CopyJob, SgdJob};
use super::launches;
use super::layout::{image_map, Turns};
use super::program::{PlacedProgram, Program, Section};
use super::Precision;
use crate::backend::Watch;
use crate::error::{Error, Result};
use crate::input::RegressionTask;
use crate::plan::Plan;
use crate::weights::{NormSlot, Slot, HEAD_CHANNELS};
use backward::{Images, Returning};
use heads::{HeadPlaces, Heads, Setting};
pub use layout::Kind;
use layout::{Layout, HEAD_PIXELS};
use rayon::prelude::*;
use std::collections::HashMap;

/// Decay of weights; γ, β and biases have none.
const WEIGHT_DECAY: f32 = 4e-5;

/// A task on the card.
pub struct Task {
    /// The task itself.
    pub task: RegressionTask,
    memory: Memory,
    /// Bytes of a step's images.
    map_bytes: usize,
    /// Where the targets begin.
    targets: [usize; 3],
}

impl Task {
    /// Uploads a task: the images of each step with their noise, and the targets.
    pub fn new(device: &Device, task: &RegressionTask) -> Result<Task> {
        let images = &task.images;
        let pixels = images.height * images.width;
        let mut floats: Vec<f32> = Vec::new();
        for noise in &task.noise {
            floats.extend(image_map(&images.pixels, Some(noise), images.count, pixels));
            floats.resize(aligned(floats.len() * 4) / 4, 0.0);
        }
        let map_bytes = floats.len() * 4 / task.noise.len().max(1);
        let targets = [0, 1, 2].map(|stage| {
            let (at, channels, target) = (floats.len(), HEAD_CHANNELS[stage], &task.targets[stage]);
            let number = |i: usize| {
                let (channel, pixel) = (i % channels, i / channels);
                target[(pixel / HEAD_PIXELS * channels + channel) * HEAD_PIXELS + pixel % HEAD_PIXELS]
            };
            floats.extend((0..target.len()).map(number));
            floats.resize(aligned(floats.len() * 4) / 4, 0.0);
            at * 4
        });
        let mut memory = device.demand(floats.len() * 4, "the regression task")?;
        device.write(&mut memory, 0, &floats)?;
        Ok(Task { task: task.clone(), memory, map_bytes, targets })
    }

    fn images(&self, step: usize) -> u64 {
        self.memory.address() + (step * self.map_bytes) as u64
    }
}

/// What all trainings of a device share.
pub struct Surroundings<'a> {
    /// The card.
    pub device: &'a Device,
    /// Arithmetic of the convolutions.
    pub precision: Precision,
    /// The initial weights.
    pub bank: &'a Bank,
    /// The task.
    pub task: &'a Task,
}

/// The sections of a chunk's program.
struct Sections {
    start: Section,
    images: Vec<Section>,
    forward: Section,
    losses: Vec<Section>,
    back: Section,
    update: Section,
}

/// A chunk that is laid out.
struct Training {
    program: PlacedProgram,
    sections: Sections,
    /// All launches, where the driver records.
    recording: Option<Recording>,
}

/// The losses of all steps of all plans, in their order; not a number from the step after which one was not finite.
pub fn losses(around: &Surroundings, arena: &mut Arena, plans: &[Plan], watch: &dyn Watch) -> Result<Vec<Vec<f64>>> {
    let population = Population::new(around, plans);
    let (sizes, common) = (population.sizes(), population.common());
    let mut trainings = Trainings { population, watch, results: Vec::with_capacity(plans.len()) };
    chunks(around.device, arena, common, &sizes, &mut trainings)?;
    Ok(trainings.results)
}

/// The norms of the gradients of the first step, each with what it is a gradient by.
pub fn first_gradients(around: &Surroundings, arena: &mut Arena, plan: &Plan) -> Result<Vec<(Kind, f64)>> {
    let population = Population::new(around, std::slice::from_ref(plan));
    let (sizes, common) = (population.sizes(), population.common());
    let mut step = FirstStep { population, norms: Vec::new() };
    chunks(around.device, arena, common, &sizes, &mut step)?;
    Ok(step.norms)
}

/// All networks to train, laid out.
struct Population<'a> {
    around: &'a Surroundings<'a>,
    plans: &'a [Plan],
    turns: Vec<Turns>,
    layouts: Vec<Layout>,
    places: [HeadPlaces; 3],
}

impl<'a> Population<'a> {
    fn new(around: &'a Surroundings, plans: &'a [Plan]) -> Self {
        let (skeleton, images) = (around.bank.weights().skeleton(), around.task.task.images.count);
        let (places, head_bytes) = HeadPlaces::of(skeleton, images);
        let of_plan = |plan| {
            let turns = Turns::of(plan, skeleton);
            let layout = Layout::new(plan, &turns, skeleton, images, head_bytes);
            (turns, layout)
        };
        let (turns, layouts) = plans.par_iter().map(of_plan).unzip();
        Population { around, plans, turns, layouts, places }
    }

    /// Bytes of each network.
    fn sizes(&self) -> Vec<usize> {
        self.layouts.iter().map(|layout| layout.bytes).collect()
    }

    /// Bytes before the cells of a chunk: the images of the step, and the losses.
    fn common(&self) -> usize {
        self.around.task.map_bytes + aligned(self.plans.len() * self.steps() * 8)
    }

    fn steps(&self) -> usize {
        self.around.task.task.noise.len()
    }

    /// The training of a chunk, not yet recorded.
    fn training(&self, chunk: &chunk::Chunk) -> Result<Training> {
        let range = chunk.range.clone();
        let cells = Cells {
            plans: &self.plans[range.clone()],
            turns: &self.turns[range.clone()],
            layouts: &self.layouts[range],
            begins: &chunk.addresses(),
            image: chunk.base,
            losses: chunk.base + self.around.task.map_bytes as u64,
        };
        let (program, sections) = cells.program(self.around, self.places);
        Ok(Training { program: program.placed(self.around.device)?, sections, recording: None })
    }
}

/// Trainings, and the losses of those that have ended.
struct Trainings<'a> {
    population: Population<'a>,
    watch: &'a dyn Watch,
    results: Vec<Vec<f64>>,
}

impl chunk::Work for Trainings<'_> {
    type Ready = Training;

    fn lay_out(&mut self, chunk: &chunk::Chunk) -> Result<Training> {
        if self.watch.cancelled() {
            return Err(Error::Interrupted);
        }
        let (device, steps) = (self.population.around.device, self.population.steps());
        let mut training = self.population.training(chunk)?;
        training.recording = device.record(|| training.run(device, steps));
        Ok(training)
    }

    fn start(&mut self, training: &mut Training) -> Result<()> {
        let (device, steps) = (self.population.around.device, self.population.steps());
        training.program.upload(device)?;
        match &training.recording {
            Some(recording) => device.replay(recording),
            None => training.run(device, steps),
        }
    }

    fn finish(&mut self, chunk: &chunk::Chunk, memory: &Memory) -> Result<()> {
        let (around, steps) = (self.population.around, self.population.steps());
        let all: Vec<f64> = around.device.read(memory, around.task.map_bytes, chunk.range.len() * steps)?;
        for losses in all.chunks_exact(steps.max(1)) {
            let mut losses = losses.to_vec();
            let finite = losses.iter().position(|loss| !loss.is_finite()).unwrap_or(steps);
            losses[finite..].fill(f64::NAN);
            self.results.push(losses);
            self.watch.advance();
        }
        Ok(())
    }
}

/// The first step of one training, without its update.
struct FirstStep<'a> {
    population: Population<'a>,
    norms: Vec<(Kind, f64)>,
}

impl chunk::Work for FirstStep<'_> {
    type Ready = Training;

    fn lay_out(&mut self, chunk: &chunk::Chunk) -> Result<Training> {
        self.population.training(chunk)
    }

    fn start(&mut self, Training { program, sections, .. }: &mut Training) -> Result<()> {
        let device = self.population.around.device;
        program.upload(device)?;
        let Sections { start, images, forward, losses, back, .. } = sections;
        [start, &images[0], forward, &losses[0], back].into_iter().try_for_each(|section| program.run(device, section))
    }

    fn finish(&mut self, chunk: &chunk::Chunk, memory: &Memory) -> Result<()> {
        for (layout, begin) in self.population.layouts.iter().zip(&chunk.begins) {
            for parameter in &layout.parameters {
                let count = parameter.count * parameter.parts;
                let parts: Vec<f32> = self.population.around.device.read(memory, begin + parameter.gradient, count)?;
                let sum = |i: usize| parts[i..].iter().step_by(parameter.count).map(|g| f64::from(*g)).sum::<f64>();
                self.norms.push((parameter.kind, (0..parameter.count).map(|i| sum(i) * sum(i)).sum::<f64>().sqrt()));
            }
        }
        Ok(())
    }
}

/// The cells of a chunk.
struct Cells<'a> {
    plans: &'a [Plan],
    turns: &'a [Turns],
    layouts: &'a [Layout],
    begins: &'a [u64],
    image: u64,
    losses: u64,
}

impl Cells<'_> {
    fn program(&self, around: &Surroundings, places: [HeadPlaces; 3]) -> (Program, Sections) {
        let task = around.task;
        let (images, steps) = (task.task.images.count, task.task.noise.len());
        let setting = Setting {
            images,
            skeleton: around.bank.weights().skeleton(),
            places,
            targets: task.targets.map(|at| task.memory.address() + at as u64),
            precision: around.precision,
        };
        let parameters: Vec<HashMap<Kind, [u64; 2]>> = (0..self.plans.len()).map(|at| self.parameters(at)).collect();
        let of = |at: usize, kind: Kind| parameters[at].get(&kind).copied().unwrap_or([0; 2]);

        let travellers: Vec<Traveller> = (0..self.plans.len())
            .map(|at| Traveller {
                plan: &self.plans[at],
                turns: &self.turns[at],
                addresses: CellAddresses::new(&self.layouts[at].forward, self.begins[at]),
            })
            .collect();
        let heads: Vec<Heads> = (0..self.plans.len())
            .map(|at| {
                let plan = &self.plans[at];
                let list = |stage: usize, which: usize| head_kinds(stage).map(|kind| of(at, kind)[which]);
                Heads {
                    base: self.begins[at] + self.layouts[at].heads as u64,
                    stages: plan.stages.map(|v| v.map_or(0, |v| travellers[at].addresses.values[v])),
                    parameters: [0, 1, 2].map(|stage| list(stage, 0)),
                    gradients: [0, 1, 2].map(|stage| list(stage, 1)),
                    losses: self.losses + (at * steps * 8) as u64,
                }
            })
            .collect();
        let returning: Vec<Returning> = (0..self.plans.len())
            .map(|at| self.returning(at, &travellers[at].addresses, &heads[at], &setting, &|kind| of(at, kind)))
            .collect();

        let mut program = Program::default();
        let start = program.section(|program| self.start(program, around));
        let images_sections = (0..steps)
            .map(|step| {
                let (from, count) = (task.images(step), (task.map_bytes / 4) as i32);
                program
                    .section(|program| launches::copy(program, &[CopyJob { from, to: self.image, count, padding: 0 }]))
            })
            .collect();
        let forward = program.section(|program| {
            let way = Way {
                images,
                precision: around.precision,
                image: self.image,
                code_stride: 0,
                weight: &|at, conv| of(at, Kind::Weights(self.plans[at].convs[conv].slot))[0],
                norm: &|at, slot| super::bank::NormAddress {
                    gamma: of(at, Kind::Gamma(slot))[0],
                    beta: of(at, Kind::Beta(slot))[0],
                },
                moments: true,
                given: &|_, _, _| false,
            };
            way.emit(program, &travellers);
            setting.forward(program, &heads);
        });
        let losses = (0..steps).map(|step| program.section(|program| setting.losses(program, step, &heads))).collect();
        let back = program.section(|program| {
            setting.backward(program, &heads);
            backward::turn_weights(program, &returning);
            backward::emit(program, Images { count: images, map: self.image }, around.precision, &returning);
        });
        let update = program.section(|program| self.update(program));
        (program, Sections { start, images: images_sections, forward, losses, back, update })
    }

    /// Addresses of a cell's parameters and of the gradients by them.
    fn parameters(&self, at: usize) -> HashMap<Kind, [u64; 2]> {
        let (layout, begin) = (&self.layouts[at], self.begins[at]);
        let values = begin + layout.values_of_parameters as u64;
        let entry = |p: &layout::Parameter| (p.kind, [values + p.at as u64, begin + p.gradient as u64]);
        layout.parameters.iter().map(entry).collect()
    }

    fn returning<'a>(
        &'a self,
        at: usize,
        addresses: &'a CellAddresses,
        heads: &Heads,
        setting: &Setting,
        of: &dyn Fn(Kind) -> [u64; 2],
    ) -> Returning<'a> {
        let (plan, layout, begin) = (&self.plans[at], &self.layouts[at], self.begins[at]);
        let places = |list: &[usize]| -> Vec<u64> {
            list.iter().map(|at| if *at == usize::MAX { 0 } else { begin + *at as u64 }).collect()
        };
        let weights = |which: usize| plan.convs.iter().map(|conv| of(Kind::Weights(conv.slot))[which]).collect();
        let norm = |conv: &crate::plan::Conv| {
            let slot = NormSlot::After(conv.slot);
            let ([gamma, of_gamma], [_, of_beta]) = (of(Kind::Gamma(slot)), of(Kind::Beta(slot)));
            [gamma, of_gamma, of_beta]
        };
        Returning {
            plan,
            addresses,
            values: places(&layout.values),
            sources: places(&layout.sources),
            coefficients: places(&layout.coefficients),
            turned: places(&layout.turned),
            weights: weights(0),
            weight_gradients: weights(1),
            norms: plan.convs.iter().map(norm).collect(),
            heads: [0, 1, 2].map(|stage| setting.resized_gradient(heads.base, stage)),
        }
    }

    /// The initial parameters, and momenta of zero.
    fn start(&self, program: &mut Program, around: &Surroundings) {
        let mut jobs = Vec::new();
        for (layout, begin) in self.layouts.iter().zip(self.begins) {
            let values = begin + layout.values_of_parameters as u64;
            for parameter in &layout.parameters {
                let from = around.bank.initial(parameter.kind);
                let to = values + parameter.at as u64;
                jobs.push(CopyJob { from, to, count: parameter.count as i32, padding: 0 });
            }
            let (to, count) = (begin + layout.momenta as u64, (layout.heads - layout.momenta) as i32 / 4);
            jobs.push(CopyJob { from: 0, to, count, padding: 0 });
        }
        launches::copy(program, &jobs);
    }

    fn update(&self, program: &mut Program) {
        let mut jobs = Vec::new();
        for (layout, begin) in self.layouts.iter().zip(self.begins) {
            for parameter in &layout.parameters {
                let decays = matches!(parameter.kind, Kind::Weights(_));
                jobs.push(SgdJob {
                    w: begin + (layout.values_of_parameters + parameter.at) as u64,
                    m: begin + (layout.momenta + parameter.at) as u64,
                    gradient: begin + parameter.gradient as u64,
                    weights: parameter.count as i32,
                    parts: parameter.parts as i32,
                    decay: if decays { WEIGHT_DECAY } else { 0.0 },
                    padding: 0,
                });
            }
        }
        // Lists of like length together, so that no launch has many blocks for few numbers.
        jobs.sort_by_key(|job| std::cmp::Reverse(job.weights));
        jobs.chunk_by(|a, b| a.weights / 4 < b.weights).for_each(|jobs| launches::sgd(program, jobs));
    }
}

impl Training {
    /// Gives the launches of all steps to the card.
    fn run(&self, device: &Device, steps: usize) -> Result<()> {
        let Sections { start, images, forward, losses, back, update } = &self.sections;
        self.program.run(device, start)?;
        for step in 0..steps {
            for section in [&images[step], forward, &losses[step]] {
                self.program.run(device, section)?;
            }
            // The last loss is taken before its update: nothing goes back.
            if step + 1 < steps {
                self.program.run(device, back)?;
                self.program.run(device, update)?;
            }
        }
        Ok(())
    }
}

/// γ, β, weights and bias of a head.
fn head_kinds(stage: usize) -> [Kind; 4] {
    let norm = NormSlot::Head(stage);
    [Kind::Gamma(norm), Kind::Beta(norm), Kind::Weights(Slot::Head(stage)), Kind::Bias(Slot::HeadBias(stage))]
}

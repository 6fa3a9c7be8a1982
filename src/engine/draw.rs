//! One draw of weights, targets and noise, and what has been computed under it.

use super::inputs::Inputs;
use super::options::Options;
use crate::backend::{Backend, SynflowSums, Watch};
use crate::error::Result;
use crate::input::{Batch, RegressionTask, NOISE};
use crate::measure::{loss_slope, naswot, SlopeFit};
use crate::plan::{Overflow, Plan, Purpose, LARGEST_SUM};
use crate::random::Seeds;
use crate::space::{Cell, Skeleton};
use crate::tensor_file::TensorFile;
use crate::weights::Weights;
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The least cells handed to the backend at a time. That they are handed over in chunks bounds the memory of raw numbers (130 kB a
/// cell for 128 images).
const CHUNK: usize = 64;

/// The weights of naswot and LogSynflow, and those of LossSlope.
#[derive(Clone)]
pub struct Networks {
    scores: Arc<Weights>,
    slope: Arc<Weights>,
}

/// A draw: its weights, LossSlope's task, and the memory of results by cell.
pub struct Draw {
    seeds: Seeds,
    networks: Option<Networks>,
    given: Mutex<HashMap<Cell, Networks>>,
    task: OnceLock<RegressionTask>,
    naswot: Memo<f64>,
    synflow: Memo<SynflowSums>,
    slope: Arc<Memo<Slopes>>,
}

/// What a draw remembers.
pub struct Memory {
    naswot: HashMap<Cell, f64>,
    synflow: HashMap<Cell, SynflowSums>,
    slope: HashMap<Cell, Slopes>,
}

/// LossSlope of one training under each fit; `None` where the training diverges.
#[derive(Clone, Copy)]
struct Slopes {
    reference: Option<f64>,
    algorithm1: Option<f64>,
}

impl Slopes {
    fn of(losses: &[f64]) -> Slopes {
        let fitted = |fit| loss_slope::score(losses, fit);
        Slopes { reference: fitted(SlopeFit::Reference), algorithm1: fitted(SlopeFit::Algorithm1) }
    }

    fn by(self, fit: SlopeFit) -> Option<f64> {
        match fit {
            SlopeFit::Reference => self.reference,
            SlopeFit::Algorithm1 => self.algorithm1,
        }
    }
}

/// Results by cell.
struct Memo<T>(Mutex<HashMap<Cell, T>>);

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Memo(Mutex::default())
    }
}

impl<T: Copy> Memo<T> {
    fn take(&self) -> HashMap<Cell, T> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn recall(&self, known: HashMap<Cell, T>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(known);
    }

    /// The results of `cells`, those not yet known by `compute`, `chunk` at a time.
    fn get(&self, cells: &[Cell], chunk: usize, compute: impl Fn(&[Cell]) -> Result<Vec<T>>) -> Result<Vec<T>> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: HashMap<Cell, T> = {
            let known = known();
            cells.iter().filter_map(|cell| Some((*cell, *known.get(cell)?))).collect()
        };
        let mut missing: Vec<Cell> = cells.iter().copied().filter(|cell| !found.contains_key(cell)).collect();
        missing.sort_unstable();
        missing.dedup();
        for chunk in missing.chunks(chunk.max(1)) {
            let computed = compute(chunk)?;
            let computed = || chunk.iter().copied().zip(computed.iter().copied());
            // Another thread may forget at any time: what this call needs it keeps.
            found.extend(computed());
            known().extend(computed());
        }
        Ok(cells.iter().map(|cell| found[cell]).collect())
    }
}

/// What all draws of an engine share.
pub struct Shared<'a> {
    /// The engine's options.
    pub options: &'a Options,
    /// Where to compute.
    pub backend: &'a dyn Backend,
    /// naswot's images.
    pub batch: &'a Batch,
    /// LossSlope's images.
    pub regression_images: &'a Batch,
    /// Weights from a file, if given.
    pub file: Option<&'a TensorFile>,
}

impl Shared<'_> {
    /// Cells handed to the backend at a time.
    fn chunk(&self) -> usize {
        self.backend.cells_at_a_time(rayon::current_num_threads()).max(CHUNK)
    }
}

impl Draw {
    /// The draw of these seeds. `network` is the skeleton, `None` where weights come from a file.
    pub fn new(
        options: &Options,
        seeds: Seeds,
        network: Option<&Skeleton>,
        regression: (usize, usize),
    ) -> Result<Draw> {
        let networks = match network {
            Some(skeleton) => {
                let scores = Arc::new(Weights::generated(*skeleton, options.init, seeds.weight)?);
                let of_slope = Skeleton { height: regression.0, width: regression.1, ..*skeleton };
                let same = of_slope == *skeleton && options.init == options.slope_init;
                let slope = match same {
                    true => scores.clone(),
                    false => Arc::new(Weights::generated(of_slope, options.slope_init, seeds.weight)?),
                };
                Some(Networks { scores, slope })
            }
            None => None,
        };
        Ok(Draw {
            seeds,
            networks,
            given: Mutex::default(),
            task: OnceLock::new(),
            naswot: Memo::default(),
            synflow: Memo::default(),
            slope: Arc::default(),
        })
    }

    /// Shares the memory of LossSlope with a draw of another engine, if both train alike: the same drawn weights, apart from the
    /// classifier's, which LossSlope has no use for, and the same targets and noise. Images are the caller's concern.
    pub fn share_trainings(&mut self, other: &Draw) {
        let seeds = |draw: &Draw| (draw.seeds.weight, draw.seeds.target, draw.seeds.noise);
        let (Some(own), Some(others)) = (&self.networks, &other.networks) else { return };
        if seeds(self) == seeds(other) && own.slope.alike_but_for_classes(&others.slope) {
            self.slope = other.slope.clone();
        }
    }

    /// The weights for these cells: the drawn ones, or those of the file, which fit one cell alone.
    fn networks(&self, cells: &[Cell], shared: &Shared) -> Result<Networks> {
        if let Some(networks) = &self.networks {
            return Ok(networks.clone());
        }
        let (Some(file), Some(cell)) = (shared.file, cells.first()) else {
            return Err(crate::Error::Internal("a draw has neither seeds nor a file for its weights".into()));
        };
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(networks) = given.get(cell) {
            return Ok(networks.clone());
        }
        let read = |images: &Batch| {
            let weights = Weights::from_safetensors(file, "", cell, (images.height, images.width))?;
            Ok::<_, crate::Error>(Arc::new(weights.draw_missing(shared.options.slope_init, self.seeds.weight)))
        };
        let networks = Networks { scores: read(shared.batch)?, slope: read(shared.regression_images)? };
        given.insert(*cell, networks.clone());
        Ok(networks)
    }

    /// The weights for these cells, if f32 holds what they make of the images; drawn ones always do. LossSlope's heads are not looked at: no
    /// ReLU stands behind them, and a training that they make diverge is called so.
    fn in_range(&self, cells: &[Cell], purpose: Purpose, shared: &Shared) -> Result<Networks> {
        let networks = self.networks(cells, shared)?;
        let (Some(file), None, Some(cell)) = (shared.file, &self.networks, cells.first()) else { return Ok(networks) };
        let (weights, images, noise) = match purpose {
            Purpose::Stages => (&networks.slope, shared.regression_images, NOISE),
            _ => (&networks.scores, shared.batch, 0.0),
        };
        let pixel = images.pixels.iter().fold(0.0, |most: f32, pixel| most.max(pixel.abs()));
        let plan = Plan::new(cell, weights.skeleton(), purpose, weights.shifts());
        match plan.overflow(weights, f64::from(pixel) + noise, images.count) {
            None => Ok(networks),
            Some(Overflow { tensor, reach }) => Err(file.wrong(
                &tensor,
                format!("weights with which the squares of a channel's numbers add up to {LARGEST_SUM:e} at most, which f32 holds"),
                format!("such that they may add up to {reach:.0e}"),
                "Look how the file was made: weights of trained networks are below ten.",
            )),
        }
    }

    /// What the scores of a cell are computed from.
    pub fn inputs<'a>(&'a self, cell: &Cell, shared: &Shared<'a>) -> Result<Inputs<'a>> {
        let Networks { scores, slope } = self.networks(&[*cell], shared)?;
        Ok(Inputs { batch: shared.batch, weights: scores, slope_weights: slope, task: self.task(shared) })
    }

    /// Takes what is remembered, so that nothing is. Weights and LossSlope's task stay.
    pub fn take(&self) -> Memory {
        Memory { naswot: self.naswot.take(), synflow: self.synflow.take(), slope: self.slope.take() }
    }

    /// Remembers again what was taken.
    pub fn recall(&self, memory: Memory) {
        self.naswot.recall(memory.naswot);
        self.synflow.recall(memory.synflow);
        self.slope.recall(memory.slope);
    }

    /// naswot of each cell, −∞ where the kernel is singular.
    pub fn naswot(&self, cells: &[Cell], shared: &Shared, watch: &dyn Watch) -> Result<Vec<f64>> {
        let networks = self.in_range(cells, Purpose::Codes, shared)?;
        self.naswot.get(cells, shared.chunk(), |cells| {
            let kernels = shared.backend.kernels(cells, &networks.scores, shared.batch, watch)?;
            Ok(kernels.par_iter().map(naswot::score_of).collect())
        })
    }

    /// Synflow's sums of each cell.
    pub fn synflow(&self, cells: &[Cell], shared: &Shared, watch: &dyn Watch) -> Result<Vec<SynflowSums>> {
        let networks = self.networks(cells, shared)?;
        self.synflow.get(cells, shared.chunk(), |cells| shared.backend.synflow(cells, &networks.scores, watch))
    }

    /// The losses of LossSlope's steps of each cell, which are not remembered.
    pub fn losses(&self, cells: &[Cell], shared: &Shared, watch: &dyn Watch) -> Result<Vec<Vec<f64>>> {
        let networks = self.in_range(cells, Purpose::Stages, shared)?;
        let mut losses = Vec::with_capacity(cells.len());
        for chunk in cells.chunks(shared.chunk()) {
            losses.extend(shared.backend.train(chunk, &networks.slope, self.task(shared), watch)?);
        }
        Ok(losses)
    }

    /// LossSlope's task.
    fn task(&self, shared: &Shared) -> &RegressionTask {
        self.task.get_or_init(|| RegressionTask::draw(shared.regression_images.clone(), &self.seeds))
    }

    /// LossSlope of each cell, `None` where the training diverges. Cells that differ only where no signal passes are trained once.
    pub fn loss_slope(&self, cells: &[Cell], shared: &Shared, watch: &dyn Watch) -> Result<Vec<Option<f64>>> {
        let networks = self.in_range(cells, Purpose::Stages, shared)?;
        let live: Vec<Cell> = match &self.networks {
            Some(_) => cells.iter().map(Cell::live_part).collect(),
            // Weights of a file may shift what a convolution makes of zeros.
            None => cells.to_vec(),
        };
        let slopes = self.slope.get(&live, shared.chunk(), |cells| {
            let losses = shared.backend.train(cells, &networks.slope, self.task(shared), watch)?;
            Ok(losses.iter().map(|losses| Slopes::of(losses)).collect())
        })?;
        Ok(slopes.into_iter().map(|slopes| slopes.by(shared.options.slope_fit)).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::Watch;
    use crate::engine::{Engine, Options};
    use crate::input::Dataset;
    use crate::measure::{Measure, SlopeFit};
    use crate::plan::{Plan, Purpose};
    use crate::random::Seeds;
    use crate::space::{Cell, Skeleton};
    use crate::weights::Init;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts the cells that are computed.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Watch for Count {
        fn advance(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn scores_are_remembered_until_they_are_forgotten() {
        let options = Options { batch: 2, dataset: Dataset::ImageNet16, ..Options::default() };
        let engine = Engine::new(options).unwrap();
        let cells = ["5".parse().unwrap(), "9930".parse().unwrap()];
        for measure in [Measure::Naswot, Measure::LogSynflow, Measure::LossSlope] {
            let count = Count::default();
            let score = || engine.records(&cells, &[measure], &count).unwrap();
            let first = score();
            assert_eq!(count.0.load(Ordering::Relaxed), 2);
            assert_eq!(score(), first);
            assert_eq!(count.0.load(Ordering::Relaxed), 2);
            engine.forget();
            assert_eq!(score(), first);
            assert_eq!(count.0.load(Ordering::Relaxed), 4);
        }
    }

    #[test]
    fn scores_come_whole_while_another_thread_forgets() {
        let options = Options { batch: 2, dataset: Dataset::ImageNet16, ..Options::default() };
        let engine = Engine::new(options).unwrap();
        let cells: Vec<Cell> = Cell::all().step_by(61).collect();
        let score = || engine.records(&cells, &[Measure::LogSynflow], &()).unwrap();
        let expected = score();
        let done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while done.load(Ordering::Relaxed) == 0 {
                    engine.forget();
                }
            });
            let found: Vec<_> = (0..5).map(|_| score()).collect();
            done.store(1, Ordering::Relaxed);
            assert!(found.iter().all(|found| *found == expected));
        });
    }

    #[test]
    fn what_was_remembered_before_cold_work_is_remembered_after() {
        let options = Options { batch: 2, dataset: Dataset::ImageNet16, ..Options::default() };
        let engine = Engine::new(options).unwrap();
        let count = |cells: &[&str]| {
            let count = Count::default();
            let cells: Vec<Cell> = cells.iter().map(|cell| cell.parse().unwrap()).collect();
            engine.records(&cells, &[Measure::Naswot, Measure::LogSynflow, Measure::LossSlope], &count).unwrap();
            count.0.into_inner()
        };
        assert_eq!(count(&["5", "9930"]), 6);
        assert_eq!(engine.cold(|| count(&["9930", "1462"])), 6);
        assert_eq!(count(&["5", "9930", "1462"]), 0);
    }

    #[test]
    fn data_sets_that_differ_in_classes_alone_share_trainings() {
        let options = |dataset| Options { batch: 2, dataset, ..Options::default() };
        let measures = [Measure::Naswot, Measure::LogSynflow, Measure::LossSlope];
        let cells = ["5".parse().unwrap(), "9930".parse().unwrap()];
        let score = |engine: &Engine| {
            let count = Count::default();
            (engine.records(&cells, &measures, &count).unwrap(), count.0.into_inner())
        };
        let ten = Engine::new(options(Dataset::Cifar10)).unwrap();
        assert_eq!(score(&ten).1, 6);
        let alone = Engine::new(options(Dataset::Cifar100)).unwrap();
        let beside = Engine::beside(options(Dataset::Cifar100), [&ten]).unwrap();
        assert_eq!(score(&beside), (score(&alone).0, 4));
        // What the one forgets, the other does.
        ten.forget();
        beside.forget();
        assert_eq!((score(&beside).1, score(&ten).1), (6, 4));
        // Smaller images, another draw, other weights: nothing is shared.
        for other in [
            options(Dataset::ImageNet16),
            Options { seeds: Seeds::new(1), ..options(Dataset::Cifar100) },
            Options { seeds: Seeds { noise: 1, ..Seeds::new(0) }, ..options(Dataset::Cifar100) },
            Options { slope_init: Init::KaimingFanOut, ..options(Dataset::Cifar100) },
        ] {
            let beside = Engine::beside(other.clone(), [&ten]).unwrap();
            assert_eq!(score(&beside).1, 6, "{other:?}");
        }
    }

    #[test]
    fn an_engine_that_fits_otherwise_trains_nothing_anew() {
        let options = Options { batch: 2, dataset: Dataset::ImageNet16, repeats: 2, ..Options::default() };
        let engine = Engine::new(options.clone()).unwrap();
        let other = engine.refitted(SlopeFit::Algorithm1);
        let alone = Engine::new(Options { slope_fit: SlopeFit::Algorithm1, ..options }).unwrap();
        let cells = ["5".parse().unwrap(), "9930".parse().unwrap()];
        let score = |engine: &Engine, count: &Count| {
            engine.records(&cells, &[Measure::Naswot, Measure::LossSlope], count).unwrap()
        };
        let (first, second) = (Count::default(), Count::default());
        let by_reference = score(&engine, &first);
        let by_all_ten = score(&other, &second);
        assert_eq!((first.0.into_inner(), second.0.into_inner()), (8, 0));
        assert_ne!(by_all_ten, by_reference);
        assert_eq!(by_all_ten, score(&alone, &Count::default()));
        assert_eq!(other.configuration(), alone.configuration());
        assert_eq!(engine.configuration().slope_fit, SlopeFit::Reference);
    }

    #[test]
    fn cells_that_differ_only_where_no_signal_passes_are_trained_once() {
        let skeleton = Skeleton::benchmark(10, 32);
        for cell in Cell::all().step_by(37) {
            // Nothing but the count of codes, which training does not read, may differ.
            let plan = |cell: &Cell| {
                let mut plan = Plan::new(cell, &skeleton, Purpose::Stages, false);
                plan.values.iter_mut().for_each(|value| value.codes = 0);
                plan
            };
            assert_eq!(plan(&cell), plan(&cell.live_part()), "{cell}");
        }
        let engine = Engine::new(Options { batch: 2, dataset: Dataset::ImageNet16, ..Options::default() }).unwrap();
        let cell: Cell =
            "|none~0|+|skip_connect~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|skip_connect~2|".parse().unwrap();
        let slope =
            |cell: Cell, count: &Count| engine.records(&[cell], &[Measure::LossSlope], count).unwrap().remove(0).scores;
        let count = Count::default();
        let apart = slope(cell.live_part(), &count);
        assert_ne!(cell, cell.live_part());
        assert_eq!(slope(cell, &count), apart);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }
}

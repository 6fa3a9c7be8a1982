//! The engine: options in, scored cells out.

use super::builder::EngineBuilder;
use super::columns::Columns;
use super::configuration::{Configuration, WeightFile};
use super::device;
use super::draw::{Draw, Memory, Shared};
use super::inputs::Inputs;
use super::options::Options;
use super::record::{Record, Score, Status};
use crate::backend::{Backend, Watch};
use crate::error::{Error, Result};
use crate::input::{Batch, Images, Origin};
use crate::measure::{utopian, Measure, SlopeFit};
use crate::space::{Cell, Skeleton};
use crate::tensor_file::TensorFile;
use crate::weights::{Slot, WeightSource, Weights};
use rayon::{ThreadPool, ThreadPoolBuilder};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Scores cells under one set of options.
///
/// ```
/// use etnas::engine::Engine;
/// use etnas::measure::Measure;
/// let engine = Engine::builder().batch(4).build()?;
/// let cells = ["1462".parse()?, "9930".parse()?];
/// let scores = engine.score(&cells, &[Measure::Naswot, Measure::Degree])?;
/// assert!(scores.values(Measure::Naswot)[0] > 0.0);
/// # Ok::<(), etnas::Error>(())
/// ```
pub struct Engine {
    options: Options,
    backend: Arc<dyn Backend>,
    device_note: Option<String>,
    pub(super) threads: Arc<ThreadPool>,
    origin: Origin,
    pub(super) batch: Arc<Batch>,
    pub(super) regression_images: Arc<Batch>,
    network: Skeleton,
    file: Option<(Arc<TensorFile>, WeightFile)>,
    draws: Arc<[Draw]>,
}

impl Engine {
    /// Loads the images (and weights, if a file is given) and prepares the device.
    ///
    /// # Errors
    /// Options that cannot be carried out, images or weights that are not what they should be, a device that is not there.
    pub fn new(options: Options) -> Result<Engine> {
        let (backend, device_note) = device::backend(&options)?;
        let bounds = [
            ("The number of repeats", Some(options.repeats), 10_000),
            ("The number of threads", options.threads, 1024),
        ];
        for (what, found, most) in bounds {
            if let Some(found) = found.filter(|n| !(1..=most).contains(n)) {
                let expected = format!("from 1 to {most}");
                return Err(Error::options(what, expected, found.to_string(), "Leave the option out for the default."));
            }
        }
        let threads = ThreadPoolBuilder::new()
            .num_threads(options.threads.unwrap_or(0))
            .thread_name(|i| format!("etnas-{i}"))
            .build()
            .map_err(|e| Error::Internal(format!("the worker threads cannot be started: {e}")))?;

        let images =
            Images::load(&options.data, options.dataset, options.batch, options.seeds.data, options.draw_batch)?;
        let (batch, regression_images) =
            (Arc::new(images.batch()), Arc::new(images.regression_images(options.seeds.data)));
        let size = (batch.height, batch.width);
        let file = options.weights.as_ref().map(WeightFile::open).transpose()?;
        let network = match &file {
            Some((tensors, _)) => Weights::skeleton_of(tensors, "", size)?,
            None => Skeleton {
                height: size.0,
                width: size.1,
                ..Skeleton::benchmark(options.classes.unwrap_or(options.dataset.classes()), options.dataset.size())
            },
        };
        network.check()?;
        let of_slope = (regression_images.height, regression_images.width);
        let drawn = file.is_none().then_some(&network);
        let draws = (0..options.repeats)
            .map(|r| Draw::new(&options, options.seeds.repeat(r), drawn, of_slope))
            .collect::<Result<_>>()?;
        let origin = images.origin().clone();
        let (backend, threads) = (Arc::from(backend), Arc::new(threads));
        Ok(Engine { options, backend, device_note, threads, origin, batch, regression_images, network, file, draws })
    }

    /// An engine that remembers LossSlope's trainings together with those of `others` that train alike: on the same images by the
    /// same kernels, with the same weights, targets and noise. CIFAR-10 and CIFAR-100 with the embedded photographs do, since LossSlope
    /// reads no classifier. What one of them forgets the other forgets.
    ///
    /// # Errors
    /// Those of [`Engine::new`].
    pub fn beside<'a>(options: Options, others: impl IntoIterator<Item = &'a Engine>) -> Result<Engine> {
        let mut engine = Engine::new(options)?;
        for other in others {
            let kernels = |engine: &Engine| (engine.backend.name(), engine.backend.kernel_set());
            if kernels(&engine) == kernels(other) && engine.regression_images == other.regression_images {
                let own = Arc::get_mut(&mut engine.draws).into_iter().flatten();
                own.zip(other.draws.iter()).for_each(|(own, others)| own.share_trainings(others));
            }
        }
        Ok(engine)
    }

    /// The same engine with LossSlope's line fitted otherwise. Both share images, weights, device, threads and the memory of scores: a
    /// training that one has seen the other need not repeat, and what one forgets the other forgets.
    pub fn refitted(&self, slope_fit: SlopeFit) -> Engine {
        Engine {
            options: Options { slope_fit, ..self.options.clone() },
            backend: self.backend.clone(),
            device_note: self.device_note.clone(),
            threads: self.threads.clone(),
            origin: self.origin.clone(),
            batch: self.batch.clone(),
            regression_images: self.regression_images.clone(),
            network: self.network,
            file: self.file.clone(),
            draws: self.draws.clone(),
        }
    }

    /// The options that the engine was made with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The network around the cells.
    pub fn network(&self) -> &Skeleton {
        &self.network
    }

    /// Worker threads.
    pub fn threads(&self) -> usize {
        self.threads.current_num_threads()
    }

    /// Why a card that is there is not used though any device would do: a sentence. `None` where there is nothing to tell.
    pub fn device_note(&self) -> Option<&str> {
        self.device_note.as_deref()
    }

    /// The name of the card that computes, if one does, and its f32 operations a second by its data.
    pub fn card(&self) -> Option<(String, f64)> {
        self.backend.card()
    }

    /// How many cells at a time keep the device busy.
    pub fn cells_at_a_time(&self) -> usize {
        self.backend.cells_at_a_time(self.threads())
    }

    /// Forgets every score, so that the next call computes again; weights, images and working memory stay. For timings.
    pub fn forget(&self) {
        self.draws.iter().for_each(|draw| drop(draw.take()));
    }

    /// Runs `work` as if nothing had been scored before, for timings; what was remembered is remembered again afterwards, beside
    /// what `work` had computed.
    pub fn cold<R>(&self, work: impl FnOnce() -> R) -> R {
        let before: Vec<Memory> = self.draws.iter().map(Draw::take).collect();
        let result = work();
        self.draws.iter().zip(before).for_each(|(draw, memory)| draw.recall(memory));
        result
    }

    /// Everything that decides a score.
    pub fn configuration(&self) -> Configuration {
        let options = &self.options;
        Configuration {
            dataset: options.dataset,
            images: self.origin.clone(),
            regression_images: self.regression_images.count,
            network: self.network,
            seeds: options.seeds,
            init: options.init,
            slope_init: options.slope_init,
            weights: self.file.as_ref().map(|(_, file)| file.clone()),
            log_synflow: options.log_synflow,
            slope_fit: options.slope_fit,
            repeats: options.repeats,
            backend: self.backend.name(),
            kernel_set: self.backend.kernel_set(),
        }
    }

    /// Options one by one: `Engine::builder().dataset(…).build()?`.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Scores cells: one column for each measure. Utopian distance compares the cells of the call.
    ///
    /// A call costs what its cells cost (docs/embedding.md has the milliseconds) and less than a millisecond beside; the first one also makes
    /// weights and working memory. What an earlier call computed is not computed again. Threads may call at once: the scores are the
    /// same.
    ///
    /// # Errors
    /// Those of [`Engine::records`].
    pub fn score(&self, cells: &[Cell], measures: &[Measure]) -> Result<Columns> {
        Ok(Columns::of(&self.records(cells, measures, &())?))
    }

    /// Scores cells, one record for each, in their order. Utopian distance compares the cells of the call. What an earlier call computed
    /// is not computed again; `watch` advances once for each cell, draw and network pass that is.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when `watch` cancels; wrong weights for the cell; a batch too small for naswot.
    pub fn records(&self, cells: &[Cell], measures: &[Measure], watch: &dyn Watch) -> Result<Vec<Record>> {
        let asked = |m: Measure| measures.contains(&m);
        let needed = |m: Measure| asked(m) || asked(Measure::Utopian);
        if needed(Measure::Naswot) && self.batch.count < 2 {
            return Err(Error::options(
                "The batch of naswot",
                "at least 2 images",
                self.batch.count.to_string(),
                "Give --batch 2 or more, or leave naswot out of --measures.",
            ));
        }
        self.check_weights(cells)?;
        let columns = self.threads.install(|| self.columns(cells, needed, watch))?;
        let mut records: Vec<Record> =
            cells.iter().enumerate().map(|(i, cell)| self.record(*cell, i, &columns, asked)).collect();
        if asked(Measure::Utopian) {
            let rows: Vec<[f64; 3]> = (0..cells.len())
                .map(|i| {
                    [&columns.naswot, &columns.log_synflow, &columns.slope]
                        .map(|c| c[i].value.unwrap_or(f64::NEG_INFINITY))
                })
                .collect();
            for (record, distance) in records.iter_mut().zip(utopian::distances(&rows).distances) {
                let utopian = record.scores.iter_mut().find(|(m, _)| *m == Measure::Utopian);
                if let Some((_, score)) = utopian {
                    score.value = Some(distance).filter(|d| d.is_finite());
                }
            }
        }
        Ok(records)
    }

    /// That the weights of a file, if they are given, meet the one cell that they belong to.
    fn check_weights(&self, cells: &[Cell]) -> Result<()> {
        if let Some((_, file)) = &self.file {
            if cells.iter().any(|cell| *cell != cells[0]) {
                return Err(Error::options(
                    format!("The weights of {}", file.name),
                    "one cell, as they belong to one network",
                    format!("{} cells", cells.len()),
                    "Score each cell with its own weights.",
                ));
            }
        }
        Ok(())
    }

    fn shared(&self) -> Shared<'_> {
        Shared {
            options: &self.options,
            backend: self.backend.as_ref(),
            batch: &self.batch,
            regression_images: &self.regression_images,
            file: self.file.as_ref().map(|(tensors, _)| tensors.as_ref()),
        }
    }

    /// What the scores of a cell are computed from, under the first draw.
    ///
    /// # Errors
    /// Weights of a file that are not the cell's.
    pub fn inputs(&self, cell: &Cell) -> Result<Inputs<'_>> {
        let draw = self.draws.first().ok_or_else(|| Error::Internal("an engine has no draw".to_string()))?;
        draw.inputs(cell, &self.shared())
    }

    /// The losses of LossSlope's ten steps for each cell, each taken before its step's update, under the first draw. They are not
    /// remembered; not finite where the training diverges.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when `watch` cancels; wrong weights for the cell.
    pub fn losses(&self, cells: &[Cell], watch: &dyn Watch) -> Result<Vec<Vec<f64>>> {
        self.check_weights(cells)?;
        let Some(draw) = self.draws.first() else { return Ok(Vec::new()) };
        if cells.is_empty() {
            return Ok(Vec::new());
        }
        self.threads.install(|| draw.losses(cells, &self.shared(), watch))
    }

    /// The measures that need the network, each over all cells; empty where not needed.
    fn columns(&self, cells: &[Cell], needed: impl Fn(Measure) -> bool, watch: &dyn Watch) -> Result<Passes> {
        let shared = self.shared();
        let mut columns = Passes::default();
        if cells.is_empty() {
            return Ok(columns);
        }
        if needed(Measure::LogSynflow) || needed(Measure::Synflow) {
            let draws = self.draws.iter().map(|d| d.synflow(cells, &shared, watch)).collect::<Result<Vec<_>>>()?;
            columns.log_synflow = means(cells, &draws, |sums| Some(self.options.log_synflow.score(sums)));
            columns.synflow = means(cells, &draws, |sums| Some(sums.product));
        }
        if needed(Measure::Naswot) {
            let draws = self.draws.iter().map(|d| d.naswot(cells, &shared, watch)).collect::<Result<Vec<_>>>()?;
            columns.naswot = means(cells, &draws, |score| Some(*score));
        }
        if needed(Measure::LossSlope) {
            let draws = self.draws.iter().map(|d| d.loss_slope(cells, &shared, watch)).collect::<Result<Vec<_>>>()?;
            columns.slope = means(cells, &draws, |slope| *slope);
        }
        Ok(columns)
    }

    fn record(&self, cell: Cell, i: usize, columns: &Passes, asked: impl Fn(Measure) -> bool) -> Record {
        let exact = |number: u64| Score { value: Some(number as f64), std: None };
        let missing = |column: &[Score]| column.get(i).is_some_and(|score| score.value.is_none());
        let status = if missing(&columns.slope) {
            Status::Diverged
        } else if missing(&columns.naswot) {
            Status::Singular
        } else if cell.is_dead() {
            Status::Dead
        } else {
            Status::Ok
        };
        let score = |measure| match measure {
            Measure::Naswot => columns.naswot[i],
            Measure::LogSynflow => columns.log_synflow[i],
            Measure::Synflow => columns.synflow[i],
            Measure::Degree => exact(cell.degree().into()),
            Measure::LossSlope => columns.slope[i],
            Measure::Utopian => Score::default(),
            Measure::Params => exact(self.network.params(&cell)),
            Measure::Macs => exact(self.network.macs(&cell)),
        };
        let scores = Measure::ALL.into_iter().filter(|m| asked(*m)).map(|m| (m, score(m))).collect();
        Record { cell, dataset: self.options.dataset, status, scores }
    }
}

/// What the passes through networks gave, each over all cells.
#[derive(Default)]
struct Passes {
    naswot: Vec<Score>,
    log_synflow: Vec<Score>,
    synflow: Vec<Score>,
    slope: Vec<Score>,
}

/// Mean and deviation (n−1) of each cell over the draws. A cell has a value only if every draw gives a finite one.
fn means<T>(cells: &[Cell], draws: &[Vec<T>], value: impl Fn(&T) -> Option<f64>) -> Vec<Score> {
    let of_cell = |i: usize| {
        let values: Option<Vec<f64>> = draws.iter().map(|draw| value(&draw[i]).filter(|v| v.is_finite())).collect();
        let Some(values) = values else { return Score::default() };
        let n = values.len() as f64;
        // A single value stays as it is, to the last bit.
        let mean = if values.len() == 1 { values[0] } else { values.iter().sum::<f64>() / n };
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        Score { value: Some(mean), std: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()) }
    };
    (0..cells.len()).map(of_cell).collect()
}

impl WeightFile {
    fn open(source: &WeightSource) -> Result<(Arc<TensorFile>, WeightFile)> {
        let tensors = source.open()?;
        // LossSlope's files may lack it, LogSynflow's may not.
        tensors.require(&Slot::Classifier.name(&Skeleton::benchmark(1, 32)))?;
        let path = tensors.path();
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let sha256 = Sha256::digest(tensors.bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((tensors, WeightFile { name, sha256 }))
    }
}

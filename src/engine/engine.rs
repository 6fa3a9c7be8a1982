//! Stand-in, replaced at merge: closed forms are exact, the other measures are numbers drawn from the cell and the seeds.

use super::{Device, Options, Record, Score, Status};
use crate::backend::Watch;
use crate::error::{Error, Result};
use crate::input::Source;
use crate::measure::Measure;
use crate::random::{Seeds, Stream};
use crate::space::{Cell, Skeleton};
use rayon::prelude::*;
use serde::Serialize;

/// Everything that decides a score.
#[derive(Clone, Debug, Serialize)]
pub struct Configuration {
    /// Data set.
    pub dataset: &'static str,
    /// Images.
    pub images: Images,
    /// Seeds.
    pub seeds: Seeds,
    /// Repeats.
    pub repeats: usize,
    /// Backend.
    pub backend: &'static str,
    /// Kernels.
    pub kernel_set: &'static str,
}

/// Which images were used.
#[derive(Clone, Debug, Serialize)]
pub struct Images {
    /// Name.
    pub name: String,
    /// Count.
    pub count: usize,
    /// Pixels.
    pub height: usize,
    /// Pixels.
    pub width: usize,
    /// Hash.
    pub sha256: String,
}

/// The stand-in engine.
pub struct Engine {
    options: Options,
    pool: rayon::ThreadPool,
}

impl Engine {
    /// Checks the options.
    pub fn new(options: Options) -> Result<Engine> {
        if let Device::Cuda(card) = options.device {
            return Err(Error::Device {
                asked: format!("cuda:{card}"),
                reason: "this version has no CUDA engine".into(),
                remedy: "Use --device cpu.".into(),
            });
        }
        if let Some(path) = &options.weights {
            std::fs::read(path).map_err(|source| Error::Unreadable { path: path.clone(), source })?;
        }
        if let Source::Path(path) = &options.data {
            let bytes = std::fs::read(path).map_err(|source| Error::Unreadable { path: path.clone(), source })?;
            if bytes.len() % 3073 != 0 {
                return Err(Error::data(path, "records of 3073 bytes", format!("{} bytes", bytes.len()), "Check it."));
            }
        }
        if options.data == Source::Photos && options.batch > 128 {
            let found = "128 photographs";
            return Err(Error::options("--batch", format!("{} images", options.batch), found, "Lower --batch."));
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads.unwrap_or(0))
            .build()
            .map_err(|e| Error::Internal(e.to_string()))?;
        Ok(Engine { options, pool })
    }

    /// The options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The scores.
    pub fn score(&self, cells: &[Cell], measures: &[Measure], watch: &dyn Watch) -> Result<Vec<Record>> {
        if self.options.batch < 2 && measures.contains(&Measure::Naswot) {
            let found = self.options.batch.to_string();
            return Err(Error::options("naswot", "a batch of at least 2 images", found, "Raise --batch."));
        }
        self.pool.install(|| cells.par_iter().map(|cell| self.one(*cell, measures, watch)).collect())
    }

    fn one(&self, cell: Cell, measures: &[Measure], watch: &dyn Watch) -> Result<Record> {
        if watch.cancelled() {
            return Err(Error::Interrupted);
        }
        let o = &self.options;
        let skeleton = Skeleton::benchmark(o.classes.unwrap_or(o.dataset.classes()), o.dataset.size());
        let singular = cell.has_constant_codes();
        let scores = measures.iter().map(|&measure| {
            let mut stream =
                Stream::new(o.seeds.weight, &[cell.lexicographic() as u64, measure as u64, o.repeats as u64]);
            let noisy = |value: f64, stream: &mut Stream| Score {
                value: Some(value * (1.0 + 0.1 * stream.unit())),
                std: (o.repeats > 1).then(|| value * 0.05 * stream.unit()),
            };
            let exact = |value: f64| Score { value: Some(value), std: None };
            let score = match measure {
                Measure::Degree => exact(f64::from(cell.degree())),
                Measure::Params => exact(skeleton.params(&cell) as f64),
                Measure::Macs => exact(skeleton.macs(&cell) as f64),
                Measure::Naswot if singular => Score::default(),
                Measure::Naswot => noisy(1500.0, &mut stream),
                Measure::LogSynflow => noisy(1e6, &mut stream),
                Measure::Synflow => noisy(1e55, &mut stream),
                Measure::LossSlope => noisy(0.35, &mut stream),
                Measure::Utopian => noisy(0.3, &mut stream),
            };
            (measure, score)
        });
        let scores: Vec<_> = scores.collect();
        if measures.iter().any(|m| matches!(m, Measure::Naswot | Measure::LogSynflow | Measure::LossSlope)) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        watch.advance();
        let status = match (singular && measures.contains(&Measure::Naswot), cell.is_dead()) {
            (true, _) => Status::Singular,
            (_, true) => Status::Dead,
            _ => Status::Ok,
        };
        Ok(Record { cell, dataset: o.dataset, status, scores })
    }

    /// What decides a score.
    pub fn configuration(&self) -> Configuration {
        let o = &self.options;
        Configuration {
            dataset: o.dataset.name(),
            images: Images {
                name: "embedded photographs".into(),
                count: o.batch,
                height: o.dataset.size(),
                width: o.dataset.size(),
                sha256: "0123456789abcdef0123456789abcdef".into(),
            },
            seeds: o.seeds,
            repeats: o.repeats,
            backend: "stand-in",
            kernel_set: "stand-in",
        }
    }
}

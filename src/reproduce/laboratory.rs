//! Where experiments get their scores: engines, one for each data set, and score files.

use super::entry::Origin;
use crate::backend::Watch;
use crate::engine::{Engine, Options};
use crate::error::{Error, Result};
use crate::input::{Dataset, Source};
use crate::measure::Measure;
use crate::random::Seeds;
use crate::search::{LiveScores, Method, Scores};
use crate::space::Cell;
use crate::statistics::{Population, ScoreSet};
use crate::table::{Accuracies, ScoreFile};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Someone who is told what is going on.
pub trait Told: Watch {
    /// A new part of the work begins.
    fn describe(&self, text: String);
}

impl Told for () {
    fn describe(&self, _: String) {}
}

/// What is asked of a reproduction.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Runs of each row.
    pub runs: usize,
    /// Rows whose runs would ask for more scores of networks than this, and live rows that the paper has no figure of, get one run
    /// instead; `None` for no limit.
    pub most_scores: Option<usize>,
    /// Cells of the correlations, drawn by the sample seed; `None` for the whole space.
    pub sample: Option<usize>,
    /// Each run draws its own weights, so that no run can use another's scores.
    pub weights_per_run: bool,
    /// The data sets, in the order of the paper.
    pub datasets: Vec<Dataset>,
    /// The engines' options; the data set and its images are set for each.
    pub options: Options,
    /// Where the images of a data set come from, by [`Dataset`] as a number.
    pub images: [Source; 3],
}

impl Setting {
    /// The populations of correlations, the larger first. A sample holds few classes twice: both would say the same.
    pub fn populations(&self) -> &'static [Population] {
        match self.sample {
            None => &Population::ALL,
            Some(_) => &[Population::All],
        }
    }

    /// Runs of a row: how often `method` is run.
    pub fn runs_of(&self, method: &Method, published: bool) -> usize {
        let scores = method.foreseen_scores();
        match self.most_scores {
            Some(most) if scores > 0 && (!published || scores.saturating_mul(self.runs) > most) => 1,
            _ => self.runs,
        }
    }
}

/// The sources of scores of all experiments.
pub struct Laboratory<'a> {
    /// What is asked.
    pub setting: Setting,
    /// Accuracies and training times.
    pub accuracies: &'a Accuracies,
    /// Who watches.
    pub watch: &'a dyn Told,
    /// Scores of the whole space, by data set.
    sets: [Option<ScoreSet>; 3],
    engines: [Option<Engine>; 3],
    /// Seconds of cold runs.
    timed: Vec<(Dataset, Method, f64)>,
}

/// The measures that files may hold in the engine's stead.
const MEASURES: [Measure; 3] = [Measure::Naswot, Measure::LogSynflow, Measure::LossSlope];

impl<'a> Laboratory<'a> {
    /// A laboratory without engines yet: they are made when a score is asked for that no file holds. Where several files of a data
    /// set hold a measure, their mean is taken.
    ///
    /// # Errors
    /// [`Error::Data`] for a score file of unknown data set or of less than the whole space: its scores could not be ranked with live ones.
    pub fn new(
        setting: Setting,
        accuracies: &'a Accuracies,
        files: &[ScoreFile],
        watch: &'a dyn Told,
    ) -> Result<Laboratory<'a>> {
        for file in files {
            if file.dataset().is_none() {
                let remedy = "Give files that `etnas-fast score` wrote, each of one data set.";
                return Err(Error::data(file.path(), "records that name one data set", "none, or several", remedy));
            }
        }
        let mut sets = [None, None, None];
        for dataset in Dataset::ALL {
            let own: Vec<ScoreFile> = files.iter().filter(|file| file.dataset() == Some(dataset)).cloned().collect();
            if !own.is_empty() {
                sets[dataset as usize] = Some(ScoreSet::of_space(&own)?);
            }
        }
        Ok(Laboratory { setting, accuracies, watch, sets, engines: [None, None, None], timed: Vec::new() })
    }

    /// Whether the first run of a row is to be cold, so that it can be timed: no score computed before is used. Where there is a limit to
    /// scores, only methods whose time is published are, and those once. The other runs use what was computed before.
    pub fn begins_cold(&self, dataset: Dataset, method: &Method, published: bool) -> bool {
        self.setting.most_scores.is_none() || (published && self.timed(dataset, method).is_none())
    }

    /// Seconds of a cold run of a method on a data set, if there was one.
    pub fn timed(&self, dataset: Dataset, method: &Method) -> Option<f64> {
        let mut known = self.timed.iter();
        known.find(|(of, timed, _)| *of == dataset && timed == method).map(|(_, _, seconds)| *seconds)
    }

    /// Keeps the seconds of a cold run.
    pub fn keep_time(&mut self, dataset: Dataset, method: &Method, seconds: f64) {
        self.timed.push((dataset, method.clone(), seconds));
    }

    /// The options of a data set's engine.
    pub fn options(&self, dataset: Dataset) -> Options {
        let data = self.setting.images[dataset as usize].clone();
        Options { dataset, data, ..self.setting.options.clone() }
    }

    /// The seeds in use.
    pub fn seeds(&self) -> Seeds {
        self.setting.options.seeds
    }

    /// The scores of a data set that stand in files.
    pub fn on_file(&self, dataset: Dataset) -> Option<&ScoreSet> {
        self.sets[dataset as usize].as_ref()
    }

    /// The scores of a data set for run `run`; with weights of its own if that is asked.
    ///
    /// # Errors
    /// Those of [`Engine::new`].
    pub fn bench(&mut self, dataset: Dataset, run: usize) -> Result<Bench<'_>> {
        let seeds = self.seeds();
        let weight = if self.setting.weights_per_run { seeds.repeat(run).weight } else { seeds.weight };
        let options = self.options(dataset);
        if self.engines[dataset as usize].as_ref().is_none_or(|engine| engine.options().seeds.weight != weight) {
            let options = Options { seeds: Seeds { weight, ..seeds }, ..options };
            self.engines[dataset as usize] = Some(Engine::beside(options, self.engines.iter().flatten())?);
        }
        let Some(engine) = self.engines[dataset as usize].as_ref() else {
            return Err(Error::Internal("an engine that was just made is not there".to_string()));
        };
        let watch = Counted { watch: self.watch, computed: AtomicUsize::new(0) };
        Ok(Bench { engine, set: self.sets[dataset as usize].as_ref(), watch, origin: Origin::default() })
    }
}

/// A watch that counts the cells that are computed.
struct Counted<'a> {
    watch: &'a dyn Told,
    computed: AtomicUsize,
}

impl Watch for Counted<'_> {
    fn advance(&self) {
        self.computed.fetch_add(1, Ordering::Relaxed);
        self.watch.advance();
    }

    fn cancelled(&self) -> bool {
        self.watch.cancelled()
    }
}

/// The scores of one data set, with the account of where they came from.
pub struct Bench<'a> {
    engine: &'a Engine,
    set: Option<&'a ScoreSet>,
    watch: Counted<'a>,
    origin: Origin,
}

impl Bench<'_> {
    /// Runs `work` as if no score had been computed before; what was is there again afterwards.
    pub fn cold<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        let engine = self.engine;
        engine.cold(|| work(self))
    }

    /// Where the scores asked for so far came from; the count begins anew.
    pub fn take_origin(&mut self) -> Origin {
        std::mem::take(&mut self.origin)
    }
}

impl Scores for Bench<'_> {
    fn supports(&self, _: Measure) -> bool {
        true
    }

    fn scores(&mut self, measure: Measure, cells: &[Cell]) -> Result<Vec<f64>> {
        if let Some(mut set) = self.set.filter(|set| MEASURES.contains(&measure) && set.supports(measure)) {
            self.origin.from_files += cells.len();
            return set.scores(measure, cells);
        }
        self.watch.computed.store(0, Ordering::Relaxed);
        let values = LiveScores::new(self.engine, &self.watch).scores(measure, cells)?;
        let networks = matches!(measure, Measure::Naswot | Measure::LogSynflow | Measure::Synflow | Measure::LossSlope);
        if networks {
            let computed = self.watch.computed.load(Ordering::Relaxed).min(cells.len());
            self.origin.computed += computed;
            self.origin.remembered += cells.len() - computed;
        }
        Ok(values)
    }
}

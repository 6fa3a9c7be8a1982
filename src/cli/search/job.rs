//! A search that is ready: it is run, and its report written or handed over.

use crate::backend::Watch;
use crate::cli::common::{images_line, OutputArguments};
use crate::cli::progress::{catch_interrupts, Progress};
use crate::engine::{Engine, Options, Record};
use crate::error::{Error, Result};
use crate::input::Dataset;
use crate::measure::Measure;
use crate::report::{self, Output, Run, ScoreSource, SearchReport, SearchSetting, TrajectoryForm};
use crate::search::{LiveScores, Method, Outcome, Scores, Trained};
use crate::space::Cell;
use crate::statistics::ScoreSet;
use crate::table::{Accuracies, ScoreFile};
use serde_json::Value;
use std::path::PathBuf;

/// A search to run.
pub struct SearchJob {
    pub(super) method: Method,
    pub(super) files: Vec<ScoreFile>,
    /// The scores of the files, if there are any.
    pub(super) set: Option<ScoreSet>,
    pub(super) validated_on: Option<Dataset>,
    pub(super) runs: usize,
    pub(super) first_run: usize,
    pub(super) weights_per_run: bool,
    pub(super) options: Options,
    pub(super) accuracies: Accuracies,
    pub(super) trajectory: Option<(TrajectoryForm, PathBuf)>,
    pub(super) output: OutputArguments,
}

impl SearchJob {
    /// Searches and writes.
    pub fn run(self) -> Result<()> {
        let output = Output::open(self.output.output.as_deref(), true)?;
        let trajectory = self.open_trajectory()?;
        catch_interrupts();
        let engine = match self.set {
            Some(_) => None,
            None => Some(Engine::new(self.options.clone())?),
        };
        let progress = Progress::new(self.runs.saturating_mul(self.steps()), self.output.quiet);
        engine.iter().filter_map(Engine::device_note).for_each(|note| progress.note(note));
        let (runs, interrupted) = self.search(engine.as_ref(), &progress, &progress)?;
        progress.clear();
        if runs.is_empty() {
            // Nothing is finished: an old file of that name is worth more than an empty one.
            return Err(Error::Interrupted);
        }

        let setting = self.setting();
        let scores_from = match &engine {
            Some(engine) => ("images", images_line(engine)),
            None => {
                let names: Vec<String> = self.files.iter().map(|file| file.path().display().to_string()).collect();
                ("scores", names.join("\n"))
            }
        };
        let dataset = self.options.dataset;
        let metadata = report::search_metadata(self.source(engine.as_ref()), &setting, dataset, !interrupted);
        let found = SearchReport { setting, dataset, runs: &runs, scores_from };
        let missing = found.missing().filter(|_| self.output.format != report::Format::Table);
        if let Some((form, output)) = trajectory {
            report::write_trajectory(&found, form, &metadata, output)?;
        }
        found.write(self.output.format, &metadata, output)?;
        if let Some(sentence) = missing {
            progress.note(&sentence);
        }
        match interrupted {
            false => Ok(()),
            true => Err(Error::Interrupted),
        }
    }

    /// The options of the engine that the search wants, unless its scores stand in files.
    pub fn options(&self) -> Option<&Options> {
        self.set.is_none().then_some(&self.options)
    }

    /// Another engine's options take the place of those that the arguments gave, but for the search's own seed and for how LossSlope's
    /// line is fitted, which the preset decides.
    pub fn adopt(&mut self, options: &Options) {
        let own = (self.options.seeds.search, self.options.slope_fit);
        self.options = options.clone();
        (self.options.seeds.search, self.options.slope_fit) = own;
    }

    /// Searches with an engine of [`SearchJob::options`] (or one that fits LossSlope's line otherwise), or without one where there are none,
    /// writes the trajectories if they are asked for, and gives the report as JSON.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when `watch` cancels; whatever the scores report; a file of trajectories that cannot be written.
    pub fn report(&self, engine: Option<&Engine>, watch: &dyn Watch) -> Result<Value> {
        let trajectory = self.open_trajectory()?;
        let fit = self.options.slope_fit;
        let refitted = engine.filter(|engine| engine.options().slope_fit != fit).map(|engine| engine.refitted(fit));
        let engine = refitted.as_ref().or(engine);
        let (runs, interrupted) = self.search(engine, &Progress::new(0, true), watch)?;
        if interrupted {
            return Err(Error::Interrupted);
        }
        let setting = self.setting();
        let metadata = report::search_metadata(self.source(engine), &setting, self.options.dataset, true);
        let scores_from = ("scores", String::new());
        let found = SearchReport { setting, dataset: self.options.dataset, runs: &runs, scores_from };
        if let Some((form, output)) = trajectory {
            report::write_trajectory(&found, form, &metadata, output)?;
        }
        Ok(found.object(&metadata))
    }

    /// The file of trajectories, if they are asked for.
    fn open_trajectory(&self) -> Result<Option<(TrajectoryForm, Output)>> {
        let open = |(form, path): &(TrajectoryForm, PathBuf)| Ok((*form, Output::open(Some(path), true)?));
        self.trajectory.as_ref().map(open).transpose()
    }

    fn setting(&self) -> SearchSetting<'_> {
        SearchSetting {
            method: &self.method,
            validated_on: self.validated_on,
            runs: self.runs,
            first_run: self.first_run,
            weights_per_run: self.weights_per_run,
            accuracies: &self.accuracies,
        }
    }

    /// The engine computes the scores, or they stand in the files.
    fn source<'a>(&'a self, engine: Option<&'a Engine>) -> ScoreSource<'a> {
        engine.map_or(ScoreSource::Files(&self.files), ScoreSource::Engine)
    }

    /// The runs that ended, and whether the work was interrupted before all had.
    fn search(&self, engine: Option<&Engine>, progress: &Progress, watch: &dyn Watch) -> Result<(Vec<Run>, bool)> {
        let seeds = self.options.seeds;
        let trained = match self.validated_on {
            Some(validated_on) => Some(Trained::new(&self.accuracies, self.options.dataset, validated_on)?),
            None => None,
        };
        let mut shared: Box<dyn Scores + '_> = match (engine, &self.set) {
            (Some(engine), _) => Box::new(LiveScores::new(engine, watch)),
            (None, Some(set)) => Box::new(set),
            (None, None) => return Err(Error::Internal("a search has neither an engine nor score files".to_string())),
        };
        let mut runs = Vec::with_capacity(self.runs);
        for place in 0..self.runs {
            let number = self.first_run + place;
            let weight_seed = if self.weights_per_run { seeds.repeat(number).weight } else { seeds.weight };
            let steps = self.steps();
            let mut watched = Watched {
                scores: shared.as_mut(),
                progress,
                run: if self.runs > 1 { format!("run {} of {}: ", place + 1, self.runs) } else { String::new() },
                start: place.saturating_mul(steps),
                steps,
                length: self.runs.saturating_mul(steps),
                done: 0,
            };
            let own = match (engine, weight_seed == seeds.weight) {
                (Some(_), false) => {
                    let mut options = self.options.clone();
                    options.seeds.weight = weight_seed;
                    Some(Engine::new(options)?)
                }
                _ => None,
            };
            let outcome = match &own {
                None => self.method.run(&mut watched, trained.as_ref(), seeds.search, number),
                Some(own) => {
                    let mut own = LiveScores::new(own, watch);
                    let mut watched = Watched { scores: &mut own, ..watched };
                    self.method.run(&mut watched, trained.as_ref(), seeds.search, number)
                }
            };
            match outcome {
                Ok(outcome) => {
                    let repeated = own.as_ref().or(engine).and_then(|engine| repeated(engine, &outcome)).transpose()?;
                    runs.push(Run { number, weight_seed: engine.map(|_| weight_seed), outcome, repeated });
                }
                Err(Error::Interrupted) => return Ok((runs, true)),
                Err(error) => return Err(error),
            }
            if watch.cancelled() && place + 1 < self.runs {
                return Ok((runs, true));
            }
        }
        Ok((runs, false))
    }

    /// Steps of progress for each run.
    fn steps(&self) -> usize {
        self.method.foreseen_scores().max(1)
    }
}

/// The records of the scores that an outcome tells, where they are means over repeats. The engine remembers them from the run.
fn repeated(engine: &Engine, outcome: &Outcome) -> Option<Result<Vec<Record>>> {
    let (cells, measures) = outcome.scored();
    (engine.options().repeats > 1).then(|| engine.records(&cells, &measures, &()))
}

/// Scores whose progress is told.
struct Watched<'a> {
    scores: &'a mut dyn Scores,
    progress: &'a Progress,
    run: String,
    start: usize,
    steps: usize,
    length: usize,
    done: usize,
}

impl Scores for Watched<'_> {
    fn supports(&self, measure: Measure) -> bool {
        self.scores.supports(measure)
    }

    fn scores(&mut self, measure: Measure, cells: &[Cell]) -> Result<Vec<f64>> {
        let title = report::title(measure);
        let text = match cells.len() {
            1 => format!("{}{title} of cell {}", self.run, self.done + 1),
            n => format!("{}{title} of {n} cells", self.run),
        };
        self.progress.describe(text);
        self.progress.move_to(self.start.saturating_add(self.done.min(self.steps)), self.length);
        let values = self.scores.scores(measure, cells)?;
        self.done += cells.len();
        self.progress.move_to(self.start.saturating_add(self.done.min(self.steps)), self.length);
        Ok(values)
    }
}

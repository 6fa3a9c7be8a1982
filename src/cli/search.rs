//! `search`: ET-NAS, and what it found.

use super::common::{images_line, DrawArguments, EngineArguments, OutputArguments, TableArguments};
use super::names;
use super::progress::{catch_interrupts, Progress};
use crate::backend::Watch;
use crate::engine::{Engine, Options, SlopeFit};
use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::report::{self, Output, Run, SearchReport, SearchSetting};
use crate::search::{DegreeRule, EtNas, LiveScores, Preset, RankPool, Scores, Variant};
use crate::space::Cell;
use crate::table::Accuracies;
use clap::Args;

/// Search the space with ET-NAS and report the cell it found.
///
/// Evolves a population by Degree and LogSynflow, takes the Pareto front of LogSynflow and naswot, and of it the cell nearest
/// to the utopian point of LogSynflow, naswot and LossSlope. The search sees no accuracy; it is looked up afterwards.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct SearchArguments {
    /// `reference` is what produced the paper's figures, `algorithm1` the paper's text to the letter
    #[arg(long, value_name = "NAME", value_parser = names::preset(), default_value = EtNas::default().preset.name())]
    preset: Preset,
    /// The method, or one of the paper's variants of it
    #[arg(long, value_name = "NAME", value_parser = names::variant(), default_value = EtNas::default().variant.name())]
    variant: Variant,
    /// A child's Degree against its parent's: at least equal, greater, or not compared [default: the preset's]
    #[arg(long, value_name = "RULE", value_parser = names::degree_rule())]
    degree_rule: Option<DegreeRule>,
    /// Which cells the variant `rank` ranks
    #[arg(long, value_name = "NAME", value_parser = names::rank_pool())]
    #[arg(default_value = EtNas::default().rank_pool.name())]
    rank_pool: RankPool,
    /// Cells in the population
    #[arg(long, value_name = "P", value_parser = names::count, default_value_t = EtNas::default().population)]
    population: usize,
    /// Cells drawn from the population for each choice of a parent
    #[arg(long, value_name = "S", value_parser = names::count, default_value_t = EtNas::default().sample)]
    sample: usize,
    /// The evolution ends when its history is longer than this
    #[arg(long, value_name = "C", value_parser = names::count, default_value_t = EtNas::default().cycles)]
    cycles: usize,
    /// The evolution also ends after this many rejected mutations in a row
    #[arg(long, value_name = "N", value_parser = names::count, default_value_t = EtNas::default().patience)]
    patience: usize,
    /// Independent runs, each with its own random decisions
    #[arg(long, value_name = "R", value_parser = names::count, default_value_t = 1)]
    runs: usize,
    /// Each run draws its own weights; else all runs share them
    #[arg(long)]
    weights_per_run: bool,
    #[command(flatten)]
    engine: EngineArguments,
    #[command(flatten)]
    draws: DrawArguments,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    table: TableArguments,
}

impl SearchArguments {
    /// Everything is read and checked; nothing is computed.
    pub fn ready(self) -> Result<SearchJob> {
        let search = EtNas {
            preset: self.preset,
            variant: self.variant,
            degree_rule: self.degree_rule,
            rank_pool: self.rank_pool,
            population: self.population,
            sample: self.sample,
            cycles: self.cycles,
            patience: self.patience,
        };
        search.check()?;
        let mut options = self.engine.options();
        options.repeats = self.draws.repeats;
        // Algorithm 1 fits LossSlope's line to all ten losses (SPEC section 4).
        options.slope_fit = match search.preset {
            Preset::Reference => SlopeFit::Reference,
            Preset::Algorithm1 => SlopeFit::Algorithm1,
        };
        Ok(SearchJob {
            search,
            runs: self.runs,
            weights_per_run: self.weights_per_run,
            options,
            accuracies: Accuracies::find(self.table.table.as_deref())?,
            output: self.output,
        })
    }
}

/// A search to run.
pub struct SearchJob {
    search: EtNas,
    runs: usize,
    weights_per_run: bool,
    options: Options,
    accuracies: Accuracies,
    output: OutputArguments,
}

impl SearchJob {
    /// Searches and writes.
    pub fn run(self) -> Result<()> {
        let output = Output::open(self.output.output.as_deref(), true)?;
        catch_interrupts();
        let engine = Engine::new(self.options.clone())?;
        let progress = Progress::new(self.runs.saturating_mul(self.steps()), self.output.quiet);
        engine.device_note().into_iter().for_each(|note| progress.note(note));
        let (runs, interrupted) = self.search(&engine, &progress)?;
        progress.clear();
        if runs.is_empty() {
            // Nothing is finished: an old file of that name is worth more than an empty one.
            return Err(Error::Interrupted);
        }

        let setting = SearchSetting {
            search: &self.search,
            runs: self.runs,
            weights_per_run: self.weights_per_run,
            accuracies: &self.accuracies,
        };
        let metadata = report::search_metadata(&engine, &setting, !interrupted);
        let images = images_line(&engine);
        let found = SearchReport { setting, dataset: self.options.dataset, runs: &runs, images };
        let missing = found.missing().filter(|_| self.output.format != report::Format::Table);
        found.write(self.output.format, &metadata, output)?;
        if let Some(sentence) = missing {
            progress.note(&sentence);
        }
        match interrupted {
            false => Ok(()),
            true => Err(Error::Interrupted),
        }
    }

    /// The runs that ended, and whether the work was interrupted before all had.
    fn search(&self, engine: &Engine, progress: &Progress) -> Result<(Vec<Run>, bool)> {
        let seeds = self.options.seeds;
        let mut shared = LiveScores::new(engine, progress);
        let mut runs = Vec::with_capacity(self.runs);
        for number in 0..self.runs {
            let weight_seed = if self.weights_per_run { seeds.repeat(number).weight } else { seeds.weight };
            let steps = self.steps();
            let mut watched = Watched {
                scores: &mut shared,
                progress,
                run: if self.runs > 1 { format!("run {} of {}: ", number + 1, self.runs) } else { String::new() },
                start: number * steps,
                steps,
                length: self.runs * steps,
                done: 0,
            };
            let outcome = if weight_seed == seeds.weight {
                self.search.run(&mut watched, seeds.search, number)
            } else {
                let mut options = self.options.clone();
                options.seeds.weight = weight_seed;
                let engine = Engine::new(options)?;
                let mut own = LiveScores::new(&engine, progress);
                self.search.run(&mut Watched { scores: &mut own, ..watched }, seeds.search, number)
            };
            match outcome {
                Ok(outcome) => runs.push(Run { number, weight_seed, outcome }),
                Err(Error::Interrupted) => return Ok((runs, true)),
                Err(error) => return Err(error),
            }
            if progress.cancelled() && number + 1 < self.runs {
                return Ok((runs, true));
            }
        }
        Ok((runs, false))
    }

    /// Scores that a run will ask for, as far as can be foreseen: LogSynflow of the history, naswot of some 45 % of it, and
    /// LossSlope of a front of about five.
    fn steps(&self) -> usize {
        self.search.cycles.saturating_add(1 + self.search.cycles * 45 / 100 + 5)
    }
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
            1 => format!("{}evolution, {title} of cell {}", self.run, self.done + 1),
            n => format!("{}{title} of {n} cells", self.run),
        };
        self.progress.describe(text);
        self.progress.move_to(self.start + self.done.min(self.steps), self.length);
        let values = self.scores.scores(measure, cells)?;
        self.done += cells.len();
        self.progress.move_to(self.start + self.done.min(self.steps), self.length);
        Ok(values)
    }
}

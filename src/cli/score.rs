//! `score`: the measures of the cells asked for, in the order asked.

use super::common::{images_line, DrawArguments, EngineArguments, OutputArguments, TableArguments};
use super::progress::{catch_interrupts, Progress};
use super::{cells, names};
use crate::backend::Watch;
use crate::engine::{Engine, LogSynflowForm, Options};
use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::report::{self, Columns, Output, ScoreReport, Screen};
use crate::space::{Cell, Encoding};
use crate::table::Accuracies;
use clap::{ArgGroup, Args};
use std::path::PathBuf;

/// Score cells.
///
/// Gives one record for each cell, in the order asked. A score depends on the cell, the seeds, the images and the network's
/// options alone: never on threads, chunks, or which other cells are scored (but for utopian, which compares them).
#[derive(Args)]
#[command(allow_negative_numbers = true)]
#[command(group = ArgGroup::new("which").required(true).args(["cells", "all", "sample"]))]
pub struct ScoreArguments {
    /// Cells: architecture strings or NATS-Bench indices; `-` reads them from stdin, one a line
    #[arg(value_name = "CELL")]
    cells: Vec<String>,
    /// All 15,625 cells, in the order of their indices
    #[arg(long)]
    all: bool,
    /// N distinct cells, drawn by the sample seed
    #[arg(long, value_name = "N", value_parser = names::count)]
    sample: Option<usize>,
    /// How cells are written: `ops` is six op ids in string order, `naslib` NASLib's tuple
    #[arg(long, value_name = "NAME", value_parser = names::encoding(), default_value = "arch")]
    encoding: Encoding,
    /// Measures, with commas between them [default: all but synflow and utopian]
    #[arg(long, value_name = "LIST", value_parser = names::measure(), value_delimiter = ',')]
    #[arg(long_help = measures_help(), hide_possible_values = true)]
    measures: Vec<Measure>,
    #[command(flatten)]
    engine: EngineArguments,
    #[command(flatten)]
    draws: DrawArguments,
    /// Weights of one cell's network: a safetensors file under the names of its state_dict
    ///
    /// Channels, cells per stage and classes are read off the shapes.
    #[arg(long, value_name = "FILE", help_heading = "Network and images")]
    weights: Option<PathBuf>,
    /// Cells scored at a time; changes no result [default: sixteen for each thread, 512 on a card]
    ///
    /// CSV and JSON Lines on stdout are written after each chunk. With utopian all cells are scored at once, for it compares
    /// them.
    #[arg(long, value_name = "N", value_parser = names::count, help_heading = "Device")]
    chunk: Option<usize>,
    /// Go on with the sweep that FILE of -o holds the begin of: its records are kept and the rest is computed
    ///
    /// For --format jsonl or csv. The options and the cells must be those that the file was begun with; without the file, the sweep
    /// begins.
    #[arg(long, requires = "output", help_heading = "Output")]
    resume: bool,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    table: TableArguments,
}

fn measures_help() -> String {
    let mut text = String::from(
        "Measures, with commas between them; records have them in the order below\n\n\
         [default: all but synflow and utopian]\n",
    );
    for measure in Measure::ALL {
        let (name, better) = (measure.name(), report::direction(measure));
        text.push_str(&format!(
            "\n{name} ({better} is better)\n    {}",
            report::definition(measure, LogSynflowForm::Reference)
        ));
    }
    text
}

impl ScoreArguments {
    /// Everything is read and checked; nothing is computed.
    pub fn ready(self) -> Result<ScoreJob> {
        let mut options = self.engine.options();
        options.repeats = self.draws.repeats;
        options.weights = self.weights;
        let cells = match self.sample {
            Some(n) => cells::drawn("--sample", n, options.seeds.sample)?,
            None if self.all => Cell::all().collect(),
            None => cells::named(&self.cells, self.encoding)?,
        };
        if options.weights.is_some() && cells.len() != 1 {
            return Err(Error::options(
                "--weights",
                "exactly one cell",
                format!("{} cells", cells.len()),
                "The weights of a file belong to one cell: score each with its own.",
            ));
        }
        let asked = |m: &Measure| match self.measures.is_empty() {
            true => !matches!(m, Measure::Synflow | Measure::Utopian),
            false => self.measures.contains(m),
        };
        let measures: Vec<Measure> = Measure::ALL.into_iter().filter(asked).collect();
        let chunk = match self.chunk {
            // Utopian compares the cells of a call.
            _ if measures.contains(&Measure::Utopian) => Some(cells.len().max(1)),
            chunk => chunk,
        };
        if self.resume && measures.contains(&Measure::Utopian) {
            return Err(Error::options(
                "--resume",
                "measures of single cells",
                "utopian, which compares all cells of a call",
                "Leave utopian out of --measures, or --resume.",
            ));
        }
        let accuracies = Accuracies::find(self.table.table.as_deref())?;
        Ok(ScoreJob { cells, measures, options, chunk, resume: self.resume, accuracies, output: self.output })
    }
}

/// Cells to score.
pub struct ScoreJob {
    cells: Vec<Cell>,
    measures: Vec<Measure>,
    options: Options,
    chunk: Option<usize>,
    resume: bool,
    accuracies: Accuracies,
    output: OutputArguments,
}

impl ScoreJob {
    /// Scores and writes.
    pub fn run(self) -> Result<()> {
        let output = Output::open(self.output.output.as_deref(), true)?;
        catch_interrupts();
        let engine = Engine::new(self.options.clone())?;
        let finished = match &self.output.output {
            Some(path) if self.resume => {
                report::finished(path, self.output.format, &engine, &self.measures, &self.cells)?
            }
            _ => report::Finished::default(),
        };
        let steps = self.cells.len() * self.options.repeats.saturating_mul(self.passes());
        let progress = Progress::new(steps, self.output.quiet);
        let columns = Columns::new(&self.measures, self.options.repeats);
        let mut report = ScoreReport::new(self.output.format, columns, output);

        engine.device_note().into_iter().for_each(|note| progress.note(note));
        let rest = &self.cells[finished.count..];
        if finished.count > 0 {
            progress.note(&format!("{} of {} cells are there already.", finished.count, self.cells.len()));
            report.resume(finished)?;
        }
        let mut failure = None;
        for chunk in rest.chunks(self.chunk.unwrap_or(engine.cells_at_a_time())) {
            progress.describe(format!("{} of {} cells", report.count(), self.cells.len()));
            match engine.score(chunk, &self.measures, &progress) {
                Ok(records) => progress.aside(|| report.add(records))?,
                Err(Error::Interrupted) => break,
                // What was finished before the device failed is worth keeping.
                Err(error @ Error::Device { .. }) if report.count() > 0 => {
                    failure = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
            progress.move_to(steps * report.count() / self.cells.len(), steps);
            if progress.cancelled() {
                break;
            }
        }

        let complete = report.count() == self.cells.len();
        if report.count() == 0 {
            // Nothing is finished: an old file of that name is worth more than an empty one.
            progress.clear();
            return Err(Error::Interrupted);
        }
        let metadata = report::score_metadata(&engine, &self.measures, report.count(), complete);
        let screen = Screen {
            accuracies: &self.accuracies,
            notes: vec![
                ("data set", self.options.dataset.title().to_string()),
                ("images", images_line(&engine)),
                ("seed", self.options.seeds.master.to_string()),
            ],
        };
        progress.clear();
        let count = report.count();
        report.finish(&metadata, &screen)?;
        if let Some(path) = &self.output.output {
            progress.note(&format!("{count} of {} cells are in {}.", self.cells.len(), path.display()));
        }
        match (failure, complete) {
            (Some(error), _) => Err(error),
            (None, true) => Ok(()),
            (None, false) => Err(Error::Interrupted),
        }
    }

    /// How many times a cell's network is run for the measures: naswot, the synflows, LossSlope; at least once.
    fn passes(&self) -> usize {
        let any = |list: &[Measure]| usize::from(list.iter().any(|m| self.measures.contains(m)));
        let passes = any(&[Measure::Naswot, Measure::Utopian])
            + any(&[Measure::LogSynflow, Measure::Synflow, Measure::Utopian])
            + any(&[Measure::LossSlope, Measure::Utopian]);
        passes.max(1)
    }
}

//! `score`: the measures of the cells asked for, in the order asked.

use super::common::{images_line, DrawArguments, EngineArguments, OutputArguments, TableArguments};
use super::progress::{catch_interrupts, Pace, Progress};
use super::{cells, names};
use crate::backend::Watch;
use crate::engine::{Engine, LogSynflowForm, Options};
use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::report::{
    self, grouped, Columns, Existing, Finished, Format, Output, Rule, ScoreReport, Screen, Shard, Sweep,
};
use crate::space::{Cell, Encoding, Op};
use crate::table::Accuracies;
use crate::weights::WeightSource;
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
    /// CSV and JSON Lines are written after each chunk. With utopian all cells are scored at once, for it compares them.
    #[arg(long, value_name = "N", value_parser = names::count, help_heading = "Device")]
    chunk: Option<usize>,
    /// Score part I of N of the cells; `merge` puts the parts together
    ///
    /// That is cells I, I + N, I + 2N and so on of those asked for. Each part needs a file of its own.
    #[arg(long, value_name = "I/N", value_parser = names::shard)]
    shard: Option<Shard>,
    /// Go on with the sweep that FILE of -o holds the begin of: its records are kept and the rest is computed
    ///
    /// For --format jsonl or csv. The options and the cells must be those that the file was begun with; without the file, the sweep
    /// begins.
    #[arg(long, requires = "output", help_heading = "Output")]
    resume: bool,
    /// Replace FILE of -o if it is there; without this, jsonl and csv refuse to
    #[arg(long, requires = "output", conflicts_with = "resume", help_heading = "Output")]
    force: bool,
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
        options.weights = self.weights.map(WeightSource::File);
        let (rule, cells) = match self.sample {
            Some(n) => (Rule::Sample, cells::drawn("--sample", n, options.seeds.sample)?),
            None if self.all => (Rule::All, Cell::all().collect()),
            None => (Rule::List, cells::named(&self.cells, self.encoding)?),
        };
        let sweep = Sweep::new(rule, cells, self.shard.unwrap_or(Shard::WHOLE));
        if options.weights.is_some() && sweep.cells().len() != 1 {
            return Err(Error::options(
                "--weights",
                "exactly one cell",
                format!("{} cells", sweep.cells().len()),
                "The weights of a file belong to one cell: score each with its own.",
            ));
        }
        let asked = |m: &Measure| match self.measures.is_empty() {
            true => Measure::USUAL.contains(m),
            false => self.measures.contains(m),
        };
        let measures: Vec<Measure> = Measure::ALL.into_iter().filter(asked).collect();
        let chunk = match self.chunk {
            // Utopian compares the cells of a call.
            _ if measures.contains(&Measure::Utopian) => Some(sweep.cells().len().max(1)),
            chunk => chunk,
        };
        let alone =
            [("--resume", self.resume), ("--shard", self.shard.is_some())].into_iter().find(|(_, given)| *given);
        if let Some((option, _)) = alone.filter(|_| measures.contains(&Measure::Utopian)) {
            return Err(Error::options(
                option,
                "measures of single cells",
                "utopian, which compares all cells of a call",
                format!("Leave utopian out of --measures, or {option}."),
            ));
        }
        let format = self.output.format;
        if self.resume && !appended(format) {
            return Err(Error::options(
                "--resume",
                "--format jsonl or csv, whose records stand for themselves",
                format!("--format {}", format.name()),
                "Choose one of these, or leave --resume out.",
            ));
        }
        let existing = match (self.resume, self.force) {
            (true, _) => Existing::Resume,
            (_, true) => Existing::Replace,
            _ => Existing::Refuse,
        };
        let accuracies = Accuracies::find(self.table.table.as_deref())?;
        Ok(ScoreJob { sweep, measures, options, chunk, existing, accuracies, output: self.output })
    }
}

/// Records of this format are appended to their file as they come.
fn appended(format: Format) -> bool {
    matches!(format, Format::Jsonl | Format::Csv)
}

/// Cells to score.
pub struct ScoreJob {
    sweep: Sweep,
    measures: Vec<Measure>,
    options: Options,
    chunk: Option<usize>,
    existing: Existing,
    accuracies: Accuracies,
    output: OutputArguments,
}

impl ScoreJob {
    /// Scores and writes.
    pub fn run(self) -> Result<()> {
        // Before the file is there: an interrupt must not leave it behind empty.
        catch_interrupts();
        let format = self.output.format;
        let mut output = match &self.output.output {
            Some(path) if appended(format) => Output::sweep(path, self.existing)?,
            path => Output::open(path.as_deref(), true)?,
        };
        let engine = Engine::new(self.options.clone())?;
        let finished = match self.existing {
            Existing::Resume => report::finished(&mut output, format, &engine, &self.measures, &self.sweep)?,
            _ => Finished::default(),
        };
        let (cells, chunk) = (self.sweep.cells(), self.chunk.unwrap_or(engine.cells_at_a_time()));
        let metadata = |cells, complete| report::score_metadata(&engine, &self.measures, &self.sweep, cells, complete);
        output.announce(&metadata(None, false));

        let rest = &cells[finished.count..];
        let (costs, passes) = (cells.iter().map(cost).collect(), self.passes() * self.options.repeats);
        let pace = Pace::new(costs, passes, finished.count, self.output.output.is_some());
        let progress = Progress::of_sweep(pace, self.output.quiet);
        let notes = [
            engine.device_note().map(String::from),
            output.lock_note(),
            self.note_of(finished),
            self.utopian_note(&engine),
        ];
        notes.iter().flatten().for_each(|note| progress.note(note));
        let mut report = ScoreReport::new(format, Columns::new(&self.measures, self.options.repeats), output, finished);
        let mut failure = None;
        for chunk in rest.chunks(chunk) {
            progress.begin(chunk.len());
            match engine.records(chunk, &self.measures, &progress) {
                Ok(records) => progress.aside(|| report.add(records))?,
                Err(Error::Interrupted) => break,
                // What was finished before the device failed is worth keeping.
                Err(error @ Error::Device { .. }) if report.count() > 0 => {
                    failure = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
            progress.end();
            if progress.cancelled() {
                break;
            }
        }

        let complete = report.count() == cells.len();
        progress.clear();
        if report.count() == 0 && !complete {
            // Nothing is finished: an old file of that name is worth more than an empty one.
            return Err(Error::Interrupted);
        }
        let screen = Screen {
            accuracies: &self.accuracies,
            notes: vec![
                ("data set", self.options.dataset.title().to_string()),
                ("images", images_line(&engine)),
                ("seed", self.options.seeds.master.to_string()),
            ],
        };
        let count = report.count();
        report.finish(&metadata(Some(count), complete), &screen)?;
        if let Some(path) = &self.output.output {
            let [count, all] = [count, cells.len()].map(|n| grouped(n as u64));
            let resume = if !complete && appended(format) { "; --resume goes on" } else { "" };
            progress.note(&format!("{count} of {all} cells are in {}{resume}.", path.display()));
        }
        match (failure, complete) {
            (Some(error), _) => Err(error),
            (None, true) => Ok(()),
            (None, false) => Err(Error::Interrupted),
        }
    }

    /// What an earlier sweep left.
    fn note_of(&self, finished: Finished) -> Option<String> {
        let [count, all] = [finished.count, self.sweep.cells().len()].map(|n| grouped(n as u64));
        let there = format!("{count} of {all} cells are there already");
        match finished.torn {
            // The last line says so.
            0 if [0, self.sweep.cells().len()].contains(&finished.count) => None,
            0 => Some(format!("{there}.")),
            torn => Some(format!("{there}; a record that was left half written ({torn} bytes) is dropped.")),
        }
    }

    /// That nothing is written before the end.
    fn utopian_note(&self, engine: &Engine) -> Option<String> {
        let late = self.measures.contains(&Measure::Utopian) && self.sweep.cells().len() > engine.cells_at_a_time();
        late.then(|| "utopian compares all cells: no record is written before the last cell is scored.".to_string())
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

/// What a cell costs in comparison with others: about the times of naswot and LossSlope on a processor, by the edges that carry signal.
fn cost(cell: &Cell) -> f64 {
    let edge = |op: &Op| match op {
        Op::None => 0.0,
        Op::SkipConnect | Op::AvgPool3x3 => 0.6,
        Op::NorConv1x1 => 2.0,
        Op::NorConv3x3 => 4.0,
    };
    let live = cell.ops().iter().enumerate().filter(|(i, _)| cell.is_live(*i));
    1.0 + live.map(|(_, op)| edge(op)).sum::<f64>()
}

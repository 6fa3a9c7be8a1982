//! `bench`: how fast measures and searches are on this machine.

use super::common::{images_line, EngineArguments};
use super::machine::{machine, Memory};
use super::progress::{catch_interrupts, Progress};
use super::{cells, names};
use crate::cpu::peak::Peak;
use crate::cpu::Isa;
use crate::engine::{Engine, Options};
use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::report::{self, BenchReport, Format, MeasureTiming, Output, SearchTiming, Spread};
use crate::search::{EtNas, LiveScores, Outcome, Scores};
use crate::space::{Cell, Encoding};
use clap::Args;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::Instant;

/// What can be timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A measure that runs the network.
    Measure(Measure),
    /// ET-NAS.
    Search,
}

impl Subject {
    /// All, in the order in which they are timed.
    pub const ALL: [Subject; 4] = [
        Subject::Measure(Measure::Naswot),
        Subject::Measure(Measure::LogSynflow),
        Subject::Measure(Measure::LossSlope),
        Subject::Search,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Measure(measure) => measure.name(),
            Subject::Search => "search",
        }
    }
}

/// Time the measures, and the search, on this machine.
///
/// Cells are scored as `score` does it, chunk by chunk; a first round, which draws and packs weights, is not timed, and each
/// repeat computes every score again. GFLOP are those of the convolutions that a cell needs, computed directly; their rate is
/// compared with that of multiply-adds on registers, measured in the same run.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct BenchArguments {
    /// What to time, with commas between: naswot, log-synflow, loss-slope, search [default: the three measures]
    ///
    /// `search` times ET-NAS in its default setting three times over: cold, by an engine that has just been made; warm, by the
    /// same engine, which remembers every score; and with its scores in a table.
    #[arg(long, value_name = "LIST", value_parser = names::subject(), value_delimiter = ',')]
    #[arg(hide_possible_values = true)]
    measures: Vec<Subject>,
    /// Cells to score: N distinct ones, drawn by the sample seed, or those of a file, one a line; `-` is stdin
    ///
    /// A file whose name is a number is `./N`.
    #[arg(long, value_name = "N|FILE", default_value = "20")]
    cells: String,
    /// How cells are written: `ops` is six op ids in string order, `naslib` NASLib's tuple
    #[arg(long, value_name = "NAME", value_parser = names::encoding(), default_value = "arch")]
    encoding: Encoding,
    /// Time everything R times: give median, least and most
    #[arg(long, value_name = "R", value_parser = names::count, default_value_t = 3)]
    repeats: usize,
    #[command(flatten)]
    engine: EngineArguments,
    /// Cells scored at a time [default: sixteen for each thread]
    #[arg(long, value_name = "N", value_parser = names::count, help_heading = "Device")]
    chunk: Option<usize>,
    /// Form of the report; `table` is for people and rounds
    #[arg(long, value_name = "NAME", value_parser = names::bench_format(), default_value = "table")]
    #[arg(help_heading = "Output")]
    format: Format,
    /// Write the report to FILE
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Neither progress bar nor notes on stderr; errors are still told
    #[arg(short, long, help_heading = "Output")]
    quiet: bool,
}

impl BenchArguments {
    /// Everything is read and checked; nothing is computed.
    pub fn ready(self) -> Result<BenchJob> {
        let options = self.engine.options();
        let asked = |subject: &Subject| match self.measures.is_empty() {
            true => *subject != Subject::Search,
            false => self.measures.contains(subject),
        };
        let named = match self.cells.parse() {
            Ok(0) => {
                let expected = "a number of cells, at least 1, or a file";
                return Err(Error::options("--cells", expected, "0", "Leave the option out for 20 cells."));
            }
            Ok(n) => cells::drawn("--cells", n, options.seeds.sample)?,
            Err(_) => cells::listed(&self.cells, self.encoding)?,
        };
        // What is scored twice is remembered the second time.
        let mut seen = HashSet::new();
        let cells: Vec<Cell> = named.iter().copied().filter(|cell| seen.insert(*cell)).collect();
        Ok(BenchJob {
            subjects: Subject::ALL.into_iter().filter(asked).collect(),
            repeated: named.len() - cells.len(),
            cells,
            repeats: self.repeats,
            chunk: self.chunk,
            options,
            format: self.format,
            output: self.output,
            quiet: self.quiet,
        })
    }
}

/// What is to be timed.
pub struct BenchJob {
    subjects: Vec<Subject>,
    cells: Vec<Cell>,
    /// Cells that were named more than once.
    repeated: usize,
    repeats: usize,
    chunk: Option<usize>,
    options: Options,
    format: Format,
    output: Option<PathBuf>,
    quiet: bool,
}

impl BenchJob {
    /// Times and writes.
    pub fn run(self) -> Result<()> {
        let mut output = Output::open(self.output.as_deref(), false)?;
        catch_interrupts();
        let engine = Engine::new(self.options.clone())?;
        let threads = engine.threads();
        let chunk = self.chunk.unwrap_or(engine.cells_at_a_time());
        let mut report = BenchReport {
            configuration: serde_json::to_value(engine.configuration()).unwrap_or_default(),
            machine: machine(),
            threads,
            chunk,
            repeats: self.repeats,
            cells: self.cells.clone(),
            peak: Peak::measure(Isa::detect(), threads),
            card: engine.card(),
            timings: Vec::new(),
            search: None,
            notes: vec![
                ("data set", self.options.dataset.title().to_string()),
                ("images", images_line(&engine)),
                ("seed", self.options.seeds.master.to_string()),
            ],
        };
        drop(engine);
        let progress = Progress::new(self.steps(), self.quiet);
        if self.repeated > 0 {
            progress.note(&format!("Cells that are named more than once are timed once: {} left out.", self.repeated));
        }
        let timed = self.subjects.iter().try_for_each(|subject| {
            match subject {
                Subject::Measure(measure) => report.timings.push(self.measure(*measure, chunk, &progress)?),
                Subject::Search => report.search = Some(self.search(&progress)?),
            }
            // Other work on the machine lowers a peak and never raises it.
            report.peak = report.peak.or_higher(Peak::measure(Isa::detect(), threads));
            Ok(())
        });
        progress.clear();
        timed?;
        output.write(&match self.format {
            Format::Table => report.text(),
            Format::Json => report.json(),
            other => return Err(Error::Internal(format!("bench was asked for {}", other.name()))),
        })?;
        output.finish(&serde_json::Value::Null)
    }

    /// Steps of the progress bar: cells for each measure and round, the warm-up's among them; a search counts as 40 cells.
    fn steps(&self) -> usize {
        let steps = |subject: &Subject| match subject {
            Subject::Measure(_) => self.cells.len().saturating_mul(self.repeats + 1),
            Subject::Search => self.repeats.saturating_mul(40),
        };
        self.subjects.iter().map(steps).fold(0, usize::saturating_add)
    }

    /// Times a measure by an engine of its own, so that its memory is its own too.
    fn measure(&self, measure: Measure, chunk: usize, progress: &Progress) -> Result<MeasureTiming> {
        let memory = Memory::begin();
        let engine = Engine::new(self.options.clone())?;
        let round = || {
            let start = Instant::now();
            for chunk in self.cells.chunks(chunk) {
                engine.records(chunk, &[measure], progress)?;
            }
            Ok(1e3 * start.elapsed().as_secs_f64() / self.cells.len() as f64)
        };
        progress.describe(format!("{}, not timed", report::title(measure)));
        round()?;
        let mut samples = Vec::new();
        for repeat in 0..self.repeats {
            progress.describe(format!("{}, repeat {} of {}", report::title(measure), repeat + 1, self.repeats));
            engine.forget();
            samples.push(round()?);
        }
        let flop: u64 = self.cells.iter().map(|cell| engine.flop(measure, cell)).sum();
        Ok(MeasureTiming {
            measure,
            cell_ms: Spread::of(samples),
            cell_flop: flop as f64 / self.cells.len() as f64,
            peak_memory: memory.peak(),
        })
    }

    /// Times the search: by a new engine, by the same again, and by a table of its scores.
    fn search(&self, progress: &Progress) -> Result<SearchTiming> {
        let memory = Memory::begin();
        let search = EtNas::default();
        let seed = self.options.seeds.search;
        let (mut cold, mut warm, mut table) = (Vec::new(), Vec::new(), Vec::new());
        let mut first: Option<Outcome> = None;
        for repeat in 0..self.repeats {
            progress.describe(format!("search, repeat {} of {}", repeat + 1, self.repeats));
            let mut known = Known::default();
            let start = Instant::now();
            let engine = Engine::new(self.options.clone())?;
            let mut live = LiveScores::new(&engine, progress);
            let outcome = search.run(&mut Recorder { scores: &mut live, known: &mut known }, seed, 0)?;
            cold.push(start.elapsed().as_secs_f64());
            let again = |scores: &mut dyn Scores, seconds: &mut Vec<f64>| {
                let start = Instant::now();
                let found = search.run(scores, seed, 0)?;
                seconds.push(start.elapsed().as_secs_f64());
                Ok::<_, Error>(found.timeless())
            };
            let outcome = outcome.timeless();
            let warmed = again(&mut live, &mut warm)?;
            let looked_up = again(&mut known, &mut table)?;
            let expected = first.get_or_insert_with(|| outcome.clone());
            if [&outcome, &warmed, &looked_up].into_iter().any(|found| found != expected) {
                return Err(Error::Internal("equal searches ended differently".to_string()));
            }
        }
        let outcome = first.ok_or_else(|| Error::Internal("a search was timed no times".to_string()))?;
        Ok(SearchTiming {
            cold: Spread::of(cold),
            warm: Spread::of(warm),
            table: Spread::of(table),
            peak_memory: memory.peak(),
            winner: outcome.winner,
            evaluations: outcome.evaluations,
        })
    }
}

/// A table of scores.
#[derive(Default)]
struct Known(HashMap<(Measure, Cell), f64>);

impl Scores for Known {
    fn supports(&self, _: Measure) -> bool {
        true
    }

    fn scores(&mut self, measure: Measure, cells: &[Cell]) -> Result<Vec<f64>> {
        let look_up = |cell: &Cell| {
            let unknown =
                || Error::Internal(format!("the {} of cell {} was not asked for", measure.name(), cell.index()));
            self.0.get(&(measure, *cell)).copied().ok_or_else(unknown)
        };
        cells.iter().map(look_up).collect()
    }
}

/// Scores that go into a table as they are given.
struct Recorder<'a> {
    scores: &'a mut dyn Scores,
    known: &'a mut Known,
}

impl Scores for Recorder<'_> {
    fn supports(&self, measure: Measure) -> bool {
        self.scores.supports(measure)
    }

    fn scores(&mut self, measure: Measure, cells: &[Cell]) -> Result<Vec<f64>> {
        let values = self.scores.scores(measure, cells)?;
        self.known.0.extend(cells.iter().map(|cell| (measure, *cell)).zip(values.iter().copied()));
        Ok(values)
    }
}

//! `export`: a cell's network for other programs.

use super::common::EngineArguments;
use super::progress::{catch_interrupts, Progress};
use super::{cells, names};
use crate::backend::Watch;
use crate::engine::{Device, Engine, Options};
use crate::error::{Error, Result};
use crate::export::{self, Origin, Pass};
use crate::report::{grouped, Output};
use crate::space::{Cell, Encoding};
use crate::weights::WeightSource;
use clap::{ArgGroup, Args};
use serde_json::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// What stands in a file's name for the cell's index.
const INDEX: &str = "{index}";

/// Write cells' networks for other programs: weights, images, ONNX.
///
/// -o FILE.safetensors has the weights under the names of the state_dict, -o FILE.onnx the network. `{index}` in a file's name
/// becomes the cell's index, so that one command writes many cells. Options of seeds, images and network are those of `score`.
#[derive(Args)]
#[command(allow_negative_numbers = true, after_help = AFTER_HELP)]
#[command(group = ArgGroup::new("which").required(true).args(["cells", "sample"]))]
pub struct ExportArguments {
    /// Cells: architecture strings or NATS-Bench indices; `-` reads them from stdin, one a line
    #[arg(value_name = "CELL")]
    cells: Vec<String>,
    /// N distinct cells, drawn by the sample seed
    #[arg(long, value_name = "N", value_parser = names::count)]
    sample: Option<usize>,
    /// How cells are written: `ops` is six op ids in string order, `naslib` NASLib's tuple
    #[arg(long, value_name = "NAME", value_parser = names::encoding(), default_value = "arch")]
    encoding: Encoding,
    #[command(flatten)]
    engine: EngineArguments,
    /// Weights of one cell's network, which are exported instead of drawn ones: a safetensors file, as for `score`
    #[arg(long, value_name = "FILE", help_heading = "Network and images")]
    weights: Option<PathBuf>,
    /// Write the weights to FILE.safetensors or the network to FILE.onnx; may be given several times
    ///
    /// The BatchNorms of the ONNX model have the statistics of the batch, so that for this batch it gives the logits of train mode.
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Vec<PathBuf>,
    /// Write the batch of images to FILE (safetensors), as --data reads it
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    images: Option<PathBuf>,
    /// Write all that LossSlope starts from to FILE (safetensors): images, noise, targets, weights, heads
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    task: Option<PathBuf>,
    /// Write the logits of the batch, computed in f64, to FILE (safetensors)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    logits: Option<PathBuf>,
    /// Write the losses of LossSlope's ten steps, computed in f64, to FILE (safetensors)
    ///
    /// A full network takes some ten seconds.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    losses: Option<PathBuf>,
    /// Neither progress bar nor notes on stderr; errors are still told
    #[arg(short, long, help_heading = "Output")]
    quiet: bool,
}

const AFTER_HELP: &str = "\
Examples:
  etnas-fast export 9930 -o 9930.safetensors -o 9930.onnx --images batch.safetensors --logits logits.safetensors
  etnas-fast score 9930 --weights 9930.safetensors
  etnas-fast export --sample 200 -o 'weights/{index}.safetensors'";

/// What a file has of a cell.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Weights,
    Network,
    Images,
    Task,
    Logits,
    Losses,
}

/// A file to write.
struct Wanted {
    cell: Cell,
    part: Part,
    path: PathBuf,
}

impl ExportArguments {
    /// Everything is read and checked; nothing is computed.
    pub fn ready(self) -> Result<ExportJob> {
        let mut options = self.engine.options();
        if let Device::Cuda(_) = options.device {
            let remedy = "Leave --device out: what is exported depends on no device.";
            return Err(Error::options("--device", "auto or cpu", "a card", remedy));
        }
        options.device = Device::Cpu;
        options.weights = self.weights.clone().map(WeightSource::File);
        let cells = match self.sample {
            Some(n) => cells::drawn("--sample", n, options.seeds.sample)?,
            None => cells::named(&self.cells, self.encoding)?,
        };
        if options.weights.is_some() && cells.len() != 1 {
            let found = format!("{} cells", cells.len());
            let remedy = "The weights of a file belong to one cell: export each with its own.";
            return Err(Error::options("--weights", "exactly one cell", found, remedy));
        }
        Ok(ExportJob { wanted: self.wanted(&cells)?, options, quiet: self.quiet })
    }

    /// The files to write, those of one cell after the other.
    fn wanted(&self, cells: &[Cell]) -> Result<Vec<Wanted>> {
        let mut parts: Vec<(&str, Part, &PathBuf)> = Vec::new();
        for path in &self.output {
            parts.push(("-o", form(path)?, path));
        }
        let others = [
            ("--images", Part::Images, &self.images),
            ("--task", Part::Task, &self.task),
            ("--logits", Part::Logits, &self.logits),
            ("--losses", Part::Losses, &self.losses),
        ];
        parts.extend(others.into_iter().filter_map(|(option, part, path)| Some((option, part, path.as_ref()?))));
        if parts.is_empty() {
            let remedy = "Give -o FILE.safetensors for the weights, -o FILE.onnx for the network.";
            return Err(Error::options("export", "a file to write", "none", remedy));
        }
        let named = |path: &Path| path.to_string_lossy().contains(INDEX);
        // The images are those of all cells.
        if let Some((option, ..)) =
            parts.iter().find(|(_, part, path)| cells.len() > 1 && *part != Part::Images && !named(path))
        {
            let expected = format!("a file for each of {} cells", cells.len());
            let remedy = format!("Write {INDEX} in its name, which becomes the cell's index.");
            return Err(Error::options(*option, expected, "one", remedy));
        }
        let (mut wanted, mut seen) = (Vec::new(), HashSet::new());
        for (i, cell) in cells.iter().enumerate() {
            for (option, part, path) in &parts {
                if !named(path) && i > 0 {
                    continue;
                }
                let path = match named(path) {
                    true => PathBuf::from(path.to_string_lossy().replace(INDEX, &cell.index().to_string())),
                    false => path.to_path_buf(),
                };
                if !seen.insert(path.clone()) {
                    let found = format!("{} twice", path.display());
                    return Err(Error::options(*option, "different files", found, "Name each file and cell once."));
                }
                wanted.push(Wanted { cell: *cell, part: *part, path });
            }
        }
        Ok(wanted)
    }
}

/// What a file of -o has, by the end of its name.
fn form(path: &Path) -> Result<Part> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("safetensors") => Ok(Part::Weights),
        Some("onnx") => Ok(Part::Network),
        other => {
            let found = other.map_or_else(|| path.display().to_string(), |e| format!(".{e}"));
            Err(Error::options("-o", "a file that ends in .safetensors or .onnx", found, "Rename the file."))
        }
    }
}

/// Cells to export.
pub struct ExportJob {
    wanted: Vec<Wanted>,
    options: Options,
    quiet: bool,
}

impl ExportJob {
    /// Computes and writes, one cell after the other; the files of a cell appear when all of them are whole.
    pub fn run(self) -> Result<()> {
        catch_interrupts();
        let of_cell: Vec<&[Wanted]> = self.wanted.chunk_by(|a, b| a.cell == b.cell).collect();
        let open = |wanted: &[Wanted]| {
            wanted.iter().map(|wanted| Output::open(Some(&wanted.path), false)).collect::<Result<Vec<_>>>()
        };
        let mut first = of_cell.first().map(|wanted| open(wanted)).transpose()?;
        let engine = Engine::new(self.options.clone())?;
        let progress = Progress::new(self.wanted.len(), self.quiet);
        let mut written = 0;
        for wanted in of_cell {
            let outputs = match first.take() {
                Some(outputs) => outputs,
                None => open(wanted)?,
            };
            match export(&engine, wanted, outputs, &progress) {
                Ok(()) => written += wanted.len(),
                Err(error) => {
                    progress.clear();
                    return Err(error);
                }
            }
        }
        progress.clear();
        let files =
            if written == 1 { "1 file is".to_string() } else { format!("{} files are", grouped(written as u64)) };
        progress.note(&format!("{files} written."));
        if self.options.weights.is_none() && self.options.init != self.options.slope_init {
            let note = "LossSlope starts from other weights (--slope-init) than -o has (--init): --task has them.";
            progress.note(note);
        }
        Ok(())
    }
}

/// Writes the files of one cell.
fn export(engine: &Engine, wanted: &[Wanted], outputs: Vec<Output>, progress: &Progress) -> Result<()> {
    let Some(Wanted { cell, .. }) = wanted.first() else { return Ok(()) };
    let (inputs, origin) = (engine.inputs(cell)?, Origin::new(engine, Some(cell)));
    let passed = wanted.iter().any(|wanted| matches!(wanted.part, Part::Network | Part::Logits));
    let pass = passed.then(|| engine.on_threads(|| Pass::of(cell, &inputs))).transpose()?;
    let unpassed = || Error::Internal("an export lacks its forward pass".to_string());
    let mut full = Vec::new();
    for (Wanted { part, .. }, mut output) in wanted.iter().zip(outputs) {
        if progress.cancelled() {
            return Err(Error::Interrupted);
        }
        let bytes = match part {
            Part::Weights => export::weights(cell, &inputs, &origin)?,
            Part::Network => export::network(cell, &inputs, pass.as_ref().ok_or_else(unpassed)?, &origin)?,
            Part::Images => export::images(&inputs, &Origin::new(engine, None))?,
            Part::Task => export::task(cell, &inputs, &origin)?,
            Part::Logits => export::logits(pass.as_ref().ok_or_else(unpassed)?, &origin)?,
            Part::Losses => engine.on_threads(|| export::losses(cell, &inputs, &origin, progress))?,
        };
        output.write_bytes(&bytes)?;
        full.push(output);
        if *part != Part::Losses {
            progress.advance();
        }
    }
    full.into_iter().try_for_each(|output| output.finish(&Value::Null))
}

//! `plot losses`: what LossSlope is fitted to.

use super::sheets::PictureArguments;
use crate::cli::common::EngineArguments;
use crate::cli::progress::Progress;
use crate::cli::{cells, names};
use crate::engine::{Engine, Options};
use crate::error::Result;
use crate::plot::{losses, Losses};
use crate::space::{Cell, Encoding};
use clap::Args;

/// Draw the losses that LossSlope is fitted to, trained here and now.
///
/// Up to seven cells have a colour and their fitted line each; of more cells, the colour tells LossSlope.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct LossesArguments {
    /// Cells: architecture strings or NATS-Bench indices; `-` reads them from stdin, one a line
    #[arg(value_name = "CELL", required = true)]
    cells: Vec<String>,
    /// How cells are written: `ops` is six op ids in string order, `naslib` NASLib's tuple
    #[arg(long, value_name = "NAME", value_parser = names::encoding(), default_value = "arch")]
    encoding: Encoding,
    #[command(flatten)]
    engine: EngineArguments,
    #[command(flatten)]
    picture: PictureArguments,
}

impl LossesArguments {
    /// Everything is read and checked; nothing is computed.
    pub fn ready(self) -> Result<LossesJob> {
        self.picture.check()?;
        let cells = cells::named(&self.cells, self.encoding)?;
        Ok(LossesJob { cells, options: self.engine.options(), sheets: self.picture })
    }
}

/// Cells to train.
pub struct LossesJob {
    cells: Vec<Cell>,
    options: Options,
    sheets: PictureArguments,
}

impl LossesJob {
    /// Trains, draws and writes.
    pub fn run(self) -> Result<()> {
        let sheets = self.sheets.open((720, 500))?;
        let engine = Engine::new(self.options.clone())?;
        let progress = Progress::new(self.cells.len(), self.sheets.quiet);
        engine.device_note().into_iter().for_each(|note| progress.note(note));
        progress.describe(format!("{} cells", self.cells.len()));
        let curves = engine.losses(&self.cells, &progress);
        progress.clear();
        let trainings: Vec<Losses> =
            self.cells.iter().zip(curves?).map(|(cell, losses)| Losses { cell: *cell, losses }).collect();
        let task = format!("{}, seed {}", self.options.dataset.title(), self.options.seeds.master);
        sheets.write(losses(&trainings, self.options.slope_fit, &task))
    }
}

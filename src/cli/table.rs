//! `table`: score tables from what others publish, and what a table knows.

use super::common::TableArguments;
use super::progress::{catch_interrupts, Progress};
use super::{cells, names};
use crate::error::Result;
use crate::report::{table_cells, table_info, Format, Output};
use crate::space::{Encoding, SPACE_SIZE};
use crate::table::{import, Accuracies};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

/// Import a table of accuracies, and look into one.
#[derive(Args)]
pub struct TableCommand {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    Import(ImportArguments),
    Show(ShowArguments),
    Info(InfoArguments),
}

/// Read a benchmark's own files into one compact file for --table
///
/// PATH is recognised by its content: NATS-Bench's folder NATS-tss-v1_0-3ffb9-simple or its single .pickle.pbz2, NAS-Bench-201's .pth,
/// NASLib's zc_nasbench201.json or nb201_*_full_training.pickle, or CSV. Accuracies are means over the seeds that the source has;
/// NASLib's, which are of one seed, go to columns that say so. Named NATS-tss-v1_0-3ffb9.safetensors and put into $TORCH_HOME, the file
/// is found without --table.
#[derive(Args)]
struct ImportArguments {
    /// The file or folder to read
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The file to write; it appears whole or not at all
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Neither progress bar nor notes on stderr; errors are still told
    #[arg(short, long)]
    quiet: bool,
}

/// Tell all that the table knows of cells
#[derive(Args)]
#[command(allow_negative_numbers = true)]
struct ShowArguments {
    /// Cells: architecture strings or NATS-Bench indices; `-` reads them from stdin, one a line
    #[arg(value_name = "CELL", required = true)]
    cells: Vec<String>,
    /// How cells are written: `ops` is six op ids in string order, `naslib` NASLib's tuple
    #[arg(long, value_name = "NAME", value_parser = names::encoding(), default_value = "arch")]
    encoding: Encoding,
    #[command(flatten)]
    table: TableArguments,
    /// Form of the answer; `table` is for people and rounds
    #[arg(long, value_name = "NAME", value_parser = names::format(), default_value = "table", help_heading = "Output")]
    format: Format,
    /// Write the answer to FILE
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
}

/// Tell the table's columns, where they come from and of how many cells they are known
#[derive(Args)]
struct InfoArguments {
    #[command(flatten)]
    table: TableArguments,
    /// Form of the answer
    #[arg(long, value_name = "NAME", value_parser = names::explain_format(), default_value = "table")]
    #[arg(help_heading = "Output")]
    format: Format,
    /// Write the answer to FILE
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
}

impl TableCommand {
    /// Imports or tells.
    pub fn run(self) -> Result<()> {
        match self.command {
            Action::Import(arguments) => arguments.run(),
            Action::Show(arguments) => {
                let cells = cells::named(&arguments.cells, arguments.encoding)?;
                let table = Accuracies::find(arguments.table.table.as_deref())?;
                write(&table_cells(&table, &cells, arguments.format)?, arguments.output.as_deref())
            }
            Action::Info(arguments) => {
                let table = Accuracies::find(arguments.table.table.as_deref())?;
                write(&table_info(&table, arguments.format), arguments.output.as_deref())
            }
        }
    }
}

impl ImportArguments {
    fn run(self) -> Result<()> {
        let mut output = Output::open(Some(&self.output), false)?;
        catch_interrupts();
        let progress = Progress::new(SPACE_SIZE, self.quiet);
        progress.describe(format!("reading {}", self.path.display()));
        let imported = import(&self.path, &progress)?;
        let bytes = imported.table.compact(&self.path)?;
        progress.clear();
        output.write_bytes(&bytes)?;
        output.finish(&serde_json::Value::Null)?;
        imported.notes.iter().for_each(|note| progress.note(note));
        let (columns, cells) = (imported.table.columns().len(), imported.table.cells());
        let path = self.output.display();
        progress.note(&format!("{columns} columns of {cells} cells ({}) are in {path}.", imported.table.kind()));
        Ok(())
    }
}

fn write(text: &str, path: Option<&Path>) -> Result<()> {
    let mut output = Output::open(path, false)?;
    output.write(text)?;
    output.finish(&serde_json::Value::Null)
}

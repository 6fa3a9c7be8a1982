//! `explain`: all that is known of a cell without computing a network.

use super::common::TableArguments;
use super::names;
use crate::error::{Error, Result};
use crate::input::Dataset;
use crate::report::{Explanation, Format, Output};
use crate::space::{Cell, Encoding, Skeleton};
use crate::table::Accuracies;
use clap::Args;
use std::path::PathBuf;

/// Draw a cell and tell all that is known of it without a network.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct ExplainArguments {
    /// An architecture string or a NATS-Bench index
    #[arg(value_name = "CELL")]
    cell: String,
    /// How the cell is written: `ops` is six op ids in string order, `naslib` NASLib's tuple
    #[arg(long, value_name = "NAME", value_parser = names::encoding(), default_value = "arch")]
    encoding: Encoding,
    /// Data set whose network is counted
    #[arg(long, value_name = "NAME", value_parser = names::dataset(), default_value = "cifar10")]
    dataset: Dataset,
    /// Outputs of the classifier [default: the data set's]
    #[arg(long, value_name = "N", value_parser = names::count)]
    classes: Option<usize>,
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

impl ExplainArguments {
    /// Explains.
    pub fn run(self) -> Result<()> {
        let cell = Cell::parse(&self.cell, self.encoding)?;
        let skeleton = Skeleton::benchmark(self.classes.unwrap_or(self.dataset.classes()), self.dataset.size());
        skeleton.check()?;
        let accuracies = Accuracies::find(self.table.table.as_deref())?;
        let explanation = Explanation::new(cell, self.dataset, skeleton, &accuracies);
        let text = match self.format {
            Format::Table => explanation.text(),
            Format::Json => explanation.json(),
            other => return Err(Error::Internal(format!("explain was asked for {}", other.name()))),
        };
        let mut output = Output::open(self.output.as_deref(), false)?;
        output.write(&text)?;
        output.finish(&serde_json::Value::Null)
    }
}

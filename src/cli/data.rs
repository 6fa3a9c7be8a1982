//! `data`: whether the images that scores are to be computed from are whole.

use super::names;
use crate::error::Result;
use crate::input::{Check, Dataset};
use crate::report::{data_text, Format, Output};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Check the files of a data set.
#[derive(Args)]
pub struct DataCommand {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    Check(CheckArguments),
}

/// Tell whether a data set's files are whole, file by file
///
/// PATH is what `--data` takes: a folder or a file of CIFAR-10 or CIFAR-100 (binary files or torchvision's pickles), ImageNet16's pickles,
/// or a safetensors batch. Sizes and MD5 sums are compared with the published ones where these are known, and every image is read.
/// Ends with 2 if a file is missing, damaged or another than the published one.
#[derive(Args)]
struct CheckArguments {
    /// The folder or file
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The data set that it should be [default: the one that its files are of]
    #[arg(long, value_name = "NAME", value_parser = names::dataset())]
    dataset: Option<Dataset>,
    /// Form of the answer
    #[arg(long, value_name = "NAME", value_parser = names::explain_format(), default_value = "table")]
    #[arg(help_heading = "Output")]
    format: Format,
    /// Write the answer to FILE
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
}

impl DataCommand {
    /// Checks.
    pub fn run(self) -> Result<()> {
        let Action::Check(arguments) = self.command;
        let mut output = Output::open(arguments.output.as_deref(), false)?;
        let check = Check::of(&arguments.path, arguments.dataset)?;
        output.write(&data_text(&check, arguments.format))?;
        output.finish(&serde_json::Value::Null)?;
        check.verdict()
    }
}

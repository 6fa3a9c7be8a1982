//! `merge`: the shards of a sweep become one file.

use super::progress::{catch_interrupts, say};
use crate::error::{Error, Result};
use crate::report::{self, grouped, MergeRules, Output};
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};

/// Put the files of `score --shard` together.
///
/// The result, metadata included, is what one process would have written. Each file needs its metadata, FILE.meta.json, beside it. Files
/// that were made with other options are refused, and so are shards that are missing, unfinished, or there twice.
#[derive(Args)]
pub struct MergeArguments {
    /// Files that `score --shard` wrote, of all shards, in any order
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write the records to FILE, and how to get them again to FILE.meta.json
    #[arg(short, long, value_name = "FILE", required = true, help_heading = "Output")]
    output: PathBuf,
    /// Replace FILE if it is there
    #[arg(long, help_heading = "Output")]
    force: bool,
    /// Leave out the cells of shards that are missing or unfinished
    #[arg(long)]
    partial: bool,
    /// Accept scores of different backends or kernel sets, which differ in the last digits
    #[arg(long)]
    allow_mixed: bool,
    /// No notes on stderr; errors are still told
    #[arg(short, long, help_heading = "Output")]
    quiet: bool,
}

impl MergeArguments {
    /// Merges and writes.
    pub fn run(self) -> Result<()> {
        catch_interrupts();
        let name = format!("-o {}", self.output.display());
        if self.files.iter().any(|file| same(file, &self.output)) {
            let remedy = "Choose another name for the result.";
            return Err(Error::options(name, "another file than those that are merged", "one of them", remedy));
        }
        let bytes = fs::metadata(&self.output).map(|found| if found.is_file() { found.len() } else { 0 });
        if let Some(bytes) = bytes.ok().filter(|bytes| *bytes > 0 && !self.force) {
            let (expected, remedy) = ("a file that does not exist yet", "Give --force to replace it.");
            return Err(Error::options(name, expected, format!("one of {bytes} bytes"), remedy));
        }
        let mut output = Output::open(Some(&self.output), true)?;
        let rules = MergeRules { partial: self.partial, mixed: self.allow_mixed };
        let merged = report::merge(&self.files, rules, &mut output)?;
        output.finish(&merged.metadata)?;
        if !self.quiet {
            let [records, asked] = [merged.records, merged.asked].map(|count| grouped(count as u64));
            say(&format!("note: {records} of {asked} cells are in {}.", self.output.display()));
        }
        Ok(())
    }
}

/// Both paths name one file.
fn same(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

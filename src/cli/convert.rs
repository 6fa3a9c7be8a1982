//! `convert`: cells between the encodings that users hold.

use super::{cells, names};
use crate::error::{Error, Result};
use crate::report::{converted, ConvertFormat, Notation, Output};
use crate::space::{Cell, Encoding};
use clap::Args;
use std::path::PathBuf;

/// Convert cells between the encodings.
///
/// `arch` is the architecture string, `ops` six op ids in string order (3,0,1,0,0,4), `naslib` NASLib's tuple in its own order of ops and
/// edges, `index` the number in NATS-Bench's order.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct ConvertArguments {
    /// Cells; `-` reads them from stdin, one a line
    #[arg(value_name = "CELL", required = true)]
    cells: Vec<String>,
    /// How the cells are written; `auto` tells strings from indices, but not `ops` from `naslib`
    #[arg(long, value_name = "NAME", value_parser = names::source_notation(), default_value = "auto")]
    from: Source,
    /// What to write
    #[arg(long, value_name = "NAME", value_parser = names::target_notation(), default_value = "all")]
    to: Target,
    /// Form of the answer; `plain` is one cell a line and nothing else
    #[arg(long, value_name = "NAME", value_parser = names::convert_format(), default_value = "table")]
    #[arg(help_heading = "Output")]
    format: ConvertFormat,
    /// Write the answer to FILE
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
}

/// How cells are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Whatever they turn out to be.
    Auto,
    /// In this one.
    Notation(Notation),
}

/// Which encodings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// All four.
    All,
    /// This one.
    Notation(Notation),
}

impl ConvertArguments {
    /// Converts.
    pub fn run(self) -> Result<()> {
        let text = self.text()?;
        let mut output = Output::open(self.output.as_deref(), false)?;
        output.write(&text)?;
        output.finish(&serde_json::Value::Null)
    }

    /// The cells as asked for.
    pub fn text(&self) -> Result<String> {
        let notations = match self.to {
            Target::All => Notation::ALL.to_vec(),
            Target::Notation(notation) => vec![notation],
        };
        if self.format == ConvertFormat::Plain && notations.len() > 1 {
            return Err(Error::options(
                "--format plain",
                "one encoding",
                "all of them",
                "Name the one to write with --to, or choose another format.",
            ));
        }
        let cells = cells::named_by(&self.cells, &|text| read(text, self.from))?;
        converted(&cells, &notations, self.format)
    }
}

/// The cell of a text.
fn read(text: &str, source: Source) -> Result<Cell> {
    match source {
        Source::Notation(Notation::Arch) if is_index(text) => Err(not_written("an architecture string", text, "index")),
        Source::Notation(Notation::Arch) => Cell::parse(text, Encoding::Arch),
        Source::Notation(Notation::Index) if !is_index(text) => {
            Err(Error::CellIndex { found: format!("{:.60}", text.trim()) })
        }
        Source::Notation(Notation::Index) => Cell::parse(text, Encoding::Arch),
        Source::Notation(Notation::Ops) => Cell::parse(text, Encoding::Ops),
        Source::Notation(Notation::Naslib) => Cell::parse(text, Encoding::Naslib),
        Source::Auto => guess(text),
    }
}

/// Strings and indices tell what they are. Six ids are read in both orders: nothing in them says which is meant.
fn guess(text: &str) -> Result<Cell> {
    match (Cell::parse(text, Encoding::Ops), Cell::parse(text, Encoding::Naslib)) {
        (Ok(ops), Ok(naslib)) if ops != naslib => Err(Error::options(
            format!("The cell {:?}", text.trim()),
            "one meaning",
            format!("two: cell {} as ops, cell {} as naslib", ops.index(), naslib.index()),
            "Say which with --from ops or --from naslib.",
        )),
        (Ok(cell), Ok(_)) => Ok(cell),
        _ => Cell::parse(text, Encoding::Arch),
    }
}

fn is_index(text: &str) -> bool {
    let digits = text.trim().trim_start_matches(['-', '+']);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn not_written(expected: &str, text: &str, notation: &str) -> Error {
    Error::options("--from", expected, format!("{:?}", text.trim()), format!("Say --from {notation}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_ids_mean_one_cell_or_are_refused() {
        let error = guess("3,0,1,0,0,4").unwrap_err().to_string();
        for part in ["as ops", "as naslib", "--from ops or --from naslib"] {
            assert!(error.contains(part), "{error}");
        }
        // Average pooling is 4 in both orders.
        assert_eq!(guess("4,4,4,4,4,4").unwrap().op_ids(), [4; 6]);
        assert_eq!(guess("(4, 4, 4, 4, 4, 4)").unwrap().op_ids(), [4; 6]);
        assert_eq!(guess(" 9930 ").unwrap().index(), 9930);
        assert_eq!(guess(&Cell::from_index(7).unwrap().to_string()).unwrap().index(), 7);
        assert!(matches!(guess("64:64:32:16:8"), Err(Error::SizeSpaceCell { .. })));
        assert!(matches!(guess("15625"), Err(Error::CellIndex { .. })));
    }

    #[test]
    fn what_is_named_is_what_is_read() {
        let by = |text: &str, notation| read(text, Source::Notation(notation));
        assert_eq!(by("2,2,0,2,2,2", Notation::Naslib).unwrap().index(), 9930);
        assert_eq!(by("3,3,3,1,3,3", Notation::Ops).unwrap().index(), 9930);
        assert_eq!(by("9930", Notation::Index).unwrap().index(), 9930);
        assert!(by("9930", Notation::Arch).unwrap_err().to_string().contains("--from index"));
        assert!(by("3,3,3,1,3,3", Notation::Index).is_err());
        assert!(by("|none~0|", Notation::Index).is_err());
    }
}

//! Cells in the encodings that users hold.

use super::grid::{Align, Grid};
use super::json;
use super::score::csv_text;
use crate::error::Result;
use crate::space::Cell;
use serde_json::Value;

/// How a cell can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// The number in NATS-Bench's order.
    Index,
    /// The architecture string.
    Arch,
    /// Six op ids in string order.
    Ops,
    /// NASLib's tuple.
    Naslib,
}

impl Notation {
    /// All four.
    pub const ALL: [Notation; 4] = [Notation::Index, Notation::Ops, Notation::Naslib, Notation::Arch];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        ["index", "arch", "ops", "naslib"][self as usize]
    }

    /// The cell in this encoding, as text that is read back.
    fn text(self, cell: &Cell) -> String {
        let ids = |ids: [u8; 6], separator: &str| ids.map(|id| id.to_string()).join(separator);
        match self {
            Notation::Index => cell.index().to_string(),
            Notation::Arch => cell.to_string(),
            Notation::Ops => ids(cell.op_ids(), ","),
            Notation::Naslib => format!("({})", ids(cell.naslib(), ", ")),
        }
    }

    /// The cell in this encoding, in JSON.
    fn value(self, cell: &Cell) -> Value {
        match self {
            Notation::Index => Value::from(cell.index()),
            Notation::Arch => Value::from(cell.to_string()),
            Notation::Ops => Value::from(cell.op_ids().to_vec()),
            Notation::Naslib => Value::from(cell.naslib().to_vec()),
        }
    }
}

/// How converted cells are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvertFormat {
    /// Aligned columns for people; the string stands beside every index.
    Table,
    /// One cell a line.
    Plain,
    /// One header and one line for each cell.
    Csv,
    /// One object for each cell.
    Jsonl,
}

impl ConvertFormat {
    /// All four.
    pub const ALL: [ConvertFormat; 4] =
        [ConvertFormat::Table, ConvertFormat::Plain, ConvertFormat::Csv, ConvertFormat::Jsonl];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        ["table", "plain", "csv", "jsonl"][self as usize]
    }
}

/// The cells in these encodings.
pub fn converted(cells: &[Cell], notations: &[Notation], format: ConvertFormat) -> Result<String> {
    let row = |cell: &Cell, notations: &[Notation]| notations.iter().map(|n| n.text(cell)).collect::<Vec<String>>();
    // An index alone is a cell only to who knows the order: the string stands beside it, but in lists for pipes.
    let mut notations = notations.to_vec();
    let indexed = notations.contains(&Notation::Index) && !notations.contains(&Notation::Arch);
    if indexed && format != ConvertFormat::Plain {
        notations.push(Notation::Arch);
    }
    let notations = notations.as_slice();
    Ok(match format {
        ConvertFormat::Table => {
            let mut shown = notations.to_vec();
            if !shown.contains(&Notation::Arch) {
                shown.push(Notation::Arch);
            }
            let align = |n: &Notation| if *n == Notation::Index { Align::Right } else { Align::Left };
            let mut grid = Grid::new(shown.iter().map(|n| (title(*n).to_string(), align(n))).collect());
            cells.iter().for_each(|cell| grid.row(row(cell, &shown)));
            grid.text()
        }
        ConvertFormat::Plain => cells.iter().map(|cell| format!("{}\n", row(cell, notations).join(" "))).collect(),
        ConvertFormat::Csv => {
            let header = notations.iter().map(|n| n.name().to_string()).collect();
            csv_text(std::iter::once(header).chain(cells.iter().map(|cell| row(cell, notations))))?
        }
        ConvertFormat::Jsonl => {
            let object = |cell: &Cell| {
                let mut object = json::object([]);
                object.extend(notations.iter().map(|n| (n.name().to_string(), n.value(cell))));
                Value::Object(object)
            };
            cells.iter().map(|cell| format!("{}\n", object(cell))).collect()
        }
    })
}

fn title(notation: Notation) -> &'static str {
    match notation {
        Notation::Index => "index",
        Notation::Arch => "cell",
        Notation::Ops => "op ids",
        Notation::Naslib => "NASLib",
    }
}

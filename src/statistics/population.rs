//! Over which cells a correlation is taken.

use crate::space::{Cell, SPACE_SIZE};
use std::collections::HashSet;
use std::sync::LazyLock;

/// A part of the space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Population {
    /// All 15,625 cells.
    All,
    /// The 6,466 cells that are the first, by index, of their isomorphism class ([`Cell::unique_string`]).
    Unique,
}

/// By index: whether the cell is the first of its class.
static FIRST: LazyLock<Vec<bool>> = LazyLock::new(|| {
    let mut seen = HashSet::with_capacity(SPACE_SIZE);
    Cell::all().map(|cell| seen.insert(cell.unique_string())).collect()
});

impl Population {
    /// Both.
    pub const ALL: [Population; 2] = [Population::All, Population::Unique];

    /// The name on the command line and in records.
    pub fn name(self) -> &'static str {
        ["all", "unique"][self as usize]
    }

    /// The cell is one of them.
    pub fn has(self, cell: &Cell) -> bool {
        self == Population::All || FIRST.get(cell.index()).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cell_of_each_class() {
        assert_eq!(Population::ALL.map(|p| Cell::all().filter(|c| p.has(c)).count()), [15_625, 6_466]);
        let first = Cell::from_index(0).unwrap();
        assert!(Population::Unique.has(&first));
    }
}

//! A cell: six operations, one for each edge of the complete graph on four ordered nodes.

use super::op::Op;
use super::order;
use crate::error::{Error, Result};
use std::fmt;

/// The number of cells in the space, 5⁶.
pub const SPACE_SIZE: usize = 15_625;

/// `(source, target)` of each edge, in the order of the architecture string.
pub const EDGES: [(usize, usize); 6] = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)];

/// One of the 15,625 cells. Node 0 is the input, node 3 the output, a node is the sum of its incoming edges.
///
/// ```
/// use etnas::space::{Cell, Op};
/// let cell: Cell = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|".parse()?;
/// assert_eq!(cell.ops()[0], Op::NorConv3x3);
/// assert_eq!(Cell::from_index(cell.index() as i64)?, cell);
/// # Ok::<(), etnas::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell([Op; 6]);

impl Cell {
    /// The cell with these operations, in the order of [`EDGES`].
    pub const fn new(ops: [Op; 6]) -> Cell {
        Cell(ops)
    }

    /// The operations, in the order of [`EDGES`].
    pub fn ops(&self) -> &[Op; 6] {
        &self.0
    }

    /// The op ids read as digits of base 5, first edge most significant: 0 to 15,624.
    pub fn lexicographic(&self) -> usize {
        self.0.iter().fold(0, |code, &op| code * 5 + op as usize)
    }

    /// The inverse of [`Cell::lexicographic`]; digits above the sixth are ignored.
    pub(crate) fn from_lexicographic(mut code: usize) -> Cell {
        let mut ops = [Op::None; 6];
        for op in ops.iter_mut().rev() {
            *op = Op::ALL[code % 5];
            code /= 5;
        }
        Cell(ops)
    }

    /// The index in the order of NATS-Bench, 0 to 15,624.
    pub fn index(&self) -> usize {
        order::index_of(self.lexicographic())
    }

    /// The cell of a NATS-Bench index.
    pub fn from_index(index: i64) -> Result<Cell> {
        match usize::try_from(index) {
            Ok(i) if i < SPACE_SIZE => Ok(Cell::from_lexicographic(order::code_at(i))),
            _ => Err(Error::CellIndex { found: index.to_string() }),
        }
    }

    /// All cells, in the order of NATS-Bench.
    pub fn all() -> impl ExactSizeIterator<Item = Cell> {
        (0..SPACE_SIZE).map(|i| Cell::from_lexicographic(order::code_at(i)))
    }

    /// How many edges convolve with this kernel side or with any (`None`).
    pub fn conv_edges(&self, kernel: Option<super::Kernel>) -> usize {
        self.0.iter().filter_map(|op| op.kernel()).filter(|k| kernel.is_none_or(|wanted| *k == wanted)).count()
    }

    /// Degree (SPEC section 1): convolutions, plus one for a skip on 0→2 or 1→3, plus two for a skip on 0→3.
    pub fn degree(&self) -> u32 {
        self.0
            .iter()
            .zip(EDGES)
            .map(|(op, (from, to))| match op {
                Op::NorConv1x1 | Op::NorConv3x3 => 1,
                Op::SkipConnect => (to - from - 1) as u32,
                _ => 0,
            })
            .sum()
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(90);
        for (edge, (from, to)) in EDGES.into_iter().enumerate() {
            if from == 0 {
                text.push_str(if to == 1 { "|" } else { "+|" });
            }
            text.push_str(self.0[edge].name());
            text.push_str(["~0|", "~1|", "~2|"][from]);
        }
        f.pad(&text)
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

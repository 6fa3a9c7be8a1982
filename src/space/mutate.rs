//! Mutation: one edge of the cell gets another operation.

use super::cell::Cell;
use super::op::Op;
use crate::random::Stream;

/// A node of {1, 2, 3} uniformly, one of its incoming edges uniformly, another of the five operations uniformly
/// (SPEC section 1): edges into a node with few inputs change more often.
pub fn mutate(cell: &Cell, rng: &mut Stream) -> Cell {
    let node = 1 + rng.below(3);
    let edge = node * (node - 1) / 2 + rng.below(node);
    let mut ops = *cell.ops();
    let other = (ops[edge] as usize + 1 + rng.below(4)) % 5;
    ops[edge] = Op::ALL[other];
    Cell::new(ops)
}

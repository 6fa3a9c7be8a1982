//! Which nodes and edges of a cell can carry signal.

use super::cell::{Cell, EDGES};
use super::op::Op;

/// What of a cell's graph can carry signal from the input (node 0) to the output (node 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Node can be reached from node 0; an unreachable node is exactly zero.
    pub from_input: [bool; 4],
    /// Node 3 can be reached from this node.
    pub to_output: [bool; 4],
}

impl Reach {
    /// Both reachabilities of a cell.
    pub fn of(cell: &Cell) -> Reach {
        let mut from_input = [true, false, false, false];
        let mut to_output = [false, false, false, true];
        let present = |e: usize| cell.ops()[e] != Op::None;
        // EDGES ascends in its targets and, for each target, in its sources: one sweep each way is a fixed point.
        for (e, (from, to)) in EDGES.into_iter().enumerate() {
            from_input[to] |= present(e) && from_input[from];
        }
        for (e, (from, to)) in EDGES.into_iter().enumerate().rev() {
            to_output[from] |= present(e) && to_output[to];
        }
        Reach { from_input, to_output }
    }

    /// The edge lies on a path from node 0 to node 3, provided its op is not `none`.
    pub fn on_path(&self, edge: usize) -> bool {
        let (from, to) = EDGES[edge];
        self.from_input[from] && self.to_output[to]
    }
}

impl Cell {
    /// No path leads from node 0 to node 3: the cell's output is exactly zero. True for 341 cells.
    pub fn is_dead(&self) -> bool {
        !Reach::of(self).from_input[3]
    }

    /// Edge `edge` (position in [`EDGES`]) carries signal from node 0 to node 3.
    pub fn is_live(&self, edge: usize) -> bool {
        self.ops()[edge] != Op::None && Reach::of(self).on_path(edge)
    }

    /// The cell with `none` on every edge that carries no signal from node 0 to node 3. Its output, and what training makes of it,
    /// are this cell's to the last bit, as weights belong to places: 9,445 cells stand for the 15,625.
    pub fn live_part(&self) -> Cell {
        let reach = Reach::of(self);
        let mut ops = *self.ops();
        for (edge, op) in ops.iter_mut().enumerate() {
            if !reach.on_path(edge) {
                *op = Op::None;
            }
        }
        Cell::new(ops)
    }

    /// No ReLU code of the network differs between two images, so naswot is −∞: node 3 is unreachable and no
    /// convolution leaves a reachable node. True for 201 cells.
    pub fn has_constant_codes(&self) -> bool {
        let reach = Reach::of(self);
        let counted = |e: usize| self.ops()[e].kernel().is_some() && reach.from_input[EDGES[e].0];
        !reach.from_input[3] && !(0..6).any(counted)
    }
}

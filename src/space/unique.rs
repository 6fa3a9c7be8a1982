//! The isomorphism class of a cell, as NAS-Bench-201 writes it (SPEC section 1).

use super::cell::{Cell, EDGES};
use super::op::Op;

impl Cell {
    /// The unique string: two cells with equal strings are the same function up to the order of their nodes. 6,466 exist.
    ///
    /// A term is `#` for `none` and for a source that is exactly `#`; a skip is its source's string; another op is
    /// `(source)@op`. A node is its terms, sorted, joined by `+`; `#+#` is not `#`.
    pub fn unique_string(&self) -> String {
        let mut nodes: [String; 4] = ["0".to_string(), String::new(), String::new(), String::new()];
        for node in 1..4 {
            let mut terms: Vec<String> = EDGES
                .into_iter()
                .enumerate()
                .filter(|(_, (_, to))| *to == node)
                .map(|(e, (from, _))| match self.ops()[e] {
                    Op::None => "#".to_string(),
                    _ if nodes[from] == "#" => "#".to_string(),
                    Op::SkipConnect => nodes[from].clone(),
                    op => format!("({})@{}", nodes[from], op.name()),
                })
                .collect();
            terms.sort_unstable();
            nodes[node] = terms.join("+");
        }
        let [.., output] = nodes;
        output
    }
}

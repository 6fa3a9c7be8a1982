//! All that is known of a cell without computing a network.

use super::grid::pairs;
use super::metadata::TEST_ACCURACY;
use super::score::{percent, sourced};
use super::{draw, json, number};
use crate::input::Dataset;
use crate::space::{Cell, Skeleton, EDGES};
use crate::table::Accuracies;
use serde_json::{json, Value};

/// A cell in a network, and its accuracies.
pub struct Explanation<'a> {
    cell: Cell,
    dataset: Dataset,
    skeleton: Skeleton,
    accuracies: &'a Accuracies,
    /// The cells of its unique string, by index.
    class: Vec<Cell>,
}

impl<'a> Explanation<'a> {
    /// Explains `cell` in the benchmark's network for `dataset`, with `classes` outputs if given.
    pub fn new(cell: Cell, dataset: Dataset, skeleton: Skeleton, accuracies: &'a Accuracies) -> Explanation<'a> {
        let own = cell.unique_string();
        let class = Cell::all().filter(|c| c.unique_string() == own).collect();
        Explanation { cell, dataset, skeleton, accuracies, class }
    }

    /// For machines.
    pub fn json(&self) -> String {
        let cell = &self.cell;
        let edges = EDGES.into_iter().zip(cell.ops()).enumerate().map(
            |(edge, ((from, to), op))| json!({"from": from, "to": to, "op": op.name(), "live": cell.is_live(edge)}),
        );
        let accuracies = Dataset::ALL
            .map(|d| (d.name().to_string(), self.accuracies.lookup(cell, d).map_or(Value::Null, Value::from)));
        json::pretty(&json!({
            "index": cell.index(),
            "arch": cell.to_string(),
            "ops": cell.op_ids(),
            "naslib": cell.naslib(),
            "edges": edges.collect::<Value>(),
            "dead": cell.is_dead(),
            "singular": cell.has_constant_codes(),
            "degree": cell.degree(),
            "unique_string": cell.unique_string(),
            "class": self.class.iter().map(Cell::index).collect::<Vec<_>>(),
            "class_archs": self.class.iter().map(Cell::to_string).collect::<Vec<_>>(),
            "dataset": self.dataset.name(),
            "params": self.skeleton.params(cell),
            "macs": self.skeleton.macs(cell),
            "code_bits": self.skeleton.code_bits(cell),
            "test_accuracy": accuracies.into_iter().collect::<serde_json::Map<_, _>>(),
            "accuracy_unit": TEST_ACCURACY,
            "accuracy_source": self.accuracies.source(),
        }))
    }

    /// For people.
    pub fn text(&self) -> String {
        let cell = &self.cell;
        let list = |ids: [u8; 6]| ids.map(|id| id.to_string()).join(", ");
        let grouped = |n: u64| number::grouped(n);
        let lines = [
            ("string", cell.to_string()),
            ("index", cell.index().to_string()),
            ("op ids", list(cell.op_ids())),
            ("NASLib", format!("({})", list(cell.naslib()))),
            ("", String::from(" ")),
            ("live edges", self.live_edges()),
            ("signal", self.signal().to_string()),
            ("Degree", cell.degree().to_string()),
            ("unique string", cell.unique_string()),
            ("class", self.class_line()),
            ("", String::from(" ")),
            ("network", self.network()),
            ("params", grouped(self.skeleton.params(cell))),
            ("MACs", format!("{} for one image", grouped(self.skeleton.macs(cell)))),
            ("N_A", format!("{} ReLU code bits for one image", grouped(self.skeleton.code_bits(cell)))),
            ("", String::from(" ")),
            ("accuracy", self.accuracy_lines()),
            ("accuracies", sourced(self.accuracies)),
        ];
        format!("Cell {}\n\n{}{}\n{}", cell.index(), draw(cell), self.drawing_notes(), pairs(&lines))
    }

    fn drawing_notes(&self) -> &'static str {
        let idle = (0..6).any(|e| self.cell.ops()[e] != crate::space::Op::None && !self.cell.is_live(e));
        if idle {
            "\n  dashed: present, but on no path from node 0 to node 3\n"
        } else {
            ""
        }
    }

    fn live_edges(&self) -> String {
        let live = (0..6).filter(|&e| self.cell.is_live(e));
        let names: Vec<String> = live.map(|e| format!("{}→{}", EDGES[e].0, EDGES[e].1)).collect();
        match names.len() {
            0 => "none of 6".to_string(),
            n => format!("{n} of 6: {}", names.join(", ")),
        }
    }

    fn signal(&self) -> &'static str {
        match (self.cell.is_dead(), self.cell.has_constant_codes()) {
            (true, true) => "dead: node 3 is unreachable; naswot is singular, for no ReLU code differs between images",
            (true, false) => "dead: node 3 is unreachable; naswot still sees a branch that reaches no output",
            _ => "reaches node 3",
        }
    }

    fn class_line(&self) -> String {
        const SHOWN: usize = 8;
        let others = self.class.iter().filter(|cell| **cell != self.cell);
        let others: Vec<String> = others.map(|cell| format!("{} {cell}", cell.index())).collect();
        match others.len() {
            0 => "no other cell has this unique string".to_string(),
            1 => format!("2 cells have this unique string; the other is {}", others[0]),
            n if n <= SHOWN => {
                format!("{} cells have this unique string; the others are\n{}", n + 1, others.join("\n"))
            }
            n => format!(
                "{} cells have this unique string, among them\n{}\n…",
                number::grouped(n as u64 + 1),
                others[..SHOWN].join("\n")
            ),
        }
    }

    fn network(&self) -> String {
        let Skeleton { channels, cells_per_stage, classes, height, width } = self.skeleton;
        format!(
            "{}: {height}×{width} pixels, {classes} classes, {channels} channels, {cells_per_stage} cells a stage",
            self.dataset.title()
        )
    }

    fn accuracy_lines(&self) -> String {
        let mut lines = Vec::new();
        for dataset in Dataset::ALL {
            let accuracy = self.accuracies.lookup(&self.cell, dataset);
            let unit = if accuracy.is_some() { " %" } else { "" };
            let rank = self.accuracies.rank(&self.cell, dataset).map_or_else(String::new, |(rank, of)| {
                format!("   rank {} of {}", number::grouped(rank as u64), number::grouped(of as u64))
            });
            lines.push(format!("{:14}   {}{unit}{rank}", dataset.title(), percent(accuracy)));
        }
        if self.accuracies.lookup(&self.cell, self.dataset).is_none() {
            lines.push(self.accuracies.missing(&self.cell, self.dataset));
        }
        lines.join("\n")
    }
}

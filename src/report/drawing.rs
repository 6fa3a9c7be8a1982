//! A cell as a picture: four nodes in a row, neighbours joined in line, long edges as arcs above and below.

use crate::space::{Cell, Op, EDGES};

/// Columns of the four nodes.
const X: [usize; 4] = [2, 24, 46, 68];
/// Rows: arc 0→3, arc 0→2, their arrowheads, the nodes, the stems of arc 1→3, arc 1→3.
const ROWS: usize = 6;
const NODES: usize = 3;

/// The cell as lines of text, at most 69 columns wide. Edges that are `none` are left out; edges that carry no signal from
/// node 0 to node 3 are dashed and end in a hollow arrowhead.
///
/// ```
/// use etnas::{report::draw, space::Cell};
/// let cell: Cell = "|skip_connect~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|avg_pool_3x3~2|".parse()?;
/// assert_eq!(
///     draw(&cell),
///     "  0 ── skip_connect ──▶ 1 ── nor_conv_3x3 ──▶ 2 ── avg_pool_3x3 ──▶ 3\n"
/// );
/// # Ok::<(), etnas::Error>(())
/// ```
pub fn draw(cell: &Cell) -> String {
    let mut canvas = Canvas { grid: vec![vec![' '; X[3] + 1]; ROWS] };
    let stroke = |edge: usize| match (cell.ops()[edge], cell.is_live(edge)) {
        (Op::None, _) => None,
        (op, true) => Some(Stroke { label: op.name(), across: '─', down: '│', heads: ['▶', '▼', '▲'] }),
        (op, false) => Some(Stroke { label: op.name(), across: '╌', down: '╎', heads: ['▷', '▽', '△'] }),
    };
    // From the outermost arc inwards: 0→2 branches off the stem of 0→3.
    for edge in [3, 1, 0, 2, 4, 5] {
        let (from, to) = EDGES[edge];
        let Some(stroke) = stroke(edge) else { continue };
        match (from, to) {
            (0, 3) => canvas.arc_above(0, &stroke, from, to),
            (0, 2) => canvas.arc_above(1, &stroke, from, to),
            (1, 3) => canvas.arc_below(&stroke, from, to),
            _ => canvas.line(&stroke, from, to),
        }
    }
    for (node, &x) in X.iter().enumerate() {
        canvas.set(NODES, x, ['0', '1', '2', '3'][node]);
    }
    canvas.text()
}

/// How an edge is drawn.
struct Stroke {
    label: &'static str,
    across: char,
    down: char,
    /// Right, down, up.
    heads: [char; 3],
}

struct Canvas {
    grid: Vec<Vec<char>>,
}

impl Canvas {
    fn set(&mut self, row: usize, column: usize, c: char) {
        if let Some(place) = self.grid.get_mut(row).and_then(|line| line.get_mut(column)) {
            *place = c;
        }
    }

    fn get(&self, row: usize, column: usize) -> char {
        self.grid.get(row).and_then(|line| line.get(column)).copied().unwrap_or(' ')
    }

    /// `across` from column `a` to column `b`, both included, with the label in the middle.
    fn across(&mut self, row: usize, a: usize, b: usize, stroke: &Stroke) {
        (a..=b).for_each(|column| self.set(row, column, stroke.across));
        let label = format!(" {} ", stroke.label);
        let start = a + (b - a + 1).saturating_sub(label.chars().count()) / 2;
        for (i, c) in label.chars().enumerate() {
            self.set(row, start + i, c);
        }
    }

    fn line(&mut self, stroke: &Stroke, from: usize, to: usize) {
        let (a, b) = (X[from] + 2, X[to] - 2);
        self.across(NODES, a, b, stroke);
        self.set(NODES, b, stroke.heads[0]);
    }

    fn arc_above(&mut self, row: usize, stroke: &Stroke, from: usize, to: usize) {
        self.across(row, X[from] + 1, X[to] - 1, stroke);
        self.set(row, X[from], if self.get(row, X[from]) == ' ' { '┌' } else { '├' });
        self.set(row, X[to], '┐');
        for below in row + 1..NODES {
            // Where two arcs share a stem, signal on one of them makes it solid.
            if self.get(below, X[from]) != '│' {
                self.set(below, X[from], stroke.down);
            }
            self.set(below, X[to], stroke.down);
        }
        self.set(NODES - 1, X[to], stroke.heads[1]);
    }

    fn arc_below(&mut self, stroke: &Stroke, from: usize, to: usize) {
        let row = ROWS - 1;
        self.across(row, X[from] + 1, X[to] - 1, stroke);
        self.set(row, X[from], '└');
        self.set(row, X[to], '┘');
        self.set(NODES + 1, X[from], stroke.down);
        self.set(NODES + 1, X[to], stroke.heads[2]);
    }

    fn text(&self) -> String {
        let lines = self.grid.iter().map(|line| line.iter().collect::<String>());
        lines.filter(|line| !line.trim().is_empty()).map(|line| line.trim_end().to_string() + "\n").collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_edges_live() {
        let cell: Cell =
            "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|"
                .parse()
                .unwrap();
        let expected = "
  ┌───────────────────────── skip_connect ──────────────────────────┐
  ├────────────── skip_connect ───────────────┐                     │
  │                                           ▼                     ▼
  0 ── nor_conv_3x3 ──▶ 1 ── nor_conv_1x1 ──▶ 2 ── nor_conv_3x3 ──▶ 3
                        │                                           ▲
                        └────────────── avg_pool_3x3 ───────────────┘
";
        assert_eq!(format!("\n{}", draw(&cell)), expected);
    }

    #[test]
    fn edges_without_signal_are_dashed() {
        let cell: Cell = "|none~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|".parse().unwrap();
        let expected = "
  ┌───────────────────────── skip_connect ──────────────────────────┐
  ├╌╌╌╌╌╌╌╌╌╌╌╌╌╌ nor_conv_3x3 ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┐                     │
  │                                           ▽                     ▼
  0                     1                     2                     3
                        ╎                                           △
                        └╌╌╌╌╌╌╌╌╌╌╌╌╌╌ nor_conv_1x1 ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┘
";
        assert_eq!(format!("\n{}", draw(&cell)), expected);
        let none = Cell::new([Op::None; 6]);
        assert_eq!(draw(&none).split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"]);
    }

    #[test]
    fn every_edge_of_every_cell_is_drawn_once() {
        for cell in Cell::all() {
            let text = draw(&cell);
            for op in [Op::SkipConnect, Op::NorConv1x1, Op::NorConv3x3, Op::AvgPool3x3] {
                let edges = cell.ops().iter().filter(|&&o| o == op).count();
                assert_eq!(text.matches(op.name()).count(), edges, "{cell}\n{text}");
            }
            let live = (0..6).filter(|&e| cell.is_live(e)).count();
            assert_eq!(text.matches(['▶', '▼', '▲']).count(), live, "{cell}\n{text}");
            let idle = (0..6).filter(|&e| cell.ops()[e] != Op::None && !cell.is_live(e)).count();
            assert_eq!(text.matches(['▷', '▽', '△']).count(), idle, "{cell}\n{text}");
        }
    }
}

//! From a cell to its plan: everything that carries signal forward, then only what counts.

use super::{Before, Conv, Place, Plan, Purpose, Shape, Source, Term, Value};
use crate::space::Op;
use crate::space::{Block, Cell, Skeleton, EDGES};
use crate::weights::{NormSlot, Reduce, Slot};

impl Plan {
    /// The plan of a cell's network. `shifts` says that BatchNorms may shift (β ≠ 0), so that a convolution of zeros is a
    /// constant and not zero; only weights from a file do.
    pub fn new(cell: &Cell, skeleton: &Skeleton, purpose: Purpose, shifts: bool) -> Plan {
        let mut draft = Draft { values: Vec::new(), convs: Vec::new(), shifts };
        let stages = draft.network(cell, skeleton);
        let counted = |v: &usize| draft.values[*v].codes > 0 || stages[2] == Some(*v);
        let roots: Vec<usize> = match purpose {
            Purpose::Codes => (0..draft.values.len()).filter(counted).collect(),
            Purpose::Output => stages[2].into_iter().collect(),
            Purpose::Stages => stages.into_iter().flatten().collect(),
        };
        draft.sweep(&roots, stages)
    }
}

/// All values that are not exactly zero, before pruning.
struct Draft {
    values: Vec<Value>,
    convs: Vec<Conv>,
    shifts: bool,
}

impl Draft {
    fn network(&mut self, cell: &Cell, skeleton: &Skeleton) -> [Option<usize>; 3] {
        let shape = Shape::of_stage(skeleton, 0);
        let stem = self.convs.len();
        self.convs.push(Conv {
            slot: Slot::Stem,
            source: Source::Image,
            before: Before::Nothing,
            kernel: 3,
            stride: 1,
            norm: true,
            inputs: 3,
            shape,
            target: 0,
        });
        let mut at = self.value(Place::STEM, shape, vec![Term::Conv(stem)]);
        let mut stages = [None; 3];
        for (block, kind) in skeleton.blocks().enumerate() {
            at = match kind {
                Block::Cell { stage } => self.cell(cell, block, Shape::of_stage(skeleton, stage), at),
                Block::Reduction { stage } => self.reduction(skeleton, block, stage, at),
            };
            if let Some(stage) = (0..3).find(|&stage| block == skeleton.stage_end(stage)) {
                stages[stage] = at;
            }
        }
        stages
    }

    /// A value of these terms: nothing if there are none, the other value if it only repeats it.
    fn value(&mut self, place: Place, shape: Shape, terms: Vec<Term>) -> Option<usize> {
        match terms[..] {
            [] => return None,
            [Term::Skip(other)] => return Some(other),
            _ => {}
        }
        let id = self.values.len();
        for term in &terms {
            if let Term::Conv(conv) = *term {
                self.convs[conv].target = id;
            }
        }
        self.values.push(Value { place, shape, terms, codes: 0, convs: Vec::new(), kept_until: None });
        Some(id)
    }

    /// The term of a convolution of `source`: a constant or nothing where the source is zero.
    fn conv(&mut self, source: Option<usize>, conv: Conv) -> Option<Term> {
        match source {
            Some(_) => {
                self.convs.push(conv);
                Some(Term::Conv(self.convs.len() - 1))
            }
            None => (self.shifts && conv.norm).then_some(Term::Shift(NormSlot::After(conv.slot))),
        }
    }

    fn count_code(&mut self, value: Option<usize>) {
        if let Some(value) = value {
            self.values[value].codes += 1;
        }
    }

    fn cell(&mut self, cell: &Cell, block: usize, shape: Shape, input: Option<usize>) -> Option<usize> {
        let mut nodes = [input, None, None, None];
        for node in 1..4 {
            let mut terms = Vec::new();
            for (edge, (from, _)) in EDGES.into_iter().enumerate().filter(|(_, (_, to))| *to == node) {
                let source = nodes[from];
                let term = match (cell.ops()[edge], source) {
                    (Op::None, _) => None,
                    (Op::SkipConnect, _) => source.map(Term::Skip),
                    (Op::AvgPool3x3, _) => source.map(Term::Pool),
                    (Op::NorConv1x1 | Op::NorConv3x3, _) => {
                        let kernel = cell.ops()[edge].kernel().unwrap_or(crate::space::Kernel::K1);
                        self.count_code(source);
                        self.conv(
                            source,
                            Conv {
                                slot: Slot::Edge { block, edge, kernel },
                                source: source.map_or(Source::Image, Source::Value),
                                before: Before::Relu,
                                kernel: kernel.side(),
                                stride: 1,
                                norm: true,
                                inputs: shape.channels,
                                shape,
                                target: 0,
                            },
                        )
                    }
                };
                terms.extend(term);
            }
            nodes[node] = self.value(Place::node(block, node), shape, terms);
        }
        nodes[3]
    }

    fn reduction(&mut self, skeleton: &Skeleton, block: usize, stage: usize, input: Option<usize>) -> Option<usize> {
        let shape = Shape::of_stage(skeleton, stage);
        let inputs = skeleton.stage_channels(stage - 1);
        let of = |conv, source: Option<usize>| Conv {
            slot: Slot::Reduction { stage, conv },
            source: source.map_or(Source::Image, Source::Value),
            before: Before::Relu,
            kernel: 3,
            stride: 1,
            norm: true,
            inputs: shape.channels,
            shape,
            target: 0,
        };
        self.count_code(input);
        let a = self.conv(input, Conv { stride: 2, inputs, ..of(Reduce::ConvA, input) });
        let middle = self.value(Place::node(block, 1), shape, a.into_iter().collect());
        self.count_code(middle);
        let b = self.conv(middle, of(Reduce::ConvB, middle));
        let shortcut = Conv { before: Before::Average, kernel: 1, norm: false, inputs, ..of(Reduce::Shortcut, input) };
        let shortcut = self.conv(input, shortcut);
        self.value(Place::node(block, 3), shape, b.into_iter().chain(shortcut).collect())
    }

    /// Keeps what the roots depend on and renumbers it.
    fn sweep(self, roots: &[usize], stages: [Option<usize>; 3]) -> Plan {
        let mut live = vec![false; self.values.len()];
        for &root in roots {
            live[root] = true;
        }
        for v in (0..self.values.len()).rev() {
            if !live[v] {
                continue;
            }
            for term in &self.values[v].terms {
                match *term {
                    Term::Skip(source) | Term::Pool(source) => live[source] = true,
                    Term::Conv(conv) => {
                        if let Source::Value(source) = self.convs[conv].source {
                            live[source] = true;
                        }
                    }
                    Term::Shift(_) => {}
                }
            }
        }
        let mut next = 0;
        let new_value: Vec<Option<usize>> = live
            .iter()
            .map(|&alive| {
                next += usize::from(alive);
                alive.then(|| next - 1)
            })
            .collect();
        let number = |v: usize| new_value[v].expect("a live value's sources are live");

        let mut convs = Vec::new();
        let mut new_conv = vec![usize::MAX; self.convs.len()];
        for (old, conv) in self.convs.iter().enumerate().filter(|(_, conv)| live[conv.target]) {
            new_conv[old] = convs.len();
            let source = match conv.source {
                Source::Image => Source::Image,
                Source::Value(v) => Source::Value(number(v)),
            };
            convs.push(Conv { source, target: number(conv.target), ..*conv });
        }
        let mut values: Vec<Value> =
            self.values.into_iter().zip(&live).filter(|(_, alive)| **alive).map(|(v, _)| v).collect();
        for value in &mut values {
            for term in &mut value.terms {
                match term {
                    Term::Skip(v) | Term::Pool(v) => *v = number(*v),
                    Term::Conv(c) => *c = new_conv[*c],
                    Term::Shift(_) => {}
                }
            }
        }
        for (id, conv) in convs.iter().enumerate() {
            if let Source::Value(v) = conv.source {
                values[v].convs.push(id);
            }
        }
        for reader in 0..values.len() {
            for term in values[reader].terms.clone() {
                if let Term::Skip(v) | Term::Pool(v) = term {
                    values[v].kept_until = Some(reader);
                }
            }
        }
        let stages = stages.map(|stage| new_value[stage?]);
        if let Some(last) = stages[2] {
            values[last].kept_until = Some(values.len());
        }
        Plan { values, convs, stages }
    }
}

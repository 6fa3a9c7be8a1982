//! Plans of all cells: what is in them, and that memory is never shared by two tensors that are both needed.

use super::{Plan, Purpose, Slots, Source, Storage, Term};
use crate::space::{Cell, Kernel, Skeleton};

fn skeleton() -> Skeleton {
    Skeleton { channels: 16, cells_per_stage: 2, classes: 10, height: 16, width: 16 }
}

#[test]
fn plans_hold_what_counts() {
    let skeleton = skeleton();
    let classifier = ((skeleton.stage_channels(2) + 1) * skeleton.classes) as u64;
    for cell in Cell::all().step_by(7) {
        let codes = Plan::new(&cell, &skeleton, Purpose::Codes, false);
        let output = Plan::new(&cell, &skeleton, Purpose::Output, false);
        let stages = Plan::new(&cell, &skeleton, Purpose::Stages, false);
        assert_eq!(codes.values.is_empty(), cell.has_constant_codes(), "{cell}");
        assert_eq!(output.values.is_empty(), cell.is_dead(), "{cell}");
        assert_eq!(stages.stages.iter().all(Option::is_some), !cell.is_dead(), "{cell}");
        // On the way to the output: the live convolutions, no others.
        let live =
            |kernel| (0..6).filter(|&e| cell.is_live(e) && cell.ops()[e].kernel() == Some(kernel)).count() as u64;
        if !cell.is_dead() {
            let all = skeleton.macs(&cell) - classifier;
            let per = |kernel| {
                let (with, without) = match kernel {
                    Kernel::K1 => ("2,0,0,0,0,0", "0,0,0,0,0,0"),
                    Kernel::K3 => ("3,0,0,0,0,0", "0,0,0,0,0,0"),
                };
                let macs = |ids| skeleton.macs(&Cell::parse(ids, crate::space::Encoding::Ops).expect("six ids"));
                macs(with) - macs(without)
            };
            let dead = [Kernel::K1, Kernel::K3].map(|k| (cell.conv_edges(Some(k)) as u64 - live(k)) * per(k));
            assert_eq!(output.macs(), all - dead[0] - dead[1], "{cell}");
            assert_eq!(stages, Plan { stages: stages.stages, ..output.clone() }, "{cell}");
        }
        assert!(codes.macs() >= output.macs());
        // Each conv edge of the cell, and both ReLUs of each reduction, read some value unless it is zero.
        let read: u64 = codes.values.iter().map(|value| value.codes).sum();
        let edges = cell.conv_edges(None) as u64 * 6 + 4;
        assert!(read <= edges && (cell.is_dead() || read > 0 || edges == 4), "{cell}: {read} of {edges}");
        let run = codes.convs.iter().filter(|c| c.source != Source::Image && c.norm).count() as u64;
        assert!(run <= read);
    }
}

#[test]
fn a_node_that_repeats_another_is_that_other() {
    let cell: Cell =
        "|skip_connect~0|+|none~0|skip_connect~1|+|none~0|nor_conv_1x1~1|nor_conv_3x3~2|".parse().expect("a cell");
    let plan = Plan::new(&cell, &skeleton(), Purpose::Codes, false);
    // Per cell one new value, its output; stem; two per reduction.
    assert_eq!(plan.values.len(), 1 + 6 + 4);
    assert_eq!(plan.values[0].codes, 2);
    assert_eq!(plan.values[0].convs.len(), 2);
}

#[test]
fn shifts_make_constants_of_convolutions_of_zeros() {
    let cell: Cell = "|none~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|".parse().expect("a cell");
    let terms = |shifts| Plan::new(&cell, &skeleton(), Purpose::Codes, shifts).values[1].terms.clone();
    assert!(!terms(false).iter().any(|term| matches!(term, Term::Shift(_))));
    assert!(terms(true).iter().any(|term| matches!(term, Term::Shift(_))));
}

/// What lies in an arena.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tensor {
    Value(usize),
    Conv(usize),
    Gradient(usize),
}

/// Who owns each element of an arena, as execution writes it.
struct Owners(Vec<Option<Tensor>>);

impl Owners {
    fn write(&mut self, at: usize, len: usize, who: Tensor) {
        self.0[at..at + len].fill(Some(who));
    }

    fn check(&self, at: usize, len: usize, who: Tensor, cell: &Cell) {
        assert!(self.0[at..at + len].iter().all(|owner| *owner == Some(who)), "{cell}: {who:?} was overwritten");
    }
}

#[test]
fn slots_are_free_when_they_are_taken() {
    let skeleton = skeleton();
    // One element stands for 64 pixels of 16 channels.
    let elements = |channels: usize, pixels: usize| (channels * pixels / 1024).max(1);
    for cell in Cell::all().step_by(11) {
        for (storage, purpose) in [(Storage::Forward, Purpose::Codes), (Storage::Training, Purpose::Stages)] {
            let plan = Plan::new(&cell, &skeleton, purpose, false);
            let slots = Slots::assign(&plan, storage, elements);
            let mut owners = Owners(vec![None; slots.size]);
            let size = |shape: &super::Shape| elements(shape.channels, shape.pixels());
            for (c, conv) in plan.convs.iter().enumerate().filter(|(_, conv)| conv.source == Source::Image) {
                owners.write(slots.convs[c], size(&conv.shape), Tensor::Conv(c));
            }
            for (v, value) in plan.values.iter().enumerate() {
                for term in &value.terms {
                    match *term {
                        Term::Conv(c) => owners.check(slots.convs[c], size(&value.shape), Tensor::Conv(c), &cell),
                        Term::Skip(u) | Term::Pool(u) => owners.check(
                            slots.values[u].expect("read values are stored"),
                            size(&value.shape),
                            Tensor::Value(u),
                            &cell,
                        ),
                        Term::Shift(_) => {}
                    }
                }
                if let Some(at) = slots.values[v] {
                    owners.write(at, size(&value.shape), Tensor::Value(v));
                }
                for &c in &value.convs {
                    owners.write(slots.convs[c], size(&plan.convs[c].shape), Tensor::Conv(c));
                }
            }
            if let Some(last) = plan.stages[2] {
                owners.check(
                    slots.values[last].expect("the head reads it"),
                    size(&plan.values[last].shape),
                    Tensor::Value(last),
                    &cell,
                );
            }
            if storage == Storage::Training {
                go_back(&plan, &slots, &mut owners, &size, &cell);
            }
        }
    }
}

/// The way back over a trained network: what it reads is there.
fn go_back(plan: &Plan, slots: &Slots, owners: &mut Owners, size: &dyn Fn(&super::Shape) -> usize, cell: &Cell) {
    for (v, value) in plan.values.iter().enumerate().rev() {
        let len = size(&value.shape);
        // The value itself, or its terms, to add it up again.
        match slots.values[v] {
            Some(at) => owners.check(at, len, Tensor::Value(v), cell),
            None => assert!(plan.readers(v).next().is_none() && !plan.stages.contains(&Some(v)), "{cell}: {v}"),
        }
        for term in &value.terms {
            match *term {
                Term::Conv(c) => owners.check(slots.convs[c], len, Tensor::Conv(c), cell),
                Term::Skip(u) | Term::Pool(u) => {
                    owners.check(slots.values[u].expect("read values are stored"), len, Tensor::Value(u), cell);
                }
                Term::Shift(_) => {}
            }
        }
        for (u, _) in plan.readers(v) {
            owners.check(slots.gradients[u], len, Tensor::Gradient(u), cell);
        }
        for &c in &value.convs {
            let (len, target) = (size(&plan.convs[c].shape), plan.convs[c].target);
            owners.check(slots.convs[c], len, Tensor::Conv(c), cell);
            owners.check(slots.gradients[target], len, Tensor::Gradient(target), cell);
        }
        owners.write(slots.gradients[v], len, Tensor::Gradient(v));
    }
    for (c, conv) in plan.convs.iter().enumerate().filter(|(_, conv)| conv.source == Source::Image) {
        let len = size(&conv.shape);
        owners.check(slots.convs[c], len, Tensor::Conv(c), cell);
        owners.check(slots.gradients[conv.target], len, Tensor::Gradient(conv.target), cell);
    }
}

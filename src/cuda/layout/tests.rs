use super::*;
use crate::plan::Purpose;
use crate::random::Stream;
use crate::space::Cell;
use std::ops::Range;

/// A tensor of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tensor {
    Value(usize),
    Conv(usize),
    Half(usize),
}

/// What a step reads and writes, item by item.
fn accesses(plan: &Plan, step: &Step, id: usize) -> (Vec<Tensor>, Vec<Tensor>) {
    match step.1 {
        Phase::Value => {
            let read = plan.values[id].terms.iter().filter_map(|term| match *term {
                Term::Conv(conv) => Some(Tensor::Conv(conv)),
                Term::Skip(value) | Term::Pool(value) => Some(Tensor::Value(value)),
                Term::Shift(_) => None,
            });
            (read.collect(), vec![Tensor::Value(id)])
        }
        Phase::Convs => {
            let conv = &plan.convs[id];
            let mut read: Vec<Tensor> = match conv.source {
                Source::Value(value) => vec![Tensor::Value(value)],
                Source::Image => vec![],
            };
            let mut written = vec![Tensor::Conv(id)];
            if conv.before == Before::Average {
                // Written by a launch of its own, before the one that reads it.
                written.push(Tensor::Half(id));
                read.push(Tensor::Half(id));
            }
            (read, written)
        }
    }
}

fn place(plan: &Plan, layout: &CellLayout, images: usize, tensor: Tensor) -> Range<usize> {
    let (at, bytes) = match tensor {
        Tensor::Value(v) => (layout.values[v], map_bytes(&plan.values[v].shape, images)),
        Tensor::Conv(c) => (layout.convs[c], ConvParts::of(&plan.convs[c], images).bytes),
        Tensor::Half(c) => {
            let conv = &plan.convs[c];
            (layout.halves[c], map_bytes(&Shape { channels: conv.inputs, ..conv.shape }, images))
        }
    };
    at..at + bytes
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

#[test]
fn nothing_is_overwritten_before_it_was_read_for_the_last_time() {
    let mut stream = Stream::new(11, &[]);
    let skeleton = Skeleton { channels: 16, cells_per_stage: 2, classes: 10, height: 16, width: 16 };
    let mut shared = 0;
    for keep in [Keep::Nothing, Keep::Everything] {
        for purpose in [Purpose::Codes, Purpose::Stages, Purpose::Output] {
            for _ in 0..200 {
                let cell = Cell::from_index(stream.below(15_625) as i64).unwrap();
                let plan = Plan::new(&cell, &skeleton, purpose, false);
                let turns = Turns::of(&plan, &skeleton);
                let nothing = HashSet::new();
                let layout = CellLayout::new(&plan, &turns, 3, keep, (&nothing, &nothing));
                let of = |tensor| place(&plan, &layout, 3, tensor);
                let steps: Vec<_> = turns.steps.iter().collect();
                // Tensors that hold what a later step, or this one, will read.
                let mut live: Vec<Tensor> = Vec::new();
                for (number, (step, items)) in steps.iter().enumerate() {
                    let all: Vec<_> = items.iter().map(|id| accesses(&plan, step, *id)).collect();
                    let written: Vec<Tensor> = all.iter().flat_map(|(_, written)| written.clone()).collect();
                    for (at, tensor) in written.iter().enumerate() {
                        let range = of(*tensor);
                        assert!(range.end <= layout.bytes, "{cell}: {tensor:?} lies outside");
                        for other in live.iter().chain(&written[..at]) {
                            assert!(!overlap(&range, &of(*other)), "{cell}: {tensor:?} overwrites {other:?}");
                        }
                    }
                    for (read, _) in &all {
                        for tensor in read {
                            let here = live.contains(tensor) || written.contains(tensor);
                            assert!(here, "{cell}: {tensor:?} is read and not there");
                        }
                    }
                    live.extend(written);
                    let needed = |tensor: &Tensor| {
                        let last = plan.stages[2].map(Tensor::Value) == Some(*tensor);
                        let later = steps[number + 1..]
                            .iter()
                            .any(|(step, items)| items.iter().any(|id| accesses(&plan, step, *id).0.contains(tensor)));
                        keep == Keep::Everything || last || later
                    };
                    live.retain(needed);
                }
                let sum: usize = (0..plan.values.len()).map(|v| of(Tensor::Value(v)).len()).sum::<usize>()
                    + (0..plan.convs.len()).map(|c| of(Tensor::Conv(c)).len()).sum::<usize>();
                shared += usize::from(layout.bytes < sum);
            }
        }
    }
    assert!(shared > 300, "only {shared} cells share memory between tensors");
}

#[test]
fn packed_weights_are_where_lanes_read_them() {
    let mut stream = Stream::new(12, &[]);
    for (out, inputs_real, side) in [(16, 3, 3), (20, 33, 1), (48, 16, 3)] {
        let (taps, inputs, outputs) = (side * side, padded(inputs_real), padded(out));
        let weights: Vec<f32> = (0..out * inputs_real * taps).map(|_| stream.symmetric(1.0)).collect();
        let packed = pack(&weights, [out, inputs_real, side, side], inputs, outputs);
        assert_eq!(packed.len(), inputs * taps * outputs);
        let mut seen = vec![false; packed.len()];
        for i in 0..inputs {
            for tap in 0..taps {
                for o in 0..outputs {
                    // [inputs/16][tap][outputs/8][lane][4]
                    let lane = 4 * (o % 8) + i % 16 / 4;
                    let at = ((((i / 16) * taps + tap) * (outputs / 8) + o / 8) * 32 + lane) * 4 + i % 4;
                    assert!(!std::mem::replace(&mut seen[at], true));
                    let expected = match o < out && i < inputs_real {
                        true => weights[(o * inputs_real + i) * taps + tap],
                        false => 0.0,
                    };
                    assert_eq!(packed[at], expected);
                }
            }
        }
        assert!(seen.into_iter().all(|seen| seen));
    }
}

#[test]
fn image_maps_have_three_channels_of_sixteen() {
    let (count, pixels) = (2, 6);
    let values: Vec<f32> = (0..count * 3 * pixels).map(|at| at as f32 + 1.0).collect();
    let noise: Vec<f32> = values.iter().map(|v| v / 64.0).collect();
    let map = image_map(&values, Some(&noise), count, pixels);
    for (at, number) in map.iter().enumerate() {
        let (image, pixel, channel) = (at / (pixels * BLOCK), at / BLOCK % pixels, at % BLOCK);
        let expected = match channel {
            0..3 => (1.0 + 1.0 / 64.0) * values[(image * 3 + channel) * pixels + pixel],
            _ => 0.0,
        };
        assert_eq!(*number, expected, "{at}");
    }
}

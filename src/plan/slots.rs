//! Which values and convolution outputs of a plan share memory.
//!
//! All tensors of one image lie in one arena, cut into slots. A tensor takes a slot when it is written and returns it when
//! its last reader is done; in one pass, reading comes before writing, so outputs overwrite what the pass consumed. Images
//! never share an arena, so that passes run over images in any order and in parallel.

use super::{Plan, Term};

/// Which tensors outlive their last reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// None: a forward pass alone.
    Forward,
    /// All convolution outputs, and the values that something else than a convolution reads; the others are added up
    /// again on the way back. The values' gradients have slots of their own, which they share.
    Training,
}

/// Offsets into an image's arena, in elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    /// Of each value; `None` if it is not stored.
    pub values: Vec<Option<usize>>,
    /// Of each convolution's output.
    pub convs: Vec<usize>,
    /// Of each value's gradient, for [`Storage::Training`] alone. Going back over the values, a gradient is written when
    /// all that the value's readers gave has been read.
    pub gradients: Vec<usize>,
    /// Elements of one image's arena.
    pub size: usize,
}

impl Slots {
    /// Assigns slots. `elements(channels, pixels)` is the size of a tensor, padding included.
    pub fn assign(plan: &Plan, storage: Storage, elements: impl Fn(usize, usize) -> usize) -> Slots {
        let mut pool = Pool::default();
        let mut values = vec![None; plan.values.len()];
        let mut convs = vec![usize::MAX; plan.convs.len()];
        let size = |shape: &super::Shape| elements(shape.channels, shape.pixels());
        for (id, conv) in plan.convs.iter().enumerate().filter(|(_, c)| c.source == super::Source::Image) {
            convs[id] = pool.take(size(&conv.shape));
        }
        for (v, value) in plan.values.iter().enumerate() {
            if storage == Storage::Forward {
                for term in &value.terms {
                    match *term {
                        Term::Conv(c) => pool.give(convs[c]),
                        Term::Skip(s) | Term::Pool(s) if plan.values[s].kept_until == Some(v) => {
                            pool.give(values[s].unwrap_or(usize::MAX));
                        }
                        _ => {}
                    }
                }
            }
            let ends_stage = storage == Storage::Training && plan.stages.contains(&Some(v));
            if value.kept_until.is_some() || ends_stage {
                values[v] = Some(pool.take(size(&value.shape)));
            }
            for &c in &value.convs {
                convs[c] = pool.take(size(&plan.convs[c].shape));
            }
        }
        let mut gradients = Vec::new();
        if storage == Storage::Training {
            gradients = vec![usize::MAX; plan.values.len()];
            // The values whose gradients are read for the last time on the way back to a value.
            let mut last_reads = vec![Vec::new(); plan.values.len()];
            for (reader, value) in plan.values.iter().enumerate() {
                let sources = value.terms.iter().filter_map(|term| match *term {
                    Term::Skip(source) | Term::Pool(source) => Some(Some(source)),
                    Term::Conv(c) => match plan.convs[c].source {
                        super::Source::Value(source) => Some(Some(source)),
                        super::Source::Image => Some(None),
                    },
                    Term::Shift(_) => None,
                });
                if let Some(Some(first)) = sources.min() {
                    last_reads[first].push(reader);
                }
            }
            for (v, value) in plan.values.iter().enumerate().rev() {
                for &reader in &last_reads[v] {
                    pool.give(gradients[reader]);
                }
                gradients[v] = pool.take(size(&value.shape));
            }
        }
        let (offsets, total) = pool.layout();
        Slots {
            gradients: gradients.into_iter().map(|slot: usize| offsets[slot]).collect(),
            values: values.into_iter().map(|slot| slot.map(|s| offsets[s])).collect(),
            convs: convs.into_iter().map(|s| offsets[s]).collect(),
            size: total,
        }
    }
}

/// Slots by number, each as large as the largest tensor it ever holds.
#[derive(Default)]
pub(crate) struct Pool {
    sizes: Vec<usize>,
    free: Vec<usize>,
}

impl Pool {
    /// The free slot that fits best: the smallest that is large enough, else the largest, grown; else a new one.
    pub(crate) fn take(&mut self, size: usize) -> usize {
        let fit = |&slot: &usize| {
            let have = self.sizes[slot];
            if have >= size {
                (0, have - size)
            } else {
                (1, size - have)
            }
        };
        let best = self.free.iter().copied().min_by_key(fit);
        match best {
            Some(slot) => {
                self.free.retain(|&s| s != slot);
                self.sizes[slot] = self.sizes[slot].max(size);
                slot
            }
            None => {
                self.sizes.push(size);
                self.sizes.len() - 1
            }
        }
    }

    /// Returns a slot to the free ones.
    pub(crate) fn give(&mut self, slot: usize) {
        if slot < self.sizes.len() && !self.free.contains(&slot) {
            self.free.push(slot);
        }
    }

    /// Where each slot begins, and the size of all together.
    pub(crate) fn layout(&self) -> (Vec<usize>, usize) {
        let mut total = 0;
        let offsets = self.sizes.iter().map(|size| {
            total += size;
            total - size
        });
        (offsets.collect(), total)
    }
}

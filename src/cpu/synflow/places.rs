//! Memory of gradients on the way back, shared by those that are not needed at the same time.

use crate::plan::Plan;

/// Where gradients lie: only from the first reader that adds to one to the last term that it goes back through.
pub struct Places {
    /// Where they begin in the arena of gradients, by value.
    at: Vec<usize>,
    /// Terms that each has still to go back through.
    terms: Vec<usize>,
    /// Lengths and beginnings of places that are free, those freed last at the end.
    free: Vec<(usize, usize)>,
    /// Where the member's part of the arena has not been used.
    unused: usize,
}

impl Places {
    /// For a plan, its part of the arena from `start` on.
    pub fn new(plan: &Plan, start: usize) -> Places {
        let terms = plan.values.iter().map(|value| value.terms.len()).collect();
        Places { at: vec![usize::MAX; plan.values.len()], terms, free: Vec::new(), unused: start }
    }

    /// The place of `v`'s gradient, taken now if it has none.
    pub fn take(&mut self, v: usize, len: usize) -> usize {
        if self.at[v] == usize::MAX {
            self.at[v] = match self.free.iter().rposition(|place| place.0 == len) {
                Some(free) => self.free.remove(free).1,
                None => {
                    self.unused += len;
                    self.unused - len
                }
            };
        }
        self.at[v]
    }

    /// One of `v`'s terms is done.
    pub fn done(&mut self, v: usize, len: usize) {
        self.terms[v] -= 1;
        if self.terms[v] == 0 {
            self.free.push((len, self.at[v]));
        }
    }
}

//! Memory of gradients, which lie in it only from the first reader that adds to one to the last term that it goes back
//! through: it stays in cache.

use super::mix::State;
use crate::cpu::scratch::{grown, Buffer};
use std::ops::Range;

/// Maps of several cells.
pub struct Room<'a> {
    /// The maps.
    pub maps: &'a mut Buffer,
    /// Where free places are, those freed last at the end.
    free: Vec<Range<usize>>,
    /// From here on nothing has been used.
    unused: usize,
}

/// A gradient.
#[derive(Default)]
pub struct Gradient {
    /// What is known of it.
    pub state: State,
    /// Where it lies, if it does.
    place: Option<Range<usize>>,
    /// Terms of its value that it has still to go back through.
    terms: usize,
}

impl Gradient {
    /// Of a value with some terms, nothing added so far.
    pub fn new(terms: usize) -> Gradient {
        Gradient { terms, ..Gradient::default() }
    }
}

impl<'a> Room<'a> {
    /// All free.
    pub fn new(maps: &'a mut Buffer) -> Room<'a> {
        Room { maps, free: Vec::new(), unused: 0 }
    }

    /// The place of a gradient of `len` floats, taken now if it has none.
    pub fn place(&mut self, gradient: &mut Gradient, len: usize) -> Range<usize> {
        let take = || match self.free.iter().rposition(|place| place.len() == len) {
            Some(at) => self.free.remove(at),
            None => {
                let place = self.unused..self.unused + len;
                self.unused = place.end;
                if place.end > self.maps.len() {
                    // Beyond what is needed now, so that growing stays rare.
                    grown(self.maps, place.end + place.end / 2);
                }
                place
            }
        };
        gradient.place.get_or_insert_with(take).clone()
    }

    /// The gradient has gone back through one of its value's terms.
    pub fn term_done(&mut self, gradient: &mut Gradient) {
        gradient.terms -= 1;
        if gradient.terms == 0 {
            self.free.extend(gradient.place.take());
        }
    }
}

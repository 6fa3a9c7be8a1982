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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again_once_all_terms_are_done() {
        let mut maps = Buffer::default();
        let mut room = Room::new(&mut maps);
        let [mut a, mut b, mut c, mut d] = [2, 1, 1, 1].map(Gradient::new);
        let first = room.place(&mut a, 64);
        room.maps[first.clone()].fill(1.0);
        let second = room.place(&mut b, 640);
        room.maps[second.clone()].fill(2.0);
        room.term_done(&mut a);
        let third = room.place(&mut c, 64);
        assert!(first.end <= third.start || third.end <= first.start);
        assert_eq!(room.place(&mut a, 64), first);
        room.term_done(&mut a);
        assert_eq!(room.place(&mut d, 64), first);
        assert_eq!(room.place(&mut b, 640), second);
        assert!(room.maps[second].iter().all(|x| *x == 2.0));
    }
}

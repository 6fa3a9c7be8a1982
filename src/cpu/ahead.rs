//! Maps that will be read soon, asked for a few lines at a time while the processor multiplies.
//!
//! A step's maps do not fit the caches; what the next images' maps take to come is hidden behind the products of these.
//! Asking is a hint: it needs no valid memory, and results do not depend on it.

use super::simd::Vector;

/// Floats of a line of the cache.
const LINE: usize = 16;
/// Most maps of an image.
const MOST: usize = 8;
/// Most floats that are asked for: a quarter of a second-level cache of 1 MB.
const ROOM: usize = 1 << 16;

/// A list of maps, and how far it has been asked for.
#[derive(Debug, Default)]
pub struct Ahead {
    /// Address of the first image's arena, and bytes between arenas.
    arenas: usize,
    size: usize,
    /// Images that are left, this one included.
    images: usize,
    /// Where maps begin in an arena, and their length, in floats.
    maps: [(usize, usize); MOST],
    count: usize,
    map: usize,
    at: usize,
    /// Lines that are left, and lines to ask for at a time.
    lines: usize,
    share: usize,
}

impl Ahead {
    /// Starts a list of maps of the images whose arenas, of `size` floats each, lie in `arenas` or would lie there.
    pub fn start(&mut self, arenas: *const f32, size: usize, images: usize) {
        *self = Ahead { arenas: arenas as usize, size: size * 4, images, ..Ahead::default() };
    }

    /// Adds a map at an offset in each arena, unless there is no room for it.
    pub fn add(&mut self, offset: usize, len: usize) {
        let lines = self.lines + self.images * len.div_ceil(LINE);
        if self.count < MOST && lines * LINE <= ROOM {
            self.maps[self.count] = (offset, len);
            self.count += 1;
            self.lines = lines;
        }
    }

    /// Spreads the list over as many calls of [`Ahead::ask`].
    pub fn spread(&mut self, calls: usize) {
        self.share = self.lines.div_ceil(calls.max(1));
    }

    /// Asks for the next lines.
    #[inline(always)]
    pub fn ask<V: Vector>(&mut self) {
        for _ in 0..self.share.min(self.lines) {
            let (offset, len) = self.maps[self.map];
            V::prefetch(self.arenas.wrapping_add((offset + self.at) * 4) as *const f32);
            self.lines -= 1;
            self.at += LINE;
            if self.at >= len {
                self.at = 0;
                self.map += 1;
                if self.map == self.count {
                    self.map = 0;
                    self.arenas = self.arenas.wrapping_add(self.size);
                }
            }
        }
    }
}

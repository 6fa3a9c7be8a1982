//! How many cells go together: as many as the free memory holds. While the card computes a chunk, the host lays out the next, in the same
//! memory. Results do not depend on it.

use super::device::{Device, Memory, Refusal};
use crate::error::Result;
use std::ops::Range;

/// The most cells of a chunk: enough to fill the card, few enough that a population is several, of which the host lays out all but the first
/// in the card's time.
pub const MOST: usize = 512;

/// Memory for chunks, kept from one to the next.
#[derive(Default)]
pub struct Arena {
    memory: Option<Memory>,
}

impl Arena {
    /// Memory of at least `bytes`, with undefined contents; what was there before is given back first.
    fn get(&mut self, device: &Device, bytes: usize) -> Result<&mut Memory, Refusal> {
        if self.memory.as_ref().is_none_or(|memory| memory.bytes() < bytes) {
            self.memory = None;
            self.memory = Some(device.allocate(bytes)?);
        }
        self.memory.as_mut().ok_or(Refusal::OutOfMemory)
    }

    /// Bytes that are held.
    fn held(&self) -> usize {
        self.memory.as_ref().map_or(0, Memory::bytes)
    }
}

/// Items that go together.
pub struct Chunk {
    /// Which of all items these are.
    pub range: Range<usize>,
    /// Where the chunk's memory begins on the card; what the chunk needs besides its items comes first.
    pub base: u64,
    /// Where each item's memory begins, in bytes from there.
    pub begins: Vec<usize>,
}

impl Chunk {
    /// Where each item's memory begins on the card.
    pub fn addresses(&self) -> Vec<u64> {
        self.begins.iter().map(|begin| self.base + *begin as u64).collect()
    }
}

/// What is done with each chunk.
pub trait Work {
    /// What is to be given to the card.
    type Ready;

    /// Lays a chunk out. The card may still be busy with the chunk before it, in the same memory.
    fn lay_out(&mut self, chunk: &Chunk) -> Result<Self::Ready>;

    /// Gives a chunk to the card and returns.
    fn start(&mut self, ready: &mut Self::Ready) -> Result<()>;

    /// Waits for a chunk and takes its results.
    fn finish(&mut self, chunk: &Chunk, memory: &Memory) -> Result<()>;
}

/// Does `work` with chunks of items in their order.
///
/// `sizes` are the bytes that each item needs, `common` what a chunk needs besides, placed first. A chunk takes what fits into
/// nine tenths of the free memory, and at most [`MOST`] items. Where the driver refuses that nevertheless, chunks are halved.
///
/// # Errors
/// Those of `work`; [`crate::Error::Device`] where a single item does not fit.
pub fn chunks(device: &Device, arena: &mut Arena, common: usize, sizes: &[usize], work: &mut impl Work) -> Result<()> {
    let budget = (device.free()? + arena.held()) / 10 * 9;
    let mut most = MOST;
    let (memory, ranges) = loop {
        let ranges = divided(common, sizes, most, budget);
        let bytes = ranges.iter().map(|range| common + sizes[range.clone()].iter().sum::<usize>()).max().unwrap_or(0);
        match arena.get(device, bytes) {
            Ok(memory) => break (memory, ranges),
            Err(Refusal::Other(error)) => return Err(error),
            Err(Refusal::OutOfMemory) => match ranges.iter().map(Range::len).max() {
                Some(longest) if longest > 1 => most = longest / 2,
                _ => return Err(device.out_of_memory(bytes, "a single cell")),
            },
        }
    };
    let mut running = None;
    for range in ranges {
        let mut end = common;
        let begins = sizes[range.clone()].iter().map(|size| {
            end += size;
            end - size
        });
        let chunk = Chunk { begins: begins.collect(), range, base: memory.address() };
        let ready = work.lay_out(&chunk);
        if let Some((before, _)) = running.take() {
            work.finish(&before, memory)?;
        }
        let mut ready = ready?;
        work.start(&mut ready)?;
        // What the card reads lives until it has ended.
        running = Some((chunk, ready));
    }
    running.map_or(Ok(()), |(last, _ready)| work.finish(&last, memory))
}

/// Items one after the other in ranges of at most `most`, each within the budget if it has more than one.
fn divided(common: usize, sizes: &[usize], most: usize, budget: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (at, size) in sizes.iter().enumerate() {
        match ranges.last_mut() {
            Some(range) if range.len() < most && bytes + size <= budget => {
                range.end = at + 1;
                bytes += size;
            }
            _ => {
                ranges.push(at..at + 1);
                bytes = common + size;
            }
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::divided;

    #[test]
    fn ranges_hold_every_item_once_within_the_budget() {
        let sizes = [5, 1, 1, 1, 9, 20, 1, 1, 1, 1];
        assert_eq!(divided(2, &sizes, 3, 10), [0..3, 3..4, 4..5, 5..6, 6..9, 9..10]);
        assert_eq!(divided(2, &sizes, 1, 100).len(), sizes.len());
        assert_eq!(divided(2, &sizes, 100, 100), vec![0..10]);
        assert!(divided(2, &[], 3, 10).is_empty());
    }
}

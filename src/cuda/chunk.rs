//! How many cells go together: as many as the free memory holds. Results do not depend on it.

use super::device::{Device, Memory, Refusal};
use crate::error::Result;

/// The most cells of a chunk: launches have at most 65,535 jobs, and a cell has up to six in one.
pub const MOST: usize = 4096;

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

/// Runs `work` on chunks of items in their order, each with the begin of every item's memory.
///
/// `sizes` are the bytes that each item needs, `common` what a chunk needs besides, placed first. A chunk takes what fits into
/// nine tenths of the free memory. Where the driver refuses that nevertheless, the chunk is halved, and the rest goes on so.
///
/// # Errors
/// Those of `work`; [`crate::Error::Device`] where a single item does not fit.
pub fn chunks(
    device: &Device,
    arena: &mut Arena,
    common: usize,
    sizes: &[usize],
    mut work: impl FnMut(std::ops::Range<usize>, &mut Memory, &[usize]) -> Result<()>,
) -> Result<()> {
    let budget = (device.free()? + arena.held()) / 10 * 9;
    let mut most = MOST;
    let mut done = 0;
    while done < sizes.len() {
        let mut bytes = common;
        let mut count = 0;
        while count < most && done + count < sizes.len() && (count == 0 || bytes + sizes[done + count] <= budget) {
            bytes += sizes[done + count];
            count += 1;
        }
        match arena.get(device, bytes) {
            Ok(memory) => {
                let mut at = common;
                let begins: Vec<usize> = sizes[done..done + count]
                    .iter()
                    .map(|size| {
                        at += size;
                        at - size
                    })
                    .collect();
                work(done..done + count, memory, &begins)?;
                done += count;
            }
            Err(Refusal::Other(error)) => return Err(error),
            Err(Refusal::OutOfMemory) if count == 1 => return Err(device.out_of_memory(bytes, "a single cell")),
            Err(Refusal::OutOfMemory) => most = count / 2,
        }
    }
    Ok(())
}

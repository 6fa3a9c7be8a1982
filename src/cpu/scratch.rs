//! Memory that is kept between layers and cells: nothing is allocated on the way.

use std::cell::RefCell;

/// Buffers of one thread for one image. Their contents are stale: whoever takes them overwrites what it reads.
#[derive(Default)]
pub struct Scratch {
    /// A map.
    pub value: Buffer,
    /// A padded map.
    pub padded: Buffer,
    /// A second padded map.
    pub second: Buffer,
    /// A second map.
    pub map: Buffer,
    /// Column sums of a pool.
    pub columns: Buffer,
    /// The gradient by what convolutions read.
    pub dx: Buffer,
    /// What other readers give to a gradient.
    pub base: Buffer,
    /// Of Winograd's transforms.
    pub tiles: super::winograd::Buffers,
    /// Of their way back.
    pub tiles_back: super::winograd::backward::Buffers,
}

/// Asks for pages of 2 MB for a large buffer that has not been written to: maps are walked by many streams at a time, for which
/// small pages cost 3 % of a network's time.
fn ask_for_huge_pages(buffer: &Vec<Line>) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        let (start, end) = (buffer.as_ptr() as usize, buffer.as_ptr() as usize + buffer.capacity() * size_of::<Line>());
        let start = start.next_multiple_of(PAGE);
        if end > start + (4 << 20) {
            // SAFETY: whole pages within the buffer's own memory; what is in them stays as it is. A refusal changes nothing.
            unsafe { libc::madvise(start as *mut libc::c_void, (end - start) / PAGE * PAGE, libc::MADV_HUGEPAGE) };
        }
    }
}

/// Runs `work` with this thread's buffers. Must not be nested.
pub fn with<R>(work: impl FnOnce(&mut Scratch) -> R) -> R {
    thread_local!(static SCRATCH: RefCell<Scratch> = RefCell::default());
    SCRATCH.with(|scratch| work(&mut scratch.borrow_mut()))
}

/// The first `len` floats of a buffer that grows when it must.
pub fn grown(buffer: &mut Buffer, len: usize) -> &mut [f32] {
    buffer.grown(len)
}

/// Sixty-four bytes, a line of the cache.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Memory that grows when it must and begins at a line of the cache. Its contents are stale.
#[derive(Default)]
pub struct Buffer(Vec<Line>);

impl std::ops::Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        // SAFETY: lines are arrays of 16 floats without padding, so that their memory is that of 16 times as many floats.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * 16) }
    }
}

impl std::ops::DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * 16) }
    }
}

impl Buffer {
    /// The first `len` floats.
    pub fn grown(&mut self, len: usize) -> &mut [f32] {
        let lines = len.div_ceil(16);
        if self.0.len() < lines {
            self.0.reserve_exact(lines - self.0.len());
            ask_for_huge_pages(&self.0);
            self.0.resize(lines, Line([f32::NAN; 16]));
        }
        &mut self[..len]
    }
}

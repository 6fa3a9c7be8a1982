//! Memory that is kept between layers and cells: nothing is allocated on the way.

use std::cell::RefCell;

/// Buffers of one thread for one image. Their contents are stale: whoever takes them overwrites what it reads.
#[derive(Default)]
pub struct Scratch {
    /// A map.
    pub value: Vec<f32>,
    /// A padded map.
    pub padded: Vec<f32>,
    /// A second padded map.
    pub second: Vec<f32>,
    /// A second map.
    pub map: Vec<f32>,
    /// Column sums of a pool.
    pub columns: Vec<f32>,
}

/// The first `len` elements of a buffer that grows when it must.
pub fn grown(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, f32::NAN);
    }
    &mut buffer[..len]
}

/// Runs `work` with this thread's buffers. Must not be nested.
pub fn with<R>(work: impl FnOnce(&mut Scratch) -> R) -> R {
    thread_local!(static SCRATCH: RefCell<Scratch> = RefCell::default());
    SCRATCH.with(|scratch| work(&mut scratch.borrow_mut()))
}

/// Sixty-four bytes, a line of the cache.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Memory that grows when it must and begins at a line of the cache. Its contents are stale.
#[derive(Default)]
pub struct Buffer(Vec<Line>);

impl Buffer {
    /// The first `len` floats.
    pub fn grown(&mut self, len: usize) -> &mut [f32] {
        let lines = len.div_ceil(16);
        if self.0.len() < lines {
            self.0.resize(lines, Line([f32::NAN; 16]));
        }
        // SAFETY: lines are arrays of 16 floats without padding, so that their memory is that of as many floats.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), len) }
    }
}

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

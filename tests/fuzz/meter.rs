//! Counts what a body allocates, so that a few bytes that make a reader take much memory are found.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Bytes that any input may take: a table has 125 kB for each of its columns, a decoder its windows.
const ALWAYS: usize = 64 << 20;
/// Bytes that each byte of input may take: an opcode of a pickle makes a value of some 75 bytes, lists grow by doubling.
const PER_BYTE: usize = 256;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, counting for each thread.
struct Meter;

fn count(bytes: isize) {
    // A thread that ends has no counters any more.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: every call is the system allocator's own; counting touches no memory of the caller and does not allocate.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: what the caller promises, the system is promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: what the caller promises, the system is promised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: what the caller promises, the system is promised.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: what the caller promises, the system is promised.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static METER: Meter = Meter;

/// The most bytes that were live at once in this thread while `work` ran, beyond those before it.
pub fn peak_of(work: impl FnOnce()) -> usize {
    let before = LIVE.get();
    PEAK.set(before);
    work();
    usize::try_from(PEAK.get() - before).unwrap_or(0)
}

/// Runs a body on an input of `length` bytes, unpacked, and panics if it took more memory than that can ask for.
pub fn bounded(length: usize, body: impl FnOnce()) {
    let peak = peak_of(body);
    let most = ALWAYS + PER_BYTE * length;
    assert!(peak <= most, "{peak} bytes were taken for an input of {length}: at most {most} are allowed");
}

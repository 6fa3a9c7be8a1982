//! What the emulated driver of this process has, and what shall go wrong. Child processes are told by environment variables
//! (`EMULATED_CARDS` and others, see `docs/emulator.md`).
//!
//! All functions fail if no driver was activated.

use std::ffi::{c_char, CStr, CString};

use crate::{library, Order};

/// The cards, by compute capability: `&[90, 75]` is a card of 9.0 and one of 7.5.
///
/// # Errors
/// If a card's context is in use.
pub fn cards(capabilities: &[u32]) -> Result<(), String> {
    let text = capabilities.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let text = CString::new(text).map_err(|e| e.to_string())?;
    // SAFETY: the text ends with a zero.
    match unsafe { (library::activated()?.set_cards)(text.as_ptr()) } {
        0 => Ok(()),
        _ => Err("The cards cannot be replaced while a context is in use. Drop it first.".into()),
    }
}

/// Bytes of memory of each card, from now on.
///
/// # Errors
/// If no driver was activated.
pub fn memory(bytes: usize) -> Result<(), String> {
    // SAFETY: sets a number.
    unsafe { (library::activated()?.set_memory)(bytes) };
    Ok(())
}

/// Bytes of the largest piece of memory to be had, as where free memory is scattered. `usize::MAX`: no limit.
///
/// # Errors
/// If no driver was activated.
pub fn largest(bytes: usize) -> Result<(), String> {
    // SAFETY: sets a number.
    unsafe { (library::activated()?.set_largest)(bytes) };
    Ok(())
}

/// The driver's version as CUDA counts it: 12040 is 12.4.
///
/// # Errors
/// If no driver was activated.
pub fn driver(version: i32) -> Result<(), String> {
    // SAFETY: sets a number.
    unsafe { (library::activated()?.set_driver)(version) };
    Ok(())
}

/// The order in which launches run their threads.
///
/// # Errors
/// If no driver was activated.
pub fn order(order: Order) -> Result<(), String> {
    let (kind, seed) = order.raw();
    // SAFETY: sets two numbers.
    unsafe { (library::activated()?.set_order)(kind, seed) };
    Ok(())
}

/// The launch of this number, counted from 1 from now on, fails, and breaks its context. 0: none.
///
/// # Errors
/// If no driver was activated.
pub fn fail_launch(number: u64) -> Result<(), String> {
    // SAFETY: sets a number.
    unsafe { (library::activated()?.fail_launch)(number) };
    Ok(())
}

/// Whether the capture of a stream cannot begin.
///
/// # Errors
/// If no driver was activated.
pub fn fail_capture(fail: bool) -> Result<(), String> {
    // SAFETY: sets a flag.
    unsafe { (library::activated()?.fail_capture)(i32::from(fail)) };
    Ok(())
}

/// Why a call of the driver last failed, in words: what a kernel did wrong, or why an image was refused.
///
/// # Errors
/// If no driver was activated.
pub fn last_failure() -> Result<String, String> {
    let mut text = vec![0 as c_char; 16384];
    // SAFETY: the library writes at most this many bytes, the last a zero.
    unsafe { (library::activated()?.last_failure)(text.as_mut_ptr(), text.len()) };
    // SAFETY: as above.
    Ok(unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned())
}

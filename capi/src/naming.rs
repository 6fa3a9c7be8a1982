//! Cells, measures, versions and strings.

use crate::border::{free, guarded, into_c, present, text};
use etnas::measure::Measure;
use etnas::space::Cell;
use std::ffi::{c_char, c_int};

/// `ETNAS_ABI`.
const ABI: u32 = 1;

/// `etnas_abi`.
#[no_mangle]
pub extern "C" fn etnas_abi() -> u32 {
    ABI
}

/// `etnas_version`.
#[no_mangle]
pub extern "C" fn etnas_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// `etnas_cell_parse`.
///
/// # Safety
/// As the header says.
#[no_mangle]
pub unsafe extern "C" fn etnas_cell_parse(cell: *const c_char, index: *mut u32, error: *mut *mut c_char) -> c_int {
    let work = || {
        present(index, "index")?;
        // SAFETY: the caller passes a string or null.
        let cell: Cell = unsafe { text(cell, "text") }?.parse()?;
        // SAFETY: it is not null, and the caller lets it be written. An index is below 15,625.
        unsafe { index.write(cell.index() as u32) };
        Ok(())
    };
    // SAFETY: the caller lets the error be written.
    unsafe { guarded(error, work) }
}

/// `etnas_cell_text`.
///
/// # Safety
/// As the header says.
#[no_mangle]
pub unsafe extern "C" fn etnas_cell_text(index: u32, text: *mut *mut c_char, error: *mut *mut c_char) -> c_int {
    let work = || {
        present(text, "text")?;
        let cell = Cell::from_index(index.into())?;
        // SAFETY: it is not null, and the caller lets it be written.
        unsafe { text.write(into_c(cell.to_string())) };
        Ok(())
    };
    // SAFETY: the caller lets the error be written.
    unsafe { guarded(error, work) }
}

/// `etnas_measure_direction`.
///
/// # Safety
/// As the header says.
#[no_mangle]
pub unsafe extern "C" fn etnas_measure_direction(
    measure: *const c_char,
    higher: *mut c_int,
    error: *mut *mut c_char,
) -> c_int {
    let work = || {
        present(higher, "higher")?;
        // SAFETY: the caller passes a string or null.
        let measure = Measure::from_name(unsafe { text(measure, "measure") }?)?;
        // SAFETY: it is not null, and the caller lets it be written.
        unsafe { higher.write(measure.higher_is_better().into()) };
        Ok(())
    };
    // SAFETY: the caller lets the error be written.
    unsafe { guarded(error, work) }
}

/// `etnas_string_free`.
///
/// # Safety
/// `text` is null or a string of this library that was not freed.
#[no_mangle]
pub unsafe extern "C" fn etnas_string_free(text: *mut c_char) {
    // SAFETY: passed on.
    unsafe { free(text) }
}

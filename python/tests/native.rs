//! The library that Python loads: what else it does is tested from Python, beside this file.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};

#[test]
fn the_library_has_the_symbol_that_python_looks_for() {
    // Cargo builds it for this test, beside it.
    let path = std::env::current_exe().unwrap().with_file_name(format!("{DLL_PREFIX}_etnas{DLL_SUFFIX}"));
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let symbol = b"PyInit__etnas";
    assert!(bytes.windows(symbol.len()).any(|part| part == symbol), "{}", path.display());
}

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| etnas_fuzz::run("weights", bytes));

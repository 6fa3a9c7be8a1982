#![no_main]

libfuzzer_sys::fuzz_target!(init: etnas_fuzz::write_seeds("tables"), |bytes: &[u8]| etnas_fuzz::run("tables", bytes));

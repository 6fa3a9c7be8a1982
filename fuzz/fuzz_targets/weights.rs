#![no_main]

libfuzzer_sys::fuzz_target!(init: etnas_fuzz::write_seeds("weights"), |bytes: &[u8]| etnas_fuzz::run("weights", bytes));

#![no_main]

libfuzzer_sys::fuzz_target!(init: etnas_fuzz::write_seeds("imagenet16"), |bytes: &[u8]| etnas_fuzz::run("imagenet16", bytes));

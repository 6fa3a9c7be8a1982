//! The bodies of `tests/fuzz`, for libFuzzer.

#[path = "../../tests/fuzz/bodies.rs"]
pub mod bodies;
#[path = "../../tests/fuzz/meter.rs"]
mod meter;
#[path = "../../tests/fuzz/seeds.rs"]
#[allow(dead_code)]
pub mod seeds;

/// Writes the valid files of a name into the folder that `FUZZ_SEEDS` names, from which libFuzzer begins.
///
/// # Panics
/// They cannot be written.
pub fn write_seeds(name: &str) {
    let Some(folder) = std::env::var_os("FUZZ_SEEDS").map(std::path::PathBuf::from) else { return };
    for (i, bytes) in seeds::of(name).iter().enumerate() {
        std::fs::write(folder.join(format!("valid-{i}")), bytes).expect("a folder to write to");
    }
}

/// Runs the body of a name.
pub fn run(name: &str, bytes: &[u8]) {
    if let Some((_, body)) = bodies::ALL.iter().find(|(known, _)| *known == name) {
        body(bytes);
    }
}

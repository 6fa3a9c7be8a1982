//! The bodies of `tests/fuzz`, for libFuzzer.

#[path = "../../tests/fuzz/bodies.rs"]
pub mod bodies;
#[path = "../../tests/fuzz/meter.rs"]
mod meter;
#[path = "../../tests/fuzz/seeds.rs"]
#[allow(dead_code)]
pub mod seeds;

/// Runs the body of a name.
pub fn run(name: &str, bytes: &[u8]) {
    if let Some((_, body)) = bodies::ALL.iter().find(|(known, _)| *known == name) {
        body(bytes);
    }
}

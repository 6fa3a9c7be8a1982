//! Every reader against damaged and hostile files: no panic, no memory beyond the input's due, no endless work, and errors that are
//! sentences about the file. Valid files are changed a little, so that readers get far; `fuzz/` runs the same bodies under guidance
//! by coverage (docs/fuzzing.md). `ETNAS_FUZZ_CASES` sets the number of files for each body.

#[path = "fuzz/bodies.rs"]
mod bodies;
#[path = "fuzz/faults.rs"]
mod faults;
#[path = "fuzz/meter.rs"]
mod meter;
#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "fuzz/seeds.rs"]
mod seeds;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

/// Changed files for each body, unless `ETNAS_FUZZ_CASES` says how many.
const CASES: u32 = 128;

/// Runs a body on changed files, and now and then on bytes without any form.
fn hostile(name: &str) {
    let (_, body) = *bodies::ALL.iter().find(|(known, _)| *known == name).unwrap();
    let files = seeds::of(name);
    let cases = std::env::var("ETNAS_FUZZ_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES);
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) });
    let random = proptest::collection::vec(any::<u8>(), 0..400);
    let input = prop_oneof![
        15 => (any::<Index>(), mutate::changes()).prop_map({
            let files = files.clone();
            move |(file, changes)| mutate::changed(&files[file.index(files.len())], &files, &changes)
        }),
        1 => random,
    ];
    let before = bodies::counts();
    let ran = runner.run(&input, |bytes| {
        body(&bytes);
        Ok(())
    });
    ran.unwrap_or_else(|failure| panic!("{name}: {failure}"));
    let (read, refused) = (bodies::counts().0 - before.0, bodies::counts().1 - before.1);
    assert!(
        read > cases / 20 && refused > cases / 20,
        "of {cases} files of {name}, {read} readings went well and {refused} did not"
    );
}

#[test]
fn valid_files_are_read() {
    for (name, body) in bodies::ALL {
        for (i, file) in seeds::of(name).iter().enumerate() {
            let (before, _) = bodies::counts();
            body(file);
            assert!(bodies::counts().0 > before, "valid file {i} of {name} is refused");
        }
    }
}

macro_rules! hostile_tests {
    ($($test:ident: $name:literal;)*) => { $(#[test] fn $test() { hostile($name); })* };
}

hostile_tests! {
    hostile_cells: "cells";
    hostile_pickles: "pickle";
    hostile_files_of_torch: "torch";
    hostile_tables: "tables";
    hostile_images_of_cifar: "cifar";
    hostile_images_of_imagenet16: "imagenet16";
    hostile_batches: "batch";
    hostile_weights: "weights";
    hostile_score_files: "scores";
    hostile_metadata: "metadata";
    hostile_records_to_resume: "resume";
    hostile_trajectories: "trajectory";
}

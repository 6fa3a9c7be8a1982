//! The header and the library by a C program, and by a C++ compiler.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where cargo puts the library that this test was built with.
fn library() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_path_buf()
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs a program that must succeed; what it printed.
fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {out}{errors}");
    out.into_owned()
}

#[test]
fn a_c_program_scores_and_fails_as_the_header_says() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("test");
    let flags = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-g"];
    let mut compile = Command::new("gcc");
    compile.args(flags).arg(here("tests/test.c")).arg("-I").arg(here("include"));
    succeeds(compile.arg("-L").arg(library()).args(["-letnas_c", "-lm", "-o"]).arg(&program));

    let sentence =
        "The cell index 15625 does not exist: expected a whole number from 0 to 15624, the order of NATS-Bench.";
    assert_eq!("15625".parse::<etnas::space::Cell>().unwrap_err().to_string(), sentence);
    // A batch with a pixel that no network can be fed.
    let header = br#"{"images":{"dtype":"F32","shape":[1,3,4,4],"data_offsets":[0,192]}}"#;
    let length = (header.len() as u64).to_le_bytes();
    let huge = folder.path().join("huge.safetensors");
    std::fs::write(&huge, [&length[..], header, &3e38f32.to_le_bytes().repeat(48)].concat()).unwrap();
    let source = etnas::input::Source::Path(huge.clone());
    let refused = etnas::engine::Engine::builder().data(source).batch(1).build().err().unwrap().to_string();
    assert!(refused.contains("found 3e38 at place 0"), "{refused}");
    let arguments = [sentence.as_ref(), huge.as_os_str(), refused.as_ref()];
    let text = succeeds(Command::new(&program).args(arguments).env("LD_LIBRARY_PATH", library()));

    // To the last bit what Rust gets.
    use etnas::measure::Measure::{Degree, LogSynflow, Naswot};
    let engine = etnas::engine::Engine::builder()
        .dataset(etnas::input::Dataset::ImageNet16)
        .batch(4)
        .device(etnas::engine::Device::Cpu)
        .build()
        .unwrap();
    let cells = [0, 1462, 9930].map(|index| etnas::space::Cell::from_index(index).unwrap());
    let scores = engine.score(&cells, &[LogSynflow, Naswot, Degree]).unwrap();
    let rows: Vec<Vec<f64>> =
        text.lines().map(|line| line.split(' ').map(|word| word.parse().unwrap()).collect()).collect();
    assert_eq!(rows.len(), 3);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(row[..], [LogSynflow, Naswot, Degree].map(|measure| scores.values(measure)[i]));
    }
}

#[test]
fn the_header_is_cpp_too_and_declares_what_the_library_has() {
    let folder = tempfile::tempdir().unwrap();
    let header = std::fs::read_to_string(here("include/etnas.h")).unwrap();
    let mut names: Vec<&str> = header
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .zip(header.split(|c: char| !(c.is_alphanumeric() || c == '_')).skip(1))
        .filter_map(|(name, _)| name.strip_prefix("etnas_").map(|_| name))
        .filter(|name| !["etnas_engine", "etnas_watch"].contains(name))
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 11, "{names:?}");
    // Each is called by its address, so that the linker must find it.
    let addresses: String = names.iter().map(|name| format!("    (void *)&{name},\n")).collect();
    let source = folder.path().join("all.cpp");
    let text =
        format!("#include <etnas.h>\nvoid *all[] = {{\n{addresses}}};\nint main() {{ return all[0] == nullptr; }}\n");
    std::fs::write(&source, text).unwrap();
    let program = folder.path().join("all");
    let mut compile = Command::new("g++");
    compile.args(["-std=c++11", "-Wall", "-Wextra", "-Werror"]).arg(&source).arg("-I").arg(here("include"));
    succeeds(compile.arg("-L").arg(library()).args(["-letnas_c", "-o"]).arg(&program));
    succeeds(Command::new(&program).env("LD_LIBRARY_PATH", library()));
}

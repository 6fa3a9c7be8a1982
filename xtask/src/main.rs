//! The project's build commands: `cargo xtask`.

#![deny(unsafe_code)]

mod kernels;
mod lint;
mod manifest;
#[allow(dead_code)] // What only a user's machine needs of it.
#[allow(unsafe_code)] // Calls the compiler's library.
#[path = "../../src/cuda/images/nvrtc.rs"]
mod nvrtc;
mod parallel;
mod sources;
mod toolchain;
#[path = "../../src/cuda/images/unit.rs"]
mod unit;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask toolchain                        installs the pinned compiler and disassembler in target/cuda-toolchain
cargo xtask kernels [--check] [--nvrtc PATH] compiles kernels/*.cu to kernels/prebuilt; --check compares instead of writing
cargo xtask lint [--write] [--nvrtc PATH] [--nvdisasm PATH]
                                             holds the machine code against the rules in kernels/*.cu; --write also writes
                                             the table to docs/results/sass.txt";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let command = arguments.next().unwrap_or_default();
    let mut options = Options::default();
    while let Some(argument) = arguments.next() {
        let mut path = || match arguments.next() {
            Some(path) => Ok(Some(PathBuf::from(path))),
            None => Err(format!("A path is expected after {argument}.")),
        };
        match (command.as_str(), argument.as_str()) {
            ("kernels", "--check") => options.check = true,
            ("lint", "--write") => options.write = true,
            ("kernels" | "lint", "--nvrtc") => options.nvrtc = path()?,
            ("lint", "--nvdisasm") => options.nvdisasm = path()?,
            _ => return Err(format!("Unknown argument {argument:?}. Expected one of\n{HELP}")),
        }
    }
    match command.as_str() {
        "toolchain" => toolchain::install(),
        "kernels" => kernels::run(&options),
        "lint" => lint::run(&options),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        _ => Err(format!("Unknown command {command:?}. Expected one of\n{HELP}")),
    }
}

/// What the command line says.
#[derive(Default)]
struct Options {
    check: bool,
    write: bool,
    nvrtc: Option<PathBuf>,
    nvdisasm: Option<PathBuf>,
}

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(""))
}

/// Reads or writes a file, with an error that names it.
fn named<T>(verb: &str, path: &Path, result: std::io::Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("Cannot {verb} {}: {error}.", path.display()))
}

//! The pinned compiler and disassembler: Python wheels, unpacked where git does not look.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::nvrtc::Nvrtc;
use crate::{named, root, Options};

/// The compiler that makes what is committed.
const NVRTC_WHEEL: &str = "nvidia-cuda-nvrtc-cu12==12.4.127";
const NVRTC_VERSION: (i32, i32) = (12, 4);
/// Reads the machine code of all CUDA 12 compilers too.
const NVDISASM_WHEEL: &str = "nvidia-cuda-nvdisasm==13.5.37";

fn folder() -> PathBuf {
    root().join("target").join("cuda-toolchain")
}

/// Installs both, which takes Python's pip and a package index.
pub fn install() -> Result<(), String> {
    let folder = folder();
    if locate(&folder, is_nvrtc).is_some() && locate(&folder, is_nvdisasm).is_some() {
        println!("{} has compiler and disassembler; delete it to install them anew.", folder.display());
        return Ok(());
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade", "--target"]);
    pip.arg(&folder).args([NVRTC_WHEEL, NVDISASM_WHEEL]);
    let output = pip.output().map_err(|error| format!("python3 cannot be run: {error}. Install Python 3 with pip."))?;
    if !output.status.success() {
        return Err(format!(
            "pip cannot install {NVRTC_WHEEL} and {NVDISASM_WHEEL}; it needs pip and a connection to a package index. It says:\n{}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        ));
    }
    println!("{NVRTC_WHEEL} and {NVDISASM_WHEEL} are in {}.", folder.display());
    Ok(())
}

/// The pinned NVRTC, from the toolchain's folder or the path that was given.
pub fn nvrtc(options: &Options) -> Result<Nvrtc, String> {
    let path = given_or_installed(options.nvrtc.as_deref(), is_nvrtc, "NVRTC", "--nvrtc")?;
    let nvrtc = Nvrtc::open(&path).map_err(|error| format!("{error}."))?;
    if nvrtc.version() != NVRTC_VERSION {
        let (major, minor) = nvrtc.version();
        return Err(format!(
            "{} is NVRTC {major}.{minor}; expected {}.{}, with which the committed images are made. Run `cargo xtask toolchain` and leave \
             --nvrtc out.",
            path.display(),
            NVRTC_VERSION.0,
            NVRTC_VERSION.1
        ));
    }
    Ok(nvrtc)
}

/// The path of the disassembler.
pub fn nvdisasm(options: &Options) -> Result<PathBuf, String> {
    given_or_installed(options.nvdisasm.as_deref(), is_nvdisasm, "nvdisasm", "--nvdisasm")
}

fn given_or_installed(
    given: Option<&Path>,
    matches: fn(&str) -> bool,
    what: &str,
    option: &str,
) -> Result<PathBuf, String> {
    match given {
        Some(path) => Ok(named("open", path, fs::metadata(path)).map(|_| path.to_path_buf())?),
        None => locate(&folder(), matches).ok_or_else(|| {
            format!(
                "{what} is not in {}. Run `cargo xtask toolchain` once (it needs pip and a package index), or give {option} PATH.",
                folder().display()
            )
        }),
    }
}

fn is_nvrtc(name: &str) -> bool {
    name.starts_with("libnvrtc.so") || name.starts_with("nvrtc64_") && name.ends_with("_0.dll")
}

fn is_nvdisasm(name: &str) -> bool {
    name == "nvdisasm" || name == "nvdisasm.exe"
}

/// The first file below a folder whose name matches.
fn locate(folder: &Path, matches: fn(&str) -> bool) -> Option<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths.into_iter().find_map(|path| {
        if path.is_dir() {
            return locate(&path, matches);
        }
        path.file_name().and_then(|name| name.to_str()).is_some_and(matches).then_some(path)
    })
}

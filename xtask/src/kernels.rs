//! `cargo xtask kernels`: from `kernels/*.cu` to `kernels/prebuilt`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::nvrtc::{Nvrtc, Output, Target, OPTIONS};
use crate::sources::Sources;
use crate::{manifest, named, parallel, root, toolchain, unit, Options};

/// What is shipped: machine code for each generation the kernels know, PTX for what comes after them. 8.7 (Orin) takes 8.6's.
const TARGETS: [Target; 7] = [
    Target::Ptx(75),
    Target::Ptx(80),
    Target::Cubin(75),
    Target::Cubin(80),
    Target::Cubin(86),
    Target::Cubin(89),
    Target::Cubin(90),
];
const MANIFEST: &str = "MANIFEST";
/// How often a target is compiled at most. NVRTC 12.4 orders some things by address: now and then (one program of 20, all kernels
/// together) it merges loads otherwise than usual. What is written was made twice; what is compared may take several attempts.
const ATTEMPTS: usize = 8;

pub fn run(options: &Options) -> Result<(), String> {
    let sources = Sources::read(&root().join("kernels"))?;
    match (is_current(&sources), options.check) {
        (true, false) => {
            println!("kernels/prebuilt is up to date.");
            return Ok(());
        }
        (false, true) => {
            return Err(
                "kernels/prebuilt/MANIFEST is not that of the sources and of the files beside it. Run `cargo xtask kernels` and commit \
                 what it writes."
                    .into(),
            )
        }
        _ => {}
    }
    let nvrtc = toolchain::nvrtc(options)?;
    let results = parallel::map(&TARGETS, |target| {
        let committed = if options.check { fs::read(folder().join(file_name(*target))).ok() } else { None };
        compile(&nvrtc, &sources, *target, committed)
    })?;
    let mut outputs = BTreeMap::new();
    let mut version = None;
    for (target, (output, bytes)) in TARGETS.iter().zip(results) {
        if !output.log.trim().is_empty() {
            eprintln!("{}:\n{}", target.architecture(), output.log.trim_end());
        }
        version = version.or_else(|| build_version(&output.ptx));
        outputs.insert(file_name(*target), bytes);
    }
    let version = version.ok_or("NVRTC's PTX does not tell the compiler's version.")?;
    let manifest = manifest(&version, &sources, &outputs);
    outputs.insert(MANIFEST.into(), manifest.into_bytes());
    if options.check {
        compare(&outputs)
    } else {
        write(&outputs)
    }
}

fn folder() -> PathBuf {
    root().join("kernels").join("prebuilt")
}

fn file_name(target: Target) -> String {
    let extension = match target {
        Target::Ptx(_) => "ptx",
        Target::Cubin(_) => "cubin",
    };
    format!("{}.{}.{extension}", unit::NAME, target.architecture())
}

fn manifest(version: &str, sources: &Sources, outputs: &BTreeMap<String, Vec<u8>>) -> String {
    manifest::render(
        version,
        &OPTIONS,
        &sources.unit(),
        sources.iter().map(|(name, text)| (name, text.as_bytes())),
        outputs.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())),
    )
}

/// Whether the manifest is that of these sources and of the files beside it.
fn is_current(sources: &Sources) -> bool {
    let read = |name: &str| fs::read(folder().join(name)).ok();
    let outputs: Option<BTreeMap<_, _>> =
        TARGETS.iter().map(|target| Some((file_name(*target), read(&file_name(*target))?))).collect();
    let (Some(outputs), Some(written)) = (outputs, read(MANIFEST)) else { return false };
    let version = outputs.values().find_map(|bytes| build_version(std::str::from_utf8(bytes).ok()?));
    version.is_some_and(|version| manifest(&version, sources, &outputs).into_bytes() == written)
}

/// Compiles until the bytes are those of an earlier attempt, or the ones that are expected.
fn compile(
    nvrtc: &Nvrtc,
    sources: &Sources,
    target: Target,
    expected: Option<Vec<u8>>,
) -> Result<(Output, Vec<u8>), String> {
    let checks = expected.is_some();
    let mut seen: Vec<Vec<u8>> = expected.into_iter().collect();
    let mut attempt = 1;
    loop {
        let mut output = sources.compile(nvrtc, target, &[])?;
        let bytes = match target {
            Target::Ptx(_) => output.ptx.clone().into_bytes(),
            Target::Cubin(_) => std::mem::take(&mut output.cubin),
        };
        if seen.contains(&bytes) || attempt == ATTEMPTS {
            return Ok((output, bytes));
        }
        if !checks {
            seen.push(bytes);
        }
        attempt += 1;
    }
}

/// "12.4.127" of the line `// Cuda compilation tools, release 12.4, V12.4.127`.
fn build_version(ptx: &str) -> Option<String> {
    let line = ptx.lines().find(|line| line.contains("Cuda compilation tools"))?;
    Some(line.rsplit_once(", V")?.1.trim().to_string())
}

fn write(outputs: &BTreeMap<String, Vec<u8>>) -> Result<(), String> {
    let folder = folder();
    named("make the folder", &folder, fs::create_dir_all(&folder))?;
    for name in others(outputs)? {
        named("delete", &folder.join(&name), fs::remove_file(folder.join(&name)))?;
    }
    for (name, bytes) in outputs {
        let path = folder.join(name);
        if fs::read(&path).ok().as_ref() != Some(bytes) {
            named("write", &path, fs::write(&path, bytes))?;
        }
        println!("{:>9} bytes  {name}", bytes.len());
    }
    Ok(())
}

fn compare(outputs: &BTreeMap<String, Vec<u8>>) -> Result<(), String> {
    let folder = folder();
    let differs = |(name, bytes): (&String, &Vec<u8>)| match fs::read(folder.join(name)) {
        Ok(committed) if committed == *bytes => None,
        Ok(_) => Some(format!("kernels/prebuilt/{name} differs from what its sources compile to")),
        Err(_) => Some(format!("kernels/prebuilt/{name} is missing")),
    };
    let mut wrong: Vec<String> = outputs.iter().filter_map(differs).collect();
    wrong.extend(others(outputs)?.iter().map(|name| format!("kernels/prebuilt/{name} is made by no source")));
    if wrong.is_empty() {
        println!("All {} files of kernels/prebuilt are what the sources compile to.", outputs.len());
        return Ok(());
    }
    Err(format!("{}. Run `cargo xtask kernels` and commit what it writes.", wrong.join(";\n")))
}

/// Images in the folder that are none of the outputs.
fn others(outputs: &BTreeMap<String, Vec<u8>>) -> Result<Vec<String>, String> {
    let folder = folder();
    let mut names = Vec::new();
    for entry in named("read", &folder, fs::read_dir(&folder))? {
        let name = named("read", &folder, entry)?.file_name().to_string_lossy().into_owned();
        if (name.ends_with(".ptx") || name.ends_with(".cubin")) && !outputs.contains_key(&name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::build_version;

    #[test]
    fn version_from_the_head_of_ptx() {
        let head = "//\n// Generated by NVIDIA NVVM Compiler\n// Cuda compilation tools, release 12.4, V12.4.127\n.version 8.4\n";
        assert_eq!(build_version(head).as_deref(), Some("12.4.127"));
        assert_eq!(build_version(".version 8.4\n"), None);
    }
}

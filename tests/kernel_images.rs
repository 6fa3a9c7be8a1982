//! The committed kernel images are those of the committed sources, as far as their hashes tell; `cargo xtask kernels --check`
//! compiles them again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

fn kernels() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels")
}

/// Names and hashes of one kind of line of the manifest.
fn listed(kind: &str) -> BTreeMap<String, String> {
    let manifest = fs::read_to_string(kernels().join("prebuilt/MANIFEST")).unwrap();
    let lines = manifest.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    lines.filter(|words| words[0] == kind).map(|words| (words[1].into(), words[2].into())).collect()
}

/// Names and hashes of the files of a folder that end so.
fn found(folder: &Path, extensions: [&str; 2]) -> BTreeMap<String, String> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|end| extensions.iter().any(|other| end == *other)));
    let hash = |path: &Path| Sha256::digest(fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
    paths.map(|path| (path.file_name().unwrap().to_str().unwrap().into(), hash(&path))).collect()
}

fn compare(folder: &str, listed: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> Vec<String> {
    let changed = found.iter().filter(|(name, hash)| listed.get(*name) != Some(hash));
    let changed = changed.map(|(name, _)| match listed.contains_key(name) {
        true => format!("{folder}/{name} has changed since the images were made."),
        false => format!("{folder}/{name} is new since the images were made."),
    });
    let gone = listed.keys().filter(|name| !found.contains_key(*name));
    changed.chain(gone.map(|name| format!("{folder}/{name} is gone since the images were made."))).collect()
}

#[test]
fn kernel_images_are_made_from_the_sources() {
    let (sources, outputs) = (listed("source"), listed("output"));
    assert!(sources.contains_key("device.cuh") && outputs.contains_key("etnas.sm_80.cubin"));
    let mut stale = compare("kernels", &sources, &found(&kernels(), ["cu", "cuh"]));
    stale.extend(compare("kernels/prebuilt", &outputs, &found(&kernels().join("prebuilt"), ["ptx", "cubin"])));
    let stale = stale.join("\n");
    assert!(
        stale.is_empty(),
        "{stale}\nRun `cargo xtask toolchain` once, then `cargo xtask kernels`, and commit what it writes."
    );
}

#[test]
fn a_stale_file_is_named() {
    let map = |list: &[(&str, &str)]| list.iter().map(|(name, hash)| (name.to_string(), hash.to_string())).collect();
    let listed = map(&[("a.cu", "1"), ("b.cu", "2"), ("c.cu", "3")]);
    let found = map(&[("a.cu", "1"), ("b.cu", "4"), ("d.cu", "3")]);
    assert_eq!(
        compare("kernels", &listed, &found),
        [
            "kernels/b.cu has changed since the images were made.",
            "kernels/d.cu is new since the images were made.",
            "kernels/c.cu is gone since the images were made."
        ]
    );
}

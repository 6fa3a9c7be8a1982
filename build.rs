//! Writes the table of kernel images and kernel sources that `src/cuda/images` embeds. All of them are in the package: nothing is
//! compiled, searched for or fetched here.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=kernels");
    let kernels = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("kernels");
    let mut table = String::from("/// The images that are shipped.\npub static IMAGES: &[Image] = &[\n");
    for path in files(&kernels.join("prebuilt"))? {
        if let Some(kind) = kind(&path)? {
            let name = file_name(&path);
            let bytes = format!("include_bytes!({})", within(&format!("prebuilt/{name}")));
            let image =
                format!("Image {{ name: Cow::Borrowed({name:?}), kind: {kind}, bytes: Cow::Borrowed({bytes}) }}");
            writeln!(table, "    {image},")?;
        }
    }
    table += "];\n/// The kernels' sources.\npub static SOURCES: &[Source<'static>] = &[\n";
    for path in files(&kernels)? {
        if path.extension().is_some_and(|extension| extension == "cu" || extension == "cuh") {
            let name = file_name(&path);
            writeln!(table, "    Source {{ name: {name:?}, text: include_str!({}) }},", within(&name))?;
        }
    }
    table += "];\n";
    fs::write(Path::new(&env::var("OUT_DIR")?).join("kernel_images.rs"), table)?;
    Ok(())
}

/// A file of the folder of kernels, as Rust: found from the package as it lies when it is compiled, for the same build folder may serve
/// a copy that lies elsewhere.
fn within(name: &str) -> String {
    format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), {:?})", format!("/kernels/{name}"))
}

/// The files of a folder, sorted.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let entries =
        fs::read_dir(folder).map_err(|error| format!("Cannot read the folder {}: {error}.", folder.display()))?;
    let mut files = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The `ImageKind` of `etnas.sm_75.cubin` or `etnas.compute_75.ptx`, as Rust; none for a file that is no image.
fn kind(path: &Path) -> Result<Option<String>, Box<dyn Error>> {
    let name = file_name(path);
    let unclear = || format!("The name {name:?} in kernels/prebuilt is not one that `cargo xtask kernels` gives.");
    let Some((stem, extension @ ("cubin" | "ptx"))) = name.rsplit_once('.') else { return Ok(None) };
    let capability: u32 = stem.rsplit_once('_').and_then(|(_, number)| number.parse().ok()).ok_or_else(unclear)?;
    let capability = (capability / 10, capability % 10);
    if extension == "cubin" {
        return Ok(Some(format!("ImageKind::Cubin {{ capability: {capability:?} }}")));
    }
    let text = fs::read_to_string(path)?;
    let version = text.lines().find_map(|line| line.strip_prefix(".version ")?.trim().split_once('.'));
    let (major, minor) = version.ok_or_else(|| format!("The PTX {name} has no line .version."))?;
    Ok(Some(format!("ImageKind::Ptx {{ capability: {capability:?}, ptx_version: ({major}, {minor}) }}")))
}

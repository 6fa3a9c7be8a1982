//! `cargo xtask lint`: holds machine code against what the sources say it should be.

mod figures;
mod listings;
mod occupancy;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::nvrtc::Target;
use crate::sources::Sources;
use crate::{named, parallel, root, toolchain, Options};
use figures::Figures;
use occupancy::Multiprocessor;
use rules::Rules;

/// What is looked at: all that is shipped as machine code.
const ARCHITECTURES: [(i32, &str); 5] = [(75, "sm_75"), (80, "sm_80"), (86, "sm_86"), (89, "sm_89"), (90, "sm_90")];
/// Columns of the table that count instructions.
const COUNTED: [&str; 7] = ["HMMA", "IMMA", "BMMA", "LDG.128", "LDGSTS.128", "LDS.128", "STG.128"];

pub fn run(options: &Options) -> Result<(), String> {
    let nvrtc = toolchain::nvrtc(options)?;
    let nvdisasm = toolchain::nvdisasm(options)?;
    let sources = Sources::read(&root().join("kernels"))?;

    let architectures = parallel::map(&ARCHITECTURES, |(capability, name)| {
        let output = sources.compile(&nvrtc, Target::Cubin(*capability), &["--ptxas-options=-v"])?;
        let mut kernels = listings::assembler_report(&output.log);
        listings::block_sizes(&output.ptx, &mut kernels);
        listings::listing(&disassemble(&nvdisasm, name, &output.cubin)?, &mut kernels);
        Ok((*capability, *name, kernels))
    })?;

    let names: BTreeSet<&str> =
        architectures.iter().flat_map(|(.., kernels)| kernels.keys()).map(String::as_str).collect();
    let mut mistakes = Vec::new();
    let mut all_rules = BTreeMap::new();
    for (file, text) in sources.iter() {
        all_rules.extend(rules::rules_of(file, text, |word| names.contains(word), &mut mistakes));
    }

    let mut rows = BTreeMap::new();
    for (capability, architecture, kernels) in &architectures {
        let machine = machine(*capability)?;
        for (name, figures) in kernels {
            if figures.instructions.is_empty() || figures.threads == 0 {
                return Err(format!(
                    "The tools' listings of {name} for {architecture} were not understood; has the version of nvdisasm changed?"
                ));
            }
            let none = Rules::default();
            let rules = all_rules.get(name).unwrap_or(&none);
            let figures = Figures { dynamic: rules.dynamic(architecture), ..figures.clone() };
            let broken = rules.broken(&figures, architecture, &machine);
            mistakes.extend(broken.iter().map(|rule| format!("{name} on {architecture}: {rule}.")));
            rows.insert((name.as_str(), *capability), row(&figures, &machine));
        }
    }
    let table = table(&rows);
    print!("{table}");
    if options.write {
        let path = root().join("docs").join("results").join("sass.txt");
        named("write", &path, fs::write(&path, &table))?;
    }
    if mistakes.is_empty() {
        println!("All rules are kept.");
        return Ok(());
    }
    Err(format!("Rules of the machine code are broken:\n{}", mistakes.join("\n")))
}

fn machine(capability: i32) -> Result<Multiprocessor, String> {
    occupancy::multiprocessor(capability)
        .ok_or_else(|| format!("What a multiprocessor of compute capability {capability} holds is not known."))
}

/// The listing of machine code, which nvdisasm reads from a file only.
fn disassemble(nvdisasm: &Path, architecture: &str, cubin: &[u8]) -> Result<String, String> {
    let name = format!("etnas-lint-{}.{architecture}.cubin", std::process::id());
    let path = std::env::temp_dir().join(name);
    named("write", &path, fs::write(&path, cubin))?;
    let output = Command::new(nvdisasm).arg("-c").arg(&path).output();
    let _ = fs::remove_file(&path);
    let output = named("run", nvdisasm, output)?;
    if !output.status.success() {
        return Err(format!("nvdisasm fails: {}", String::from_utf8_lossy(&output.stderr).trim_end()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn head() -> Vec<String> {
    let first = ["threads", "registers", "spill", "shared", "occupancy"].into_iter();
    first.chain(COUNTED).chain(["local", "instructions"]).map(String::from).collect()
}

fn row(figures: &Figures, machine: &Multiprocessor) -> Vec<String> {
    let first = [figures.threads, figures.registers, figures.spill, figures.shared + figures.dynamic];
    let mut row: Vec<String> = first.iter().map(u32::to_string).collect();
    row.push(format!("{:.0}%", 100.0 * figures.occupancy(machine)));
    row.extend(COUNTED.iter().map(|opcode| figures.count(opcode).to_string()));
    row.push(figures.local().to_string());
    row.push(figures.instructions.len().to_string());
    row
}

fn table(rows: &BTreeMap<(&str, i32), Vec<String>>) -> String {
    let head = head();
    let name_width = rows.keys().map(|(name, _)| name.len()).max().unwrap_or(0).max("kernel".len());
    let mut text = String::from(
        "Machine code of each kernel: bytes of spills and of shared memory (a launch's included), resident threads, instructions.\n\n",
    );
    let mut line = |name: &str, architecture: &str, cells: &[String]| {
        let _ = write!(text, "{name:name_width$}  {architecture:5}");
        for (cell, title) in cells.iter().zip(&head) {
            let _ = write!(text, "  {cell:>width$}", width = title.len());
        }
        text.push('\n');
    };
    line("kernel", "", &head);
    for ((name, capability), cells) in rows {
        line(name, &format!("sm_{capability}"), cells);
    }
    text
}

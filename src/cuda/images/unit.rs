//! The one program that all kernels are compiled as, so that a card loads one module.
//!
//! The build command includes this file too.

use std::collections::{BTreeMap, BTreeSet};

/// The program's name, and the first part of the names of what it is compiled to.
pub const NAME: &str = "etnas";

/// Headers that all files share, with what they include.
const SHARED: [&str; 2] = ["device.cuh", "jobs.cuh"];

/// The program's text, made of the sources, given as names and texts. Shared headers come first. Then each `.cu`, with the other
/// headers it includes put in their places, is a namespace of its own, and its macros end with it: names of one file do not meet
/// those of another. Kernels are `extern "C"` and keep their names.
pub fn unit<'a>(sources: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let files: BTreeMap<&str, &str> = sources.collect();
    let mut shared = BTreeSet::new();
    for name in SHARED {
        inlined(&files, &BTreeSet::new(), name, &mut shared);
    }
    // Not every file uses all of a header.
    let mut unit = String::from("#pragma nv_diag_suppress 177\n");
    for header in SHARED {
        unit += &format!("#include \"{header}\"\n");
    }
    for name in files.keys() {
        let Some(stem) = name.strip_suffix(".cu") else { continue };
        let mut included = BTreeSet::new();
        let text = inlined(&files, &shared, name, &mut included);
        unit += &format!("namespace {stem}_cu {{\n{text}}}\n");
        let macros: BTreeSet<&str> = text.lines().filter_map(defined).collect();
        unit.extend(macros.iter().map(|name| format!("#undef {name}\n")));
    }
    unit
}

/// A file's text, with each header in the place where it is first included and lines numbered as in their files.
fn inlined<'a>(
    files: &BTreeMap<&'a str, &'a str>,
    shared: &BTreeSet<&'a str>,
    name: &'a str,
    included: &mut BTreeSet<&'a str>,
) -> String {
    included.insert(name);
    let mut text = format!("#line 1 \"{name}\"\n");
    for (index, line) in files.get(name).copied().unwrap_or_default().lines().enumerate() {
        match include(line).and_then(|header| files.get_key_value(header)) {
            Some((header, _)) if !shared.contains(header) && !included.contains(header) => {
                text += &inlined(files, shared, header, included);
                text += &format!("#line {} \"{name}\"", index + 2);
            }
            Some(_) => {}
            None if directive(line).is_some_and(|(word, rest)| word == "pragma" && rest == "once") => {}
            None => text += line,
        }
        text.push('\n');
    }
    text
}

/// `define` and `TILE 16` of the line `# define TILE 16`.
fn directive(line: &str) -> Option<(&str, &str)> {
    let rest = line.trim_start().strip_prefix('#')?.trim();
    let end = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
    let (word, rest) = rest.split_at(end);
    Some((word, rest.trim_start()))
}

/// The file that a line includes by a name in quotation marks.
fn include(line: &str) -> Option<&str> {
    let (word, rest) = directive(line)?;
    rest.strip_prefix('"').filter(|_| word == "include")?.split('"').next()
}

/// The macro that a line defines.
fn defined(line: &str) -> Option<&str> {
    let (word, rest) = directive(line)?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|_| word == "define")
}

#[cfg(test)]
mod tests {
    use super::unit;

    #[test]
    fn each_file_has_its_own_headers_and_macros() {
        let sources = [
            ("conv.cu", "#include \"tiles.cuh\"\n#include \"jobs.cuh\"\nint a;\n"),
            ("device.cuh", "#pragma once\n#include \"emulated.hpp\"\n"),
            ("jobs.cuh", "#pragma once\n#include \"device.cuh\"\n#define PART 256\n"),
            ("node.cu", "// #define ROW 3\n  # define COPY(x) x\n#include \"tiles.cuh\"\n#include \"tiles.cuh\"\n"),
            ("tiles.cuh", "#pragma once\n#include \"jobs.cuh\"\n#define TILE 16\n"),
        ];
        let tiles = "#line 1 \"tiles.cuh\"\n\n\n#define TILE 16\n";
        assert_eq!(
            unit(sources.into_iter()),
            format!(
                "#pragma nv_diag_suppress 177\n#include \"device.cuh\"\n#include \"jobs.cuh\"\n\
                 namespace conv_cu {{\n#line 1 \"conv.cu\"\n{tiles}#line 2 \"conv.cu\"\n\nint a;\n}}\n#undef TILE\n\
                 namespace node_cu {{\n#line 1 \"node.cu\"\n// #define ROW 3\n  # define COPY(x) x\n{tiles}#line 4 \"node.cu\"\n\n}}\n\
                 #undef COPY\n#undef TILE\n"
            )
        );
    }
}

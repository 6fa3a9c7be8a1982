//! The one program that all kernels are compiled as, so that a card loads one module.
//!
//! The build command includes this file too.

/// The program's name, and the first part of the names of what it is compiled to.
pub const NAME: &str = "etnas";

/// The program's text, which includes all sources, given as names and texts: headers (`.cuh`) first, then each `.cu`. Names of one
/// `.cu` do not meet those of another: it has a namespace of its own, and its macros end with it. Kernels are `extern "C"` and
/// keep their names.
pub fn unit<'a>(sources: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> String {
    let mut unit = String::new();
    for (header, _) in sources.clone().filter(|(name, _)| name.ends_with(".cuh")) {
        unit += &format!("#include \"{header}\"\n");
    }
    for (name, text) in sources {
        if let Some(stem) = name.strip_suffix(".cu") {
            unit += &format!("namespace {stem}_cu {{\n#include \"{name}\"\n}}\n");
            for macro_name in text.lines().filter_map(defined) {
                unit += &format!("#undef {macro_name}\n");
            }
        }
    }
    unit
}

/// The macro that a line defines.
fn defined(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix('#')?.trim_start().strip_prefix("define")?;
    rest.strip_prefix([' ', '\t'])?.trim_start().split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

#[cfg(test)]
mod tests {
    use super::unit;

    #[test]
    fn headers_come_first_and_macros_end_with_their_file() {
        let node = "#define TILE 16\n // #define ROW 3\n  # define COPY(x) x\n";
        let sources = [("conv.cu", ""), ("device.cuh", "#define PART 256\n"), ("jobs.cuh", ""), ("node.cu", node)];
        assert_eq!(
            unit(sources.into_iter()),
            "#include \"device.cuh\"\n#include \"jobs.cuh\"\nnamespace conv_cu {\n#include \"conv.cu\"\n}\n\
             namespace node_cu {\n#include \"node.cu\"\n}\n#undef TILE\n#undef COPY\n"
        );
    }
}

//! What the tools print about kernels: the assembler's report, the disassembler's listing, and blocks' sizes in PTX.

use std::collections::BTreeMap;

use super::figures::Figures;

/// All kernels of one architecture, by name.
pub type Kernels = BTreeMap<String, Figures>;

/// Registers, spills, stack and shared memory from the log of a compilation with `--ptxas-options=-v`.
pub fn assembler_report(log: &str) -> Kernels {
    let mut kernels = Kernels::new();
    let mut name = String::new();
    for line in log.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            name = rest.split('\'').next().unwrap_or_default().to_string();
            kernels.entry(name.clone()).or_default();
        }
        // Functions that a kernel calls report a stack of their own; the kernel's line counts theirs in.
        if let Some((_, rest)) = line.split_once("Function properties for ") {
            name = rest.trim().to_string();
        }
        let Some(kernel) = kernels.get_mut(&name) else { continue };
        if line.contains("bytes stack frame") {
            kernel.stack = before(line, " bytes stack frame");
            kernel.spill = before(line, " bytes spill stores") + before(line, " bytes spill loads");
        }
        if line.contains("Used ") && line.contains(" registers") {
            kernel.registers = before(line, " registers");
            kernel.shared = before(line, " bytes smem");
        }
    }
    kernels
}

/// The number that ends where `words` begin; 0 where there is none.
fn before(line: &str, words: &str) -> u32 {
    let Some((head, _)) = line.split_once(words) else { return 0 };
    let digits = head.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

/// Instructions from `nvdisasm -c`, for the kernels that are there already.
pub fn listing(text: &str, kernels: &mut Kernels) {
    let mut name = String::new();
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once("\t.section\t.text.") {
            name = rest.split(',').next().unwrap_or_default().to_string();
        }
        let (Some(kernel), Some(instruction)) = (kernels.get_mut(&name), instruction(line)) else { continue };
        if instruction != "NOP" {
            kernel.instructions.push(instruction.to_string());
        }
    }
}

/// `LDG.E` of the line `        /*00c0*/              @!P0 LDG.E R3, [R4.64] ;`.
fn instruction(line: &str) -> Option<&str> {
    let (offset, rest) = line.trim_start().strip_prefix("/*")?.split_once("*/")?;
    if offset.is_empty() || !offset.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let word = rest.split_whitespace().find(|word| !word.starts_with(['@', '{']))?;
    let word = word.trim_end_matches([';', ',', '}']);
    word.starts_with(|c: char| c.is_ascii_uppercase()).then_some(word)
}

/// Threads of a block at most, for the kernels that are there already.
pub fn block_sizes(ptx: &str, kernels: &mut Kernels) {
    let mut name = String::new();
    for line in ptx.lines() {
        if let Some((_, rest)) = line.split_once(".entry ") {
            name = rest.split('(').next().unwrap_or_default().trim().to_string();
        }
        if let (Some(kernel), Some(sizes)) = (kernels.get_mut(&name), line.trim().strip_prefix(".maxntid ")) {
            kernel.threads = sizes.split(',').filter_map(|size| size.trim().parse::<u32>().ok()).product();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'sample' for 'sm_80'
ptxas info    : Function properties for sample
ptxas         .     24 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 18 registers, 4096 bytes smem, 372 bytes cmem[0]
ptxas info    : Compiling entry function 'other' for 'sm_80'
ptxas info    : Function properties for other
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 255 registers
ptxas info    : Function properties for helper
ptxas         .     8 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads
";

    const LISTING: &str = "
//--------------------- .text.sample              --------------------------
\t.section\t.text.sample,\"ax\",@progbits
        .global         sample
sample:
        /*0000*/                   MOV R1, c[0x0][0x28] ;
        /*00c0*/              @!P0 LDG.E.128 R4, [R4.64] ;
        /*00d0*/                   EXIT ;
.L_x_2:
        /*00e0*/                   BRA `(.L_x_2);
        /*00f0*/                   NOP;
\t.section\t.text.other,\"ax\",@progbits
        /*0000*/               @P0 EXIT ;
        /*0010*/                   { LDS R1, [R2] ;
        /*0018*/                   STS.64 [R2], R4 }
\t.section\t.nv.info,\"\"
        /*0000*/ \t.byte\t0x04, 0x2f
";

    const PTX: &str = ".visible .entry sample(\n.param .u64 a\n)\n.maxntid 256, 1, 1\n{\n.visible .entry other(\n)\n.maxntid 16, 8, 1\n";

    #[test]
    fn figures_of_a_report_a_listing_and_ptx() {
        let mut kernels = assembler_report(LOG);
        listing(LISTING, &mut kernels);
        block_sizes(PTX, &mut kernels);
        let texts = |list: &[&str]| list.iter().map(|text| text.to_string()).collect();
        let sample = Figures {
            registers: 18,
            spill: 20,
            stack: 24,
            shared: 4096,
            dynamic: 0,
            threads: 256,
            instructions: texts(&["MOV", "LDG.E.128", "EXIT", "BRA"]),
        };
        let other = Figures {
            registers: 255,
            threads: 128,
            instructions: texts(&["EXIT", "LDS", "STS.64"]),
            ..Figures::default()
        };
        assert_eq!(kernels, Kernels::from([("other".into(), other), ("sample".into(), sample)]));
    }
}

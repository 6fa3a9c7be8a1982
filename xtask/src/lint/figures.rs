//! What is known of one kernel on one architecture, and how rules name it.

use super::occupancy::{self, Multiprocessor};

/// What rules ask for, beside instructions.
pub const WORDS: [&str; 8] = ["registers", "spill", "stack", "shared", "threads", "occupancy", "local", "instructions"];

/// One kernel on one architecture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    pub registers: u32,
    /// Bytes stored and loaded because registers ran out.
    pub spill: u32,
    /// Bytes of stack of a thread.
    pub stack: u32,
    /// Bytes of shared memory that the kernel declares.
    pub shared: u32,
    /// Bytes of shared memory that a launch adds at most.
    pub dynamic: u32,
    /// Threads of a block at most.
    pub threads: u32,
    /// All instructions with their modifiers, such as `LDG.E.128`, without those that fill up the end.
    pub instructions: Vec<String>,
}

impl Figures {
    /// Instructions of this name that have all its modifiers: `LDG.128` counts `LDG.E.128.CONSTANT`.
    pub fn count(&self, opcode: &str) -> usize {
        let mut parts = opcode.split('.');
        let name = parts.next().unwrap_or_default();
        let has = |instruction: &&String| {
            let mut found = instruction.split('.');
            found.next() == Some(name) && parts.clone().all(|part| found.clone().any(|other| other == part))
        };
        self.instructions.iter().filter(has).count()
    }

    /// Instructions that touch the thread's local memory.
    pub fn local(&self) -> usize {
        self.count("LDL") + self.count("STL")
    }

    /// Share of a multiprocessor's threads that can be resident.
    pub fn occupancy(&self, machine: &Multiprocessor) -> f64 {
        occupancy::occupancy(machine, self.threads, self.registers, self.shared + self.dynamic)
    }

    /// Whether a rule can ask for this.
    pub fn is_metric(word: &str) -> bool {
        WORDS.contains(&word) || word.starts_with(|c: char| c.is_ascii_uppercase())
    }

    /// The number a rule asks for, by the rule's word: one of [`WORDS`], or an instruction.
    pub fn metric(&self, word: &str, machine: &Multiprocessor) -> f64 {
        match word {
            "registers" => self.registers.into(),
            "spill" => self.spill.into(),
            "stack" => self.stack.into(),
            "shared" => (self.shared + self.dynamic).into(),
            "threads" => self.threads.into(),
            "occupancy" => self.occupancy(machine),
            "local" => self.local() as f64,
            "instructions" => self.instructions.len() as f64,
            opcode => self.count(opcode) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opcodes_are_counted_by_name_and_modifiers() {
        let instructions = ["LDG.E.128", "LDG.E.128.CONSTANT", "LDG.E", "LDGSTS.E.BYPASS.128", "STL", "LDL.64"];
        let figures = Figures { instructions: instructions.map(String::from).into(), ..Figures::default() };
        assert_eq!(figures.count("LDG"), 3);
        assert_eq!(figures.count("LDG.128"), 2);
        assert_eq!(figures.count("LDG.128.CONSTANT"), 1);
        assert_eq!(figures.count("LDGSTS.128"), 1);
        assert_eq!(figures.count("LD"), 0);
        assert_eq!(figures.local(), 2);
        let machine = occupancy::multiprocessor(80).unwrap();
        assert_eq!(figures.metric("LDG.128", &machine), 2.0);
        assert_eq!(figures.metric("instructions", &machine), 6.0);
        assert!(Figures::is_metric("occupancy") && Figures::is_metric("HMMA") && !Figures::is_metric("speed"));
    }
}

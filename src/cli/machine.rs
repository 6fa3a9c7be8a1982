//! What the machine is, and how much memory this process has used. Read from /proc, so unknown where that is absent.

use crate::cpu::Isa;
use crate::report::Machine;
use std::fs;

/// This machine.
pub fn machine() -> Machine {
    Machine {
        processor: fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| processor(&text)),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        instruction_set: Isa::detect().name(),
        architecture: std::env::consts::ARCH,
        system: std::env::consts::OS,
    }
}

/// The first processor's name in the text of /proc/cpuinfo.
fn processor(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    let name = line.split_once(':')?.1.trim();
    (!name.is_empty()).then(|| name.to_string())
}

/// The most memory that was resident in a span of time.
pub struct Memory {
    /// The system's record begins with the span.
    fresh: bool,
}

impl Memory {
    /// A span begins now: the system forgets its record of this process.
    pub fn begin() -> Memory {
        Memory { fresh: fs::write("/proc/self/clear_refs", "5").is_ok() }
    }

    /// The most bytes resident since the span began; `None` where the system does not say.
    pub fn peak(&self) -> Option<u64> {
        let text = fs::read_to_string("/proc/self/status").ok().filter(|_| self.fresh)?;
        peak(&text)
    }
}

/// `VmHWM` in the text of /proc/self/status, in bytes.
fn peak(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_found_or_unknown() {
        assert_eq!(
            processor("processor\t: 0\nmodel name\t: AMD EPYC\nmodel name\t: other\n").as_deref(),
            Some("AMD EPYC")
        );
        assert_eq!(processor("model name\t: \n"), None);
        assert_eq!(processor("Features\t: fp asimd\n"), None);
        assert_eq!(peak("VmPeak:\t  9 kB\nVmHWM:\t   5040 kB\nVmRSS:\t 4 kB\n"), Some(5040 * 1024));
        assert_eq!(peak("VmRSS:\t 4 kB\n"), None);
        assert_eq!(peak("VmHWM:\t many\n"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_in_use_is_seen() {
        let memory = Memory::begin();
        let before = memory.peak();
        let held = std::hint::black_box(vec![1u8; 64 << 20]);
        let after = memory.peak();
        drop(held);
        // Where the system keeps no record both are unknown.
        assert_eq!(before.is_some(), after.is_some());
        if let (Some(before), Some(after)) = (before, after) {
            // Other tests of this process may free memory meanwhile, but not in the record.
            assert!(after >= before && after >= 64 << 20, "{before} {after}");
        }
    }
}

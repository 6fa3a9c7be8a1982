//! How many blocks of a kernel fit on one multiprocessor.

/// What one multiprocessor of an architecture holds, from the tables of the CUDA programming guide.
pub struct Multiprocessor {
    threads: u32,
    blocks: u32,
    /// Bytes of shared memory, and what of it the system takes for each block.
    shared: u32,
    reserved: u32,
}

const REGISTERS: u32 = 65536;
/// Registers are given to a warp in units of this many, shared memory to a block in units of so many bytes.
const REGISTER_UNIT: u32 = 256;
const SHARED_UNIT: u32 = 128;
const WARP: u32 = 32;

/// By compute capability; none where it is not known here.
pub fn multiprocessor(capability: i32) -> Option<Multiprocessor> {
    let (threads, blocks, shared, reserved) = match capability {
        75 => (1024, 16, 64, 0),
        80 => (2048, 32, 164, 1),
        86 => (1536, 16, 100, 1),
        89 => (1536, 24, 100, 1),
        90 => (2048, 32, 228, 1),
        _ => return None,
    };
    Some(Multiprocessor { threads, blocks, shared: shared * 1024, reserved: reserved * 1024 })
}

/// The share of a multiprocessor's threads that are resident, for blocks of so many threads, registers a thread and bytes of
/// shared memory. 0 where not one block fits.
pub fn occupancy(machine: &Multiprocessor, threads: u32, registers: u32, shared: u32) -> f64 {
    let warps = threads.div_ceil(WARP).max(1);
    let by_threads = machine.threads / WARP / warps;
    let warp_registers = (registers * WARP).next_multiple_of(REGISTER_UNIT);
    // Each of the four parts of a multiprocessor has a quarter of the registers for its own warps.
    let by_registers = if registers == 0 { by_threads } else { REGISTERS / 4 / warp_registers * 4 / warps };
    let block_shared = (shared + machine.reserved).next_multiple_of(SHARED_UNIT);
    let by_shared = machine.shared.checked_div(block_shared).unwrap_or(by_threads);
    let blocks = machine.blocks.min(by_threads).min(by_registers).min(by_shared);
    f64::from(blocks * warps * WARP) / f64::from(machine.threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_known_kernels() {
        let share = |capability, threads, registers, shared| {
            occupancy(&multiprocessor(capability).unwrap(), threads, registers, shared)
        };
        assert_eq!(share(80, 256, 32, 0), 1.0);
        // 64 registers: 8 warps of 2048 registers in a quarter of 16384, 32 of 64 warps.
        assert_eq!(share(80, 256, 64, 0), 0.5);
        // 168 registers: 5376 a warp, 3 in a quarter, 12 warps: one block of 8.
        assert_eq!(share(80, 256, 168, 0), 0.125);
        // 48 KB and the system's 1 KB: 3 in 164, 4 in 228 KB.
        assert_eq!(share(80, 128, 32, 48 * 1024), 3.0 * 128.0 / 2048.0);
        assert_eq!(share(90, 128, 32, 48 * 1024), 4.0 * 128.0 / 2048.0);
        assert_eq!(share(75, 32, 16, 0), 0.5);
        assert_eq!(share(86, 1024, 32, 0), 1024.0 / 1536.0);
        assert_eq!(share(75, 256, 32, 65 * 1024), 0.0);
        assert!(multiprocessor(70).is_none());
    }
}

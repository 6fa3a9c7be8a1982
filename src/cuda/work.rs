//! The least that launches must do, whatever the kernels: what measured times and moved bytes are held against.

use std::collections::BTreeMap;

/// Bytes of memory if every number is read or written once, and floating-point operations (a multiply-add is two).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Least {
    /// Bytes.
    pub bytes: u64,
    /// Operations of convolutions and determinants.
    pub flop: u64,
}

impl std::ops::AddAssign for Least {
    fn add_assign(&mut self, other: Least) {
        self.bytes += other.bytes;
        self.flop += other.flop;
    }
}

/// The launches of each kernel and the least they must do.
pub type Work = BTreeMap<String, (usize, Least)>;

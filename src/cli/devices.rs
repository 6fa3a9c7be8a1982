//! `devices`: what can compute scores here.

use crate::backend::Backend;
use crate::cpu::Cpu;
use crate::error::Result;
use crate::report::Output;
use clap::Args;

/// List the devices that can compute scores.
#[derive(Args)]
pub struct DevicesArguments {}

impl DevicesArguments {
    /// Lists.
    pub fn run(self) -> Result<()> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let cpu = Cpu::new();
        let (instructions, kernels) = (cpu.isa().name(), cpu.kernel_set());
        let noun = if threads == 1 { "thread" } else { "threads" };
        let mut output = Output::open(None, false)?;
        output.write(&format!(
            "cpu    {threads} {noun}, {instructions}, kernel set {kernels}\n\
             cuda   none: this version has no CUDA engine; scores are computed on the processor.\n"
        ))?;
        output.flush()
    }
}

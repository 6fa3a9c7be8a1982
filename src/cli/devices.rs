//! `devices`: what can compute scores here.

use crate::backend::Backend;
use crate::cpu::Cpu;
use crate::cuda::{self, Card};
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
        let mut text = format!("cpu       {threads} {noun}, {instructions}, kernel set {kernels}\n");
        match cuda::cards() {
            Ok(cards) => cards.iter().for_each(|card| text.push_str(&line(card))),
            Err(reason) => {
                text.push_str(&format!("cuda      none: {reason}; scores are computed on the processor.\n"));
            }
        }
        let mut output = Output::open(None, false)?;
        output.write(&text)?;
        output.flush()
    }
}

/// A card's line, and which kernel image it would run.
fn line(card: &Card) -> String {
    let Card { number, name, memory, multiprocessors, driver, .. } = card;
    let (major, minor) = card.capability;
    let (driver_major, driver_minor) = (driver / 1000, driver % 1000 / 10);
    let image = match cuda::images::choose(card.capability, card.driver) {
        cuda::images::Choice::Image(image) => format!("kernel image {}", image.name),
        cuda::images::Choice::Compile => "kernels compiled at run time, if NVRTC is found".to_string(),
        cuda::images::Choice::None { reason } => format!("cannot be used: {reason}"),
    };
    let gigabytes = *memory as f64 / (1u64 << 30) as f64;
    format!(
        "cuda:{number:<4} {name}, compute capability {major}.{minor}, {gigabytes:.1} GiB, {multiprocessors} multiprocessors, \
         driver for CUDA {driver_major}.{driver_minor}; {image}\n"
    )
}

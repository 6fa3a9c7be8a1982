//! From the device that was asked for to the backend that is there.

use super::options::{Device, Options};
use crate::backend::Backend;
use crate::cpu::Cpu;
use crate::cuda::{self, Cuda};
use crate::error::Result;

/// The backend for the options and, where a card is there that could not be used, a sentence why.
///
/// # Errors
/// [`crate::Error::Device`] where a card was asked for by name and cannot be had.
pub fn backend(options: &Options) -> Result<(Box<dyn Backend>, Option<String>)> {
    let open = |number: usize| -> Result<Box<dyn Backend>> {
        let card = Cuda::new(number)?;
        Ok(match options.precision {
            Some(precision) => Box::new(card.with(precision)?),
            None => Box::new(card),
        })
    };
    match options.device {
        Device::Cpu => Ok((Box::new(Cpu::new()), None)),
        Device::Cuda(number) => Ok((open(number)?, None)),
        Device::Auto => {
            let mut refusal = None;
            for number in 0..cuda::cards().map_or(0, |cards| cards.len()) {
                match open(number) {
                    Ok(backend) => return Ok((backend, None)),
                    Err(error) => refusal = refusal.or(Some(error)),
                }
            }
            let note = refusal.map(|error| format!("{error} Scores are computed on the processor."));
            Ok((Box::new(Cpu::new()), note))
        }
    }
}

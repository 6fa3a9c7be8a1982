//! Which cards are there. Never panics: without a driver, cudarc's other calls would.

use super::device::reason;
use cudarc::driver::sys::{self, CUdevice_attribute_enum as Attribute};
use cudarc::driver::{result, DriverError};

/// The oldest driver that can be used, as CUDA counts: 12.0.
const OLDEST_DRIVER: i32 = 12000;

/// A card and what it can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its number, from 0.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// Compute capability, major and minor.
    pub capability: (i32, i32),
    /// Bytes of memory.
    pub memory: usize,
    /// Multiprocessors.
    pub multiprocessors: usize,
    /// Their highest clock in kHz.
    pub clock: usize,
    /// Version of the driver, as CUDA counts: 12040 for 12.4.
    pub driver: i32,
}

impl Card {
    /// f32 operations a second if every lane does a multiply-add, which counts two, in every cycle.
    pub fn peak(&self) -> f64 {
        // Lanes of a multiprocessor, by the programming guide.
        let lanes = if matches!(self.capability, (7, 5) | (8, 0)) { 64 } else { 128 };
        (self.multiprocessors * lanes * 2) as f64 * self.clock as f64 * 1e3
    }
}

/// The cards by number, or why there are none, as a clause: "no driver …".
pub fn cards() -> Result<Vec<Card>, String> {
    // SAFETY: only looks for the library.
    if !unsafe { sys::is_culib_present() } {
        return Err("no NVIDIA driver is installed (libcuda is not found)".to_string());
    }
    let told = |error: DriverError| format!("the NVIDIA driver says {}", reason(&error));
    result::init().map_err(told)?;
    let mut driver = 0;
    // SAFETY: writes one number.
    unsafe { sys::cuDriverGetVersion(&mut driver) }.result().map_err(told)?;
    if driver < OLDEST_DRIVER {
        let (major, minor) = (driver / 1000, driver % 1000 / 10);
        return Err(format!("the NVIDIA driver is for CUDA {major}.{minor} and 12.0 is the oldest that can be used"));
    }
    let count = result::device::get_count().map_err(told)?;
    if count == 0 {
        return Err("the NVIDIA driver finds no card".to_string());
    }
    (0..count).map(|number| card(number, driver).map_err(told)).collect()
}

fn card(number: i32, driver: i32) -> Result<Card, DriverError> {
    let device = result::device::get(number)?;
    // SAFETY: `device` was given by the driver.
    let attribute = |which| unsafe { result::device::get_attribute(device, which) };
    Ok(Card {
        number: number as usize,
        name: result::device::get_name(device)?,
        capability: (
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ),
        // SAFETY: as above.
        memory: unsafe { result::device::total_mem(device)? },
        multiprocessors: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)? as usize,
        clock: attribute(Attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE)? as usize,
        driver,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_are_those_of_the_data_sheets() {
        let card = |capability, multiprocessors, clock| Card {
            number: 0,
            name: String::new(),
            capability,
            memory: 0,
            multiprocessors,
            clock,
            driver: 12040,
        };
        // T4: 8.1 TFLOP/s; A100: 19.5; H100 SXM: 67.
        for (card, teraflops) in [
            (card((7, 5), 40, 1_590_000), 8.1),
            (card((8, 0), 108, 1_410_000), 19.5),
            (card((9, 0), 132, 1_980_000), 67.0),
        ] {
            assert!((card.peak() / 1e12 - teraflops).abs() < 1e-2 * teraflops, "{card:?}: {}", card.peak());
        }
    }
}

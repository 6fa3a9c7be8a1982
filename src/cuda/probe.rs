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
    /// Version of the driver, as CUDA counts: 12040 for 12.4.
    pub driver: i32,
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
        driver,
    })
}

//! The kernels as a card can load them: machine code and PTX made by `cargo xtask kernels` and embedded here, and the choice of
//! one for a card and its driver.

use std::borrow::Cow;

pub mod nvrtc;
pub mod unit;

use nvrtc::{Nvrtc, Source, Target};

include!(concat!(env!("OUT_DIR"), "/kernel_images.rs"));

/// The oldest driver that takes cubins of CUDA 12, as `cuDriverGetVersion` counts.
const OLDEST_DRIVER: i32 = 12000;
/// The oldest cards the kernels are written for.
const OLDEST_CAPABILITY: (i32, i32) = (7, 5);

/// All kernels in one loadable file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The name of its file, such as `etnas.sm_80.cubin`.
    pub name: Cow<'static, str>,
    /// What it is and which cards take it.
    pub kind: ImageKind,
    /// What is given to the driver. PTX is text without the zero at its end.
    pub bytes: Cow<'static, [u8]>,
}

/// What an image is and which cards take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageKind {
    /// Machine code for this compute capability, and for later ones of the same major number.
    Cubin {
        /// Major and minor number.
        capability: (i32, i32),
    },
    /// PTX, which the driver compiles for any card of at least this compute capability.
    Ptx {
        /// Major and minor number.
        capability: (i32, i32),
        /// The version of the language, which the driver must know.
        ptx_version: (i32, i32),
    },
}

/// How a card gets its kernels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This image is loaded.
    Image(&'static Image),
    /// None fits, but the sources can be compiled here: [`compile`].
    Compile,
    /// Not at all.
    None {
        /// Why not and what to do, in full sentences.
        reason: String,
    },
}

/// Chooses for a card's compute capability and its driver's version as `cuDriverGetVersion` gives it (12040 is CUDA 12.4).
pub fn choose(capability: (i32, i32), driver_version: i32) -> Choice {
    choose_among(IMAGES, capability, driver_version, || Nvrtc::find().map(|_| ()))
}

fn choose_among(
    images: &'static [Image],
    card: (i32, i32),
    driver_version: i32,
    nvrtc: impl FnOnce() -> Result<(), String>,
) -> Choice {
    if card < OLDEST_CAPABILITY {
        return Choice::None {
            reason: format!(
                "The card has compute capability {}; expected {} or later (Turing: T4, GeForce RTX 20). Use another card or the CPU.",
                dotted(card),
                dotted(OLDEST_CAPABILITY)
            ),
        };
    }
    if driver_version < OLDEST_DRIVER {
        return Choice::None {
            reason: format!(
                "The driver is made for CUDA {}; expected 12.0 (driver 525) or later. Update the driver.",
                dotted(cuda_version(driver_version))
            ),
        };
    }
    let cubin = images.iter().filter_map(|image| match image.kind {
        ImageKind::Cubin { capability } if capability.0 == card.0 && capability.1 <= card.1 => {
            Some((capability.1, image))
        }
        _ => None,
    });
    if let Some((_, image)) = cubin.max_by_key(|(minor, _)| *minor) {
        return Choice::Image(image);
    }
    let known = newest_ptx(driver_version);
    let ptx = images.iter().filter_map(|image| match image.kind {
        ImageKind::Ptx { capability, ptx_version } if capability <= card => Some((capability, ptx_version, image)),
        _ => None,
    });
    let (fits, too_new): (Vec<_>, Vec<_>) = ptx.partition(|(_, version, _)| *version <= known);
    if let Some((_, _, image)) = fits.into_iter().max_by_key(|(capability, ..)| *capability) {
        return Choice::Image(image);
    }
    match nvrtc() {
        Ok(()) => Choice::Compile,
        Err(missing) => {
            let ptx = match too_new.iter().map(|(_, version, _)| *version).min() {
                Some(version) => format!(
                    "the driver, made for CUDA {}, takes PTX up to {} and the kernels' is {}",
                    dotted(cuda_version(driver_version)),
                    dotted(known),
                    dotted(version)
                ),
                None => "there is no PTX of the kernels either".into(),
            };
            Choice::None {
                reason: format!(
                    "There is no machine code of the kernels for compute capability {}; {ptx}; and {missing}. Update the driver.",
                    dotted(card)
                ),
            }
        }
    }
}

/// Compiles the embedded sources with the system's NVRTC, for a card and a driver as in [`choose`]. An error is a full sentence.
pub fn compile(capability: (i32, i32), driver_version: i32) -> Result<Image, String> {
    let nvrtc = Nvrtc::find().map_err(|error| format!("The kernels cannot be compiled here: {error}."))?;
    compile_with(&nvrtc, capability, driver_version)
}

fn compile_with(nvrtc: &Nvrtc, card: (i32, i32), driver_version: i32) -> Result<Image, String> {
    let target = target(nvrtc.version(), nvrtc.architectures(), card, driver_version)?;
    let text = unit::unit(SOURCES.iter().map(|source| (source.name, source.text)));
    let output = nvrtc.compile(Source { name: &format!("{}.cu", unit::NAME), text: &text }, SOURCES, target, &[])?;
    let name = format!("{} compiled here by NVRTC {}", target.architecture(), dotted(nvrtc.version()));
    Ok(match target {
        Target::Cubin(number) => Image {
            name: name.into(),
            kind: ImageKind::Cubin { capability: split(number) },
            bytes: output.cubin.into(),
        },
        Target::Ptx(number) => Image {
            name: name.into(),
            kind: ImageKind::Ptx { capability: split(number), ptx_version: newest_ptx(driver_version) },
            bytes: output.ptx.into_bytes().into(),
        },
    })
}

/// Machine code where the compiler makes it for the card and the driver is of the compiler's major version or a later one; else
/// PTX, where the driver is not older than the compiler.
fn target(
    compiler: (i32, i32),
    architectures: &[i32],
    card: (i32, i32),
    driver_version: i32,
) -> Result<Target, String> {
    let driver = cuda_version(driver_version);
    let fits = architectures.iter().copied().filter(|number| split(*number) <= card);
    let cubin = fits.clone().filter(|number| split(*number).0 == card.0).max();
    match (cubin, fits.max()) {
        (Some(number), _) if compiler.0 <= driver.0 => Ok(Target::Cubin(number)),
        (_, Some(number)) if compiler <= driver => Ok(Target::Ptx(number)),
        (_, None) => Err(format!(
            "NVRTC {} does not compile for compute capability {}. Install the NVRTC of another CUDA version.",
            dotted(compiler),
            dotted(card)
        )),
        _ => Err(format!(
            "NVRTC {} is newer than the driver, made for CUDA {}. Update the driver, or install an older NVRTC.",
            dotted(compiler),
            dotted(driver)
        )),
    }
}

/// The newest PTX that a driver takes.
fn newest_ptx(driver_version: i32) -> (i32, i32) {
    match cuda_version(driver_version) {
        (12, minor @ 0..=5) => (8, minor),
        (12, 6) => (8, 5),
        (12, minor) => (8, minor - 1),
        (major, minor) if major > 12 => (major - 4, if major == 13 { minor } else { 0 }),
        _ => (7, 0),
    }
}

fn cuda_version(driver_version: i32) -> (i32, i32) {
    (driver_version / 1000, driver_version % 1000 / 10)
}

/// 75 as (7, 5).
fn split(capability: i32) -> (i32, i32) {
    (capability / 10, capability % 10)
}

fn dotted((major, minor): (i32, i32)) -> String {
    format!("{major}.{minor}")
}

#[cfg(test)]
mod tests;

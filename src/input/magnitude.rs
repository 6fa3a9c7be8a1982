//! How large a pixel may be.

use crate::error::{Error, Result};

/// The largest absolute value of a pixel that networks are fed. Normalised pixels lie within ±3, so this leaves room for any scale that is
/// meant. What the stem makes of such pixels is some 5e6 at most, the sum of its squares over the largest batch 2e21: f32, which ends at
/// 3e38, holds it. Of pixels near that end it holds no sum, and a ReLU may then make a number of what is none: scores would be finite and
/// mean nothing.
pub const LARGEST_PIXEL: f32 = 1e6;

/// Refuses pixels that are not finite or above [`LARGEST_PIXEL`]: for whatever is fed to networks as it is. Levels are bytes and need no
/// check. `wrong` makes the error of what was expected, found, and is to be done.
pub(super) fn check(pixels: &[f32], wrong: impl FnOnce(String, String, &str) -> Error) -> Result<()> {
    match pixels.iter().position(|value| value.is_nan() || value.abs() > LARGEST_PIXEL) {
        None => Ok(()),
        Some(at) => Err(wrong(
            format!("finite numbers of at most {LARGEST_PIXEL:e} in absolute value"),
            format!("{:?} at place {at}", pixels.get(at).copied().unwrap_or(f32::NAN)),
            "Look how the images were made; normalised ones are within ±3.",
        )),
    }
}

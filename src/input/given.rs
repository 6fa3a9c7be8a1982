//! Images that a program holds in memory.

use super::images::{Pixels, RawImages};
use super::{magnitude, Source};
use crate::error::{Error, Result};
use std::sync::Arc;

/// Images `[count, 3, height, width]` in row-major order, made by [`Source::tensor`] or [`Source::levels`].
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    height: usize,
    width: usize,
    pixels: GivenPixels,
}

#[derive(Clone, Debug, PartialEq)]
enum GivenPixels {
    Levels(Vec<u8>),
    Ready(Vec<f32>),
}

const REMEDY: &str = "Give images as [count, 3, height, width]: red, green and blue planes one after the other.";

impl Source {
    /// What networks are fed, as it is: not normalised, neither cropped nor mirrored. Its height and width are those of every measure.
    ///
    /// # Errors
    /// [`Error::Data`] if the shape is not `[count, 3, height, width]`, does not fit the values, or a value is not finite or above
    /// [`LARGEST_PIXEL`](super::LARGEST_PIXEL).
    pub fn tensor(pixels: Vec<f32>, shape: [usize; 4]) -> Result<Source> {
        let (height, width) = planes(pixels.len(), shape)?;
        magnitude::check(&pixels, wrong)?;
        Ok(Source::Given(Arc::new(Given { height, width, pixels: GivenPixels::Ready(pixels) })))
    }

    /// Levels from 0 to 255 as in a data set's files, of the data set's size; they are normalised with its constants.
    ///
    /// # Errors
    /// [`Error::Data`] if the shape is not `[count, 3, height, width]` or does not fit the values.
    pub fn levels(pixels: Vec<u8>, shape: [usize; 4]) -> Result<Source> {
        let (height, width) = planes(pixels.len(), shape)?;
        Ok(Source::Given(Arc::new(Given { height, width, pixels: GivenPixels::Levels(pixels) })))
    }
}

fn wrong(expected: String, found: String, remedy: &str) -> Error {
    Error::Data { what: "The images given".to_string(), expected, found, remedy: remedy.to_string() }
}

/// Height and width of images of this shape.
fn planes(values: usize, shape: [usize; 4]) -> Result<(usize, usize)> {
    let [count, colours, height, width] = shape;
    let expected = [count, colours, height, width].iter().try_fold(1, |all: usize, &n| all.checked_mul(n));
    match expected {
        Some(expected) if expected == values && colours == 3 && values > 0 => Ok((height, width)),
        _ => {
            let found = format!("the shape {shape:?} and {values} values");
            Err(wrong("a shape [count, 3, height, width] that fits the values".to_string(), found, REMEDY))
        }
    }
}

/// The values of images that a program holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GivenValues<'a> {
    /// Levels from 0 to 255.
    Levels(&'a [u8]),
    /// What networks are fed.
    Tensor(&'a [f32]),
}

impl Given {
    /// The values, and their shape `[count, 3, height, width]`.
    pub fn values(&self) -> (GivenValues<'_>, [usize; 4]) {
        let (values, count) = match &self.pixels {
            GivenPixels::Levels(levels) => (GivenValues::Levels(levels), levels.len()),
            GivenPixels::Ready(pixels) => (GivenValues::Tensor(pixels), pixels.len()),
        };
        (values, [count / (3 * self.height * self.width).max(1), 3, self.height, self.width])
    }

    /// The images for a data set of this size.
    ///
    /// # Errors
    /// [`Error::Data`] for levels of another size, which the data set's networks would not see.
    pub(super) fn raw(&self, size: usize) -> Result<RawImages> {
        let (height, width) = (self.height, self.width);
        let pixels = match &self.pixels {
            GivenPixels::Ready(pixels) => Pixels::Ready(pixels.clone()),
            GivenPixels::Levels(_) if (height, width) != (size, size) => {
                let (expected, found) = (format!("{size}×{size} pixels"), format!("{height}×{width}"));
                let remedy = "Choose the data set of that size, or give floats, which are taken as they are.";
                return Err(wrong(expected, found, remedy));
            }
            GivenPixels::Levels(pixels) => Pixels::Bytes(pixels.clone()),
        };
        Ok(RawImages { height, width, pixels })
    }
}

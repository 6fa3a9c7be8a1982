//! Pictures as PNG.

use super::draw;
use super::picture::{Picture, Size};
use crate::error::{Error, Result};
use plotters::prelude::{BitMapBackend, IntoDrawingArea};

/// Drawn pixels along each side of a pixel of the file: plotters draws circles and polygons without smooth edges, the mean of
/// four pixels has them.
const FINER: u32 = 2;

impl Picture {
    /// The picture as the bytes of a PNG file.
    ///
    /// # Errors
    /// A size that cannot be drawn.
    pub fn png(&self, size: Size) -> Result<Vec<u8>> {
        size.check()?;
        let (width, height) = (size.width * size.scale, size.height * size.scale);
        let drawn = (width * FINER, height * FINER);
        let mut pixels = vec![255u8; 3 * drawn.0 as usize * drawn.1 as usize];
        {
            let area = BitMapBackend::with_buffer(&mut pixels, drawn).into_drawing_area();
            draw::picture(self, &area, draw::Pen { unit: f64::from(size.scale * FINER), lower: 0.14 })?;
            area.present().map_err(draw::failed)?;
        }
        let pixels = halved(&pixels, drawn.0 as usize);
        let mut bytes = Vec::new();
        let failed = |e: png::EncodingError| Error::Internal(format!("the picture cannot be encoded: {e}"));
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&pixels).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(bytes)
    }
}

/// The means of two by two pixels; lines are of `width` pixels of three bytes.
fn halved(pixels: &[u8], width: usize) -> Vec<u8> {
    let line = 3 * width;
    let mut halves = Vec::with_capacity(pixels.len() / 4);
    for pair in pixels.chunks_exact(2 * line) {
        let (upper, lower) = pair.split_at(line);
        for (a, b) in upper.chunks_exact(6).zip(lower.chunks_exact(6)) {
            for (left, right) in [(0, 3), (1, 4), (2, 5)] {
                let sum: u16 = [a[left], a[right], b[left], b[right]].map(u16::from).iter().sum();
                halves.push(((sum + 2) / 4) as u8);
            }
        }
    }
    halves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_pixels_become_their_mean() {
        let pixels = [[10, 0, 255], [20, 0, 255], [30, 0, 255], [41, 4, 255]].concat();
        assert_eq!(halved(&pixels, 2), [25, 1, 255]);
        assert_eq!(halved(&[255; 48], 4), [255; 12]);
    }
}

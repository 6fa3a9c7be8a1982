//! Convolutions by their definition, in f64, and the layout of packed weights of `kernels/jobs.cuh`.

use super::jobs::ConvShape;

/// A convolution forward: sizes, and how its source is read.
#[derive(Clone, Copy, Debug)]
pub struct Convolution {
    pub images: usize,
    pub source: (usize, usize),
    pub inputs: usize,
    pub outputs: usize,
    pub kernel: usize,
    pub stride: usize,
    pub relu: bool,
}

impl Convolution {
    /// Height and width of the output.
    pub fn size(&self) -> (usize, usize) {
        (self.source.0.div_ceil(self.stride), self.source.1.div_ceil(self.stride))
    }

    /// Pixels of all images of the output.
    pub fn pixels(&self) -> usize {
        self.images * self.size().0 * self.size().1
    }

    /// Numbers of the source.
    pub fn source_len(&self) -> usize {
        self.images * self.source.0 * self.source.1 * self.inputs
    }

    /// Number of weights.
    pub fn weights(&self) -> usize {
        self.inputs * self.outputs * self.kernel * self.kernel
    }

    /// As kernels take it.
    pub fn shape(&self) -> ConvShape {
        ConvShape {
            images: self.images as i32,
            source_height: self.source.0 as i32,
            source_width: self.source.1 as i32,
            height: self.size().0 as i32,
            width: self.size().1 as i32,
            inputs: self.inputs as i32,
            outputs: self.outputs as i32,
            stride: self.stride as i32,
            spread: 1,
            relu: self.relu.into(),
        }
    }

    /// The shape of its data gradient, which reads the gradient by the output.
    pub fn back(&self) -> ConvShape {
        let shape = self.shape();
        ConvShape {
            source_height: shape.height,
            source_width: shape.width,
            height: shape.source_height,
            width: shape.source_width,
            inputs: shape.outputs,
            outputs: shape.inputs,
            stride: 1,
            spread: shape.stride,
            relu: 0,
            ..shape
        }
    }

    /// Calls `act(source pixel, output pixel, tap)` for all that meet; pixels are counted over all images.
    pub fn each(&self, mut act: impl FnMut(usize, usize, usize)) {
        let ((source_height, source_width), (height, width)) = (self.source, self.size());
        for target in 0..self.pixels() {
            let (image, y, x) = (target / (height * width), target / width % height, target % width);
            for tap in 0..self.kernel * self.kernel {
                let source_y = (y * self.stride + tap / self.kernel).checked_sub(self.kernel / 2);
                let source_x = (x * self.stride + tap % self.kernel).checked_sub(self.kernel / 2);
                let (Some(source_y), Some(source_x)) = (source_y, source_x) else { continue };
                if source_y < source_height && source_x < source_width {
                    act((image * source_height + source_y) * source_width + source_x, target, tap);
                }
            }
        }
    }

    /// A number of the source as it counts.
    pub fn read(&self, number: f32) -> f64 {
        if self.relu && number < 0.0 {
            0.0
        } else {
            number.into()
        }
    }
}

/// Place of the weight of an output, an input and a tap in packed weights.
pub fn packed(output: usize, input: usize, tap: usize, outputs: usize, taps: usize) -> usize {
    let lane = output % 8 * 4 + input % 16 / 4;
    (((input / 16 * taps + tap) * (outputs / 8) + output / 8) * 32 + lane) * 4 + input % 4
}

/// Sums in f64, each with the sum of its summands' magnitudes, which bounds what rounding can do.
#[derive(Clone, Debug)]
pub struct Sums {
    pub values: Vec<f64>,
    pub magnitudes: Vec<f64>,
}

impl Sums {
    /// All zero.
    pub fn new(len: usize) -> Sums {
        Sums { values: vec![0.0; len], magnitudes: vec![0.0; len] }
    }

    /// Adds a summand at a place.
    pub fn add(&mut self, place: usize, summand: f64) {
        self.values[place] += summand;
        self.magnitudes[place] += summand.abs();
    }

    /// The largest error of `found` as a multiple of the magnitude; infinite where a number is NaN or a sum of nothing is not zero.
    pub fn error(&self, found: &[f32]) -> f64 {
        assert_eq!(found.len(), self.values.len(), "length of what was found");
        let errors = found.iter().zip(&self.values).zip(&self.magnitudes).map(|((&found, value), magnitude)| {
            let error = (f64::from(found) - value).abs();
            match error {
                0.0 => 0.0,
                _ if error.is_nan() => f64::INFINITY,
                _ => error / magnitude,
            }
        });
        errors.fold(0.0, f64::max)
    }
}

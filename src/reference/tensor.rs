//! Four-dimensional arrays of f64.

/// An array `[images, channels, height, width]`, row-major (NCHW).
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Images, channels, height, width.
    pub shape: [usize; 4],
    /// The elements, the last dimension fastest.
    pub values: Vec<f64>,
}

impl Tensor {
    /// All elements 0.
    pub fn zeros(shape: [usize; 4]) -> Tensor {
        Tensor { shape, values: vec![0.0; shape.iter().product()] }
    }

    /// Elements made by calling `next` in row-major order.
    pub fn from_fn(shape: [usize; 4], mut next: impl FnMut() -> f64) -> Tensor {
        Tensor { shape, values: (0..shape.iter().product()).map(|_| next()).collect() }
    }

    /// Elements widened from f32.
    ///
    /// # Panics
    /// When there are not as many as the shape says.
    pub fn from_f32(shape: [usize; 4], values: &[f32]) -> Tensor {
        assert_eq!(values.len(), shape.iter().product::<usize>(), "elements of a tensor {shape:?}");
        Tensor { shape, values: values.iter().map(|&v| f64::from(v)).collect() }
    }

    /// Pixels of one map, height × width.
    pub fn pixels(&self) -> usize {
        self.shape[2] * self.shape[3]
    }

    /// Elements of one image, channels × height × width.
    pub fn image_len(&self) -> usize {
        self.shape[1] * self.pixels()
    }

    /// Adds `other`, element by element.
    pub fn add(&mut self, other: &Tensor) {
        debug_assert_eq!(self.shape, other.shape);
        self.values.iter_mut().zip(&other.values).for_each(|(a, b)| *a += b);
    }

    /// A tensor of the same shape with each element mapped.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Tensor {
        Tensor { shape: self.shape, values: self.values.iter().map(|&v| f(v)).collect() }
    }
}

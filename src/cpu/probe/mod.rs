//! The kernels one by one on random data, for benchmarks: what they cost, and a way to run them with any instruction set
//! beside the plain f64 version. To add a kernel, write a function that makes a [`Kernel`] and add its shapes to a list.

mod convolutions;
mod passes;

use super::simd::Isa;
use crate::random::Stream;
use crate::reference::Tensor;

/// A kernel whose inputs are ready.
pub struct Kernel {
    /// What it does, and the shape: kernel, channels, pixels.
    pub name: String,
    /// FLOP of a run, a multiply-add counting two, of convolutions as sums of products; 0 where bytes or bits are moved.
    pub flop: u64,
    /// Bytes read and written in a run, inputs and outputs once each; of distances, one code for each pair.
    pub bytes: u64,
    fast: Box<dyn FnMut(Isa)>,
    plain: Box<dyn FnMut()>,
}

impl Kernel {
    /// Runs the kernel once, on this thread.
    pub fn run(&mut self, isa: Isa) {
        (self.fast)(isa.or_best());
    }

    /// Runs the plain version once: f64, as [`crate::reference`] does it, on the threads of the rayon pool.
    pub fn run_plain(&mut self) {
        (self.plain)();
    }
}

/// All kernels in the shapes of CIFAR's network.
pub fn kernels() -> Vec<Kernel> {
    let mut list = convolutions::list();
    list.extend(passes::list());
    list
}

/// Channels and pixels along a side of the three stages.
const STAGES: [(usize, usize); 3] = [(16, 32), (32, 16), (64, 8)];

fn random(n: usize, key: u64) -> Vec<f32> {
    let mut stream = Stream::new(0, &[key]);
    (0..n).map(|_| stream.symmetric(1.0)).collect()
}

fn tensor(images: usize, channels: usize, side: usize, key: u64) -> Tensor {
    Tensor::from_f32([images, channels, side, side], &random(images * channels * side * side, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_kernel_runs_under_a_name_of_its_own() {
        let mut names = HashSet::new();
        for mut kernel in kernels() {
            Isa::available().into_iter().for_each(|isa| kernel.run(isa));
            kernel.run_plain();
            assert!(kernel.bytes > 0 && names.insert(kernel.name.clone()), "{}", kernel.name);
        }
    }

    #[test]
    fn costs_are_those_of_the_shape() {
        let list = kernels();
        let flop = |name: &str| list.iter().find(|k| k.name == name).unwrap_or_else(|| panic!("{name}")).flop;
        // 0.604 GFLOP for 128 images of each stage, 0.067 with 1×1; the way back takes both gradients.
        let images = [("16-16 32x32", 1), ("32-32 16x16", 1), ("64-64 8x8", 4)];
        for (shape, images) in images {
            assert_eq!(128 * flop(&format!("Winograd 3x3 {shape}")), 603_979_776 * images);
            assert_eq!(128 * flop(&format!("Winograd back 3x3 {shape}")), 2 * 603_979_776 * images);
            assert_eq!(128 * flop(&format!("direct 3x3 {shape}")), 603_979_776);
            assert_eq!(128 * flop(&format!("direct 1x1 {shape}")), 67_108_864);
        }
        assert_eq!(flop("direct 3x3 stride 2 16-32 16x16"), 2 * 9 * 16 * 32 * 256);
        assert_eq!(flop("stem 3x3 3-16 32x32"), 2 * 9 * 3 * 16 * 1024);
    }
}

//! What kernels are told to do, field by field as in `kernels/jobs.cuh`, which says what each means.

use bytemuck::{Pod, Zeroable};

/// Pixels of a part: what a block of a convolution gives, and what one pair of sums covers.
pub const PART: usize = 256;

/// Shape of a convolution.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct ConvShape {
    pub images: i32,
    pub source_height: i32,
    pub source_width: i32,
    pub height: i32,
    pub width: i32,
    pub inputs: i32,
    pub outputs: i32,
    pub stride: i32,
    pub spread: i32,
    pub relu: i32,
}

// SAFETY: plain numbers in C's layout.
unsafe impl cudarc::driver::DeviceRepr for ConvShape {}

/// A convolution.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct ConvJob {
    pub x: u64,
    pub w: u64,
    pub y: u64,
    pub sums: u64,
}

/// A weight gradient.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct WeightGradientJob {
    pub x: u64,
    pub g: u64,
    pub gradient: u64,
}

/// One tensor from another.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct MapJob {
    pub from: u64,
    pub to: u64,
}

/// BatchNorm's statistics.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct MomentsJob {
    pub sums: u64,
    pub gamma: u64,
    pub beta: u64,
    pub affine: u64,
    pub moments: u64,
}

/// A summand: kinds of `TERM_`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct Term {
    pub x: u64,
    pub affine: u64,
    pub kind: i32,
    pub padding: i32,
}

impl Term {
    pub const MAP: i32 = 1;
    pub const POOL: i32 = 2;
    pub const SHIFT: i32 = 3;

    /// A term of a kind.
    pub fn new(kind: i32, x: u64, affine: u64) -> Term {
        Term { x, affine, kind, padding: 0 }
    }
}

/// A value and its code.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct NodeJob {
    pub terms: [Term; 3],
    pub value: u64,
    pub code: u64,
}

/// One who read a value: kinds of `READER_`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Reader {
    pub g: u64,
    pub kind: i32,
    pub padding: i32,
}

impl Reader {
    pub const CONV: i32 = 0;
    pub const SKIP: i32 = 1;
    pub const POOL: i32 = 2;
    pub const HALF: i32 = 3;
    pub const NEAREST: i32 = 4;

    /// A reader of a kind.
    pub fn new(kind: i32, g: u64) -> Reader {
        Reader { g, kind, padding: 0 }
    }
}

/// A value's gradient.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct GradientJob {
    pub value: u64,
    pub gradient: u64,
    pub first: i32,
    pub count: i32,
}

/// BatchNorm's way back.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct NormBackJob {
    pub g: u64,
    pub y: u64,
    pub moments: u64,
    pub gamma: u64,
    pub sums: u64,
    pub coefficients: u64,
    pub gamma_gradient: u64,
    pub beta_gradient: u64,
}

/// A stretch of a code.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Segment {
    pub first: i32,
    pub words: i32,
    pub multiplicity: i32,
    pub padding: i32,
}

/// A cell's matrix of common bits.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct CodeJob {
    pub codes: u64,
    pub common: u64,
    pub stride: i32,
    pub first: i32,
    pub count: i32,
    pub padding: i32,
}

/// The kernel matrix of a cell.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct MatrixJob {
    pub common: u64,
    pub kernel: u64,
    pub bits: u64,
}

/// The determinant of a kernel matrix.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct DeterminantJob {
    pub kernel: u64,
    pub result: u64,
}

/// A head of LossSlope.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct HeadJob {
    pub output: u64,
    pub bias: u64,
    pub target: u64,
    pub bias_gradient: u64,
    pub loss: u64,
    pub weight: f32,
    pub padding: i32,
}

/// The loss of a step.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct LossJob {
    pub heads: [u64; 3],
    pub losses: u64,
}

/// A step of trained numbers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct SgdJob {
    pub w: u64,
    pub m: u64,
    pub gradient: u64,
    pub weights: i32,
    pub parts: i32,
    pub decay: f32,
    pub padding: i32,
}

/// A list of floats copied, or zeroed where `from` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct CopyJob {
    pub from: u64,
    pub to: u64,
    pub count: i32,
    pub padding: i32,
}

/// A term of Synflow's maps: kinds of `SYNFLOW_`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct SynflowTerm {
    pub x: u64,
    pub state: u64,
    pub shift: i32,
    pub kind: i32,
}

impl SynflowTerm {
    pub const MAP: i32 = 0;
    pub const POOL: i32 = 1;
    pub const HALVE: i32 = 2;
    pub const POOL_BACK: i32 = 3;
    pub const HALVE_BACK: i32 = 4;
}

/// A value of Synflow, or a gradient.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct SynflowMixJob {
    pub map: u64,
    pub state: u64,
    pub first: i32,
    pub count: i32,
}

/// The sums of a convolution.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct SynflowSumsJob {
    pub gradient: u64,
    pub weights: u64,
    pub source: u64,
    pub target: u64,
    pub sums: u64,
    pub shift: i32,
    pub padding: i32,
}

/// The sums of the classifier.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct SynflowOutputJob {
    pub map: u64,
    pub state: u64,
    pub sums: u64,
}

/// A cell's sums.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct SynflowTotalJob {
    pub sums: u64,
    pub total: u64,
    pub count: i32,
    pub padding: i32,
}

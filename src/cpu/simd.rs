//! Vectors of f32 for each instruction set, and the dispatch between them at run time.
//!
//! Kernels are written once, generic over [`Vector`], and compiled for each instruction set by [`kernels!`]. All of them
//! hold 16 consecutive floats (one [`BLOCK`] of channels) in as many registers as that takes, and accumulate each output
//! in the same order: AVX2 and AVX-512 give equal bits. The portable set multiplies and adds without fusing, so that it
//! needs no libm call on processors without FMA; its last bits differ.

use std::sync::LazyLock;

/// Channels are stored in blocks of 16, padded with zeros.
pub const BLOCK: usize = 16;

/// An instruction set that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Any processor.
    Portable,
    /// x86-64 with AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ, VL and VPOPCNTDQ.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// The best set that this processor has.
    pub fn detect() -> Isa {
        static BEST: LazyLock<Isa> =
            LazyLock::new(|| *Isa::available().last().expect("the portable set is always there"));
        *BEST
    }

    /// All sets that this processor has, the best last.
    pub fn available() -> Vec<Isa> {
        let mut sets = vec![Isa::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("popcnt")
            {
                sets.push(Isa::Avx2);
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vpopcntdq")
                {
                    sets.push(Isa::Avx512);
                }
            }
        }
        sets
    }

    /// This set, or the best that this processor has where it lacks this one: whoever takes a set from a caller goes through
    /// here, so that the kernels never meet an instruction that is not there.
    pub(crate) fn or_best(self) -> Isa {
        self.or_best_of(&Isa::available())
    }

    fn or_best_of(self, available: &[Isa]) -> Isa {
        match available.last() {
            Some(best) if !available.contains(&self) => *best,
            _ => self,
        }
    }

    /// A name for people.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => "AVX2 and FMA",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => "AVX-512",
        }
    }

    /// Scores are equal to the last bit between sets of the same name here.
    pub fn kernel_set(self, convolution: super::Convolution) -> &'static str {
        let fused = self != Isa::Portable;
        match convolution {
            super::Convolution::Winograd if fused => "Winograd F(4x4) f32, fused multiply-add",
            super::Convolution::Winograd => "Winograd F(4x4) f32",
            super::Convolution::Direct if fused => "direct f32, fused multiply-add",
            super::Convolution::Direct => "direct f32",
        }
    }
}

/// The bits of √½: subtracted from those of a number, they leave the exponent of its [`Vector::split`] above bit 23.
const ROOT_HALF: i32 = 0x3f35_04f3;

/// Consecutive f32 in one register.
///
/// # Safety
/// The operations need the instruction set of their type; loads and stores need `LANES` valid elements.
#[allow(clippy::missing_safety_doc)] // Said once, above.
pub unsafe trait Vector: Copy {
    /// Elements.
    const LANES: usize;
    /// Output pixels that a convolution holds in registers beside one block of channels.
    const PIXELS: usize;
    /// Tiles that a product of Winograd's holds in registers beside one block of channels.
    const TILES: usize;
    /// Whether registers hold two blocks of channels, beside half as many pixels or tiles: an element that is read for both
    /// spares a load, which counts where a core adds and multiplies twice a cycle and loads no oftener.
    const PAIRS: bool;
    /// All elements equal.
    unsafe fn splat(x: f32) -> Self;
    /// Unaligned load.
    unsafe fn load(from: *const f32) -> Self;
    /// Unaligned store.
    unsafe fn store(self, to: *mut f32);
    /// `self·b + c`, fused where the set has it.
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;
    /// Sum.
    unsafe fn add(self, b: Self) -> Self;
    /// Difference.
    unsafe fn sub(self, b: Self) -> Self;
    /// Adds the elements to as many f64.
    unsafe fn accumulate(self, to: *mut f64);
    /// Product.
    unsafe fn mul(self, b: Self) -> Self;
    /// The elements greater than zero, zeros elsewhere.
    unsafe fn relu(self) -> Self;
    /// The elements where `gate` is greater than zero, zeros elsewhere.
    unsafe fn gated(self, gate: Self) -> Self;
    /// Bit i is set where element i is greater than zero.
    unsafe fn positive(self) -> u32;
    /// The larger elements; either where one is not a number.
    unsafe fn max(self, b: Self) -> Self;
    /// The smaller elements; either where one is not a number.
    unsafe fn min(self, b: Self) -> Self;
    /// Positive normal numbers as mantissas in [√½, √2) and exponents of two.
    unsafe fn split(self) -> (Self, Self);
    /// Asks for the line of the cache that holds `at`, to write to it.
    #[inline(always)]
    fn prefetch_write(_at: *const f32) {}
    /// Asks for the line that holds `at` into the second-level cache, to read it.
    #[inline(always)]
    fn prefetch(_at: *const f32) {}
}

/// Four floats, in plain Rust.
#[derive(Clone, Copy)]
pub struct Plain([f32; 4]);

// SAFETY: plain Rust needs no instruction set.
unsafe impl Vector for Plain {
    const LANES: usize = 4;
    const PIXELS: usize = 2;
    const TILES: usize = 2;
    const PAIRS: bool = false;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Plain([x; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Plain(from.cast::<[f32; 4]>().read_unaligned())
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        to.cast::<[f32; 4]>().write_unaligned(self.0);
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        let mut out = c.0;
        for i in 0..4 {
            out[i] += self.0[i] * b.0[i];
        }
        Plain(out)
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Plain([0, 1, 2, 3].map(|i| self.0[i] + b.0[i]))
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        Plain([0, 1, 2, 3].map(|i| self.0[i] - b.0[i]))
    }
    #[inline(always)]
    unsafe fn accumulate(self, to: *mut f64) {
        for i in 0..4 {
            *to.add(i) += f64::from(self.0[i]);
        }
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        Plain([0, 1, 2, 3].map(|i| self.0[i] * b.0[i]))
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        Plain(self.0.map(|x| if x > 0.0 { x } else { 0.0 }))
    }
    #[inline(always)]
    unsafe fn gated(self, gate: Self) -> Self {
        Plain([0, 1, 2, 3].map(|i| if gate.0[i] > 0.0 { self.0[i] } else { 0.0 }))
    }
    #[inline(always)]
    unsafe fn positive(self) -> u32 {
        (0..4).map(|i| u32::from(self.0[i] > 0.0) << i).sum()
    }
    #[inline(always)]
    unsafe fn max(self, b: Self) -> Self {
        Plain([0, 1, 2, 3].map(|i| if self.0[i] > b.0[i] { self.0[i] } else { b.0[i] }))
    }
    #[inline(always)]
    unsafe fn min(self, b: Self) -> Self {
        Plain([0, 1, 2, 3].map(|i| if self.0[i] < b.0[i] { self.0[i] } else { b.0[i] }))
    }
    #[inline(always)]
    unsafe fn split(self) -> (Self, Self) {
        let bits = self.0.map(|x| x.to_bits() as i32);
        let exponents = bits.map(|b| b.wrapping_sub(ROOT_HALF) >> 23);
        let mantissas = [0, 1, 2, 3].map(|i| f32::from_bits(bits[i].wrapping_sub(exponents[i] << 23) as u32));
        (Plain(mantissas), Plain(exponents.map(|e| e as f32)))
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::{Wide256, Wide512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Vector, ROOT_HALF};
    use std::arch::x86_64::*;

    /// Eight floats in a 256-bit register.
    #[derive(Clone, Copy)]
    pub struct Wide256(__m256);

    // SAFETY: used only inside functions that `kernels!` compiles for AVX2 and FMA.
    unsafe impl Vector for Wide256 {
        const LANES: usize = 8;
        const PIXELS: usize = 4;
        const TILES: usize = 4;
        const PAIRS: bool = false;
        #[inline(always)]
        fn prefetch_write(at: *const f32) {
            // SAFETY: a hint, for any address.
            unsafe { _mm_prefetch::<_MM_HINT_ET0>(at.cast()) };
        }
        #[inline(always)]
        fn prefetch(at: *const f32) {
            // SAFETY: as above.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) };
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            Wide256(_mm256_set1_ps(x))
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            Wide256(_mm256_loadu_ps(from))
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            _mm256_storeu_ps(to, self.0);
        }
        #[inline(always)]
        unsafe fn mul_add(self, b: Self, c: Self) -> Self {
            Wide256(_mm256_fmadd_ps(self.0, b.0, c.0))
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            Wide256(_mm256_add_ps(self.0, b.0))
        }
        #[inline(always)]
        unsafe fn sub(self, b: Self) -> Self {
            Wide256(_mm256_sub_ps(self.0, b.0))
        }
        #[inline(always)]
        unsafe fn accumulate(self, to: *mut f64) {
            let low = _mm256_cvtps_pd(_mm256_castps256_ps128(self.0));
            let high = _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(self.0));
            _mm256_storeu_pd(to, _mm256_add_pd(_mm256_loadu_pd(to), low));
            _mm256_storeu_pd(to.add(4), _mm256_add_pd(_mm256_loadu_pd(to.add(4)), high));
        }
        #[inline(always)]
        unsafe fn mul(self, b: Self) -> Self {
            Wide256(_mm256_mul_ps(self.0, b.0))
        }
        #[inline(always)]
        unsafe fn relu(self) -> Self {
            // The second operand is returned where one is not a number.
            Wide256(_mm256_max_ps(self.0, _mm256_setzero_ps()))
        }
        #[inline(always)]
        unsafe fn gated(self, gate: Self) -> Self {
            Wide256(_mm256_and_ps(self.0, _mm256_cmp_ps::<_CMP_GT_OQ>(gate.0, _mm256_setzero_ps())))
        }
        #[inline(always)]
        unsafe fn positive(self) -> u32 {
            _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(self.0, _mm256_setzero_ps())) as u32
        }
        #[inline(always)]
        unsafe fn max(self, b: Self) -> Self {
            Wide256(_mm256_max_ps(self.0, b.0))
        }
        #[inline(always)]
        unsafe fn min(self, b: Self) -> Self {
            Wide256(_mm256_min_ps(self.0, b.0))
        }
        #[inline(always)]
        unsafe fn split(self) -> (Self, Self) {
            let bits = _mm256_castps_si256(self.0);
            let exponents = _mm256_srai_epi32::<23>(_mm256_sub_epi32(bits, _mm256_set1_epi32(ROOT_HALF)));
            let mantissas = _mm256_sub_epi32(bits, _mm256_slli_epi32::<23>(exponents));
            (Wide256(_mm256_castsi256_ps(mantissas)), Wide256(_mm256_cvtepi32_ps(exponents)))
        }
    }

    /// Sixteen floats in a 512-bit register.
    #[derive(Clone, Copy)]
    pub struct Wide512(__m512);

    // SAFETY: used only inside functions that `kernels!` compiles for AVX-512.
    unsafe impl Vector for Wide512 {
        const LANES: usize = 16;
        const PIXELS: usize = 16;
        const TILES: usize = 8;
        const PAIRS: bool = true;
        #[inline(always)]
        fn prefetch_write(at: *const f32) {
            // SAFETY: a hint, for any address.
            unsafe { _mm_prefetch::<_MM_HINT_ET0>(at.cast()) };
        }
        #[inline(always)]
        fn prefetch(at: *const f32) {
            // SAFETY: as above.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) };
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            Wide512(_mm512_set1_ps(x))
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            Wide512(_mm512_loadu_ps(from))
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            _mm512_storeu_ps(to, self.0);
        }
        #[inline(always)]
        unsafe fn mul_add(self, b: Self, c: Self) -> Self {
            Wide512(_mm512_fmadd_ps(self.0, b.0, c.0))
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            Wide512(_mm512_add_ps(self.0, b.0))
        }
        #[inline(always)]
        unsafe fn sub(self, b: Self) -> Self {
            Wide512(_mm512_sub_ps(self.0, b.0))
        }
        #[inline(always)]
        unsafe fn accumulate(self, to: *mut f64) {
            let low = _mm512_cvtps_pd(_mm512_castps512_ps256(self.0));
            let high = _mm512_cvtps_pd(_mm512_extractf32x8_ps::<1>(self.0));
            _mm512_storeu_pd(to, _mm512_add_pd(_mm512_loadu_pd(to), low));
            _mm512_storeu_pd(to.add(8), _mm512_add_pd(_mm512_loadu_pd(to.add(8)), high));
        }
        #[inline(always)]
        unsafe fn mul(self, b: Self) -> Self {
            Wide512(_mm512_mul_ps(self.0, b.0))
        }
        #[inline(always)]
        unsafe fn relu(self) -> Self {
            // The second operand is returned where one is not a number.
            Wide512(_mm512_max_ps(self.0, _mm512_setzero_ps()))
        }
        #[inline(always)]
        unsafe fn gated(self, gate: Self) -> Self {
            Wide512(_mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(gate.0, _mm512_setzero_ps()), self.0))
        }
        #[inline(always)]
        unsafe fn positive(self) -> u32 {
            u32::from(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(self.0, _mm512_setzero_ps()))
        }
        #[inline(always)]
        unsafe fn max(self, b: Self) -> Self {
            Wide512(_mm512_max_ps(self.0, b.0))
        }
        #[inline(always)]
        unsafe fn min(self, b: Self) -> Self {
            Wide512(_mm512_min_ps(self.0, b.0))
        }
        #[inline(always)]
        unsafe fn split(self) -> (Self, Self) {
            let bits = _mm512_castps_si512(self.0);
            let exponents = _mm512_srai_epi32::<23>(_mm512_sub_epi32(bits, _mm512_set1_epi32(ROOT_HALF)));
            let mantissas = _mm512_sub_epi32(bits, _mm512_slli_epi32::<23>(exponents));
            (Wide512(_mm512_castsi512_ps(mantissas)), Wide512(_mm512_cvtepi32_ps(exponents)))
        }
    }
}

/// Compiles a generic body for each instruction set and picks at run time.
///
/// `kernels! { /// docs  pub fn name(arg: Type, …) = body; }` makes `name(isa, arg, …)`, which calls `body::<V>(arg, …)`
/// with the [`Vector`] of `isa`. The body must be `#[inline(always)]`, so that it is compiled with the set's features.
macro_rules! kernels {
    ($($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)? = $body:ident;)*) => {$(
        $(#[$doc])*
        $vis fn $name(isa: $crate::cpu::simd::Isa, $($arg: $type),*) $(-> $out)? {
            /// # Safety
            /// The processor must have AVX2, FMA and POPCNT.
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,popcnt")]
            fn avx2($($arg: $type),*) $(-> $out)? {
                $body::<$crate::cpu::simd::Wide256>($($arg),*)
            }
            /// # Safety
            /// The processor must have the parts of AVX-512 below.
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq,avx2,fma,popcnt")]
            fn avx512($($arg: $type),*) $(-> $out)? {
                $body::<$crate::cpu::simd::Wide512>($($arg),*)
            }
            match isa {
                $crate::cpu::simd::Isa::Portable => $body::<$crate::cpu::simd::Plain>($($arg),*),
                // SAFETY: `Isa::or_best`, which asked the processor, let this set in.
                #[cfg(target_arch = "x86_64")]
                $crate::cpu::simd::Isa::Avx2 => unsafe { avx2($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::cpu::simd::Isa::Avx512 => unsafe { avx512($($arg),*) },
            }
        }
    )*};
}
pub(crate) use kernels;

#[cfg(test)]
mod tests {
    use super::Isa;

    #[test]
    fn a_set_that_the_processor_lacks_gives_way() {
        let all = Isa::available();
        for (last, &best) in all.iter().enumerate() {
            for (i, &isa) in all.iter().enumerate() {
                assert_eq!(isa.or_best_of(&all[..=last]), if i <= last { isa } else { best });
            }
        }
        assert!(all.iter().all(|isa| isa.or_best() == *isa));
    }
}

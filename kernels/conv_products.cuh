// The inner product of convolutions in four precisions.
//
// A warp has 32 pixels by N outputs. In one step, 16 inputs of one tap, lane (g = lane / 4, t = lane % 4) holds inputs 4t..4t+3
// of pixels g, g + 8, g + 16, g + 24, 16 bytes each. The order of the 16 inputs within a product is free as long as weights
// follow it: so inputs 4t and 4t + 1 are numbers t and t + 4 of a first product of depth 8, and 4t + 2 and 4t + 3 those of a
// second (or 2t, 2t + 1, 2t + 8, 2t + 9 of one of depth 16), and packed weights hold just these for output g of eight.
#pragma once
#include "conv_split.cuh"

namespace conv {

// Sums of a lane: [m][n][2h + e] is pixel g + 8(2m + h), output 8n + 2t + e.
template <int N> struct Tile {
    float d[2][N / 8][4];
};

// f32, by multiply-add. A lane keeps the sums over its own inputs, of 4 pixels by 16 outputs, until the end: 4 loads of pixels
// and 16 of weights for 256 multiply-adds.
struct F32 {
    static constexpr bool HALVES = false, RECTIFIES = false;
    template <int N> struct Sums {
        static_assert(N == 16, "64 sums are what registers hold");
        float partial[4][16];
    };

    template <int N> DEVICE void add(Sums<N>& sums, const Float4 (&x)[4], const uint32_t* weights, int lane, bool relu) {
#pragma unroll
        for (int o = 0; o < 16; ++o) {
            Word4 w = load4(weights + o / 8 * 128 + o % 8 * 16 + lane % 4 * 4);
#pragma unroll
            for (int p = 0; p < 4; ++p) {
                float sum = sums.partial[p][o];
                sum = fmaf(x[p].x, float_of(w.x), sum);
                sum = fmaf(x[p].y, float_of(w.y), sum);
                sum = fmaf(x[p].z, float_of(w.z), sum);
                sums.partial[p][o] = fmaf(x[p].w, float_of(w.w), sum);
            }
        }
    }
    // The sum over the four lanes of a pixel: each keeps the outputs that are its own in a Tile, and hands on the others.
    template <int N> DEVICE Tile<N> end(const Sums<N>& sums, int lane) {
        Tile<N> tile;
        bool odd = lane & 1, upper = lane & 2;
#pragma unroll
        for (int p = 0; p < 4; ++p)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float* quarter = sums.partial[p] + i / 2 * 8 + i % 2;  // by lane, two apart
                float half[2];
#pragma unroll
                for (int u = 0; u < 2; ++u) {
                    float kept = odd ? quarter[4 * u + 2] : quarter[4 * u], given = odd ? quarter[4 * u] : quarter[4 * u + 2];
                    half[u] = kept + __shfl_xor_sync(0xffffffffu, given, 1);
                }
                float kept = upper ? half[1] : half[0], given = upper ? half[0] : half[1];
                tile.d[p / 2][i / 2][2 * (p % 2) + i % 2] = kept + __shfl_xor_sync(0xffffffffu, given, 2);
            }
        return tile;
    }
};

// What tensor cores sum up is in the order of a Tile.
struct TensorCores {
    static constexpr bool HALVES = false;     // the operands are of 16 bits
    static constexpr bool RECTIFIES = false;  // `add` itself counts negative numbers as zero where `relu`
    template <int N> using Sums = Tile<N>;
    template <int N> DEVICE Tile<N> end(const Tile<N>& tile, int) { return tile; }
};

// Operands rounded to the 11 bits of f16, sums in f32.
struct F16 : TensorCores {
    static constexpr bool HALVES = true, RECTIFIES = true;

    template <int N> DEVICE void add(Tile<N>& tile, const Float4 (&x)[4], const uint32_t* weights, int lane, bool relu) {
        uint32_t a[2][4];
#pragma unroll
        for (int p = 0; p < 4; ++p) {
            a[p / 2][p % 2] = relu ? halves_of_positive(x[p].x, x[p].y) : halves_of(x[p].x, x[p].y);
            a[p / 2][p % 2 + 2] = relu ? halves_of_positive(x[p].z, x[p].w) : halves_of(x[p].z, x[p].w);
        }
#pragma unroll
        for (int n = 0; n < N / 8; ++n) {
            Float2 w = load2(reinterpret_cast<const float*>(weights + n * 64 + lane * 2));
            uint32_t b[2] = {bits_of(w.x), bits_of(w.y)};
#pragma unroll
            for (int m = 0; m < 2; ++m) {
#if CAPABILITY >= 80
                multiply_f16(tile.d[m][n], a[m], b);
#else
                multiply_f16(tile.d[m][n], a[m][0], a[m][1], b[0]);
                multiply_f16(tile.d[m][n], a[m][2], a[m][3], b[1]);
#endif
            }
        }
    }
};

#if CAPABILITY >= 80
// The nearest number of tf32, ties away from zero, in the upper 19 bits: what the format cuts off of v, added to v, carries into
// its last place just where it is half of that or more. NaN stays NaN, which it would not if a constant were added to the bits.
DEVICE uint32_t tf32_of(float v) { return bits_of(v + (v - float_of(bits_of(v) & 0xffffe000u))); }

// Operands rounded to the 11 bits of tf32, sums in f32.
struct Tf32 : TensorCores {
    template <int N> DEVICE void add(Tile<N>& tile, const Float4 (&x)[4], const uint32_t* weights, int lane, bool relu) {
        uint32_t a[2][2][4];  // [pixels from 16m on][first or second product][register]
#pragma unroll
        for (int p = 0; p < 4; ++p) {
            a[p / 2][0][p % 2] = tf32_of(x[p].x);
            a[p / 2][0][p % 2 + 2] = tf32_of(x[p].y);
            a[p / 2][1][p % 2] = tf32_of(x[p].z);
            a[p / 2][1][p % 2 + 2] = tf32_of(x[p].w);
        }
#pragma unroll
        for (int n = 0; n < N / 8; ++n) {
            Word4 w = load4(weights + n * 128 + lane * 4);
            uint32_t b[2][2] = {{tf32_of(float_of(w.x)), tf32_of(float_of(w.y))},
                                {tf32_of(float_of(w.z)), tf32_of(float_of(w.w))}};
#pragma unroll
            for (int depth = 0; depth < 2; ++depth)
#pragma unroll
                for (int m = 0; m < 2; ++m) multiply_tf32(tile.d[m][n], a[m][depth], b[depth]);
        }
    }
};

// f32 operands in two parts. Of the four products of parts three count: what is left out, and the last bit of low parts, is some
// 2^-22 of a product, of either sign.
struct Tf32x3 : TensorCores {
    template <int N> DEVICE void add(Tile<N>& tile, const Float4 (&x)[4], const uint32_t* weights, int lane, bool relu) {
        uint32_t high[2][2][4], low[2][2][4];
#pragma unroll
        for (int p = 0; p < 4; ++p) {
            split(x[p].x, high[p / 2][0][p % 2], low[p / 2][0][p % 2]);
            split(x[p].y, high[p / 2][0][p % 2 + 2], low[p / 2][0][p % 2 + 2]);
            split(x[p].z, high[p / 2][1][p % 2], low[p / 2][1][p % 2]);
            split(x[p].w, high[p / 2][1][p % 2 + 2], low[p / 2][1][p % 2 + 2]);
        }
#pragma unroll
        for (int n = 0; n < N / 8; ++n) {
            Word4 w = load4(weights + n * 128 + lane * 4);
            const uint32_t pairs[2][2] = {{w.x, w.y}, {w.z, w.w}};
#pragma unroll
            for (int depth = 0; depth < 2; ++depth) {
                uint32_t w_high[2], w_low[2];
                split(float_of(pairs[depth][0]), w_high[0], w_low[0]);
                split(float_of(pairs[depth][1]), w_high[1], w_low[1]);
                // Small ones first; m innermost, for a product waits for the sum of the one before.
#pragma unroll
                for (int m = 0; m < 2; ++m) multiply_tf32(tile.d[m][n], low[m][depth], w_high);
#pragma unroll
                for (int m = 0; m < 2; ++m) multiply_tf32(tile.d[m][n], high[m][depth], w_low);
#pragma unroll
                for (int m = 0; m < 2; ++m) multiply_tf32(tile.d[m][n], high[m][depth], w_high);
            }
        }
    }
};
#endif

}  // namespace conv

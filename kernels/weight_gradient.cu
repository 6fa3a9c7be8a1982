// Gradients of convolutions by their weights: weight_gradient{K}_{precision}. The shape is that of the forward convolution,
// strides 1 and 2.
//
// gradient[input][tap][output] = Σ over pixels of x[source of the pixel at the tap][input] · g[pixel][output], a product whose
// depth is the pixels. Rows of the output are cut into strips of RUN pixels (the last of a row may be shorter), counted over all
// images: a strip's taps share columns of the source, so that each is read once for up to K pixels.
// Grid: x = part of `strips_per_part` strips, of images · height · ceil(width / 4) in all; y = job; z =
// (inputs/16) · (outputs/16), the 16 inputs (slow) and 16 outputs (fast) whose weights a block sums. Block: 256 threads with f32, 128 with tf32x3; a warp has
// an eighth or a quarter of the strips that the part has. No lane idles where these are multiples of 32 and the width one of 4.
//
// A warp's sums, 9 · 16 · 16, are in registers, and what it multiplies comes from the first cache: 64 bytes a load, 4.5 loads of
// x and one of g for the 72 multiply-adds of a lane and pixel.
#include "conv_source.cuh"
#include "conv_split.cuh"

namespace weight_gradient {

constexpr int RUN = 4;
template <int K, int STRIDE> constexpr int COLUMNS = (RUN - 1) * STRIDE + K;

// What a strip reads: x is the first float of tap (0, 0) of its first pixel, g of that pixel in the gradient. Bit ky·COLUMNS + c
// of `inside` tells that column c of row ky lies in the source, bit PIXELS + p that the strip has a pixel p.
struct Strip {
    int32_t x, g;
    uint32_t inside;
};
constexpr int PIXELS = 28;

template <int K, int STRIDE> DEVICE Strip strip_of(const ConvShape& shape, int index, int end) {
    if (index >= end) return {0, 0, 0};
    uint32_t strips = uint32_t(shape.width + RUN - 1) / RUN;
    uint32_t row = uint32_t(index) / strips, image = row / uint32_t(shape.height);
    int x = (index - int(row * strips)) * RUN, y = int(row - image * uint32_t(shape.height));
    int source_x = x * STRIDE - K / 2, source_y = y * STRIDE - K / 2;
    uint32_t columns = 0, inside = 0;
#pragma unroll
    for (int c = 0; c < COLUMNS<K, STRIDE>; ++c) columns |= uint32_t(uint32_t(source_x + c) < uint32_t(shape.source_width)) << c;
#pragma unroll
    for (int ky = 0; ky < K; ++ky)
        if (uint32_t(source_y + ky) < uint32_t(shape.source_height)) inside |= columns << COLUMNS<K, STRIDE> * ky;
#pragma unroll
    for (int p = 0; p < RUN; ++p) inside |= uint32_t(x + p < shape.width) << (PIXELS + p);
    int source_row = int(image) * shape.source_height + source_y;
    return {(source_row * shape.source_width + source_x) * shape.inputs, (int(row) * shape.width + x) * shape.outputs, inside};
}
DEVICE Strip strip_from(const Strip& strip, int lane) {
    int32_t x = __shfl_sync(0xffffffffu, strip.x, lane), g = __shfl_sync(0xffffffffu, strip.g, lane);
    return {x, g, __shfl_sync(0xffffffffu, strip.inside, lane)};
}

// By multiply-add. Lane (g = lane / 4, t = lane % 4) sums inputs 2g and 2g + 1 by outputs 4t..4t+3, over all strips of its warp.
struct F32 {
    static constexpr int WARPS = 8;  // of a block
    static constexpr int BATCH = 32, STRIPS = 1;

    template <int K, int STRIDE>
    DEVICE void add(float (&sums)[K * K][2][4], const float* x, const float* g, const ConvShape& shape, const Strip& lanes_own,
                    int first) {
        int lane = threadIdx.x % 32, floor = conv::floor_of(shape), pitch = shape.source_width * shape.inputs;
        Strip strip = strip_from(lanes_own, first);
        Float4 gradient[RUN];
#pragma unroll
        for (int p = 0; p < RUN; ++p) {
            gradient[p] = {0.0f, 0.0f, 0.0f, 0.0f};
            if (strip.inside >> (PIXELS + p) & 1)
                gradient[p] = load4(in_global(g + uint32_t(strip.g + p * shape.outputs + lane % 4 * 4)));
        }
#pragma unroll
        for (int c = 0; c < COLUMNS<K, STRIDE>; ++c)
#pragma unroll
            for (int ky = 0; ky < K; ++ky) {
                Float2 v = {0.0f, 0.0f};
                if (strip.inside >> (ky * COLUMNS<K, STRIDE> + c) & 1)
                    v = load2(in_global(x + uint32_t(strip.x + ky * pitch + c * shape.inputs + lane / 4 * 2)));
                v = {conv::at_least(v.x, floor), conv::at_least(v.y, floor)};
#pragma unroll
                for (int p = 0; p < RUN; ++p) {
                    int kx = c - p * STRIDE;
                    if (kx < 0 || kx >= K) continue;
                    float(&tap)[2][4] = sums[ky * K + kx];
                    const float four[4] = {gradient[p].x, gradient[p].y, gradient[p].z, gradient[p].w};
#pragma unroll
                    for (int o = 0; o < 4; ++o) {
                        tap[0][o] = fmaf(v.x, four[o], tap[0][o]);
                        tap[1][o] = fmaf(v.y, four[o], tap[1][o]);
                    }
                }
            }
    }
    // Which sum of which lane is that of an input and an output.
    DEVICE int place(int input, int output) { return (input % 2 * 4 + output % 4) * 32 + input / 2 * 4 + output / 4; }
};

#if CAPABILITY >= 80
// By tensor cores, in two parts of 11 bits (conv_split.cuh). Rows of a product are inputs, columns outputs, and its depth pixels
// of eight strips, the same of each. Lane (g = lane / 4, t = lane % 4) reads inputs 2g and 2g + 1 of strips t and t + 4, as rows
// g and g + 8, and outputs 2g and 2g + 1, as columns g of two products.
struct Tf32x3 {
    static constexpr int WARPS = 4;
    static constexpr int BATCH = 8, STRIPS = 8;

    template <int K, int STRIDE>
    DEVICE void add(float (&sums)[K * K][2][4], const float* x, const float* g, const ConvShape& shape, const Strip& lanes_own,
                    int first) {
        int lane = threadIdx.x % 32, floor = conv::floor_of(shape);
        Strip strips[2] = {strip_from(lanes_own, first + lane % 4), strip_from(lanes_own, first + lane % 4 + 4)};
        int pitch = shape.source_width * shape.inputs;
        int at[2] = {strips[0].x + lane / 4 * 2, strips[1].x + lane / 4 * 2};
        Float2 gradient[RUN][2];
#pragma unroll
        for (int p = 0; p < RUN; ++p)
#pragma unroll
            for (int s = 0; s < 2; ++s) {
                gradient[p][s] = {0.0f, 0.0f};
                if (strips[s].inside >> (PIXELS + p) & 1)
                    gradient[p][s] = load2(in_global(g + uint32_t(strips[s].g + p * shape.outputs + lane / 4 * 2)));
            }
#pragma unroll
        for (int c = 0; c < COLUMNS<K, STRIDE>; ++c) {
#pragma unroll
            for (int ky = 0; ky < K; ++ky) {
                uint32_t high[4], low[4];
#pragma unroll
                for (int s = 0; s < 2; ++s) {
                    Float2 v = {0.0f, 0.0f};
                    if (strips[s].inside >> (ky * COLUMNS<K, STRIDE> + c) & 1)
                        v = load2(in_global(x + (at[s] + ky * pitch)));
                    conv::split(conv::at_least(v.x, floor), high[2 * s], low[2 * s]);
                    conv::split(conv::at_least(v.y, floor), high[2 * s + 1], low[2 * s + 1]);
                }
#pragma unroll
                for (int p = 0; p < RUN; ++p) {
                    int kx = c - p * STRIDE;
                    if (kx < 0 || kx >= K) continue;
                    uint32_t g_high[2][2], g_low[2][2];  // [product][strip]
#pragma unroll
                    for (int s = 0; s < 2; ++s) {
                        conv::split(gradient[p][s].x, g_high[0][s], g_low[0][s]);
                        conv::split(gradient[p][s].y, g_high[1][s], g_low[1][s]);
                    }
                    float(&tap)[2][4] = sums[ky * K + kx];
                    multiply_tf32(tap[0], low, g_high[0]);
                    multiply_tf32(tap[1], low, g_high[1]);
                    multiply_tf32(tap[0], high, g_low[0]);
                    multiply_tf32(tap[1], high, g_low[1]);
                    multiply_tf32(tap[0], high, g_high[0]);
                    multiply_tf32(tap[1], high, g_high[1]);
                }
            }
            at[0] += shape.inputs;
            at[1] += shape.inputs;
        }
    }
    DEVICE int place(int input, int output) {
        int sum = output % 2 * 4 + input % 2 * 2 + output / 2 % 2;
        return sum * 32 + input / 2 * 4 + output / 4;
    }
};
#endif

// The strips of a warp: lanes find what BATCH of them read, one each, then all work on STRIPS at a time.
template <int K, int STRIDE, class Product>
DEVICE void sum_strips(float (&sums)[K * K][2][4], const float* x, const float* g, const ConvShape& shape, int begin, int end) {
#pragma unroll 1
    for (int base = begin; base < end; base += Product::BATCH) {
        Strip own = strip_of<K, STRIDE>(shape, base + int(threadIdx.x % 32), end);
        int count = Product::BATCH == Product::STRIPS ? Product::STRIPS : min(Product::BATCH, end - base);
#pragma unroll 1
        for (int first = 0; first < count; first += Product::STRIPS)
            Product::template add<K, STRIDE>(sums, x, g, shape, own, first);
    }
}

// Floats of shared memory: the sums of two warps.
template <int K> constexpr int SHARED = 2 * K * K * 256;

template <int K, class Product>
DEVICE void gradient(const WeightGradientJob& job, const ConvShape& shape, int strips_per_part, float* shared) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int input_group = blockIdx.z / (shape.outputs / 16), output_group = blockIdx.z % (shape.outputs / 16);
    int strips = shape.images * shape.height * ((shape.width + RUN - 1) / RUN);
    constexpr int WARPS = Product::WARPS;
    int part_begin = int(blockIdx.x) * strips_per_part, part_end = min(part_begin + strips_per_part, strips);
    // Whole products; a map of few strips keeps all warps busy.
    int share = (part_end - part_begin + WARPS * Product::STRIPS - 1) / (WARPS * Product::STRIPS) * Product::STRIPS;
    int begin = part_begin + warp * share, end = min(begin + share, part_end);
    const float* x = job.x + input_group * 16;
    const float* g = job.g + output_group * 16;
    float sums[K * K][2][4] = {};
    if (shape.stride == 1) sum_strips<K, 1, Product>(sums, x, g, shape, begin, end);
    else sum_strips<K, 2, Product>(sums, x, g, shape, begin, end);

    // Sums of warps, two by two, from the last to the first; then the two that are left, by all threads. A lane reads just what it
    // then writes itself.
    float* mine = shared + warp % 2 * (K * K * 256) + lane;
#pragma unroll 1
    for (int giver = WARPS - 2; giver >= 0; giver -= 2) {
        if (warp / 2 * 2 == giver)
#pragma unroll
            for (int i = 0; i < K * K * 8; ++i) mine[i * 32] = sums[i / 8][i / 4 % 2][i % 4];
        __syncthreads();
        if (giver > 0 && warp / 2 * 2 == giver - 2)
#pragma unroll
            for (int i = 0; i < K * K * 8; ++i) sums[i / 8][i / 4 % 2][i % 4] += mine[i * 32];
    }
    float* part = in_global(job.gradient) + int64_t(blockIdx.x) * shape.inputs * shape.outputs * (K * K);
#pragma unroll
    for (int i = 0; i < K * K * 256 / (WARPS * 32); ++i) {
        int index = i * (WARPS * 32) + int(threadIdx.x), tap = index / 256, weight = index % 256;
        int place = tap * 256 + Product::place(weight % 16, weight / 16);
        int block = (input_group * (K * K) + tap) * (shape.outputs / 8) + output_group * 2;
        part[block * 128 + weight] = shared[place] + shared[K * K * 256 + place];
    }
}

}  // namespace weight_gradient

#define WEIGHT_GRADIENT(name, blocks, K, Product)                                                                         \
    KERNEL(32 * weight_gradient::Product::WARPS, blocks)                                                                  \
    name(const WeightGradientJob* jobs, ConvShape shape, int strips_per_part) {                                           \
        __shared__ float shared[weight_gradient::SHARED<K>];                                                              \
        weight_gradient::gradient<K, weight_gradient::Product>(jobs[blockIdx.y], shape, strips_per_part, shared);         \
    }                                                                                                                     \
    EXPORT(name)

// lint: registers<=80 FFMA>=64 LDG.128>=8
WEIGHT_GRADIENT(weight_gradient1_f32, 3, 1, F32)
// lint: registers<=128 FFMA>=576 LDG.64>=36 LDG.128>=8
WEIGHT_GRADIENT(weight_gradient3_f32, 2, 3, F32)
#if CAPABILITY >= 80
// lint[sm_80 sm_86 sm_89 sm_90]: registers<=80 HMMA>=48 LDG.64>=16
WEIGHT_GRADIENT(weight_gradient1_tf32x3, 6, 1, Tf32x3)
// lint[sm_80 sm_86 sm_89 sm_90]: registers<=168 HMMA>=432 LDG.64>=80
WEIGHT_GRADIENT(weight_gradient3_tf32x3, 3, 3, Tf32x3)
#endif

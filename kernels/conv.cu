// Convolutions 3×3 and 1×1 with padding K/2, forward and by the way back to their input: conv{K}_{precision}_n{N}.
//
// An implicit matrix product: rows are pixels of the output, counted over all images, columns are outputs, depth is
// taps × inputs. shape.inputs is a multiple of 16. `relu` counts negative source numbers as zero; sums, if wanted, come with the
// result.
// Grid: x = part of PART pixels, y = job, z = which N of shape.outputs (a multiple of N). Block: 256 threads, 32 pixels a warp.
//
// Weights come to shared memory by stages (conv_weights.cuh). Pixels do not: a warp's load brings 64 bytes of each of eight
// pixels, and the nine taps find them in the first cache. So a number of the source is read from memory once, a weight once by
// each block. Bytes, floors and instructions: docs/cuda-conv.md.
#include "conv_products.cuh"
#include "conv_source.cuh"
#include "conv_sums.cuh"
#include "conv_weights.cuh"

namespace conv {

// Steps of a stage: all taps of 16 inputs, or a row of them where sums fill 64 registers and leave few to carry weights in.
template <int K, int N, class Product>
constexpr int STEPS = K == 1 ? 4 : sizeof(typename Product::template Sums<N>) == 64 * sizeof(float) ? 3 : 9;
template <int K, int N, class Product> using StagesOf = Stages<N, STEPS<K, N, Product>, Product::HALVES>;

// Steps of the next stage where `left` are left; with 3×3 taps stages are full.
template <int K, int N, class Product> DEVICE int steps_of(int left) {
    return K == 1 ? min(STEPS<K, N, Product>, left) : STEPS<K, N, Product>;
}

// Where the four pixels of a lane read: their inputs 4t..4t+3 at tap 0, and which taps lie inside, two pixels to a word.
struct Source {
    int32_t offset[4];
    uint32_t taps[2];
};

// Coordinates cost divisions: a lane finds those of one pixel, and hands them to the lanes that read it.
template <int K> DEVICE Source source_of(const ConvShape& shape, int warps_first, int lane) {
    Reach own = reach<K>(shape, warps_first + lane);
    Source source = {};
#pragma unroll
    for (int p = 0; p < 4; ++p) {
        source.offset[p] = __shfl_sync(0xffffffffu, own.offset, lane / 4 + 8 * p) + lane % 4 * 4;
        source.taps[p / 2] |= __shfl_sync(0xffffffffu, own.taps, lane / 4 + 8 * p) << 16 * (p % 2);
    }
    return source;
}

// Four inputs of four pixels at a tap.
DEVICE void read(Float4 (&x)[4], const float* from, const Source& source, int offset, int tap) {
#pragma unroll
    for (int p = 0; p < 4; ++p) {
        x[p] = {0.0f, 0.0f, 0.0f, 0.0f};
        if (source.taps[p / 2] & 1u << (tap + 16 * (p % 2))) x[p] = load4(in_global(from + uint32_t(source.offset[p] + offset)));
    }
}
DEVICE void rectify_twice(Float4 (&x)[4]) {
#pragma unroll
    for (int p = 0; p < 4; ++p)
        x[p] = {rectified_twice(x[p].x), rectified_twice(x[p].y), rectified_twice(x[p].z), rectified_twice(x[p].w)};
}

template <int K, int N, class Product>
DEVICE void convolve(const ConvJob& job, const ConvShape& shape, uint32_t* weights_memory, float* sums_memory) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, part = blockIdx.x, slice = blockIdx.z;
    Source source = source_of<K>(shape, part * PART + warp * 32, lane);
    StagesOf<K, N, Product> stages;
    begin(stages, weights_memory, job.w + slice * (N * 16), shape.outputs);
    typename Product::template Sums<N> partial = {};
    int left = shape.inputs / 16 * (K * K);  // steps, from the stage in use on
    fetch(stages, 0, steps_of<K, N, Product>(left));
    deposit(stages, 0, steps_of<K, N, Product>(left));
    int chunk = 0, ky = 0;
#pragma unroll 1
    for (int stage = 0; left > 0; ++stage) {
        const uint32_t* weights = arrived(stages, stage);
        int count = steps_of<K, N, Product>(left);
        left -= count;
        if (left > 0) fetch(stages, stage + 1, steps_of<K, N, Product>(left));
#pragma unroll 1
        for (int row = 0; row < count; row += K) {
            int row_offset = chunk + tap_row(shape, ky);
#pragma unroll 1  // what hides a load is the other warps, of which registers for more loads would leave fewer
            for (int kx = 0; kx < K; ++kx) {
                Float4 x[4];
                read(x, job.x, source, row_offset + tap_column(shape, kx), ky * K + kx);
                if (!Product::RECTIFIES && shape.relu) rectify_twice(x);
                Product::template add<N>(partial, x, weights + (row + kx) * StagesOf<K, N, Product>::STEP, lane, shape.relu);
            }
            if (++ky == K) {
                ky = 0;
                chunk += 16;
            }
        }
        if (left > 0) deposit(stages, stage + 1, steps_of<K, N, Product>(left));
    }

    Tile<N> tile = Product::template end<N>(partial, lane);
    float scale = !Product::RECTIFIES && shape.relu ? 0.5f : 1.0f;
    int count = min(PART, shape.images * shape.height * shape.width - part * PART);
    uint32_t live = 0;
    float* y_of_job = job.y;
#pragma unroll
    for (int p = 0; p < 4; ++p) {
        int pixel = warp * 32 + lane / 4 + 8 * p;
        live |= uint32_t(pixel < count) << p;
        float* y = in_global(y_of_job) + int64_t(part * PART + pixel) * shape.outputs + slice * N + lane % 4 * 2;
#pragma unroll
        for (int n = 0; n < N / 8; ++n) {
            float(&pair)[4] = tile.d[p / 2][n];
            int i = 2 * (p % 2);
            pair[i] *= scale;
            pair[i + 1] *= scale;
            if (pixel < count) store2(y + 8 * n, {pair[i], pair[i + 1]});
        }
    }
    if (!job.sums) return;
    float* result = in_global(job.sums) + int64_t(part) * 2 * shape.outputs + slice * N;
    sums<N>(tile, live, count, result, shape.outputs, sums_memory);
}

}  // namespace conv

#define CONVOLUTION(name, blocks, K, N, Product)                                                         \
    KERNEL(256, blocks) name(const ConvJob* jobs, ConvShape shape) {                                     \
        __shared__ Word4 weights_memory[conv::StagesOf<K, N, conv::Product>::SHARED / 4];                \
        __shared__ __align__(8) float sums_memory[conv::SUMS_SHARED<N>];                                 \
        conv::convolve<K, N, conv::Product>(jobs[blockIdx.y], shape, &weights_memory[0].x, sums_memory); \
    }                                                                                                    \
    EXPORT(name)

// lint: registers<=128 FFMA>=256 LDG.128>=4 LDS.128>=16 STG.64>=8
CONVOLUTION(conv1_f32_n16, 2, 1, 16, F32)
// lint: registers<=128 FFMA>=256 LDG.128>=4 LDS.128>=16 STG.64>=8
CONVOLUTION(conv3_f32_n16, 2, 3, 16, F32)

// lint: registers<=64 LDG.128>=4 LDS.64>=2 STG.64>=8
// lint[sm_75]: HMMA>=8
// lint[sm_80 sm_86 sm_89 sm_90]: HMMA>=4
CONVOLUTION(conv1_f16_n16, 4, 1, 16, F16)
// lint: registers<=128 LDG.128>=4 LDS.64>=4 STG.64>=16
// lint[sm_75]: HMMA>=16
// lint[sm_80 sm_86 sm_89 sm_90]: HMMA>=8
CONVOLUTION(conv1_f16_n32, 2, 1, 32, F16)
// lint: registers<=128 LDG.128>=4 LDS.64>=8 STG.64>=32
// lint[sm_75]: HMMA>=32
// lint[sm_80 sm_86 sm_89 sm_90]: HMMA>=16
CONVOLUTION(conv1_f16_n64, 2, 1, 64, F16)
// lint: registers<=64 LDG.128>=4 LDS.64>=2 STG.64>=8
// lint[sm_75]: HMMA>=8
// lint[sm_80 sm_86 sm_89 sm_90]: HMMA>=4
CONVOLUTION(conv3_f16_n16, 4, 3, 16, F16)
// lint: registers<=128 LDG.128>=4 LDS.64>=4 STG.64>=16
// lint[sm_75]: HMMA>=16
// lint[sm_80 sm_86 sm_89 sm_90]: HMMA>=8
CONVOLUTION(conv3_f16_n32, 2, 3, 32, F16)
// lint: registers<=128 LDG.128>=4 LDS.64>=8 STG.64>=32
// lint[sm_75]: HMMA>=32
// lint[sm_80 sm_86 sm_89 sm_90]: HMMA>=16
CONVOLUTION(conv3_f16_n64, 2, 3, 64, F16)

#if CAPABILITY >= 80
// lint[sm_80 sm_86 sm_89 sm_90]: registers<=64 HMMA>=8 LDG.128>=4 LDS.128>=2 LDGSTS.128>=2 STG.64>=8
CONVOLUTION(conv1_tf32_n16, 4, 1, 16, Tf32)
// lint[sm_80 sm_86 sm_89 sm_90]: registers<=128 HMMA>=16 LDG.128>=4 LDS.128>=4 LDGSTS.128>=2 STG.64>=16
CONVOLUTION(conv1_tf32_n32, 2, 1, 32, Tf32)
// lint[sm_80 sm_86 sm_89 sm_90]: registers<=128 HMMA>=32 LDG.128>=4 LDS.128>=8 LDGSTS.128>=2 STG.64>=32
CONVOLUTION(conv1_tf32_n64, 2, 1, 64, Tf32)
// lint[sm_80 sm_86 sm_89 sm_90]: registers<=64 HMMA>=8 LDG.128>=4 LDS.128>=2 LDGSTS.128>=2 STG.64>=8
CONVOLUTION(conv3_tf32_n16, 4, 3, 16, Tf32)
// lint[sm_80 sm_86 sm_89 sm_90]: registers<=128 HMMA>=16 LDG.128>=4 LDS.128>=4 LDGSTS.128>=2 STG.64>=16
CONVOLUTION(conv3_tf32_n32, 2, 3, 32, Tf32)
// lint[sm_80 sm_86 sm_89 sm_90]: registers<=128 HMMA>=32 LDG.128>=4 LDS.128>=8 LDGSTS.128>=2 STG.64>=32
CONVOLUTION(conv3_tf32_n64, 2, 3, 64, Tf32)

// lint[sm_80 sm_86 sm_89 sm_90]: registers<=80 HMMA>=24 LDG.128>=4 LDS.128>=2 LDGSTS.128>=2 STG.64>=8
CONVOLUTION(conv1_tf32x3_n16, 3, 1, 16, Tf32x3)
// lint[sm_80 sm_86 sm_89 sm_90]: registers<=128 HMMA>=48 LDG.128>=4 LDS.128>=4 LDGSTS.128>=2 STG.64>=16
CONVOLUTION(conv1_tf32x3_n32, 2, 1, 32, Tf32x3)
// lint[sm_80 sm_86 sm_89 sm_90]: registers<=128 HMMA>=96 LDG.128>=4 LDS.128>=8 LDGSTS.128>=2 STG.64>=32
CONVOLUTION(conv1_tf32x3_n64, 2, 1, 64, Tf32x3)
// lint[sm_80 sm_86 sm_89 sm_90]: registers<=80 HMMA>=24 LDG.128>=4 LDS.128>=2 LDGSTS.128>=2 STG.64>=8
CONVOLUTION(conv3_tf32x3_n16, 3, 3, 16, Tf32x3)
// lint[sm_80 sm_86 sm_89 sm_90]: registers<=128 HMMA>=48 LDG.128>=4 LDS.128>=4 LDGSTS.128>=2 STG.64>=16
CONVOLUTION(conv3_tf32x3_n32, 2, 3, 32, Tf32x3)
// lint[sm_80 sm_86 sm_89 sm_90]: registers<=128 HMMA>=96 LDG.128>=4 LDS.128>=8 LDGSTS.128>=2 STG.64>=32
CONVOLUTION(conv3_tf32x3_n64, 2, 3, 64, Tf32x3)
#endif

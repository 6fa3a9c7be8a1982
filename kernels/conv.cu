// Convolutions 3×3 and 1×1 with padding K/2, forward and by the way back to their input: conv{K}_{precision}_n{N}.
//
// An implicit matrix product: rows are pixels of the output, counted over all images, columns are outputs, depth is taps × inputs.
// Grid: x = part of PART pixels, y = job, z = which N of shape.outputs (a multiple of N). Block: 256 threads, 32 pixels a warp.
// shape.inputs is a multiple of 16. `relu` counts negative source numbers as zero; sums, if wanted, come with the result.
//
// Weights of a stage (N = 64: one row of taps, 3 KB a tap and 16 inputs; else all taps of 16 inputs) are in shared memory. Pixels are not: a
// warp's load brings 64 bytes of each of eight pixels, and the nine taps find them in the first cache. So a number of the source
// is read from memory once, a weight once by each block.
#include "conv_products.cuh"
#include "conv_source.cuh"
#include "conv_sums.cuh"
#include "conv_weights.cuh"

namespace conv {

template <int K, int N> constexpr int STEPS = K == 1 ? 4 : N == 64 ? 3 : 9;
// Taps whose loads are begun together.
template <int N, class Product> constexpr int UNROLLED = N == 64 || !Product::HALVES ? 1 : 3;
template <int K, int N, class Product> using StagesOf = Stages<N, STEPS<K, N>, Product::HALVES>;

template <int K, int N, class Product>
DEVICE void convolve(const ConvJob& job, const ConvShape& shape, uint32_t* weights_memory, float* sums_memory) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, part = blockIdx.x, slice = blockIdx.z;
    int first_pixel = part * PART + warp * 32;

    // Coordinates cost divisions: a lane finds those of one pixel, and hands them to the lanes that read it.
    int32_t offset[4];
    uint32_t taps[2] = {0, 0};  // of two pixels in a word
    Reach own = reach<K>(shape, first_pixel + lane);
#pragma unroll
    for (int p = 0; p < 4; ++p) {
        offset[p] = __shfl_sync(0xffffffffu, own.offset, lane / 4 + 8 * p) + lane % 4 * 4;
        taps[p / 2] |= __shfl_sync(0xffffffffu, own.taps, lane / 4 + 8 * p) << 16 * (p % 2);
    }

    StagesOf<K, N, Product> stages;
    stages.shared = weights_memory;
    stages.w = in_global(job.w) + slice * (N * 16);
    stages.step_stride = shape.outputs * 16;
    typename Product::template Sums<N> partial = {};
    const int steps = shape.inputs / 16 * (K * K);
    auto count_from = [&](int first) { return min(STEPS<K, N>, steps - first); };
    const float* x0 = job.x;
    int chunk = 0;
    int ky = 0;
    fetch(stages, 0, 0, count_from(0));
    deposit(stages, 0, count_from(0));
    for (int stage = 0, first = 0; first < steps; ++stage) {
        const uint32_t* weights = arrived(stages, stage);
        int count = count_from(first), next = first + count;
        if (next < steps) fetch(stages, stage + 1, next, count_from(next));
#pragma unroll 1
        for (int row = 0; row < count; row += K) {
            int row_offset = chunk + tap_row(shape, ky);
#pragma unroll (UNROLLED<N, Product>)
            for (int kx = 0; kx < K; ++kx) {
                Float4 x[4];
                int tap = row_offset + tap_column(shape, kx);
#pragma unroll
                for (int p = 0; p < 4; ++p) {
                    x[p] = {0.0f, 0.0f, 0.0f, 0.0f};
                    if (taps[p / 2] & (p % 2 ? 0x10000u : 1u) << (ky * K + kx)) x[p] = load4(in_global(x0 + uint32_t(offset[p] + tap)));
                }
                if (shape.relu)
#pragma unroll
                    for (int p = 0; p < 4; ++p)
                        x[p] = {rectified_twice(x[p].x), rectified_twice(x[p].y), rectified_twice(x[p].z), rectified_twice(x[p].w)};
                Product::template add<N>(partial, x, weights + (row + kx) * StagesOf<K, N, Product>::STEP, lane);
            }
            if (++ky == K) {
                ky = 0;
                chunk += 16;
            }
        }
        if (next < steps) deposit(stages, stage + 1, count_from(next));
        first = next;
    }

    Tile<N> tile = Product::template end<N>(partial, lane);
    float scale = shape.relu ? 0.5f : 1.0f;
    int count = min(PART, pixels_of(shape) - part * PART);
    uint32_t live = 0;
#pragma unroll
    for (int p = 0; p < 4; ++p) {
        int pixel = warp * 32 + lane / 4 + 8 * p;
        live |= uint32_t(pixel < count) << p;
        float* y = in_global(job.y) + int64_t(part * PART + pixel) * shape.outputs + slice * N + lane % 4 * 2;
#pragma unroll
        for (int n = 0; n < N / 8; ++n) {
            float(&pair)[4] = tile.d[p / 2][n];
            int i = 2 * (p % 2);
            pair[i] *= scale;
            pair[i + 1] *= scale;
            if (pixel < count) store2(y + 8 * n, {pair[i], pair[i + 1]});
        }
    }
    if (job.sums) sums<N>(tile, live, count, job.sums + int64_t(part) * 2 * shape.outputs + slice * N, shape.outputs, sums_memory);
}

}  // namespace conv

#define CONVOLUTION(name, blocks, K, N, Product)                                                        \
    KERNEL(256, blocks) name(const ConvJob* jobs, ConvShape shape) {                                      \
        __shared__ Word4 weights_memory[conv::StagesOf<K, N, conv::Product>::SHARED / 4];         \
        __shared__ float sums_memory[conv::SUMS_SHARED<N>];                                       \
        conv::convolve<K, N, conv::Product>(jobs[blockIdx.y], shape, &weights_memory[0].x, sums_memory); \
    }                                                                                             \
    EXPORT(name)

CONVOLUTION(conv1_f32_n16, 2, 1, 16, F32)
CONVOLUTION(conv3_f32_n16, 2, 3, 16, F32)

CONVOLUTION(conv1_f16_n16, 3, 1, 16, F16)
CONVOLUTION(conv1_f16_n32, 2, 1, 32, F16)
CONVOLUTION(conv1_f16_n64, 2, 1, 64, F16)
CONVOLUTION(conv3_f16_n16, 3, 3, 16, F16)
CONVOLUTION(conv3_f16_n32, 2, 3, 32, F16)
CONVOLUTION(conv3_f16_n64, 2, 3, 64, F16)

#if CAPABILITY >= 80
CONVOLUTION(conv1_tf32_n16, 3, 1, 16, Tf32)
CONVOLUTION(conv1_tf32_n32, 2, 1, 32, Tf32)
CONVOLUTION(conv1_tf32_n64, 2, 1, 64, Tf32)
CONVOLUTION(conv3_tf32_n16, 3, 3, 16, Tf32)
CONVOLUTION(conv3_tf32_n32, 2, 3, 32, Tf32)
CONVOLUTION(conv3_tf32_n64, 2, 3, 64, Tf32)

CONVOLUTION(conv1_tf32x3_n16, 3, 1, 16, Tf32x3)
CONVOLUTION(conv1_tf32x3_n32, 2, 1, 32, Tf32x3)
CONVOLUTION(conv1_tf32x3_n64, 2, 1, 64, Tf32x3)
CONVOLUTION(conv3_tf32x3_n16, 3, 3, 16, Tf32x3)
CONVOLUTION(conv3_tf32x3_n32, 2, 3, 32, Tf32x3)
CONVOLUTION(conv3_tf32x3_n64, 2, 3, 64, Tf32x3)
#endif

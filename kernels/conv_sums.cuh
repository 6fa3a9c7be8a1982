// The sums of a map that a convolution leaves behind: for each channel of a part of PART pixels, mean and Σ(x − mean)².
#pragma once
#include "conv_products.cuh"

namespace conv {

// Floats of shared memory: the first pixel, the sums of eight warps, the mean.
template <int N> constexpr int SUMS_SHARED = 10 * N;

// Σ over a warp's pixels of what `number(m, n, i, channel)` gives, for each output; to totals[warp][N].
template <int N, class F> DEVICE void total(F number, uint32_t live, float* totals, int lane) {
#pragma unroll
    for (int n = 0; n < N / 8; ++n)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
            int channel = 8 * n + 2 * (lane % 4) + e;
            float sum = 0.0f;
#pragma unroll
            for (int p = 0; p < 4; ++p) sum += live >> p & 1 ? number(p / 2, n, 2 * (p % 2) + e, channel) : 0.0f;
#pragma unroll
            for (int bit = 4; bit < 32; bit *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, bit);
            if (lane < 4) totals[channel] = sum;
        }
}

// Two passes over registers, both of differences from the part's first pixel, which are exact where a map is nearly constant. Bit
// p of `live` tells that the lane's pixel g + 8p exists, `count` is their number in the part. out: [2][channels].
template <int N> DEVICE void sums(const Tile<N>& tile, uint32_t live, int count, float* out, int channels, float* shared) {
    int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
    float *first = shared, *totals = shared + N, *mean = shared + 9 * N;
    if (thread < 4)
#pragma unroll
        for (int n = 0; n < N / 8; ++n) store2(first + 8 * n + 2 * lane, {tile.d[0][n][0], tile.d[0][n][1]});
    __syncthreads();
    total<N>([&](int m, int n, int i, int c) { return tile.d[m][n][i] - first[c]; }, live, totals + warp * N, lane);
    __syncthreads();
    auto over_warps = [&](int c) {
        float sum = 0.0f;
#pragma unroll
        for (int w = 0; w < 8; ++w) sum += totals[w * N + c];
        return sum;
    };
    if (thread < N) {
        mean[thread] = over_warps(thread) / float(count);
        out[thread] = first[thread] + mean[thread];
    }
    __syncthreads();
    total<N>([&](int m, int n, int i, int c) {
        float difference = (tile.d[m][n][i] - first[c]) - mean[c];
        return difference * difference;
    }, live, totals + warp * N, lane);
    __syncthreads();
    if (thread < N) out[channels + thread] = over_warps(thread);
}

}  // namespace conv

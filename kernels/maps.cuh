// How the kernels of maps, which multiply nothing by weights, share out their work: blocks of 256 threads, four channels to a
// thread, and the sums over a block's pixels.
#pragma once
#include "jobs.cuh"

namespace maps {

constexpr int THREADS = 256;
// Channels that a block takes at most; blockIdx.z counts slabs of so many.
constexpr int SLAB = 4 * THREADS;

DEVICE Float4 splat(float v) { return {v, v, v, v}; }
DEVICE Float4 operator+(Float4 a, Float4 b) { return {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w}; }
DEVICE Float4 operator-(Float4 a, Float4 b) { return {a.x - b.x, a.y - b.y, a.z - b.z, a.w - b.w}; }
DEVICE Float4 operator*(Float4 a, Float4 b) { return {a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w}; }
// a·b + c, rounded once.
DEVICE Float4 fused(Float4 a, Float4 b, Float4 c) {
    return {fmaf(a.x, b.x, c.x), fmaf(a.y, b.y, c.y), fmaf(a.z, b.z, c.z), fmaf(a.w, b.w, c.w)};
}

// Threads as rows of quads: a quad is four channels, all quads of a pixel are a row, rows take pixels (or parts) in turn. Threads
// that make no whole row are idle.
struct Rows {
    int width;    // channels of the slab
    int count;    // rows of a block
    int row;      // this thread's; idle if not below count
    int channel;  // its first, of all channels
    int column;   // the same, of the slab's
};
DEVICE bool active(const Rows& rows) { return rows.row < rows.count; }
DEVICE Rows rows_of(int channels) {
    const int first = SLAB * int(blockIdx.z);
    Rows rows;
    rows.width = channels - first < SLAB ? channels - first : SLAB;
    const int quads = rows.width / 4;
    rows.count = THREADS / quads;
    rows.row = int(threadIdx.x) / quads;
    rows.column = 4 * (int(threadIdx.x) - rows.row * quads);
    rows.channel = first + rows.column;
    return rows;
}

// Sums over rows of PLANES numbers for each channel of the slab, in an order that the number of channels fixes. Room holds
// [PLANES][count][width], which each active thread has filled for its row and quad. `finish(column, sums)` is called once for
// each channel. At most PLANES·SLAB numbers.
template <int PLANES, typename T, typename Finish> DEVICE void sum_rows(T* room, const Rows& rows, const Finish& finish) {
    const int thread = threadIdx.x, width = rows.width, plane = rows.count * width;
    const int groups = width < THREADS ? THREADS / width : 1;
    int left = rows.count;
    __syncthreads();
    if (groups > 1) {
        const int group = thread / width, column = thread - group * width;
        T partial[PLANES];
#pragma unroll
        for (int p = 0; p < PLANES; p++) {
            partial[p] = 0;
            if (group < groups) {
                for (int row = group; row < rows.count; row += groups) partial[p] += room[p * plane + row * width + column];
            }
        }
        __syncthreads();
        if (group < groups) {
#pragma unroll
            for (int p = 0; p < PLANES; p++) room[p * plane + group * width + column] = partial[p];
        }
        left = groups;
        __syncthreads();
    }
    for (int column = thread; column < width; column += THREADS) {
        T sums[PLANES];
#pragma unroll
        for (int p = 0; p < PLANES; p++) {
            sums[p] = 0;
            for (int row = 0; row < left; row++) sums[p] += room[p * plane + row * width + column];
        }
        finish(column, sums);
    }
}
// Where an active thread leaves its four numbers of a plane for sum_rows.
DEVICE int place(const Rows& rows, int plane) { return (plane * rows.count + rows.row) * rows.width + rows.column; }
// The four doubles of a thread, likewise.
DEVICE void store4(double* p, const double (&v)[4]) {
#pragma unroll
    for (int j = 0; j < 4; j++) p[j] = v[j];
}

// Pixels of the block's part: blockIdx.x counts parts of PART pixels, the last of which may be ragged.
DEVICE int part_pixels(int pixels) {
    const int left = pixels - PART * int(blockIdx.x);
    return left < PART ? left : PART;
}

// Division of whole numbers by one divisor, without the instruction sequence of a division.
struct Divisor {
    uint32_t by, inverse;
};
DEVICE Divisor divisor(int by) { return {uint32_t(by), 0xffffffffu / uint32_t(by) + 1}; }
// n / d for 0 ≤ n. The inverse is rounded up, so that the product is the quotient or one more; an inverse of 2³² is stored as 0.
DEVICE int operator/(int n, Divisor d) {
    const uint32_t quotient = d.by == 1 ? uint32_t(n) : uint32_t(uint64_t(uint32_t(n)) * d.inverse >> 32);
    return int(quotient * d.by > uint32_t(n) ? quotient - 1 : quotient);
}

// Quads of an image as a block's stretch: blockIdx.x counts stretches of 1024 quads of numbers of each image, image by image. A
// warp takes four times 32 quads in a row: a thread's k-th quad is 32·k behind its first, and lies inside the image if 32·k <
// left.
constexpr int STRETCH = 4 * THREADS;
struct Stretch {
    int image;
    int first;  // quad of the image, the block's first
    int end;    // quads of the image
    int quad;   // this thread's first
    int left;   // end − quad
};
DEVICE Stretch stretch_of(int numbers) {
    Stretch s;
    s.end = numbers / 4;
    const int stretches = (s.end + STRETCH - 1) / STRETCH, thread = threadIdx.x;
    s.image = int(blockIdx.x) / stretches;
    s.first = (int(blockIdx.x) - s.image * stretches) * STRETCH;
    s.quad = s.first + (thread & ~31) * 4 + (thread & 31);
    s.left = s.end - s.quad;
    return s;
}
// A thread's quads, from its first on; what lies outside counts as 0.
DEVICE void load_quads(Float4 (&v)[4], const float* from, const Stretch& s) {
#pragma unroll
    for (int k = 0; k < 4; k++) v[k] = 32 * k < s.left ? load4(from + 128 * k) : splat(0);
}
DEVICE void store_quads(float* to, const Float4 (&v)[4], const Stretch& s) {
#pragma unroll
    for (int k = 0; k < 4; k++) {
        if (32 * k < s.left) store4(to + 128 * k, v[k]);
    }
}

}  // namespace maps

// Where the pixels of a convolution's output read its source.
#pragma once
#include "jobs.cuh"

namespace conv {

// What one output pixel reads. Tap (ky, kx) lies tap_row(ky) + tap_column(kx) floats past `offset`, where bit ky·K + kx of `taps`
// is set; elsewhere it lies outside (or between the spread numbers) and reads zero.
struct Reach {
    int32_t offset;
    uint32_t taps;
};

// Bits k for which coordinate·stride + k − K/2 is a number of the source.
template <int K> DEVICE uint32_t taps_inside(const ConvShape& shape, uint32_t coordinate, int size) {
    uint32_t inside = 0;
#pragma unroll
    for (int k = 0; k < K; ++k) {
        uint32_t numerator = coordinate * shape.stride + k - K / 2;  // −1 wraps, and lies outside either way
        bool whole = (numerator & (shape.spread - 1)) == 0;
        inside |= uint32_t(whole && numerator >> (shape.spread - 1) < uint32_t(size)) << k;
    }
    return inside;
}

// The source coordinate of tap 0. With spread 2 that of tap k is (coordinate + k − K/2) / 2 where even, which is coordinate / 2 +
// k / 2.
template <int K> DEVICE int first_tap(const ConvShape& shape, int coordinate) {
    return shape.spread == 2 ? coordinate >> 1 : coordinate * shape.stride - K / 2;
}
DEVICE int tap_row(const ConvShape& shape, int ky) { return (ky >> (shape.spread - 1)) * shape.source_width * shape.inputs; }
DEVICE int tap_column(const ConvShape& shape, int kx) { return (kx >> (shape.spread - 1)) * shape.inputs; }

// Of a pixel counted over all images; one past the last reads nothing.
template <int K> DEVICE Reach reach(const ConvShape& shape, int pixel) {
    uint32_t row = uint32_t(pixel) / uint32_t(shape.width), image = row / uint32_t(shape.height);
    if (image >= uint32_t(shape.images)) return {0, 0};
    int x = pixel - int(row) * shape.width, y = int(row) - int(image) * shape.height;
    uint32_t rows = taps_inside<K>(shape, y, shape.source_height), columns = taps_inside<K>(shape, x, shape.source_width);
    uint32_t taps = 0;
#pragma unroll
    for (int ky = 0; ky < K; ++ky) taps |= (rows >> ky & 1) * columns << K * ky;
    int source_row = int(image) * shape.source_height + first_tap<K>(shape, y);
    return {(source_row * shape.source_width + first_tap<K>(shape, x)) * shape.inputs, taps};
}

// 2·max(v, 0), exact, and NaN for NaN. One addition, where a maximum would compete with the integer instructions that cut numbers
// into parts; who calls it halves the sums.
DEVICE float rectified_twice(float v) { return v + fabsf(v); }

// max(v, 0) where the shape wants it, else v, as integers: so there is no branch to hold back loads. NaN as cards make it, with
// its sign bit clear, stays NaN.
DEVICE int32_t floor_of(const ConvShape& shape) { return shape.relu ? 0 : int32_t(0x80000000u); }
DEVICE float at_least(float v, int32_t floor) { return float_of(uint32_t(max(int32_t(bits_of(v)), floor))); }

}  // namespace conv

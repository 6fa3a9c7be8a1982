// Tensor-core products of one warp: words of lane l lie at a[l][..], b[l][..], sums at d[l][4].
#include "device.cuh"

KERNEL(32) test_multiply_f16_depth8(const uint32_t* a, const uint32_t* b, float* d) {
    int32_t lane = threadIdx.x;
    float sums[4];
    for (int32_t i = 0; i < 4; ++i) {
        sums[i] = d[4 * lane + i];
    }
    multiply_f16(sums, a[2 * lane], a[2 * lane + 1], b[lane]);
    for (int32_t i = 0; i < 4; ++i) {
        d[4 * lane + i] = sums[i];
    }
}
EXPORT(test_multiply_f16_depth8)

#if CAPABILITY >= 80
KERNEL(32) test_multiply_f16_depth16(const uint32_t* a, const uint32_t* b, float* d) {
    int32_t lane = threadIdx.x;
    float sums[4];
    for (int32_t i = 0; i < 4; ++i) {
        sums[i] = d[4 * lane + i];
    }
    const uint32_t left[4] = {a[4 * lane], a[4 * lane + 1], a[4 * lane + 2], a[4 * lane + 3]};
    const uint32_t right[2] = {b[2 * lane], b[2 * lane + 1]};
    multiply_f16(sums, left, right);
    for (int32_t i = 0; i < 4; ++i) {
        d[4 * lane + i] = sums[i];
    }
}
EXPORT(test_multiply_f16_depth16)

KERNEL(32) test_multiply_tf32(const uint32_t* a, const uint32_t* b, float* d) {
    int32_t lane = threadIdx.x;
    float sums[4];
    for (int32_t i = 0; i < 4; ++i) {
        sums[i] = d[4 * lane + i];
    }
    const uint32_t left[4] = {a[4 * lane], a[4 * lane + 1], a[4 * lane + 2], a[4 * lane + 3]};
    const uint32_t right[2] = {b[2 * lane], b[2 * lane + 1]};
    multiply_tf32(sums, left, right);
    for (int32_t i = 0; i < 4; ++i) {
        d[4 * lane + i] = sums[i];
    }
}
EXPORT(test_multiply_tf32)

KERNEL(32) test_multiply_bits(const uint32_t* a, const uint32_t* b, int32_t* d) {
    int32_t lane = threadIdx.x;
    int32_t sums[4];
    for (int32_t i = 0; i < 4; ++i) {
        sums[i] = d[4 * lane + i];
    }
    const uint32_t left[4] = {a[4 * lane], a[4 * lane + 1], a[4 * lane + 2], a[4 * lane + 3]};
    const uint32_t right[2] = {b[2 * lane], b[2 * lane + 1]};
    multiply_bits(sums, left, right);
    for (int32_t i = 0; i < 4; ++i) {
        d[4 * lane + i] = sums[i];
    }
}
EXPORT(test_multiply_bits)
#endif

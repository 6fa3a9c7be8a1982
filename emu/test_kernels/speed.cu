// What an emulated thread, barrier, shuffle and product cost.
#include "device.cuh"

KERNEL(256) test_speed_plain(const float* from, float* to, int32_t count) {
    int32_t i = blockIdx.x * 256 + threadIdx.x;
    if (i < count) {
        to[i] = 2.0f * from[i] + 1.0f;
    }
}
EXPORT(test_speed_plain)

KERNEL(256) test_speed_barrier(float* to, int32_t rounds) {
    __shared__ float tile[256];
    int32_t thread = threadIdx.x;
    float sum = 0.0f;
    for (int32_t i = 0; i < rounds; ++i) {
        tile[thread] = sum + float(i);
        __syncthreads();
        sum += tile[thread ^ 32];
        __syncthreads();
    }
    to[blockIdx.x * 256 + thread] = sum;
}
EXPORT(test_speed_barrier)

KERNEL(256) test_speed_shuffle(float* to, int32_t rounds) {
    float sum = float(threadIdx.x);
    for (int32_t i = 0; i < rounds; ++i) {
        sum += __shfl_xor_sync(0xffffffffu, sum, 1 + i % 31);
    }
    to[blockIdx.x * 256 + threadIdx.x] = sum;
}
EXPORT(test_speed_shuffle)

KERNEL(256) test_speed_product(const uint32_t* words, float* to, int32_t rounds) {
    float sums[4][4] = {};
    for (int32_t i = 0; i < rounds; ++i) {
        for (int32_t j = 0; j < 4; ++j) {
            uint32_t a = words[(32 * i + threadIdx.x) % 256], b = words[(8 * i + j + threadIdx.x) % 256];
            multiply_f16(sums[j], a, b, a ^ b);
        }
    }
    to[blockIdx.x * 256 + threadIdx.x] = sums[0][0] + sums[1][1] + sums[2][2] + sums[3][3];
}
EXPORT(test_speed_product)

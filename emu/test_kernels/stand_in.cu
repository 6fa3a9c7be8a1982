// Kernels that tests load through the stand-in for libcuda.
#include "device.cuh"

KERNEL(128) test_axpy(const float* x, float* y, float a, int32_t count) {
    int32_t i = blockIdx.x * 128 + threadIdx.x;
    if (i < count) {
        y[i] = a * x[i] + y[i];
    }
}
EXPORT(test_axpy)

// The capability the kernel was compiled for.
KERNEL(32) test_capability(int32_t* to) { to[threadIdx.x] = CAPABILITY; }
EXPORT(test_capability)

struct Affine {
    const float* x;
    float scale, shift;
    int32_t count;
};
KERNEL(128) test_structure(Affine affine, float* to) {
    int32_t i = blockIdx.x * 128 + threadIdx.x;
    if (i < affine.count) {
        to[i] = affine.x[i] * affine.scale + affine.shift;
    }
}
EXPORT(test_structure)

KERNEL(32) test_misaligned(const float* from, float* to) { store4(to, load4(from + 1)); }
EXPORT(test_misaligned)

// Reads where nothing is.
KERNEL(32) test_nowhere(const float* from, float* to) {
    to[threadIdx.x] = from[1ull << 44];  // HERE nowhere
}
EXPORT(test_nowhere)

// Needs more local memory than a thread has here.
KERNEL(32) test_overflow(const float* from, float* to) {
    volatile float numbers[20000];
    for (int32_t i = 0; i < 20000; ++i) {
        numbers[19999 - i] = from[threadIdx.x];
    }
    to[threadIdx.x] = numbers[threadIdx.x];
}
EXPORT(test_overflow)

KERNEL(256) test_count(uint32_t* count) { atomicAdd(count, 1u + blockIdx.x % 2); }
EXPORT(test_count)

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

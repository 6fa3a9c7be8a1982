// Division by one divisor, as the kernels of maps do it: quotient[i] = n[i] / by[i].
#include "maps.cuh"

KERNEL(256) test_division(const int32_t* n, const int32_t* by, int32_t* quotient, int count) {
    const int i = int(blockIdx.x * 256 + threadIdx.x);
    if (i < count) quotient[i] = maps::operator/(n[i], maps::divisor(by[i]));
}
EXPORT(test_division)

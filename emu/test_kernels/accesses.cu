// Accesses whose sectors and wavefronts are known, for the profile. One block of 32 threads.
#include "device.cuh"

KERNEL(32) test_accesses(const float* from, float* to) {
    __shared__ __align__(16) float tile[32 * 33];
    int32_t lane = threadIdx.x;
    float number = from[lane];                   // HERE side_by_side
    number += from[2 * lane];                    // HERE every_second
    number += from[0];                           // HERE the_same
    Float4 four = load4(from + 4 * lane);        // HERE by_four
    tile[32 * lane] = number + four.x + four.w;  // HERE one_bank
    tile[33 * lane + 1] = number;                // HERE all_banks
    __syncthreads();
    for (int32_t i = 0; i < 3; ++i) {
        to[lane + 32 * i] = tile[32 * (lane ^ i)];  // HERE rows
    }
}
EXPORT(test_accesses)

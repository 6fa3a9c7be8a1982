// Threads of a block exchange numbers by shared memory, shuffles and ballots.
#include "device.cuh"

// to[i] = from[i reversed in its block] + sum over the warp of the lane numbers + number of even lanes.
KERNEL(256) test_exchange(const float* from, float* to) {
    __shared__ float tile[256];
    DYNAMIC_SHARED(float, sums);
    int32_t thread = threadIdx.x, i = blockIdx.x * 256 + thread;
    tile[thread] = from[i];
    float sum = float(thread % 32);
    for (int32_t bits = 16; bits > 0; bits /= 2) {
        sum += __shfl_xor_sync(0xffffffffu, sum, bits);
    }
    sums[thread] = sum + float(__popc(__ballot_sync(0xffffffffu, thread % 2 == 0)));
    __syncthreads();
    to[i] = tile[255 - thread] + sums[255 - thread];
}
EXPORT(test_exchange)

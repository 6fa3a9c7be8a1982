// Pairs of kernels for the checker: NAME_wrong makes one mistake, which NAME_right does not. The line that a report must name
// ends with "HERE NAME". All run with 2 blocks of 64 threads; `from` has 256 numbers, `to` has 128.
#include "device.cuh"

#define TWINS(name)                                                                         \
    KERNEL(64) test_##name##_wrong(const float* from, float* to) { name<false>(from, to); } \
    EXPORT(test_##name##_wrong)                                                             \
    KERNEL(64) test_##name##_right(const float* from, float* to) { name<true>(from, to); }  \
    EXPORT(test_##name##_right)

template <bool RIGHT> DEVICE void barrier_before_use(const float* from, float* to) {
    __shared__ float tile[64];
    int32_t thread = threadIdx.x, i = blockIdx.x * 64 + thread;
    tile[thread] = from[i];
    if (RIGHT) {
        __syncthreads();
    }
    to[i] = tile[63 - thread];  // HERE barrier_before_use (or, in the reverse order, the write)
}
TWINS(barrier_before_use)

template <bool RIGHT> DEVICE void barrier_after_use(const float* from, float* to) {
    DYNAMIC_SHARED(float, tile);
    int32_t thread = threadIdx.x, i = blockIdx.x * 64 + thread;
    float sum = 0.0f;
    for (int32_t round = 0; round < 2; ++round) {
        tile[thread] = from[i + 128 * round];  // HERE barrier_after_use
        __syncthreads();
        sum += tile[63 - thread];
        if (RIGHT) {
            __syncthreads();
        }
    }
    to[i] = sum;
}
TWINS(barrier_after_use)

template <bool RIGHT> DEVICE void inside_global(const float* from, float* to) {
    int32_t i = blockIdx.x * 64 + threadIdx.x, last = RIGHT ? 255 : 256;
    to[i] = from[2 * i + 2 < last ? 2 * i + 2 : last];  // HERE inside_global
}
TWINS(inside_global)

template <bool RIGHT> DEVICE void inside_static_shared(const float* from, float* to) {
    __shared__ float tile[64], other[64];
    int32_t thread = threadIdx.x, i = blockIdx.x * 64 + thread;
    other[thread] = 1.0f;
    tile[RIGHT ? thread : thread + 1] = from[i];  // HERE inside_static_shared
    __syncthreads();
    to[i] = tile[thread] + other[63 - thread];
}
TWINS(inside_static_shared)

template <bool RIGHT> DEVICE void inside_dynamic_shared(const float* from, float* to) {
    DYNAMIC_SHARED(float, tile);
    int32_t thread = threadIdx.x, i = blockIdx.x * 64 + thread;
    tile[RIGHT ? thread : thread + 1] = from[i];  // HERE inside_dynamic_shared
    __syncthreads();
    to[i] = tile[63 - thread];
}
TWINS(inside_dynamic_shared)

template <bool RIGHT> DEVICE void shared_written(const float* from, float* to) {
    __shared__ float tile[64];
    int32_t thread = threadIdx.x, i = blockIdx.x * 64 + thread;
    if (RIGHT || thread != 17) {
        tile[thread] = from[i];
    }
    __syncthreads();
    to[i] = tile[63 - thread];  // HERE shared_written
}
TWINS(shared_written)

// `to` is uninitialised memory.
template <bool RIGHT> DEVICE void global_written(const float* from, float* to) {
    int32_t i = blockIdx.x * 64 + threadIdx.x;
    if (RIGHT) {
        to[i] = 0.0f;
    }
    to[i] = to[i] + from[i];  // HERE global_written
}
TWINS(global_written)

template <bool RIGHT> DEVICE void blocks_apart(const float* from, float* to) {
    int32_t thread = threadIdx.x;
    uint32_t* counts = reinterpret_cast<uint32_t*>(to);
    if (RIGHT) {
        atomicMax(&counts[thread], uint32_t(from[thread]) + blockIdx.x);
    } else {
        counts[thread] = uint32_t(from[thread]) + blockIdx.x;  // HERE blocks_apart
    }
}
KERNEL(64) test_blocks_apart_wrong(const float* from, float* to) { blocks_apart<false>(from, to); }
EXPORT(test_blocks_apart_wrong)
// Atomics need an initialised number: the first 64 of `to` are set by the first launch, with one block.
KERNEL(64) test_blocks_apart_start(const float* from, float* to) { to[threadIdx.x] = 0.0f * from[threadIdx.x]; }
EXPORT(test_blocks_apart_start)
KERNEL(64) test_blocks_apart_right(const float* from, float* to) { blocks_apart<true>(from, to); }
EXPORT(test_blocks_apart_right)

// Two stages of two groups of copies. Below 8.0 copies are done at once and the wrong twin is right too.
template <bool RIGHT> DEVICE void copies_waited(const float* from, float* to) {
    __shared__ __align__(16) float tiles[2][64];
    int32_t thread = threadIdx.x, i = blockIdx.x * 64 + thread;
    for (int32_t stage = 0; stage < 2; ++stage) {
        if (thread < 16) {
            copy16(&tiles[stage][4 * thread], &from[128 * stage + 64 * blockIdx.x + 4 * thread]);
        }
        copies_commit();
    }
    if (RIGHT) {
        copies_wait<0>();
    } else {
        copies_wait<1>();
    }
    __syncthreads();
    to[i] = tiles[0][63 - thread] + tiles[1][63 - thread];  // HERE copies_waited
}
TWINS(copies_waited)

// A copy into what others still read.
template <bool RIGHT> DEVICE void copies_begun(const float* from, float* to) {
    DYNAMIC_SHARED(float, tile);
    int32_t thread = threadIdx.x, i = blockIdx.x * 64 + thread;
    tile[thread] = from[i];
    __syncthreads();
    float number = tile[63 - thread];
    if (RIGHT) {
        __syncthreads();
    }
    if (thread < 16) {
        copy16(&tile[4 * thread], &from[128 + 64 * blockIdx.x + 4 * thread]);  // HERE copies_begun
    }
    copies_commit();
    copies_wait<0>();
    __syncthreads();
    to[i] = number + tile[thread];
}
TWINS(copies_begun)

template <bool RIGHT> DEVICE void same_barrier(const float* from, float* to) {
    __shared__ float tile[64];
    int32_t thread = threadIdx.x, i = blockIdx.x * 64 + thread;
    tile[thread] = from[i];
    if (RIGHT || thread < 32) {
        __syncthreads();
    } else {
        __syncthreads();  // HERE same_barrier
    }
    to[i] = tile[63 - thread];
}
TWINS(same_barrier)

template <bool RIGHT> DEVICE void all_lanes(const float* from, float* to) {
    int32_t thread = threadIdx.x, i = blockIdx.x * 64 + thread;
    float number = from[i];
    if (RIGHT || thread % 2 == 0) {
        number += __shfl_xor_sync(0xffffffffu, number, 1);  // HERE all_lanes
        __syncthreads();
    } else {
        __syncthreads();
    }
    to[i] = number;
}
TWINS(all_lanes)

template <bool RIGHT> DEVICE void mask_names_caller(const float* from, float* to) {
    int32_t i = blockIdx.x * 64 + threadIdx.x;
    to[i] = __shfl_down_sync(RIGHT ? 0xffffffffu : 0xffff0000u, from[i], 1);  // HERE mask_names_caller
}
TWINS(mask_names_caller)

template <bool RIGHT> DEVICE void mask_names_source(const float* from, float* to) {
    int32_t thread = threadIdx.x, i = blockIdx.x * 64 + thread;
    float number = from[i];
    if (thread % 32 < 16) {
        number += __shfl_sync(0x0000ffffu, number, RIGHT ? 15 : 16);  // HERE mask_names_source
    }
    to[i] = number;
}
TWINS(mask_names_source)

template <bool RIGHT> DEVICE void aligned(const float* from, float* to) {
    int32_t i = blockIdx.x * 64 + threadIdx.x;
    if (i < 32) {
        store4(to + 4 * i, load4(from + 4 * i + (RIGHT ? 4 : 2)));  // HERE aligned
    }
}
TWINS(aligned)

// Lanes of halves of a warp exchange numbers behind a __syncwarp of their half.
template <bool RIGHT> DEVICE void warp_synced(const float* from, float* to) {
    __shared__ float tile[64];
    int32_t thread = threadIdx.x, i = blockIdx.x * 64 + thread;
    tile[thread] = from[i];
    __syncwarp(thread % 32 < 16 ? 0x0000ffffu : 0xffff0000u);
    to[i] = tile[RIGHT ? thread ^ 15 : thread ^ 31];  // HERE warp_synced
}
TWINS(warp_synced)

// What a kernel may use of the machine, for a card (NVRTC, no header of CUDA's) and for the emulator alike.
//
// The only file with inline PTX. 16-bit floats travel as raw words. A kernel is declared by KERNEL(threads) name(...), or
// KERNEL(threads, blocks) where so many blocks shall share a multiprocessor's registers, with parameters that are pointers or plain
// numbers, and followed by EXPORT(name), by which the emulator finds it.
#pragma once
#if defined(__CUDACC_RTC__)

typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef int int32_t;
typedef unsigned long long uint64_t;
typedef long long int64_t;

#define KERNEL(...) extern "C" __global__ void __launch_bounds__(__VA_ARGS__)
#define EXPORT(name)
#define DEVICE static __device__ __forceinline__
// Memory shared by a block whose size the launch gives, 16-byte aligned.
#define DYNAMIC_SHARED(T, name)                                            \
    extern __shared__ __align__(16) unsigned char dynamic_shared_memory[]; \
    T* name = reinterpret_cast<T*>(dynamic_shared_memory)
// The compute capability that is compiled for, as 75, 80, 90.
#define CAPABILITY (__CUDA_ARCH__ / 10)

struct alignas(16) Float4 {
    float x, y, z, w;
};
struct alignas(16) Word4 {
    uint32_t x, y, z, w;
};
struct alignas(8) Float2 {
    float x, y;
};

// Tells the compiler that p points to global memory, which it cannot see of a pointer that was itself read from memory: what is
// read and written by the result needs no look at which memory it is.
template <class T> DEVICE T* in_global(T* p) {
    __builtin_assume(__isGlobal(p));
    return p;
}

// 128-bit and 64-bit loads and stores; the address is aligned to their size.
DEVICE Float4 load4(const float* p) { return *reinterpret_cast<const Float4*>(p); }
DEVICE void store4(float* p, Float4 v) { *reinterpret_cast<Float4*>(p) = v; }
DEVICE Word4 load4(const uint32_t* p) { return *reinterpret_cast<const Word4*>(p); }
DEVICE void store4(uint32_t* p, Word4 v) { *reinterpret_cast<Word4*>(p) = v; }
DEVICE Float2 load2(const float* p) { return *reinterpret_cast<const Float2*>(p); }
DEVICE void store2(float* p, Float2 v) { *reinterpret_cast<Float2*>(p) = v; }

DEVICE uint32_t bits_of(float f) { return __float_as_uint(f); }
DEVICE float float_of(uint32_t u) { return __uint_as_float(u); }

// Two floats as two 16-bit floats in a word, the first in the low half, rounded to nearest even.
DEVICE uint32_t halves_of(float low, float high) {
    uint16_t a, b;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(a) : "f"(low));
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(b) : "f"(high));
    return uint32_t(a) | uint32_t(b) << 16;
}

// So, with negative numbers as zero; NaN stays NaN.
DEVICE uint32_t halves_of_positive(float low, float high) {
#if __CUDA_ARCH__ >= 800
    uint32_t halves;
    asm("cvt.rn.relu.f16x2.f32 %0, %1, %2;" : "=r"(halves) : "f"(high), "f"(low));
    return halves;
#else
    return halves_of(low < 0.0f ? 0.0f : low, high < 0.0f ? 0.0f : high);
#endif
}

// d += a·b on fp16 operands, f32 sums. a: 16×8, b: 8×8. Lane (g = lane / 4, t = lane % 4) holds a[g][2t..2t+1],
// a[g+8][2t..2t+1], b[2t..2t+1][g] and d[g][2t..2t+1], d[g+8][2t..2t+1].
DEVICE void multiply_f16(float (&d)[4], uint32_t a0, uint32_t a1, uint32_t b) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5},{%6},{%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a0), "r"(a1), "r"(b));
}
#if __CUDA_ARCH__ >= 800
// d += a·b on fp16 operands, f32 sums. a: 16×16, b: 16×8. Lane (g, t) holds a[g][2t..], a[g+8][2t..], a[g][2t+8..],
// a[g+8][2t+8..], two numbers each, b[2t..][g], b[2t+8..][g], and d as above.
DEVICE void multiply_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// d += a·b on f32 words of which the upper 19 bits count, f32 sums. a: 16×8, b: 8×8. Lane (g, t) holds a[g][t], a[g+8][t],
// a[g][t+4], a[g+8][t+4], b[t][g], b[t+4][g], and d as above.
DEVICE void multiply_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// d += number of common bits. a: 16 rows, b: 8 rows of 256 bits. Lane (g, t) holds words t of a[g], a[g+8], words t+4 of
// a[g], a[g+8], words t and t+4 of b[g], and d[g][2t..2t+1], d[g+8][2t..2t+1].
DEVICE void multiply_bits(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                 : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

#if __CUDA_ARCH__ >= 800
// Copies 16 bytes from global to shared memory, seen after copies_wait and a barrier.
DEVICE void copy16(void* shared, const void* global) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(uint32_t(__cvta_generic_to_shared(shared))), "l"(global) : "memory");
}
// Ends a group of copies.
DEVICE void copies_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most N of this thread's groups are under way.
template <int N> DEVICE void copies_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }
#else
DEVICE void copy16(void* shared, const void* global) {
    *static_cast<Word4*>(shared) = *static_cast<const Word4*>(global);
}
DEVICE void copies_commit() {}
template <int N> DEVICE void copies_wait() {}
#endif

#else
#include "emulated.hpp"
#endif

// The host side of kernels/device.cuh: what a kernel's source sees when g++ compiles it for the emulator.
//
// A kernel source is compiled inside an unnamed namespace, once for each CAPABILITY (75, 80, 90). Every CUDA thread is a fiber of
// one OS thread, and one block runs at a time: a `__shared__` array is a static one.
#pragma once
#include "exchange.hpp"
#include <cmath>
#include <type_traits>
#include <utility>

#if !defined(CAPABILITY)
#error "The emulator compiles kernels with -DCAPABILITY=75, 80 or 90."
#endif

#define DEVICE static inline __attribute__((always_inline))
#define KERNEL(threads, ...)                       \
    template <> struct LaunchBound<__COUNTER__> {  \
        static constexpr uint32_t value = threads; \
    };                                             \
    static void
#define EXPORT(name) \
    static ::emulated::Registration name##_registration{#name, CAPABILITY, LaunchBound<__COUNTER__ - 1>::value, &name};
#define DYNAMIC_SHARED(T, name) T* name = reinterpret_cast<T*>(::emulated::dynamic_shared())

#define __shared__ static
#define __device__
#define __global__
#define __constant__ const
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(bytes) __attribute__((aligned(bytes)))

#define threadIdx (::emulated::thread_index())
#define blockIdx (::emulated::block_index())
#define blockDim (::emulated::block_size())
#define gridDim (::emulated::grid_size())

// Casts that the checker does not take for accesses to memory.
template <class To, class From> DEVICE To emulated_cast(From value) {
    static_assert(sizeof(To) >= sizeof(From) && std::is_trivially_copyable_v<From>);
    To result{};
    __builtin_memcpy(&result, &value, sizeof(From));
    return result;
}

DEVICE void __syncthreads() { emulated::barrier(); }
DEVICE void __syncwarp(uint32_t mask = 0xffffffffu) { emulated::sync_warp(mask); }

template <class T> DEVICE T emulated_shuffle(uint32_t mask, T value, int32_t source) {
    static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "shuffles move 4 or 8 bytes");
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    return emulated_cast<T>(Bits(emulated::shuffle_bits(mask, emulated_cast<Bits>(value), source)));
}
template <class T> DEVICE T __shfl_sync(uint32_t mask, T value, int32_t source, int32_t width = 32) {
    int32_t first = int32_t(emulated::lane()) & ~(width - 1);
    return emulated_shuffle(mask, value, first + (source & (width - 1)));
}
template <class T> DEVICE T __shfl_xor_sync(uint32_t mask, T value, int32_t bits, int32_t width = 32) {
    int32_t lane = int32_t(emulated::lane()), end = (lane & ~(width - 1)) + width, source = lane ^ bits;
    return emulated_shuffle(mask, value, source < end ? source : lane);
}
template <class T> DEVICE T __shfl_up_sync(uint32_t mask, T value, uint32_t distance, int32_t width = 32) {
    int32_t lane = int32_t(emulated::lane()), first = lane & ~(width - 1), source = lane - int32_t(distance);
    return emulated_shuffle(mask, value, source >= first ? source : lane);
}
template <class T> DEVICE T __shfl_down_sync(uint32_t mask, T value, uint32_t distance, int32_t width = 32) {
    int32_t lane = int32_t(emulated::lane()), end = (lane & ~(width - 1)) + width, source = lane + int32_t(distance);
    return emulated_shuffle(mask, value, source < end ? source : lane);
}
DEVICE uint32_t __ballot_sync(uint32_t mask, int predicate) { return emulated::ballot(mask, predicate != 0); }
DEVICE int __any_sync(uint32_t mask, int predicate) { return emulated::ballot(mask, predicate != 0) != 0; }
DEVICE int __all_sync(uint32_t mask, int predicate) { return emulated::ballot(mask, predicate == 0) == 0; }
DEVICE void __threadfence() {}
DEVICE void __threadfence_block() {}

// Atomics on integers; there are none on floats, whose sums would depend on the order of threads.
template <class T, class F> __attribute__((noinline)) EMULATOR_UNCHECKED T emulated_change(T* address, F change) {
    T old = __atomic_load_n(address, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(address, &old, change(old), false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    }
    return old;
}
template <class T, class F> DEVICE T emulated_atomic(T* address, F change) {
    static_assert(std::is_integral_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "atomics are for integers of 4 or 8 bytes");
    emulated::atomic(address, sizeof(T));
    return emulated_change(address, change);
}
template <class T> DEVICE T atomicAdd(T* address, std::common_type_t<T> value) {
    return emulated_atomic(address, [=](T old) EMULATOR_UNCHECKED { return T(old + value); });
}
template <class T> DEVICE T atomicMax(T* address, std::common_type_t<T> value) {
    return emulated_atomic(address, [=](T old) EMULATOR_UNCHECKED { return old > value ? old : value; });
}
template <class T> DEVICE T atomicMin(T* address, std::common_type_t<T> value) {
    return emulated_atomic(address, [=](T old) EMULATOR_UNCHECKED { return old < value ? old : value; });
}
template <class T> DEVICE T atomicOr(T* address, std::common_type_t<T> value) {
    return emulated_atomic(address, [=](T old) EMULATOR_UNCHECKED { return T(old | value); });
}
template <class T> DEVICE T atomicAnd(T* address, std::common_type_t<T> value) {
    return emulated_atomic(address, [=](T old) EMULATOR_UNCHECKED { return T(old & value); });
}
template <class T> DEVICE T atomicExch(T* address, std::common_type_t<T> value) {
    return emulated_atomic(address, [=](T) EMULATOR_UNCHECKED { return value; });
}

// Numbers.
DEVICE int __popc(uint32_t bits) { return __builtin_popcount(bits); }
DEVICE int __popcll(uint64_t bits) { return __builtin_popcountll(bits); }
DEVICE int __clz(int32_t bits) { return bits ? __builtin_clz(uint32_t(bits)) : 32; }
DEVICE int __clzll(int64_t bits) { return bits ? __builtin_clzll(uint64_t(bits)) : 64; }
DEVICE int __ffs(int32_t bits) { return __builtin_ffs(bits); }
DEVICE int __ffsll(int64_t bits) { return __builtin_ffsll(bits); }
DEVICE uint32_t __umulhi(uint32_t a, uint32_t b) { return uint32_t(uint64_t(a) * b >> 32); }
DEVICE uint64_t __umul64hi(uint64_t a, uint64_t b) { return uint64_t((unsigned __int128)a * b >> 64); }
DEVICE uint32_t __float_as_uint(float value) { return emulated_cast<uint32_t>(value); }
DEVICE float __uint_as_float(uint32_t bits) { return emulated_cast<float>(bits); }
DEVICE int32_t __float_as_int(float value) { return emulated_cast<int32_t>(value); }
DEVICE float __int_as_float(int32_t bits) { return emulated_cast<float>(bits); }
DEVICE int64_t __double_as_longlong(double value) { return emulated_cast<int64_t>(value); }
DEVICE double __longlong_as_double(int64_t bits) { return emulated_cast<double>(bits); }
DEVICE int32_t min(int32_t a, int32_t b) { return a < b ? a : b; }
DEVICE int32_t max(int32_t a, int32_t b) { return a > b ? a : b; }
DEVICE uint32_t min(uint32_t a, uint32_t b) { return a < b ? a : b; }
DEVICE uint32_t max(uint32_t a, uint32_t b) { return a > b ? a : b; }
DEVICE int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
DEVICE int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }
DEVICE uint64_t min(uint64_t a, uint64_t b) { return a < b ? a : b; }
DEVICE uint64_t max(uint64_t a, uint64_t b) { return a > b ? a : b; }
DEVICE float min(float a, float b) { return fminf(a, b); }
DEVICE float max(float a, float b) { return fmaxf(a, b); }
DEVICE double min(double a, double b) { return fmin(a, b); }
DEVICE double max(double a, double b) { return fmax(a, b); }
DEVICE float rsqrtf(float x) { return 1.0f / sqrtf(x); }
DEVICE double rsqrt(double x) { return 1.0 / sqrt(x); }
DEVICE float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
DEVICE float __fmul_rn(float a, float b) { return a * b; }
DEVICE float __fadd_rn(float a, float b) { return a + b; }
DEVICE float __fdiv_rn(float a, float b) { return a / b; }
DEVICE float __fsqrt_rn(float x) { return sqrtf(x); }
DEVICE float __frcp_rn(float x) { return 1.0f / x; }
DEVICE float __fdividef(float a, float b) { return a / b; }
template <class T> DEVICE T __ldg(const T* address) { return *address; }

// kernels/device.cuh's own.
struct alignas(16) Float4 {
    float x, y, z, w;
};
struct alignas(16) Word4 {
    uint32_t x, y, z, w;
};
struct alignas(8) Float2 {
    float x, y;
};

template <class T> DEVICE T* in_global(T* p) { return p; }

// One access of the whole width, which the checker sees as one; a misaligned address ends the launch as on a card.
template <class V, class T> DEVICE V* emulated_aligned(T* address) {
    if (__builtin_expect(reinterpret_cast<uintptr_t>(address) % sizeof(V) != 0, 0)) {
        emulated::misaligned(const_cast<const std::remove_const_t<T>*>(address), sizeof(V));
    }
    return reinterpret_cast<V*>(address);
}
typedef float EmulatedFloats4 __attribute__((vector_size(16), may_alias));
typedef uint32_t EmulatedWords4 __attribute__((vector_size(16), may_alias));
typedef float EmulatedFloats2 __attribute__((vector_size(8), may_alias));
DEVICE Float4 load4(const float* p) {
    EmulatedFloats4 v = *emulated_aligned<const EmulatedFloats4>(p);
    return {v[0], v[1], v[2], v[3]};
}
DEVICE void store4(float* p, Float4 v) { *emulated_aligned<EmulatedFloats4>(p) = EmulatedFloats4{v.x, v.y, v.z, v.w}; }
DEVICE Word4 load4(const uint32_t* p) {
    EmulatedWords4 v = *emulated_aligned<const EmulatedWords4>(p);
    return {v[0], v[1], v[2], v[3]};
}
DEVICE void store4(uint32_t* p, Word4 v) { *emulated_aligned<EmulatedWords4>(p) = EmulatedWords4{v.x, v.y, v.z, v.w}; }
DEVICE Float2 load2(const float* p) {
    EmulatedFloats2 v = *emulated_aligned<const EmulatedFloats2>(p);
    return {v[0], v[1]};
}
DEVICE void store2(float* p, Float2 v) { *emulated_aligned<EmulatedFloats2>(p) = EmulatedFloats2{v.x, v.y}; }

DEVICE uint32_t bits_of(float f) { return __float_as_uint(f); }
DEVICE float float_of(uint32_t u) { return __uint_as_float(u); }
DEVICE uint32_t halves_of(float low, float high) {
    return uint32_t(emulated_cast<uint16_t>(_Float16(low))) | uint32_t(emulated_cast<uint16_t>(_Float16(high))) << 16;
}
DEVICE uint32_t halves_of_positive(float low, float high) {
    return halves_of(low < 0.0f ? 0.0f : low, high < 0.0f ? 0.0f : high);
}

DEVICE uint64_t emulated_pair(uint32_t first, uint32_t second) { return uint64_t(second) << 32 | first; }
DEVICE void emulated_multiply(emulated::Collective kind, void* d, const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    emulated::multiply(kind, d, emulated_pair(a[0], a[1]), emulated_pair(a[2], a[3]), emulated_pair(b[0], b[1]));
}
DEVICE void multiply_f16(float (&d)[4], uint32_t a0, uint32_t a1, uint32_t b) {
    emulated::multiply(emulated::Collective::F16Depth8, d, emulated_pair(a0, a1), 0, b);
}
#if CAPABILITY >= 80
DEVICE void multiply_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    emulated_multiply(emulated::Collective::F16Depth16, d, a, b);
}
DEVICE void multiply_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    emulated_multiply(emulated::Collective::Tf32Depth8, d, a, b);
}
DEVICE void multiply_bits(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    emulated_multiply(emulated::Collective::Bits, d, a, b);
}
DEVICE void copy16(void* shared, const void* global) { emulated::copy_later(shared, global); }
DEVICE void copies_commit() { emulated::copies_commit(); }
template <int N> DEVICE void copies_wait() { emulated::copies_wait(N); }
#else
DEVICE void copy16(void* shared, const void* global) {
    store4(static_cast<uint32_t*>(shared), load4(static_cast<const uint32_t*>(global)));
}
DEVICE void copies_commit() {}
template <int N> DEVICE void copies_wait() {}
#endif

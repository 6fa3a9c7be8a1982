// What compiled kernels and the emulator's own code exchange.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

// Functions that the checker's compiler pass leaves alone.
#define EMULATOR_UNCHECKED __attribute__((no_sanitize_thread))

namespace emulated {

struct Index3 {
    uint32_t x, y, z;
};

// What lanes of a warp do together: they wait until all lanes named by a mask have come.
enum class Collective : uint32_t { Sync, Shuffle, Ballot, F16Depth8, F16Depth16, Tf32Depth8, Bits };

// Where the running thread stands, for the built-in variables.
struct Place {
    Index3 thread;
    uint32_t lane;
};
struct BlockPlace {
    Index3 block, block_size, grid_size;
    unsigned char* dynamic_shared;
};
extern Place* place;
extern BlockPlace block_place;

#if EMULATOR_CHECKED
// Calls, so that the checker does not take the emulator's variables for the kernel's.
Index3 thread_index();
Index3 block_index();
Index3 block_size();
Index3 grid_size();
unsigned char* dynamic_shared();
uint32_t lane();
#else
inline const Index3& thread_index() { return place->thread; }
inline const Index3& block_index() { return block_place.block; }
inline const Index3& block_size() { return block_place.block_size; }
inline const Index3& grid_size() { return block_place.grid_size; }
inline unsigned char* dynamic_shared() { return block_place.dynamic_shared; }
inline uint32_t lane() { return place->lane; }
#endif

// What a kernel calls. Each finds by its return address the place in the kernel that reports name. A switch to another fiber
// happens within these functions themselves, as deep returns on another stack would be mispredicted.
void barrier();
void sync_warp(uint32_t mask);
uint64_t shuffle_bits(uint32_t mask, uint64_t value, int32_t source);
uint32_t ballot(uint32_t mask, bool predicate);
// A tensor-core product. Each operand is two words: the first in the low half.
void multiply(Collective kind, void* sums, uint64_t a, uint64_t a_more, uint64_t b);
void copy_later(void* shared, const void* global);
void copies_commit();
void copies_wait(int groups);
void atomic(void* address, size_t bytes);
[[noreturn]] __attribute__((cold)) void misaligned(const void* address, size_t bytes);

// A kernel as the emulator calls it. `call` passes the arguments, by value, to `function`.
struct Kernel {
    const char* name;
    uint32_t capability;
    uint32_t max_threads;
    uint32_t argument_count;
    const uint32_t* argument_sizes;
    void* function;
    void (*call)(void* function, void* const* arguments);
    const Kernel* next;
};
void register_kernel(Kernel* kernel);

template <class... A> struct Caller {
    static constexpr uint32_t sizes[sizeof...(A) + 1] = {uint32_t(sizeof(A))..., 0};
    template <size_t... I>
    EMULATOR_UNCHECKED static void expand(void (*kernel)(A...), void* const* arguments, std::index_sequence<I...>) {
        kernel(*static_cast<std::remove_cv_t<A>*>(arguments[I])...);
    }
    EMULATOR_UNCHECKED static void call(void* function, void* const* arguments) {
        expand(reinterpret_cast<void (*)(A...)>(function), arguments, std::index_sequence_for<A...>{});
    }
};
struct Registration {
    Kernel kernel;
    template <class... A>
    Registration(const char* name, uint32_t capability, uint32_t max_threads, void (*function)(A...))
        : kernel{name,
                 capability,
                 max_threads,
                 uint32_t(sizeof...(A)),
                 Caller<A...>::sizes,
                 reinterpret_cast<void*>(function),
                 &Caller<A...>::call,
                 nullptr} {
        register_kernel(&kernel);
    }
};

}  // namespace emulated

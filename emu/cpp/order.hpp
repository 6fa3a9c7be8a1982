// The order in which blocks and the ready threads of a block run.
#pragma once
#include <cstdint>

namespace emulated {

enum class OrderKind : uint32_t { Forward, Reverse, Random };
struct Order {
    OrderKind kind;
    uint64_t seed;
};

// splitmix64: a step of the generator that random orders draw from.
inline uint64_t next_random(uint64_t& state) {
    uint64_t z = state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

}  // namespace emulated

// Shadow memory of the checker.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#if EMULATOR_CHECKED
namespace emulated {

struct Shadow;
Shadow* new_shadow(size_t bytes);
void free_shadow(Shadow* shadow, size_t bytes);

// Bits [first, first + count) of a bitmap.
inline void set_bits(uint8_t* bits, size_t first, size_t count) {
    size_t end = first + count;
    for (; first < end && first % 8; ++first) {
        bits[first / 8] |= uint8_t(1u << first % 8);
    }
    if (first < end) {
        std::memset(bits + first / 8, 0xff, (end - first) / 8);
        first += (end - first) / 8 * 8;
    }
    for (; first < end; ++first) {
        bits[first / 8] |= uint8_t(1u << first % 8);
    }
}

}  // namespace emulated
#endif

// Bitmaps: one bit for each byte of memory, or for each sector.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace emulated {

// Bits [first, first + count).
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

inline void clear_bits(uint8_t* bits, size_t first, size_t count) {
    for (size_t i = first; i < first + count; ++i) {
        bits[i / 8] &= uint8_t(~(1u << i % 8));
    }
}

// Whether all bits of a range are set.
inline bool all_bits(const uint8_t* bits, size_t first, size_t count) {
    if (first % 4 == 0 && count == 4) {
        return (bits[first / 8] >> first % 8 & 0xf) == 0xf;
    }
    for (size_t i = first; i < first + count; ++i) {
        if (!(bits[i / 8] >> i % 8 & 1)) {
            return false;
        }
    }
    return true;
}

}  // namespace emulated

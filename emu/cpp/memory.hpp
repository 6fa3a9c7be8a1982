// Device memory of all cards of the process.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace emulated {

struct Buffer {
    uintptr_t address;
    size_t bytes;
    uint32_t card;
#if EMULATOR_CHECKED
    // One bit for each byte, set once it is written.
    std::vector<uint8_t> initialised;
    struct Shadow* shadow;
#endif
};

// Memory filled with a NaN pattern, aligned to 256 bytes, between guards; 0 if there is none.
uintptr_t allocate(uint32_t card, size_t bytes);
bool release(uintptr_t address);
// The buffer that holds an address, or null.
Buffer* buffer_at(uintptr_t address);
// Whether `bytes` from an address on lie in one buffer of a card.
bool holds(uint32_t card, uintptr_t address, size_t bytes);
// The host wrote these bytes.
void mark_written(uintptr_t address, size_t bytes);

}  // namespace emulated

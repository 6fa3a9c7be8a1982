// Device memory of all cards of the process.
#pragma once
#include <cstddef>
#include <cstdint>
#if EMULATOR_CHECKED
#include "checker/shadow.hpp"
#include <memory>
#include <vector>
#endif

namespace emulated {

struct Buffer {
    uintptr_t address;
    size_t bytes;
    uint32_t card;
#if EMULATOR_CHECKED
    std::vector<uint8_t> initialised;  // one bit for each byte, set once it is written
    std::unique_ptr<Shadow> shadow;
    std::vector<uint8_t> sectors_read, sectors_written;  // by a launch that is profiled
#endif
};

// Memory filled with a NaN pattern, aligned to 256 bytes, between guards; 0 if there is none.
uintptr_t allocate(uint32_t card, size_t bytes);
bool release(uintptr_t address);
// The buffer that holds an address, or null.
Buffer* buffer_at(uintptr_t address);
// The buffer that begins last before an address, or null.
Buffer* buffer_before(uintptr_t address);
// Whether `bytes` from an address on lie in one buffer of a card.
bool holds(uint32_t card, uintptr_t address, size_t bytes);
// The host wrote these bytes.
void mark_written(uintptr_t address, size_t bytes);

}  // namespace emulated

// What the emulator tells the checker; nothing in the plain build.
#pragma once
#include <cstddef>
#include <cstdint>

namespace emulated {

class Multiprocessor;

namespace checker {

enum AccessKind : uint8_t { Read, Write, Atomic };

#if EMULATOR_CHECKED
void begin_block(Multiprocessor& processor);
void end_block();
void barrier();
void sync_warp(uint32_t warp, uint32_t lanes);
void access(const void* address, size_t bytes, AccessKind kind, const void* site);
// A copy of 16 bytes is issued, or has come. Between the two the memory counts as uninitialised. False: not to be carried out.
bool begin_copy(void* shared, const void* global, const void* site);
void end_copy(void* shared, const void* site);
#else
inline void begin_block(Multiprocessor&) {}
inline void end_block() {}
inline void barrier() {}
inline void sync_warp(uint32_t, uint32_t) {}
inline void access(const void*, size_t, AccessKind, const void*) {}
inline bool begin_copy(void*, const void*, const void*) { return true; }
inline void end_copy(void*, const void*) {}
#endif

}  // namespace checker
}  // namespace emulated

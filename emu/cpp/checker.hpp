// What the emulator tells the checker; nothing in the plain build.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace emulated {

class Multiprocessor;

namespace checker {

enum AccessKind : uint8_t { Read, Write, Atomic };

#if EMULATOR_CHECKED
void begin_launch(uint32_t card);
// What was found since, a line each; empty if nothing was.
std::string end_launch();
void begin_block();
void end_block();
void barrier();
void sync_warp(uint32_t warp, uint32_t lanes);
void access(const void* address, size_t bytes, AccessKind kind, const void* site);
// A copy of 16 bytes is issued, or has come. Between the two the memory counts as uninitialised.
void begin_copy(void* shared, const void* global, const void* site);
void end_copy(void* shared, const void* site);
#else
inline void begin_launch(uint32_t) {}
inline std::string end_launch() { return {}; }
inline void begin_block() {}
inline void end_block() {}
inline void barrier() {}
inline void sync_warp(uint32_t, uint32_t) {}
inline void access(const void*, size_t, AccessKind, const void*) {}
inline void begin_copy(void*, const void*, const void*) {}
inline void end_copy(void*, const void*) {}
#endif

}  // namespace checker
}  // namespace emulated

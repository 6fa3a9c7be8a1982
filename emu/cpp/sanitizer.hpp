// What the emulator tells AddressSanitizer in a build with it (EMULATOR_SANITIZE=address); nothing in others.
#pragma once
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

namespace emulated {

// No access may touch these bytes: the compiler knows the bounds of its own arrays only.
inline void forbid(const void* start, size_t bytes) { __asan_poison_memory_region(start, bytes); }
inline void allow(const void* start, size_t bytes) { __asan_unpoison_memory_region(start, bytes); }

}  // namespace emulated
#else
namespace emulated {

inline void forbid(const void*, size_t) {}
inline void allow(const void*, size_t) {}

}  // namespace emulated
#endif

// Stacks of fibers.
#pragma once
#include <cstddef>
#include <cstdint>

extern "C" void emulated_switch_stacks(void** saved, void* next);

namespace emulated {

// A stack with its guard page at the low end.
constexpr size_t STACK_BYTES = 64 * 1024;
constexpr size_t GUARD_BYTES = 4096;

unsigned char* map_stacks(uint32_t count);
void unmap_stacks(unsigned char* stacks, uint32_t count);
// A stack pointer which, switched to, calls `entry` on stack `number`. Tops are staggered, else all stacks' live lines would
// fall on the same sets of the cache.
void* fresh_stack_pointer(unsigned char* stacks, int number, void (*entry)());

}  // namespace emulated

#include "stacks.hpp"
#include <cstring>
#include <sys/mman.h>

namespace emulated {

unsigned char* map_stacks(uint32_t count) {
    void* memory = mmap(nullptr, size_t(count) * STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return nullptr;
    }
    unsigned char* stacks = static_cast<unsigned char*>(memory);
    for (uint32_t i = 0; i < count; ++i) {
        mprotect(stacks + size_t(i) * STACK_BYTES, GUARD_BYTES, PROT_NONE);
    }
    return stacks;
}

void unmap_stacks(unsigned char* stacks, uint32_t count) { munmap(stacks, size_t(count) * STACK_BYTES); }

void* fresh_stack_pointer(unsigned char* stacks, int number, void (*entry)()) {
    unsigned char* top = stacks + size_t(number + 1) * STACK_BYTES - 64 - size_t(number % 32) * 128;
#if defined(__x86_64__)
    // At the entry of a function the stack pointer is 8 past a multiple of 16: return address, then six registers.
    void** sp = reinterpret_cast<void**>(top);
    *--sp = nullptr;
    *--sp = reinterpret_cast<void*>(entry);
    sp -= 6;
    std::memset(sp, 0, 6 * sizeof(void*));
#else
    // 160 bytes of registers, of which x30 (at 88) is the return address.
    void** sp = reinterpret_cast<void**>(top - 160);
    std::memset(sp, 0, 160);
    sp[11] = reinterpret_cast<void*>(entry);
#endif
    return sp;
}

}  // namespace emulated

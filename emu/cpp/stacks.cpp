#include "stacks.hpp"
#include <sys/mman.h>

namespace emulated {

#if defined(__SANITIZE_ADDRESS__)
Resume* left;
#endif

unsigned char* map_stacks(uint32_t count) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* memory = mmap(nullptr, size_t(count) * STACK_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
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

}  // namespace emulated

#include "shadow.hpp"
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

namespace emulated {

// A piece may begin or end within a word's cell of its neighbour, hence one more.
Shadow::Shadow(size_t bytes) : size_((bytes / 4 + 2) * sizeof(Cell)) {
    void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        std::fprintf(stderr, "The checker found no memory to watch %zu bytes.\n", bytes);
        std::abort();
    }
    cells_ = static_cast<Cell*>(memory);
}

Shadow::~Shadow() { munmap(cells_, size_); }

}  // namespace emulated

// What the checker remembers of memory: for each word the last write and up to two reads that a later write could race with.
#pragma once
#include <cstddef>
#include <cstdint>

namespace emulated {

// An access. Its interval tells launch, block and the barriers passed.
struct Record {
    uint32_t interval;  // 0: none
    uint32_t site;      // in the library
    uint16_t thread;    // in the block
    uint16_t epoch;     // __syncwarp's that the thread had passed within the interval
    uint8_t bytes;      // of the word, as a mask
    bool atomic;
};

struct Cell {
    Record write, first_read, second_read;
};

// Cells of a piece of memory, one for each word. Pages of cells that are never touched take no memory.
class Shadow {
public:
    explicit Shadow(size_t bytes);
    ~Shadow();
    Shadow(const Shadow&) = delete;
    Cell& cell(size_t offset) { return cells_[offset / 4]; }

private:
    Cell* cells_;
    size_t size_;
};

}  // namespace emulated

// A launch's blocks shared between two OS threads.
//
// `__shared__` arrays are static, so that a second thread needs a second copy of the kernels: the plain build is linked twice,
// and the second library, worker.so, runs blocks for the first. The checked build runs all blocks on one thread.
#pragma once
#include "order.hpp"
#include "processor.hpp"
#include <atomic>

namespace emulated {

// What both threads know of a launch; blocks are taken one by one.
struct Share {
    const char* kernel;
    uint32_t capability;
    void* const* arguments;
    Index3 grid, block;
    size_t shared_bytes;
    Order order;
    uint64_t blocks;
    std::atomic<uint64_t> next{0};
    std::atomic<bool> failed{false};

    // The next block to run; false: none is left.
    bool take(uint64_t* number);
};

// Runs all blocks on the processor, whose launch has begun. Adds what the other thread did to `counts`, and its failure.
void run_shared(Share& share, Counts* counts, std::string* failure);

}  // namespace emulated

// The kernels compiled into this library, and their launch.
#pragma once
#include "exchange.hpp"
#include "order.hpp"
#include "processor.hpp"
#include <string>
#include <vector>

namespace emulated {

// The kernel of that name for a card of that capability: the newest variant the card can run; null if there is none.
const Kernel* find_kernel(const char* name, uint32_t capability);

struct LaunchSpecification {
    const Kernel* kernel;
    uint32_t card;
    Index3 grid, block;
    size_t shared_bytes;
    void* const* arguments;
    Order order;
};
struct LaunchResult {
    Counts counts;
    double seconds;
    std::string failure;  // empty: none
};
LaunchResult launch(const LaunchSpecification& specification);

// This library's multiprocessor.
Multiprocessor* only_processor();

}  // namespace emulated

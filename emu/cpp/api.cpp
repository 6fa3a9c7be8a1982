// The plain C interface that the Rust crate uses.
#include "checker.hpp"
#include "kernels.hpp"
#include "memory.hpp"
#include <cstdio>
#include <cstring>

using namespace emulated;

#define API extern "C" __attribute__((visibility("default")))

static int give_text(const std::string& text, char* buffer, size_t bytes, int result) {
    std::snprintf(buffer, bytes, "%s", text.c_str());
    return result;
}

API uint64_t emulator_allocate(uint32_t card, size_t bytes) { return allocate(card, bytes); }
API int emulator_release(uint64_t address) { return release(address) ? 0 : 1; }
API int emulator_write(uint64_t address, const void* from, size_t bytes) {
    std::memcpy(reinterpret_cast<void*>(address), from, bytes);
    mark_written(address, bytes);
    return 0;
}
API int emulator_read(uint64_t address, void* to, size_t bytes) {
    std::memcpy(to, reinterpret_cast<const void*>(address), bytes);
    return 0;
}

struct ApiStatistics {
    uint64_t blocks, threads, switches, barriers, collectives, products;
    double seconds;
};

// Arguments are given with their sizes, which must be those of the kernel's parameters. Not 0: `message` says what is wrong.
API int emulator_launch(uint32_t card, const char* name, uint32_t capability, const uint32_t* grid, const uint32_t* block,
                        size_t shared_bytes, void* const* arguments, const size_t* sizes, size_t count, uint32_t order_kind,
                        uint64_t seed, ApiStatistics* statistics, char* message, size_t message_bytes) {
    const Kernel* kernel = find_kernel(name, capability);
    if (!kernel) {
        return give_text(std::string("there is no kernel ") + name + " for capability " + std::to_string(capability), message,
                         message_bytes, 2);
    }
    bool same = count == kernel->argument_count;
    for (size_t i = 0; same && i < count; ++i) {
        same = sizes[i] == kernel->argument_sizes[i];
    }
    if (!same) {
        std::string text = std::string("kernel ") + name + " takes arguments of";
        for (uint32_t i = 0; i < kernel->argument_count; ++i) {
            text += " " + std::to_string(kernel->argument_sizes[i]);
        }
        text += " bytes, but is given";
        for (size_t i = 0; i < count; ++i) {
            text += " " + std::to_string(sizes[i]);
        }
        return give_text(text, message, message_bytes, 3);
    }
    LaunchResult result = launch({kernel,
                                  card,
                                  {grid[0], grid[1], grid[2]},
                                  {block[0], block[1], block[2]},
                                  shared_bytes,
                                  arguments,
                                  {OrderKind(order_kind), seed}});
    const Counts& counts = result.counts;
    *statistics = {counts.blocks,      counts.threads,  counts.switches, counts.barriers,
                   counts.collectives, counts.products, result.seconds};
    return result.failure.empty() ? 0 : give_text(result.failure, message, message_bytes, 1);
}

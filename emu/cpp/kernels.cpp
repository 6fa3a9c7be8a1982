#include "kernels.hpp"
#include "checker.hpp"
#include "share.hpp"
#include <chrono>
#include <cstring>
#include <mutex>

namespace emulated {

static Kernel* first_kernel;

void register_kernel(Kernel* kernel) {
    kernel->next = first_kernel;
    first_kernel = kernel;
}

const Kernel* find_kernel(const char* name, uint32_t capability) {
    const Kernel* best = nullptr;
    for (const Kernel* kernel = first_kernel; kernel; kernel = kernel->next) {
        if (kernel->capability <= capability && (!best || kernel->capability > best->capability) &&
            !std::strcmp(kernel->name, name)) {
            best = kernel;
        }
    }
    return best;
}

static std::string check(const LaunchSpecification& launch) {
    const Index3 &grid = launch.grid, &block = launch.block;
    uint64_t threads = uint64_t(block.x) * block.y * block.z;
    std::string kernel = launch.kernel->name;
    if (!grid.x || !grid.y || !grid.z || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535) {
        return "invalid launch: kernel " + kernel + " is given a grid of " + std::to_string(grid.x) + " x " +
               std::to_string(grid.y) + " x " + std::to_string(grid.z) + " blocks; 1 to 2147483647 x 65535 x 65535 are allowed";
    }
    if (!threads || block.x > 1024 || block.y > 1024 || block.z > 64 || threads > launch.kernel->max_threads) {
        return "invalid launch: kernel " + kernel + " is given blocks of " + std::to_string(threads) +
               " threads; it allows 1 to " + std::to_string(launch.kernel->max_threads);
    }
    size_t most = launch.kernel->capability < 80 ? 64 * 1024 : launch.kernel->capability < 90 ? 163 * 1024 : 227 * 1024;
    if (launch.shared_bytes > most) {
        return "invalid launch: kernel " + kernel + " is given " + std::to_string(launch.shared_bytes) +
               " bytes of shared memory; the card has " + std::to_string(most);
    }
    return {};
}

LaunchResult launch(const LaunchSpecification& specification) {
    LaunchResult result{};
    result.failure = check(specification);
    if (!result.failure.empty()) {
        return result;
    }
    static std::mutex one_at_a_time;
    std::lock_guard<std::mutex> lock(one_at_a_time);
    auto start = std::chrono::steady_clock::now();
    const Index3& grid = specification.grid;
    processor = only_processor();
    processor->begin_launch(*specification.kernel, specification.arguments, grid, specification.block, specification.shared_bytes,
                            specification.order);
    checker::begin_launch(specification.card);
    Share share{specification.kernel->name, specification.kernel->capability,
                specification.arguments,    grid,
                specification.block,        specification.shared_bytes,
                specification.order,        uint64_t(grid.x) * grid.y * grid.z};
    std::string failure;
    run_shared(share, &result.counts, &failure);
    result.counts.add(processor->counts());
    result.failure = checker::end_launch();
    if (processor->failed() && !processor->failure().empty()) {
        failure = processor->failure();
    }
    if (!failure.empty()) {
        result.failure += (result.failure.empty() ? "" : "\n") + failure;
    }
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
}

Multiprocessor* only_processor() {
    static Multiprocessor only;
    return &only;
}

}  // namespace emulated

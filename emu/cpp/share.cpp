#include "share.hpp"
#include "kernels.hpp"
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <mutex>
#include <thread>

namespace emulated {

bool Share::take(uint64_t* number) {
    uint64_t i = next.fetch_add(1, std::memory_order_relaxed);
    *number = order.kind == OrderKind::Reverse ? blocks - 1 - i : i;
    return i < blocks && !failed.load(std::memory_order_relaxed);
}

static void run_taken(Share& share, uint64_t block) {
    processor->run_block(block);
    if (processor->failed()) {
        share.failed.store(true, std::memory_order_relaxed);
    }
}

#if !EMULATOR_CHECKED
static int anchor;

namespace {

using TakeBlocks = void (*)(Share*, Counts*, char*, size_t);

// worker.so and the thread that runs its kernels. Lives as long as the process.
class Worker {
public:
    // The worker, or null where there is but one processor or the library is missing.
    static Worker* get() {
        static Worker* worker = open();
        return worker;
    }
    void begin(Share* share) {
        std::lock_guard<std::mutex> lock(mutex_);
        share_ = share;
        changed_.notify_one();
    }
    void finish(Counts* counts, std::string* failure) {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [&] { return share_ == nullptr; });
        *counts = counts_;
        *failure = failure_;
    }

private:
    explicit Worker(TakeBlocks take) : take_(take) {
        std::thread([this] { work(); }).detach();
    }

    static Worker* open() {
        Dl_info library;
        if (std::thread::hardware_concurrency() < 2 || std::getenv("EMULATED_ONE_THREAD") || !dladdr(&anchor, &library)) {
            return nullptr;
        }
        std::string path = library.dli_fname;
        path = path.substr(0, path.rfind('/') + 1) + "worker.so";
        void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
        void* take = handle ? dlsym(handle, "emulator_take_blocks") : nullptr;
        return take ? new Worker(reinterpret_cast<TakeBlocks>(take)) : nullptr;
    }

    void work() {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            changed_.wait(lock, [&] { return share_ != nullptr; });
            Share* share = share_;
            lock.unlock();
            take_(share, &counts_, failure_, sizeof failure_);
            lock.lock();
            share_ = nullptr;
            changed_.notify_one();
        }
    }

    TakeBlocks take_;
    std::mutex mutex_;
    std::condition_variable changed_;
    Share* share_ = nullptr;
    Counts counts_{};
    char failure_[4096] = {};
};

}  // namespace

void run_shared(Share& share, Counts* counts, std::string* failure) {
    // To wake the worker pays only for launches that take longer than that.
    constexpr auto ALONE = std::chrono::microseconds(50);
    auto start = std::chrono::steady_clock::now();
    Worker* worker = nullptr;
    for (uint64_t block; share.take(&block);) {
        run_taken(share, block);
        bool more = share.next.load(std::memory_order_relaxed) < share.blocks;
        if (!worker && more && std::chrono::steady_clock::now() - start > ALONE && (worker = Worker::get())) {
            worker->begin(&share);
        }
    }
    *counts = {};
    if (worker) {
        worker->finish(counts, failure);
    }
}

// In worker.so, on the worker's thread.
extern "C" __attribute__((visibility("default"))) void emulator_take_blocks(Share* share, Counts* counts, char* failure,
                                                                            size_t bytes) {
    processor = only_processor();
    processor->begin_launch(*find_kernel(share->kernel, share->capability), share->arguments, share->grid, share->block,
                            share->shared_bytes, {share->order.kind, ~share->order.seed});
    for (uint64_t block; share->take(&block);) {
        run_taken(*share, block);
    }
    *counts = processor->counts();
    std::snprintf(failure, bytes, "%s", processor->failure().c_str());
}
#else
void run_shared(Share& share, Counts* counts, std::string*) {
    for (uint64_t block; share.take(&block);) {
        run_taken(share, block);
    }
    *counts = {};
}
#endif

}  // namespace emulated

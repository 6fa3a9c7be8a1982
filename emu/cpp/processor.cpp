#include "processor.hpp"
#include "checker.hpp"
#include "lines.hpp"
#include "scheduling.hpp"
#include "traps.hpp"
#include <cstdio>
#include <cstdlib>
#include <new>

namespace emulated {

Place* place;
BlockPlace block_place;
Multiprocessor* processor;

Multiprocessor::Multiprocessor() : threads_(new Thread[MAX_THREADS]()) {
    stacks_ = map_stacks(MAX_THREADS);
    shared_allocation_ =
        static_cast<unsigned char*>(std::aligned_alloc(1024, (MAX_SHARED + 2 * SHARED_GUARD + 1023) / 1024 * 1024));
    if (!stacks_ || !shared_allocation_) {
        std::fprintf(stderr, "The emulator found no memory for the stacks of %u threads.\n", MAX_THREADS);
        std::abort();
    }
    shared_ = shared_allocation_ + SHARED_GUARD;
    forbid(shared_allocation_, SHARED_GUARD);
}

Multiprocessor::~Multiprocessor() {
    forget_frames(stacks_, MAX_THREADS);
    unmap_stacks(stacks_, MAX_THREADS);
    std::free(shared_allocation_);
}

bool Multiprocessor::on_stacks(uintptr_t address) const {
    return address - reinterpret_cast<uintptr_t>(stacks_) < MAX_THREADS * STACK_BYTES;
}

bool Multiprocessor::on_own_stack(uintptr_t address) const {
    return address - reinterpret_cast<uintptr_t>(stacks_) - size_t(running_->stack) * STACK_BYTES < STACK_BYTES;
}

void Multiprocessor::begin_launch(const Kernel& kernel, void* const* arguments, Index3 grid, Index3 block, size_t shared_bytes,
                                  Order order) {
    catch_traps();
    kernel_ = &kernel;
    arguments_ = arguments;
    order_ = order;
    random_ = order.seed;
    shared_bytes_ = shared_bytes;
    allow(shared_, shared_bytes);
    forbid(shared_ + shared_bytes, MAX_SHARED + SHARED_GUARD - shared_bytes);
    failed_ = false;
    failure_.clear();
    counts_ = {};
    thread_count_ = block.x * block.y * block.z;
    warp_count_ = (thread_count_ + WARP - 1) / WARP;
    if (block.x != block_shape_.x || block.y != block_shape_.y || block.z != block_shape_.z) {
        block_shape_ = block;
        for (uint32_t i = 0; i < thread_count_; ++i) {
            Thread& thread = threads_[i];
            thread.place = {{i % block.x, i / block.x % block.y, i / (block.x * block.y)}, i % WARP};
            thread.index = i;
            thread.warp = i / WARP;
        }
    }
    block_place = {{}, block, grid, shared_};
    free_stacks_.clear();
    for (int i = MAX_THREADS - 1; i >= 0; --i) {
        free_stacks_.push_back(i);
    }
}

void Multiprocessor::run_block(uint64_t block) {
    const Index3& grid = block_place.grid_size;
    block_place.block = {uint32_t(block % grid.x), uint32_t(block / grid.x % grid.y),
                         uint32_t(block / (uint64_t(grid.x) * grid.y))};
    block_number_ = block;
    std::memset(shared_, 0xff, shared_bytes_);
    for (uint32_t w = 0; w < warp_count_; ++w) {
        uint32_t lanes = thread_count_ - w * WARP;
        uint32_t mask = lanes >= WARP ? 0xffffffffu : (1u << lanes) - 1;
        Warp& warp = warps_[w];
        warp.alive = warp.unstarted = warp.ready = mask;
        warp.at_barrier = 0;
        warp.gatherings = 0;
    }
    ready_warps_ = warp_count_ == MAX_WARPS ? 0xffffffffu : (1u << warp_count_) - 1;
    live_ = thread_count_;
    waiting_ = 0;
    current_warp_ = order_.kind == OrderKind::Reverse ? warp_count_ - 1 : 0;
    checker::begin_block();
    run_threads();
    checker::end_block();
    ++counts_.blocks;
    counts_.threads += thread_count_;
}

void Multiprocessor::run_threads() {
    bool unstarted;
    Thread* first = choose(&unstarted);
    start_on_stack(*first, free_stacks_.back());
    free_stacks_.pop_back();
    make_running(*first);
    switch_fibers(&main_, &first->resume);
    running_ = nullptr;
    place = nullptr;
    if (live_ && !failed_) {
        report_deadlock();
    }
    if (failed_) {
        forget_frames(stacks_, MAX_THREADS);
        for (uint32_t i = 0; i < thread_count_; ++i) {
            threads_[i].copies.clear();
        }
    }
}

// What every fiber runs: threads that end without having waited follow each other on one stack.
void Multiprocessor::enter() {
    arrive_fresh();
    Multiprocessor& self = *processor;
    for (;;) {
        Thread& thread = *self.running_;
        self.kernel_->call(self.kernel_->function, self.arguments_);
        self.finish(thread);
        bool unstarted;
        Thread* next = self.choose(&unstarted);
        if (next && unstarted) {
            self.start_on_stack(*next, thread.stack);
            self.make_running(*next);
            continue;
        }
        self.free_stacks_.push_back(thread.stack);
        ++self.counts_.switches;
        const Resume* resume = &self.main_;
        if (next) {
            self.make_running(*next);
            resume = &next->resume;
        }
        switch_fibers(&thread.resume, resume);
    }
}

void Multiprocessor::finish(Thread& thread) {
    if (!thread.copies.empty()) {
        ++thread.copy_group;
        copies_wait(thread, 0);
    }
    Warp& warp = warps_[thread.warp];
    warp.alive &= ~(1u << thread.place.lane);
    --live_;
    if (warp.gatherings) {
        complete_without(thread);
    }
    if (live_ && waiting_ == live_) {
        release_barrier();
    }
}

void Multiprocessor::stop(const std::string& what) {
    failure_ = what;
    abandon();
}

void Multiprocessor::abandon() {
    failed_ = true;
    Resume abandoned;
    switch_fibers(&abandoned, &main_);
    __builtin_unreachable();
}

std::string Multiprocessor::describe(const Thread& thread) const {
    const Index3 &block = block_place.block, &index = thread.place.thread;
    char text[160];
    std::snprintf(text, sizeof text, "block (%u, %u, %u) thread (%u, %u, %u)", block.x, block.y, block.z, index.x, index.y,
                  index.z);
    return text;
}

void Multiprocessor::fail(const std::string& what, const void* site) {
    stop(what + ": kernel " + kernel_->name + " at " + source_line(site) + ", " + describe(*running_));
}

}  // namespace emulated

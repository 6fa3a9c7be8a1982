#include "processor.hpp"
#include "checker.hpp"
#include "lines.hpp"
#include "stacks.hpp"
#include <cstdio>
#include <cstdlib>
#include <new>

namespace emulated {

Place* place;
BlockPlace block_place;
Multiprocessor* processor;

Multiprocessor::Multiprocessor() : threads_(new Thread[MAX_THREADS]()) {
    stacks_ = map_stacks(MAX_THREADS);
    shared_allocation_ = static_cast<unsigned char*>(std::aligned_alloc(1024, (MAX_SHARED + 2 * SHARED_GUARD + 1023) / 1024 * 1024));
    if (!stacks_ || !shared_allocation_) {
        std::fprintf(stderr, "The emulator found no memory for the stacks of %u threads.\n", MAX_THREADS);
        std::abort();
    }
    shared_ = shared_allocation_ + SHARED_GUARD;
}

Multiprocessor::~Multiprocessor() {
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
    kernel_ = &kernel;
    arguments_ = arguments;
    order_ = order;
    random_ = order.seed;
    shared_bytes_ = shared_bytes;
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
    block_place.block = {uint32_t(block % grid.x), uint32_t(block / grid.x % grid.y), uint32_t(block / (uint64_t(grid.x) * grid.y))};
    block_number_ = block;
    std::memset(shared_, 0xff, shared_bytes_);
    for (uint32_t w = 0; w < warp_count_; ++w) {
        uint32_t lanes = thread_count_ - w * WARP;
        uint32_t mask = lanes >= WARP ? 0xffffffffu : (1u << lanes) - 1;
        Warp& warp = warps_[w];
        warp.alive = warp.unstarted = warp.ready = mask;
        warp.at_barrier = 0;
        warp.gatherings_count = 0;
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
    Thread* first = choose();
    start_on_stack(*first, take_stack());
    running_ = first;
    place = &first->place;
    emulated_switch_stacks(&main_stack_pointer_, first->stack_pointer);
    running_ = nullptr;
    place = nullptr;
    if (live_ && !failed_) {
        report_deadlock();
    }
    if (failed_) {
        for (uint32_t i = 0; i < thread_count_; ++i) {
            threads_[i].copies.clear();
        }
    }
}

// A ready thread, no longer marked ready, or null.
Thread* Multiprocessor::choose() {
    if (!ready_warps_) {
        return nullptr;
    }
    uint32_t w = current_warp_, lane;
    switch (order_.kind) {
    case OrderKind::Forward: {
        uint32_t from_here = ready_warps_ & 0xffffffffu << w;
        w = uint32_t(__builtin_ctz(from_here ? from_here : ready_warps_));
        lane = uint32_t(__builtin_ctz(warps_[w].ready));
        break;
    }
    case OrderKind::Reverse: {
        uint32_t from_here = ready_warps_ & 0xffffffffu >> (31 - w);
        w = 31 - uint32_t(__builtin_clz(from_here ? from_here : ready_warps_));
        lane = 31 - uint32_t(__builtin_clz(warps_[w].ready));
        break;
    }
    default: {
        uint64_t random = next_random(random_);
        uint32_t mask = ready_warps_;
        for (uint32_t skip = uint32_t(random) % uint32_t(__builtin_popcount(mask)); skip; --skip) {
            mask &= mask - 1;
        }
        w = uint32_t(__builtin_ctz(mask));
        mask = warps_[w].ready;
        for (uint32_t skip = uint32_t(random >> 32) % uint32_t(__builtin_popcount(mask)); skip; --skip) {
            mask &= mask - 1;
        }
        lane = uint32_t(__builtin_ctz(mask));
    }
    }
    current_warp_ = w;
    Warp& warp = warps_[w];
    warp.ready &= ~(1u << lane);
    if (!warp.ready) {
        ready_warps_ &= ~(1u << w);
    }
    return &threads_[w * WARP + lane];
}

int Multiprocessor::take_stack() {
    int stack = free_stacks_.back();
    free_stacks_.pop_back();
    return stack;
}

void Multiprocessor::start_on_stack(Thread& thread, int stack) {
    warps_[thread.warp].unstarted &= ~(1u << thread.place.lane);
    thread.stack = stack;
    thread.copy_group = 0;
    thread.stack_pointer = fresh_stack_pointer(stacks_, stack, &Multiprocessor::enter);
}

// What every fiber runs: threads that end without having waited follow each other on one stack.
void Multiprocessor::enter() {
    Multiprocessor& self = *processor;
    for (;;) {
        Thread& thread = *self.running_;
        self.kernel_->call(self.kernel_->function, self.arguments_);
        self.finish(thread);
        Thread* next = self.choose();
        if (next && self.warps_[next->warp].unstarted >> next->place.lane & 1) {
            self.start_on_stack(*next, thread.stack);
            self.running_ = next;
            place = &next->place;
            continue;
        }
        self.free_stacks_.push_back(thread.stack);
        ++self.counts_.switches;
        void* target = self.main_stack_pointer_;
        if (next) {
            self.running_ = next;
            place = &next->place;
            target = next->stack_pointer;
        }
        emulated_switch_stacks(&thread.stack_pointer, target);
    }
}

// Lets another thread run until this one is chosen again.
void Multiprocessor::leave() {
    Thread& self = *running_;
    Thread* next = choose();
    if (next == &self) {
        return;
    }
    ++counts_.switches;
    void* target = main_stack_pointer_;
    if (next) {
        if (warps_[next->warp].unstarted >> next->place.lane & 1) {
            start_on_stack(*next, take_stack());
        }
        running_ = next;
        place = &next->place;
        target = next->stack_pointer;
    }
    emulated_switch_stacks(&self.stack_pointer, target);
}

void Multiprocessor::finish(Thread& thread) {
    if (!thread.copies.empty()) {
        ++thread.copy_group;
        copies_wait(thread, 0);
    }
    Warp& warp = warps_[thread.warp];
    warp.alive &= ~(1u << thread.place.lane);
    --live_;
    if (warp.gatherings_count) {
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
    void* abandoned;
    emulated_switch_stacks(&abandoned, main_stack_pointer_);
    __builtin_unreachable();
}

std::string Multiprocessor::describe(const Thread& thread) const {
    const Index3 &block = block_place.block, &index = thread.place.thread;
    char text[160];
    std::snprintf(text, sizeof text, "block (%u, %u, %u) thread (%u, %u, %u)", block.x, block.y, block.z, index.x, index.y, index.z);
    return text;
}

void Multiprocessor::fail(const std::string& what, const void* site) {
    stop(what + ": kernel " + kernel_->name + " at " + source_line(site) + ", " + describe(*running_));
}

}  // namespace emulated

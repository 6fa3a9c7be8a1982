// Which thread runs next, and the way there. Inline, for the sake of speed: see exchange.hpp.
#pragma once
#include "processor.hpp"

namespace emulated {

// A ready thread, no longer marked ready, or null; and whether it still needs a stack. Forward: lanes of the current warp, then
// of the next ones.
__attribute__((always_inline)) inline Thread* Multiprocessor::choose(bool* unstarted) {
    if (!ready_warps_) {
        return nullptr;
    }
    uint32_t w = current_warp_, lane;
    if (order_.kind == OrderKind::Forward) {
        uint32_t from_here = ready_warps_ & 0xffffffffu << w;
        w = uint32_t(__builtin_ctz(from_here ? from_here : ready_warps_));
        lane = uint32_t(__builtin_ctz(warps_[w].ready));
    } else if (order_.kind == OrderKind::Reverse) {
        uint32_t from_here = ready_warps_ & 0xffffffffu >> (31 - w);
        w = 31 - uint32_t(__builtin_clz(from_here ? from_here : ready_warps_));
        lane = 31 - uint32_t(__builtin_clz(warps_[w].ready));
    } else {
        uint64_t random = next_random(random_);
        auto pick = [](uint32_t mask, uint32_t number) {
            for (uint32_t skip = uint32_t(uint64_t(number) * uint32_t(__builtin_popcount(mask)) >> 32); skip; --skip) {
                mask &= mask - 1;
            }
            return uint32_t(__builtin_ctz(mask));
        };
        w = pick(ready_warps_, uint32_t(random));
        lane = pick(warps_[w].ready, uint32_t(random >> 32));
    }
    current_warp_ = w;
    Warp& warp = warps_[w];
    *unstarted = warp.unstarted >> lane & 1;
    warp.ready &= ~(1u << lane);
    if (!warp.ready) {
        ready_warps_ &= ~(1u << w);
    }
    return &threads_[w * WARP + lane];
}

__attribute__((always_inline)) inline void Multiprocessor::make_running(Thread& thread) {
    running_ = &thread;
    place = &thread.place;
}

inline void Multiprocessor::start_on_stack(Thread& thread, int stack) {
    warps_[thread.warp].unstarted &= ~(1u << thread.place.lane);
    thread.stack = stack;
    thread.copy_group = 0;
    thread.resume = fresh_stack(stacks_, stack, &Multiprocessor::enter);
}

// Lets another thread run until this one is chosen again.
__attribute__((always_inline)) inline void Multiprocessor::leave() {
    Thread& self = *running_;
    bool unstarted;
    Thread* next = choose(&unstarted);
    if (next == &self) {
        return;
    }
    ++counts_.switches;
    const Resume* resume = &main_;
    if (next) {
        if (unstarted) {
            start_on_stack(*next, free_stacks_.back());
            free_stacks_.pop_back();
        }
        make_running(*next);
        resume = &next->resume;
    }
    switch_fibers(&self.resume, resume);
}

}  // namespace emulated

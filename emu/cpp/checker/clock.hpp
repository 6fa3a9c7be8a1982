// What happens before what: intervals between barriers, and within an interval the __syncwarp's of a warp.
#pragma once
#include "../processor.hpp"
#include "shadow.hpp"
#include <vector>

namespace emulated {

class Clock {
public:
    void begin_launch();
    void begin_block(uint64_t block);
    void barrier() { ++interval_; }
    void sync_warp(uint32_t warp, uint32_t lanes);

    uint32_t interval() const { return interval_; }
    uint16_t epoch(const Thread& thread) const;
    enum class Relation { Ordered, Concurrent, OtherBlock };
    // How an earlier access stands to one that a thread makes now.
    Relation relation(const Record& earlier, const Thread& now) const;
    // The block that made an access of this launch.
    uint64_t block_of(const Record& record) const;

private:
    // Lane l has passed own[l] of its __syncwarp's; lane k knows of what lane l did before its known[k][l]-th.
    struct WarpClock {
        uint32_t interval;
        uint16_t own[WARP];
        uint16_t known[WARP][WARP];
    };
    struct Start {
        uint32_t interval;
        uint64_t block;
    };
    uint32_t interval_ = 1;
    uint32_t launch_start_ = 1, block_start_ = 1;
    std::vector<Start> starts_;
    WarpClock warps_[MAX_WARPS] = {};
};

inline uint16_t Clock::epoch(const Thread& thread) const {
    const WarpClock& clock = warps_[thread.warp];
    return clock.interval == interval_ ? clock.own[thread.place.lane] : 0;
}

inline Clock::Relation Clock::relation(const Record& earlier, const Thread& now) const {
    if (earlier.interval < block_start_) {
        return earlier.interval < launch_start_ ? Relation::Ordered : Relation::OtherBlock;
    }
    if (earlier.interval != interval_ || earlier.thread == now.index) {
        return Relation::Ordered;
    }
    const WarpClock& clock = warps_[now.warp];
    bool same_warp = earlier.thread / WARP == now.warp;
    bool synced = same_warp && clock.interval == interval_ && earlier.epoch < clock.known[now.place.lane][earlier.thread % WARP];
    return synced ? Relation::Ordered : Relation::Concurrent;
}

}  // namespace emulated

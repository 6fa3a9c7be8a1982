#include "clock.hpp"
#include <algorithm>

namespace emulated {

void Clock::begin_launch() {
    launch_start_ = block_start_ = ++interval_;
    starts_.clear();
}

void Clock::begin_block(uint64_t block) {
    block_start_ = ++interval_;
    starts_.push_back({interval_, block});
}

void Clock::sync_warp(uint32_t warp, uint32_t lanes) {
    WarpClock& clock = warps_[warp];
    if (clock.interval != interval_) {
        clock = {};
        clock.interval = interval_;
    }
    uint16_t merged[WARP] = {};
    for (uint32_t mask = lanes; mask; mask &= mask - 1) {
        const uint16_t* known = clock.known[__builtin_ctz(mask)];
        for (uint32_t l = 0; l < WARP; ++l) {
            merged[l] = std::max(merged[l], known[l]);
        }
    }
    for (uint32_t mask = lanes; mask; mask &= mask - 1) {
        uint32_t lane = uint32_t(__builtin_ctz(mask));
        merged[lane] = ++clock.own[lane];
    }
    for (uint32_t mask = lanes; mask; mask &= mask - 1) {
        std::copy(merged, merged + WARP, clock.known[__builtin_ctz(mask)]);
    }
}

uint64_t Clock::block_of(const Record& record) const {
    auto after = std::upper_bound(starts_.begin(), starts_.end(), record.interval,
                                  [](uint32_t interval, const Start& start) { return interval < start.interval; });
    return after == starts_.begin() ? 0 : std::prev(after)->block;
}

}  // namespace emulated

// Barriers of a block, and gatherings of a warp's lanes for collective operations.
#include "checker.hpp"
#include "lines.hpp"
#include "scheduling.hpp"
#include <cstdio>
#include <map>

namespace emulated {

__attribute__((always_inline)) inline void Multiprocessor::wait_at_barrier(const void* site) {
    Thread& thread = *running_;
    thread.site = site;
    warps_[current_warp_].at_barrier |= 1u << thread.place.lane;
    if (waiting_++ == 0) {
        barrier_site_ = site;
        barrier_sites_differ_ = false;
    } else if (site != barrier_site_) {
        barrier_sites_differ_ = true;
    }
    if (waiting_ == live_) {
        release_barrier();
    }
    leave();
}

void Multiprocessor::release_barrier() {
    if (barrier_sites_differ_) {
        check_barrier_sites();
    }
    ++counts_.barriers;
    waiting_ = 0;
    for (uint32_t w = 0; w < warp_count_; ++w) {
        Warp& warp = warps_[w];
        if (warp.at_barrier) {
            warp.ready |= warp.at_barrier;
            warp.at_barrier = 0;
            ready_warps_ |= 1u << w;
        }
    }
    checker::barrier();
}

// The compiler may have copied one barrier of the source; different lines mean that threads took different ways.
void Multiprocessor::check_barrier_sites() {
    std::string line = source_line(barrier_site_);
    for (uint32_t i = 0; i < thread_count_; ++i) {
        Thread& thread = threads_[i];
        if (warps_[thread.warp].at_barrier >> thread.place.lane & 1 && source_line(thread.site) != line) {
            stop("divergent barrier: kernel " + std::string(kernel_->name) + ", " + describe(thread) + " waits at " +
                 source_line(thread.site) + " while others wait at " + line);
        }
    }
}

__attribute__((always_inline)) inline void Multiprocessor::gather(Collective kind, uint32_t mask, const void* site) {
    Thread& thread = *running_;
    Warp& warp = warps_[current_warp_];
    Gathering* gatherings = gatherings_[current_warp_];
    uint32_t bit = 1u << thread.place.lane;
    thread.site = site;
    if (__builtin_expect(!(mask & bit), 0)) {
        fail_unnamed(kind, site);
    }
    uint32_t found = warp.gatherings;
    for (uint32_t g = 0; g < warp.gatherings; ++g) {
        const Gathering& other = gatherings[g];
        if (other.mask == mask) {
            found = g;
        } else if (__builtin_expect(other.mask & bit && mask & other.arrived, 0)) {
            fail_different_masks(other.site, site);
        }
    }
    Gathering& gathering = gatherings[found];
    if (found == warp.gatherings) {
        gathering = {mask, 0, kind, site};
        ++warp.gatherings;
    } else if (__builtin_expect(gathering.kind != kind || gathering.site != site, 0)) {
        check_meeting(kind, site, gathering);
    }
    gathering.arrived |= bit;
    if ((mask & warp.alive) == gathering.arrived) {
        complete(current_warp_, found);
    }
    leave();
}

__attribute__((noinline, cold)) void Multiprocessor::fail_unnamed(Collective kind, const void* site) {
    fail("wrong mask: a lane calls a " + std::string(name_of(kind)) + " whose mask does not name it", site);
}

__attribute__((noinline, cold)) void Multiprocessor::fail_different_masks(const void* other_site, const void* site) {
    fail("wrong mask: lanes that wait for each other name different masks, here and at " + source_line(other_site), site);
}

// The compiler may have copied a call of the source; different lines mean that lanes took different ways.
__attribute__((noinline, cold)) void Multiprocessor::check_meeting(Collective kind, const void* site,
                                                                   const Gathering& gathering) {
    if (gathering.kind != kind || source_line(gathering.site) != source_line(site)) {
        fail("divergent lanes: a " + std::string(name_of(kind)) + " meets a " + name_of(gathering.kind) +
                 " of the same mask at " + source_line(gathering.site),
             site);
    }
}

void Multiprocessor::complete(uint32_t w, uint32_t number) {
    Warp& warp = warps_[w];
    Gathering gathering = gatherings_[w][number];
    gatherings_[w][number] = gatherings_[w][--warp.gatherings];
    ++counts_.collectives;
    counts_.products += gathering.kind >= Collective::F16Depth8;
    carry_out(gathering.kind, gathering.arrived, &threads_[w * WARP], *this, gathering.site);
    warp.ready |= gathering.arrived;
    ready_warps_ |= 1u << w;
}

// The end of a thread may be what a gathering waited for.
void Multiprocessor::complete_without(Thread& thread) {
    Warp& warp = warps_[thread.warp];
    for (uint32_t g = warp.gatherings; g-- > 0;) {
        const Gathering& gathering = gatherings_[thread.warp][g];
        if ((gathering.mask & warp.alive) == gathering.arrived) {
            complete(thread.warp, g);
        }
    }
}

void Multiprocessor::report_deadlock() {
    std::map<std::string, uint32_t> places;
    char text[200];
    for (uint32_t w = 0; w < warp_count_; ++w) {
        const Warp& warp = warps_[w];
        for (uint32_t mask = warp.at_barrier; mask; mask &= mask - 1) {
            ++places["at the barrier at " + source_line(threads_[w * WARP + uint32_t(__builtin_ctz(mask))].site)];
        }
        for (uint32_t g = 0; g < warp.gatherings; ++g) {
            const Gathering& gathering = gatherings_[w][g];
            uint32_t absent = gathering.mask & warp.alive & ~gathering.arrived;
            std::snprintf(text, sizeof text, "in a %s of mask %08x, for lanes %08x of warp %u, at ", name_of(gathering.kind),
                          gathering.mask, absent, w);
            places[text + source_line(gathering.site)] += uint32_t(__builtin_popcount(gathering.arrived));
        }
    }
    const Index3& block = block_place.block;
    std::snprintf(text, sizeof text, "deadlock: kernel %s, block (%u, %u, %u): ", kernel_->name, block.x, block.y, block.z);
    failed_ = true;
    failure_ = text;
    const char* separator = "";
    for (const auto& [what, count] : places) {
        failure_ += separator + std::to_string(count) + (count == 1 ? " thread waits " : " threads wait ") + what;
        separator = "; ";
    }
}

void barrier() { processor->wait_at_barrier(__builtin_return_address(0)); }

void sync_warp(uint32_t mask) { processor->gather(Collective::Sync, mask, __builtin_return_address(0)); }

uint64_t shuffle_bits(uint32_t mask, uint64_t value, int32_t source) {
    Thread& thread = processor->running();
    thread.value = value;
    thread.source = source;
    processor->gather(Collective::Shuffle, mask, __builtin_return_address(0));
    return processor->running().value;
}

uint32_t ballot(uint32_t mask, bool predicate) {
    processor->running().value = predicate;
    processor->gather(Collective::Ballot, mask, __builtin_return_address(0));
    return uint32_t(processor->running().value);
}

void multiply(Collective kind, void* sums, uint64_t a, uint64_t a_more, uint64_t b) {
    Thread& thread = processor->running();
    thread.operands[0] = a;
    thread.operands[1] = a_more;
    thread.operands[2] = b;
    thread.sums = sums;
    processor->gather(kind, 0xffffffffu, __builtin_return_address(0));
}

void misaligned(const void* address, size_t bytes) {
    char text[120];
    std::snprintf(text, sizeof text, "misaligned access of %zu bytes at %p", bytes, address);
    processor->fail(text, __builtin_return_address(0));
}

#if EMULATOR_CHECKED
Index3 thread_index() { return place->thread; }
Index3 block_index() { return block_place.block; }
Index3 block_size() { return block_place.block_size; }
Index3 grid_size() { return block_place.grid_size; }
unsigned char* dynamic_shared() { return block_place.dynamic_shared; }
uint32_t lane() { return place->lane; }
#endif

}  // namespace emulated

// Operations of a warp, carried out for all lanes once the last has come. Products are in products.cpp.
#include "checker.hpp"
#include "processor.hpp"
#include "products.hpp"

namespace emulated {

const char* name_of(Collective kind) {
    switch (kind) {
    case Collective::Sync: return "__syncwarp";
    case Collective::Shuffle: return "shuffle";
    case Collective::Ballot: return "ballot";
    case Collective::Bits: return "product of bits";
    default: return "product";
    }
}

static void shuffle_lanes(uint32_t lanes, Thread* warp, Multiprocessor& processor, const void* site) {
    uint64_t values[WARP];
    for (uint32_t l = 0; l < WARP; ++l) {
        values[l] = warp[l].value;
    }
    for (uint32_t mask = lanes; mask; mask &= mask - 1) {
        Thread& thread = warp[__builtin_ctz(mask)];
        uint32_t source = uint32_t(thread.source) & (WARP - 1);
        if (!(lanes >> source & 1)) {
            processor.fail("wrong mask: lane " + std::to_string(thread.place.lane) + " shuffles from lane " +
                               std::to_string(source) + ", which takes no part",
                           site);
        }
        thread.value = values[source];
    }
}

static void ballot_lanes(uint32_t lanes, Thread* warp) {
    uint32_t votes = 0;
    for (uint32_t mask = lanes; mask; mask &= mask - 1) {
        uint32_t lane = uint32_t(__builtin_ctz(mask));
        votes |= uint32_t(warp[lane].value) << lane;
    }
    for (uint32_t mask = lanes; mask; mask &= mask - 1) {
        warp[__builtin_ctz(mask)].value = votes;
    }
}

void carry_out(Collective kind, uint32_t lanes, Thread* warp, Multiprocessor& processor, const void* site) {
    if (kind >= Collective::F16Depth8 && lanes != 0xffffffffu) {
        processor.fail("wrong mask: a product needs all 32 lanes of the warp", site);
    }
    switch (kind) {
    case Collective::Sync: checker::sync_warp(warp[0].warp, lanes); break;
    case Collective::Shuffle: shuffle_lanes(lanes, warp, processor, site); break;
    case Collective::Ballot: ballot_lanes(lanes, warp); break;
    case Collective::F16Depth8: multiply_f16_depth8(warp); break;
    case Collective::F16Depth16: multiply_f16_depth16(warp); break;
    case Collective::Tf32Depth8: multiply_tf32_depth8(warp); break;
    case Collective::Bits: multiply_bits(warp); break;
    }
}

}  // namespace emulated

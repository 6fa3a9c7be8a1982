// Operations of a warp, carried out for all lanes once the last has come.
#include "checker.hpp"
#include "processor.hpp"

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
            processor.fail("wrong mask: lane " + std::to_string(thread.place.lane) + " shuffles from lane " + std::to_string(source) +
                               ", which takes no part",
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

static float half_as_float(uint32_t word, int half) {
    uint16_t bits = uint16_t(half ? word >> 16 : word);
    _Float16 value;
    std::memcpy(&value, &bits, sizeof value);
    return float(value);
}

// A tensor core ignores the lower 13 bits.
static float tf32_as_float(uint32_t word) {
    word &= 0xffffe000u;
    float value;
    std::memcpy(&value, &word, sizeof value);
    return value;
}

// Adds a·b to the lanes' sums. Products of 11-bit numbers are exact in f32, so that only the order of the additions is ours:
// over depth, from zero, then added to the sum.
template <int DEPTH> static void add_product(const float (&a)[16][DEPTH], const float (&b)[DEPTH][8], Thread* warp) {
    float product[16][8];
    for (int i = 0; i < 16; ++i) {
        float row[8] = {};
        for (int k = 0; k < DEPTH; ++k) {
            for (int j = 0; j < 8; ++j) {
                row[j] += a[i][k] * b[k][j];
            }
        }
        std::memcpy(product[i], row, sizeof row);
    }
    for (int l = 0; l < int(WARP); ++l) {
        int g = l / 4, t = l % 4;
        float* sums = static_cast<float*>(warp[l].sums);
        sums[0] += product[g][2 * t];
        sums[1] += product[g][2 * t + 1];
        sums[2] += product[g + 8][2 * t];
        sums[3] += product[g + 8][2 * t + 1];
    }
}

static void multiply_f16_depth8(Thread* warp) {
    float a[16][8], b[8][8];
    for (int l = 0; l < int(WARP); ++l) {
        const uint32_t* words = warp[l].operands.words;
        int g = l / 4, t = l % 4;
        for (int h = 0; h < 2; ++h) {
            a[g][2 * t + h] = half_as_float(words[0], h);
            a[g + 8][2 * t + h] = half_as_float(words[1], h);
            b[2 * t + h][g] = half_as_float(words[4], h);
        }
    }
    add_product<8>(a, b, warp);
}

static void multiply_f16_depth16(Thread* warp) {
    float a[16][16], b[16][8];
    for (int l = 0; l < int(WARP); ++l) {
        const uint32_t* words = warp[l].operands.words;
        int g = l / 4, t = l % 4;
        for (int h = 0; h < 2; ++h) {
            a[g][2 * t + h] = half_as_float(words[0], h);
            a[g + 8][2 * t + h] = half_as_float(words[1], h);
            a[g][2 * t + 8 + h] = half_as_float(words[2], h);
            a[g + 8][2 * t + 8 + h] = half_as_float(words[3], h);
            b[2 * t + h][g] = half_as_float(words[4], h);
            b[2 * t + 8 + h][g] = half_as_float(words[5], h);
        }
    }
    add_product<16>(a, b, warp);
}

static void multiply_tf32_depth8(Thread* warp) {
    float a[16][8], b[8][8];
    for (int l = 0; l < int(WARP); ++l) {
        const uint32_t* words = warp[l].operands.words;
        int g = l / 4, t = l % 4;
        a[g][t] = tf32_as_float(words[0]);
        a[g + 8][t] = tf32_as_float(words[1]);
        a[g][t + 4] = tf32_as_float(words[2]);
        a[g + 8][t + 4] = tf32_as_float(words[3]);
        b[t][g] = tf32_as_float(words[4]);
        b[t + 4][g] = tf32_as_float(words[5]);
    }
    add_product<8>(a, b, warp);
}

static void multiply_bits_lanes(Thread* warp) {
    uint32_t a[16][8], b[8][8];
    for (int l = 0; l < int(WARP); ++l) {
        const uint32_t* words = warp[l].operands.words;
        int g = l / 4, t = l % 4;
        a[g][t] = words[0];
        a[g + 8][t] = words[1];
        a[g][t + 4] = words[2];
        a[g + 8][t + 4] = words[3];
        b[g][t] = words[4];
        b[g][t + 4] = words[5];
    }
    for (int l = 0; l < int(WARP); ++l) {
        int g = l / 4, t = l % 4;
        int32_t* sums = static_cast<int32_t*>(warp[l].sums);
        for (int k = 0; k < 8; ++k) {
            sums[0] += __builtin_popcount(a[g][k] & b[2 * t][k]);
            sums[1] += __builtin_popcount(a[g][k] & b[2 * t + 1][k]);
            sums[2] += __builtin_popcount(a[g + 8][k] & b[2 * t][k]);
            sums[3] += __builtin_popcount(a[g + 8][k] & b[2 * t + 1][k]);
        }
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
    case Collective::Bits: multiply_bits_lanes(warp); break;
    }
}

}  // namespace emulated

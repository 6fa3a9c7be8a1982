#include "products.hpp"
#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace emulated {

typedef float Row __attribute__((vector_size(32)));  // of eight numbers

// The words of a lane: four of a, two of b.
static const uint32_t* words_of(const Thread& lane) { return reinterpret_cast<const uint32_t*>(lane.operands); }

static void halves_to_floats(const uint16_t* halves, float* floats, int count) {
#if defined(__F16C__)
    for (int i = 0; i < count; i += 8) {
        __m128i packed = _mm_load_si128(reinterpret_cast<const __m128i*>(halves + i));
        _mm256_store_ps(floats + i, _mm256_cvtph_ps(packed));
    }
#else
    for (int i = 0; i < count; ++i) {
        _Float16 half;
        std::memcpy(&half, halves + i, sizeof half);
        floats[i] = float(half);
    }
#endif
}

// Adds a·b to the lanes' sums. Products of 11-bit numbers are exact in f32, so that only the order of the additions is ours:
// over depth, from zero, then added to the sum.
template <int DEPTH> static void add_product(const float (&a)[16][DEPTH], const Row (&b)[DEPTH], Thread* warp) {
    alignas(32) float product[16][8];
    for (int i = 0; i < 16; ++i) {
        Row row = a[i][0] * b[0];
        for (int k = 1; k < DEPTH; ++k) {
            row += a[i][k] * b[k];
        }
        *reinterpret_cast<Row*>(product[i]) = row;
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

// Lane 4g + t holds pairs of neighbours along the depth: of a at rows g and g + 8, columns 2t and, for depth 16, 2t + 8; of b at
// column g, rows so.
template <int DEPTH> static void multiply_f16(Thread* warp) {
    alignas(32) uint32_t a_halves[16][DEPTH / 2], b_halves[8][DEPTH / 2];
    for (int l = 0; l < int(WARP); ++l) {
        const uint32_t* words = words_of(warp[l]);
        int g = l / 4, t = l % 4;
        for (int half = 0; half < DEPTH / 8; ++half) {
            a_halves[g][t + 4 * half] = words[2 * half];
            a_halves[g + 8][t + 4 * half] = words[2 * half + 1];
            b_halves[g][t + 4 * half] = words[4 + half];
        }
    }
    alignas(32) float a[16][DEPTH], b_columns[8][DEPTH];
    halves_to_floats(reinterpret_cast<const uint16_t*>(a_halves), a[0], 16 * DEPTH);
    halves_to_floats(reinterpret_cast<const uint16_t*>(b_halves), b_columns[0], 8 * DEPTH);
    Row b[DEPTH];
    for (int k = 0; k < DEPTH; ++k) {
        b[k] = Row{b_columns[0][k], b_columns[1][k], b_columns[2][k], b_columns[3][k],
                   b_columns[4][k], b_columns[5][k], b_columns[6][k], b_columns[7][k]};
    }
    add_product<DEPTH>(a, b, warp);
}
void multiply_f16_depth8(Thread* warp) { multiply_f16<8>(warp); }
void multiply_f16_depth16(Thread* warp) { multiply_f16<16>(warp); }

// A tensor core ignores the lower 13 bits.
void multiply_tf32_depth8(Thread* warp) {
    alignas(32) uint32_t a[16][8], b[8][8];
    for (int l = 0; l < int(WARP); ++l) {
        const uint32_t* words = words_of(warp[l]);
        int g = l / 4, t = l % 4;
        a[g][t] = words[0] & 0xffffe000u;
        a[g + 8][t] = words[1] & 0xffffe000u;
        a[g][t + 4] = words[2] & 0xffffe000u;
        a[g + 8][t + 4] = words[3] & 0xffffe000u;
        b[t][g] = words[4] & 0xffffe000u;
        b[t + 4][g] = words[5] & 0xffffe000u;
    }
    add_product<8>(reinterpret_cast<const float (&)[16][8]>(a), reinterpret_cast<const Row(&)[8]>(b), warp);
}

void multiply_bits(Thread* warp) {
    uint64_t a[16][4], b[8][4];
    for (int l = 0; l < int(WARP); ++l) {
        const uint32_t* words = words_of(warp[l]);
        int g = l / 4, t = l % 4;
        uint32_t *low = reinterpret_cast<uint32_t*>(a[g]), *high = reinterpret_cast<uint32_t*>(a[g + 8]);
        uint32_t* column = reinterpret_cast<uint32_t*>(b[g]);
        low[t] = words[0];
        high[t] = words[1];
        low[t + 4] = words[2];
        high[t + 4] = words[3];
        column[t] = words[4];
        column[t + 4] = words[5];
    }
    for (int l = 0; l < int(WARP); ++l) {
        int g = l / 4, t = l % 4;
        int32_t* sums = static_cast<int32_t*>(warp[l].sums);
        for (int k = 0; k < 4; ++k) {
            sums[0] += __builtin_popcountll(a[g][k] & b[2 * t][k]);
            sums[1] += __builtin_popcountll(a[g][k] & b[2 * t + 1][k]);
            sums[2] += __builtin_popcountll(a[g + 8][k] & b[2 * t][k]);
            sums[3] += __builtin_popcountll(a[g + 8][k] & b[2 * t + 1][k]);
        }
    }
}

}  // namespace emulated

// Common bits of the codes of all pairs of images, and the Hamming kernel K = N_A − distance made of them.
//
// A block takes 128 images in two groups of 64 and reads their codes once. Their pairs are 4 × 4 squares of 32 × 32, of which the
// symmetric matrix needs ten, a warp each. Where there are more images, blocks take all pairs of groups, and only those of groups
// 2k and 2k + 1 count the pairs inside their groups.
//
// Words come in chunks of 32 through three stages of shared memory (48 KB). Bytes: 128 codes. Operations: 80 of the full
// square's 128 products of 16 × 8 × 256 bits.
//
// Grid: (P·(P − 1)/2, jobs, parts), P = 2·ceil(images / 128); 320 threads.
#include "jobs.cuh"

constexpr int THREADS = 320;
constexpr int GROUP = 64;
constexpr int SQUARE = 32;
constexpr int CHUNK = 32;          // words of a row in a stage,
constexpr int PIECES = CHUNK / 4;  // of 16 bytes
constexpr int STAGES = 3;
constexpr int STAGE_WORDS = 2 * GROUP * CHUNK;

DEVICE int lane() { return threadIdx.x % 32; }

// Where a piece of a row lies in a stage. Eight lanes that read four pieces of two neighbouring rows, or the same piece of
// four neighbouring rows, use different banks.
DEVICE int piece_at(int row, int piece) { return row * CHUNK + 4 * (piece ^ ((row & 1) << 2 | (row >> 1 & 3))); }

// A chunk's place: no chunk crosses the end of its segment.
struct Cursor {
    int segment, word;
};

DEVICE int chunks_of(const Segment& segment) { return (segment.words + CHUNK - 1) / CHUNK; }

DEVICE Cursor cursor_at(const Segment* segments, int count, int chunk) {
    int segment = 0;
    for (; segment < count && chunk >= chunks_of(segments[segment]); ++segment) chunk -= chunks_of(segments[segment]);
    return {segment, chunk * CHUNK};
}

DEVICE Cursor after(const Segment* segments, int count, Cursor at) {
    at.word += CHUNK;
    while (at.segment < count && at.word >= segments[at.segment].words) at = {at.segment + 1, 0};
    return at;
}

// Copies a chunk of both groups' codes; words past the segment's end are zeros.
DEVICE void copy_chunk(uint32_t* stage, const CodeJob& job, const Segment& segment, int word, int first, int second, int images) {
    const uint32_t* codes = in_global(job.codes) + segment.first + word;
    int stride = job.stride, words = segment.words - word;
#pragma unroll 1
    for (int i = threadIdx.x; i < 2 * GROUP * PIECES; i += THREADS) {
        int row = i / PIECES, piece = i % PIECES;
        uint32_t* to = stage + piece_at(row, piece);
        if (4 * piece < words) {
            // Rows past the last image repeat it; what they give is not stored.
            int image = min((row < GROUP ? first : second) * GROUP + row % GROUP, images - 1);
            copy16(to, codes + int64_t(image) * stride + 4 * piece);
        } else {
            store4(to, Word4{0, 0, 0, 0});
        }
    }
}

#if CAPABILITY >= 80
// A warp's square by products of 16 × 8 × 256 bits. Which words of a row make one product is free as long as both factors
// agree: a lane's 16 bytes are its words of two products.
struct TensorProducts {
    DEVICE int row(int n, int k) { return n / 4 * 16 + k / 2 * 8 + lane() / 4; }
    DEVICE int column(int n, int k) { return n % 4 * 8 + lane() % 4 * 2 + k % 2; }

    DEVICE void add(int32_t (&sums)[8][4], const uint32_t* stage, int rows, int columns, int pieces) {
#pragma unroll 1
        for (int first = 0; first < pieces; first += 4) {
            // Eight rows further lies the same piece.
            const uint32_t* piece = stage + piece_at(lane() / 4, first + lane() % 4);
            Word4 b[4];
#pragma unroll
            for (int n = 0; n < 4; ++n) b[n] = load4(piece + (columns + 8 * n) * CHUNK);
#pragma unroll
            for (int m = 0; m < 2; ++m) {
                Word4 low = load4(piece + (rows + 16 * m) * CHUNK), high = load4(piece + (rows + 16 * m + 8) * CHUNK);
                uint32_t a[4] = {low.x, high.x, low.y, high.y};
#pragma unroll
                for (int n = 0; n < 4; ++n) multiply_bits(sums[4 * m + n], a, {b[n].x, b[n].y});
                uint32_t other[4] = {low.z, high.z, low.w, high.w};
#pragma unroll
                for (int n = 0; n < 4; ++n) multiply_bits(sums[4 * m + n], other, {b[n].z, b[n].w});
            }
        }
    }
};
#endif

// A warp's square by population counts, four rows and eight columns a lane.
struct PopulationCounts {
    DEVICE int row(int, int k) { return lane() / 4 + 8 * k; }
    DEVICE int column(int n, int) { return lane() % 4 + 4 * n; }

    // Three words are added bit by bit first: three counts for four words.
    DEVICE int32_t common(const Word4& a, const Word4& b) {
        uint32_t x = a.x & b.x, y = a.y & b.y, z = a.z & b.z;
        uint32_t odd = x ^ y ^ z, pairs = (x & y) | (x & z) | (y & z);
        return __popc(odd) + 2 * __popc(pairs) + __popc(a.w & b.w);
    }

    DEVICE void add(int32_t (&sums)[8][4], const uint32_t* stage, int rows, int columns, int pieces) {
#pragma unroll 1
        for (int piece = 0; piece < pieces; ++piece) {
            Word4 a[4];
#pragma unroll
            for (int k = 0; k < 4; ++k) a[k] = load4(stage + (rows + 8 * k) * CHUNK + piece_at(lane() / 4, piece));
#pragma unroll
            for (int n = 0; n < 8; ++n) {
                Word4 b = load4(stage + (columns + n / 2 * 8) * CHUNK + piece_at(lane() % 4 + n % 2 * 4, piece));
#pragma unroll
                for (int k = 0; k < 4; ++k) sums[n][k] += common(a[k], b);
            }
        }
    }
};

template <class Products> DEVICE void common_bits(const CodeJob& job, const Segment* segments, int images) {
    __shared__ __align__(16) uint32_t stages[STAGES * STAGE_WORDS];
    // The block's pair of groups, and whether it counts the pairs inside them.
    int first = blockIdx.x, second = 1;
    for (; first >= second; ++second) first -= second;
    bool inside = (first ^ 1) == second;
    if (second * GROUP >= images && !inside) return;

    // The warp's square: rows and columns of the stage, and the images they are.
    int warp = threadIdx.x / 32, within = (warp - 4) % 3;
    int p = warp < 4 ? warp / 2 : (warp - 4) / 3 * 2 + within / 2;
    int q = warp < 4 ? 2 + warp % 2 : (warp - 4) / 3 * 2 + (within + 1) / 2;
    auto image_of = [&](int strip) { return (strip < 2 ? first : second) * GROUP + strip % 2 * SQUARE; };
    bool counts = (warp < 4 || inside) && image_of(p) < images && image_of(q) < images;

    int chunks = 0;
    for (int s = 0; s < job.count; ++s) chunks += chunks_of(segments[s]);
    int begin = int(int64_t(chunks) * blockIdx.z / gridDim.z);
    int count = int(int64_t(chunks) * (blockIdx.z + 1) / gridDim.z) - begin;
    Cursor now = cursor_at(segments, job.count, begin);
    auto fetch = [&](int chunk, Cursor at) {
        if (chunk < count) {
            uint32_t* stage = stages + chunk % STAGES * STAGE_WORDS;
            copy_chunk(stage, job, segments[at.segment], at.word, first, second, images);
        }
        copies_commit();
    };
    // STAGES − 1 chunks are on their way.
    fetch(0, now);
    fetch(1, after(segments, job.count, now));

    int32_t sums[8][4] = {};
    // Where the multiplicity changes, sums go to the result, which stays in the cache: a second set of registers would halve
    // the blocks of a multiprocessor. A part without words gives zeros.
    int chunk = 0;
    do {
        int multiplicity = chunk < count ? segments[now.segment].multiplicity : 0;
        bool begun = chunk > 0;
        for (; chunk < count && segments[now.segment].multiplicity == multiplicity; ++chunk) {
            copies_wait<STAGES - 2>();
            __syncthreads();
            // The stage that is refilled was read before the barrier.
            fetch(chunk + 2, after(segments, job.count, after(segments, job.count, now)));
            int pieces = min(PIECES, (segments[now.segment].words - now.word) / 4);
            const uint32_t* stage = stages + chunk % STAGES * STAGE_WORDS;
            if (counts) Products::add(sums, stage, p * SQUARE, q * SQUARE, pieces);
            now = after(segments, job.count, now);
        }
        // The compiler would make the addresses below before the products and keep them; what comes from a shuffle it cannot.
        auto here_only = [](int x) { return __shfl_sync(0xffffffff, x, 0); };
        int width = here_only(images), row_image = image_of(here_only(p)), column_image = image_of(here_only(q));
        int rows = counts ? width - row_image : 0, columns = width - column_image;
        int32_t* common = in_global(job.common) + int64_t(blockIdx.z) * width * width;
        int32_t* corner = common + row_image * width + column_image;
        int32_t* mirrored = common + column_image * width + row_image;
#pragma unroll
        for (int n = 0; n < 8; ++n)
#pragma unroll
            for (int k = 0; k < 4; ++k) {
                int i = Products::row(n, k), j = Products::column(n, k);
                int32_t sum = multiplicity * sums[n][k];
                sums[n][k] = 0;
                if (i >= rows || j >= columns) continue;
                int32_t* here = corner + (i * width + j);
                if (begun) sum += *here;
                *here = sum;
                if (chunk == count && p != q) mirrored[j * width + i] = sum;
            }
    } while (chunk < count);
}

#if CAPABILITY >= 80
// lint: BMMA>=16 LDS.128>=8 LDGSTS.128>=1 spill=0
KERNEL(320, 2) common_bits_mma(const CodeJob* jobs, const Segment* segments, int images) {
    common_bits<TensorProducts>(jobs[blockIdx.y], segments + jobs[blockIdx.y].first, images);
}
EXPORT(common_bits_mma)
#endif
// lint: POPC>=96 LDS.128>=12 spill=0
KERNEL(320) common_bits_popc(const CodeJob* jobs, const Segment* segments, int images) {
    common_bits<PopulationCounts>(jobs[blockIdx.y], segments + jobs[blockIdx.y].first, images);
}
EXPORT(common_bits_popc)

// K[i][j] = bits − (common[i][i] + common[j][j] − 2·common[i][j]), `parts` of each summed. Grid: (ceil(images / 32), jobs).
KERNEL(256) kernel_matrix(const MatrixJob* jobs, int images, int parts) {
    __shared__ int32_t diagonal[1024];
    const MatrixJob job = jobs[blockIdx.y];
    const int32_t* counts = in_global(job.common);
    auto common = [&](int at) {
        int32_t sum = 0;
        for (int part = 0; part < parts; ++part) sum += counts[int64_t(part) * images * images + at];
        return sum;
    };
    for (int i = threadIdx.x; i < images; i += blockDim.x) diagonal[i] = common(i * images + i);
    __syncthreads();
    int first = blockIdx.x * 32, rows = min(32, images - first);
    for (int at = threadIdx.x; at < rows * images; at += blockDim.x) {
        int i = first + at / images, j = at % images;
        int64_t distance = int64_t(diagonal[i]) + diagonal[j] - 2 * int64_t(common(i * images + j));
        in_global(job.kernel)[i * images + j] = double(int64_t(job.bits) - distance);
    }
}
EXPORT(kernel_matrix)

// Values from their terms, with their codes; the 2×2 average; the gradients of values from their readers.
//
// Grids: (images · stretches, jobs), a stretch being 1024 quads (4096 numbers) of an image. 256 threads, four quads to a
// thread. Where a job of the launch has a 3×3 average: dynamic shared memory for a stretch with a row and a pixel on either
// side, as docs/cuda-maps.md says, which also has bytes.
#include "maps.cuh"

using namespace maps;

// An image's.
struct Size {
    int height, width, channels;
};
DEVICE int numbers_of(const Size& size) { return size.height * size.width * size.channels; }

// Numbers on either side of a stretch that 3×3 windows reach into.
DEVICE int halo_of(const Size& size) { return (size.width + 1) * size.channels; }
// Copies what the windows of a stretch reach of an image's map into shared memory; returns the image's number that lies first
// there.
DEVICE int fill_stage(float* stage, const float* map, const Stretch& stretch, int halo) {
    const int begin = 4 * stretch.first - halo, end = 4 * (stretch.first + STRETCH) + halo, numbers = 4 * stretch.end;
    const int low = begin > 0 ? begin : 0, high = end < numbers ? end : numbers;
    __syncthreads();
#pragma unroll 4
    for (int at = low + 4 * int(threadIdx.x); at < high; at += 4 * THREADS) store4(stage + at - low, load4(map + at));
    __syncthreads();
    return low;
}

// 1 / (pixels of a window of three around `at` that lie inside).
DEVICE float share_of(int at, int size) {
    const int inside = 1 + (at > 0) + (at + 1 < size);
    return inside == 3 ? 1.0f / 3.0f : inside == 2 ? 0.5f : 1.0f;
}

// Where a quad lies in its image.
struct Place {
    int y, x;
    int channel;
};
DEVICE Place place_of(int quad, Divisor quads, Divisor width) {
    const int pixel = quad / quads, y = pixel / width;
    return {y, pixel - y * int(width.by), 4 * (quad - pixel * int(quads.by))};
}

// The 3×3 average around a quad of a map, or its adjoint, which weighs each neighbour by the share that the average around it
// has. `from` points at the quad.
template <bool ADJOINT> DEVICE Float4 window(const float* from, const Place& at, const Size& size) {
    const int height = size.height, width = size.width, channels = size.channels;
    Float4 total = splat(0);
#pragma unroll 1
    for (int dy = -1; dy <= 1; dy++) {
        if (uint32_t(at.y + dy) >= uint32_t(height)) continue;
        Float4 row = splat(0);
#pragma unroll
        for (int dx = -1; dx <= 1; dx++) {
            if (uint32_t(at.x + dx) >= uint32_t(width)) continue;
            const Float4 v = load4(from + (dy * width + dx) * channels);
            row = ADJOINT ? fused(v, splat(share_of(at.x + dx, width)), row) : row + v;
        }
        total = ADJOINT ? fused(row, splat(share_of(at.y + dy, height)), total) : total + row;
    }
    if (ADJOINT) return total;
    const int rows = 1 + (at.y > 0) + (at.y + 1 < height), columns = 1 + (at.x > 0) + (at.x + 1 < width);
    return total * splat(1.0f / float(rows * columns));
}

// Adds to each of a thread's sums what `term(quad, place)` is for its quad, one after the other: four at once would take twice
// the registers.
template <typename Term>
DEVICE void add_in_turn(Float4 (&sums)[4], const Stretch& stretch, const Size& size, const Term& term) {
    const Divisor quads = divisor(size.channels / 4), columns = divisor(size.width);
#pragma unroll 1
    for (int k = 0; k < 4; k++) {
        const int quad = stretch.quad + 32 * k;
        Float4 v = sums[0];
        if (32 * k < stretch.left) v = v + term(quad, place_of(quad, quads, columns));
        sums[0] = sums[1], sums[1] = sums[2], sums[2] = sums[3], sums[3] = v;
    }
}

// Adds windows of a map, staged in shared memory or, in the kernels for wide maps, read where it lies, through the cache. All
// threads of the block take part.
template <bool ADJOINT, bool WIDE>
DEVICE void add_windows(Float4 (&sums)[4], float* stage, const float* map, const Stretch& stretch, const Size& size) {
    const float* from = WIDE ? map : stage - fill_stage(stage, map, stretch, halo_of(size));
    add_in_turn(sums, stretch, size,
                [&](int quad, const Place& at) { return window<ADJOINT>(from + 4 * quad, at, size); });
}

// The affine's rows, or a shift's, for the k-th quad; where channels repeat from quad to quad, those of the first stay.
DEVICE bool differs(int k, int channels) { return k == 0 || 128 % channels != 0; }
DEVICE int channel_of(int quad, Divisor quads) { return 4 * (quad - quad / quads * int(quads.by)); }

// Adds a map, from this thread's first quad on, behind an affine where not null.
DEVICE void add_map(Float4 (&sums)[4], const float* map, const float* affine, const Stretch& stretch, int channels) {
    Float4 x[4];
    load_quads(x, map, stretch);
    if (affine) {
        const Divisor quads = divisor(channels / 4);
        Float4 scale, shift;
#pragma unroll
        for (int k = 0; k < 4; k++) {
            if (differs(k, channels)) {
                const float* at = affine + channel_of(stretch.quad + 32 * k, quads);
                scale = load4(at), shift = load4(at + channels);
            }
            x[k] = fused(x[k], scale, shift);
        }
    }
#pragma unroll
    for (int k = 0; k < 4; k++) sums[k] = sums[k] + x[k];
}

// Adds a number for each channel.
DEVICE void add_shift(Float4 (&sums)[4], const float* shift, const Stretch& stretch, int channels) {
    const Divisor quads = divisor(channels / 4);
    Float4 x;
#pragma unroll
    for (int k = 0; k < 4; k++) {
        if (differs(k, channels)) x = load4(shift + channel_of(stretch.quad + 32 * k, quads));
        sums[k] = sums[k] + x;
    }
}

// Stores the signs of a warp's four groups of 128 numbers: lane k has the words of the k-th.
DEVICE void store_code(uint32_t* code, const Float4 (&sums)[4], const Stretch& stretch) {
    const int lane = threadIdx.x & 31;
    Word4 mine = {};
#pragma unroll
    for (int k = 0; k < 4; k++) {
        const bool inside = 32 * k < stretch.left;
        const Word4 words = {
            __ballot_sync(0xffffffffu, inside && sums[k].x > 0), __ballot_sync(0xffffffffu, inside && sums[k].y > 0),
            __ballot_sync(0xffffffffu, inside && sums[k].z > 0), __ballot_sync(0xffffffffu, inside && sums[k].w > 0)};
        if (lane == k) mine = words;
    }
    const int group = (stretch.quad - lane) / 32 + lane;
    if (lane < 4 && 32 * group < stretch.end) store4(code + 4 * group, mine);
}

template <bool WIDE>
DEVICE void sum_terms(const NodeJob& job, float* stage, int images, const Size& size, int code_stride) {
    const int numbers = numbers_of(size), channels = size.channels;
    const Stretch stretch = stretch_of(numbers);
    if (stretch.image >= images) return;
    const uint64_t start = uint64_t(stretch.image) * numbers, own = start + 4 * stretch.quad;
    Float4 sums[4] = {};
#pragma unroll 1
    for (int i = 0; i < 3; i++) {
        const Term term = job.terms[i];
        if (term.kind == TERM_MAP) add_map(sums, term.x + own, term.affine, stretch, channels);
        if (term.kind == TERM_SHIFT) add_shift(sums, term.affine + channels, stretch, channels);
        if (term.kind == TERM_POOL) add_windows<false, WIDE>(sums, stage, term.x + start, stretch, size);
    }
    if (job.value) store_quads(job.value + own, sums, stretch);
    if (job.code) store_code(job.code + uint64_t(stretch.image) * code_stride, sums, stretch);
}

// A value may overwrite one of its terms of kind MAP.
// lint: registers<=80 LDG.128>=4 LDS.128>=6 STG.128>=5 VOTE>=16 dynamic=24576
KERNEL(THREADS, 3) node(const NodeJob* jobs, int images, int height, int width, int channels, int code_stride) {
    DYNAMIC_SHARED(float, stage);
    sum_terms<false>(jobs[blockIdx.y], stage, images, {height, width, channels}, code_stride);
}
EXPORT(node)

// lint: registers<=80 LDG.128>=7 STG.128>=5 VOTE>=16
KERNEL(THREADS, 3) node_wide(const NodeJob* jobs, int images, int height, int width, int channels, int code_stride) {
    sum_terms<true>(jobs[blockIdx.y], nullptr, images, {height, width, channels}, code_stride);
}
EXPORT(node_wide)

// lint: registers<=64 LDG.128>=16 STG.128>=4
// The 2×2 average with stride 2 of maps of this size; an odd last row or column is left out. Stretches are those of the result.
KERNEL(THREADS) average2(const MapJob* jobs, int images, int height, int width, int channels) {
    const int numbers = (height / 2) * (width / 2) * channels;
    const Stretch stretch = stretch_of(numbers);
    if (stretch.image >= images) return;
    const float* from = jobs[blockIdx.y].from + uint64_t(stretch.image) * height * width * channels;
    float* to = jobs[blockIdx.y].to + uint64_t(stretch.image) * numbers + 4 * stretch.quad;
    const Divisor quads = divisor(channels / 4), columns = divisor(width / 2);
    Float4 means[4];
#pragma unroll
    for (int k = 0; k < 4; k++) {
        if (32 * k >= stretch.left) continue;
        const Place at = place_of(stretch.quad + 32 * k, quads, columns);
        const float* corner = from + (2 * at.y * width + 2 * at.x) * channels + at.channel;
        const Float4 above = load4(corner) + load4(corner + channels);
        corner += width * channels;
        means[k] = (above + (load4(corner) + load4(corner + channels))) * splat(0.25f);
    }
    store_quads(to, means, stretch);
}
EXPORT(average2)

// A quarter of the gradient by the 2×2 average, of which an odd last row or column has no part.
DEVICE Float4 half_of(const float* g, const Place& at, const Size& size) {
    const int y = at.y / 2, x = at.x / 2;
    if (y >= size.height / 2 || x >= size.width / 2) return splat(0);
    return load4(g + (y * (size.width / 2) + x) * size.channels + at.channel) * splat(0.25f);
}

// The gradients by all pixels of the map resized to 8×8 that repeat this one: i with i·size/8 = at.
DEVICE Float4 nearest_of(const float* g, const Place& at, Divisor height, Divisor width, int channels) {
    const int h = height.by, w = width.by;
    const int bottom = (8 * at.y + 7 + h) / height, right = (8 * at.x + 7 + w) / width;
    Float4 sum = splat(0);
#pragma unroll 1
    for (int y = (8 * at.y + h - 1) / height; y < bottom; y++) {
#pragma unroll 1
        for (int x = (8 * at.x + w - 1) / width; x < right; x++) sum = sum + load4(g + (8 * y + x) * channels + at.channel);
    }
    return sum;
}

// Which numbers of a thread's quads are positive: bit 4·k + j for number j of quad k.
DEVICE uint32_t positive_of(const float* value, const Stretch& stretch) {
    Float4 v[4];
    load_quads(v, value, stretch);
    uint32_t bits = 0;
#pragma unroll
    for (int k = 0; k < 4; k++) {
        bits |= uint32_t(v[k].x > 0) << 4 * k | uint32_t(v[k].y > 0) << (4 * k + 1);
        bits |= uint32_t(v[k].z > 0) << (4 * k + 2) | uint32_t(v[k].w > 0) << (4 * k + 3);
    }
    return bits;
}
// Numbers whose bit is set, else 0.
DEVICE Float4 masked(Float4 v, uint32_t bits) {
    return {bits & 1 ? v.x : 0, bits & 2 ? v.y : 0, bits & 4 ? v.z : 0, bits & 8 ? v.w : 0};
}

template <bool WIDE>
DEVICE void sum_readers(const GradientJob& job, const Reader* readers, float* stage, int images, const Size& size) {
    const int numbers = numbers_of(size), height = size.height, width = size.width, channels = size.channels;
    const Stretch stretch = stretch_of(numbers);
    if (stretch.image >= images) return;
    const uint64_t start = uint64_t(stretch.image) * numbers, own = start + 4 * stretch.quad;
    const Reader* reader = readers + job.first;
    const Reader* const end = reader + job.count;
    uint32_t positive = 0;  // of the value, once a convolution has asked
    bool asked = false;
    Float4 sums[4] = {};
#pragma unroll 1
    for (; reader < end; reader++) {
        const int kind = reader->kind;
        if (kind == READER_CONV || kind == READER_SKIP) {
            Float4 g[4];
            load_quads(g, reader->g + own, stretch);
            uint32_t counts = 0xffffffffu;
            if (kind == READER_CONV) {
                if (!asked) positive = positive_of(job.value + own, stretch);
                asked = true;
                counts = positive;
            }
#pragma unroll
            for (int k = 0; k < 4; k++) sums[k] = sums[k] + masked(g[k], counts >> 4 * k);
        }
        if (kind == READER_POOL) add_windows<true, WIDE>(sums, stage, reader->g + start, stretch, size);
        if (kind == READER_HALF) {
            const float* g = reader->g + uint64_t(stretch.image) * (height / 2) * (width / 2) * channels;
            add_in_turn(sums, stretch, size, [&](int, const Place& at) { return half_of(g, at, size); });
        }
        if (kind == READER_NEAREST) {
            const float* g = reader->g + uint64_t(stretch.image) * 64 * channels;
            const Divisor rows = divisor(height), columns = divisor(width);
            add_in_turn(sums, stretch, size,
                        [&](int, const Place& at) { return nearest_of(g, at, rows, columns, channels); });
        }
    }
    store_quads(job.gradient + own, sums, stretch);
}

// A gradient may overwrite the g of one of its readers of kind SKIP or CONV.
// lint: registers<=80 LDG.128>=8 LDS.128>=6 STG.128>=4 dynamic=24576
KERNEL(THREADS, 3)
node_gradient(const GradientJob* jobs, const Reader* readers, int images, int height, int width, int channels) {
    DYNAMIC_SHARED(float, stage);
    sum_readers<false>(jobs[blockIdx.y], readers, stage, images, {height, width, channels});
}
EXPORT(node_gradient)

// lint: registers<=80 LDG.128>=11 STG.128>=4
KERNEL(THREADS, 3)
node_gradient_wide(const GradientJob* jobs, const Reader* readers, int images, int height, int width, int channels) {
    sum_readers<true>(jobs[blockIdx.y], readers, nullptr, images, {height, width, channels});
}
EXPORT(node_gradient_wide)

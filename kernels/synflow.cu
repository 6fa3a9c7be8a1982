// Synflow's maps with tracked exponents, and the sums over weights: one image of ones, a population at once.
//
// SynflowState (jobs.cuh) says how maps are kept: as they were summed, never scaled again, so that a map is written once, by as
// many blocks as there are; who reads it takes the power of two of its largest number out.
//
// Nothing in the network is negative: sums do not cancel, and a ReLU passes everything. (Where a value is zero a ReLU stops the
// gradient; here it goes on and meets weights of zero or sources of zero.)
#include "jobs.cuh"

constexpr int THREADS = 256;
constexpr int MOST_TERMS = 16;
constexpr float LN_2 = 0.693147180559945f;
// Added to g in the reference form of LogSynflow.
constexpr float REFERENCE = 1e-6f;

// 2^exponent up to 2^127; below 2^-149 it is zero.
DEVICE float power_of_two(int exponent) {
    if (exponent >= -126) return float_of(uint32_t(exponent + 127) << 23);
    return exponent >= -149 ? float_of(1u << (exponent + 149)) : 0.0f;
}

// The power of two of a positive number; -127 for all that are below 2^-126.
DEVICE int magnitude(float x) { return int(bits_of(x) >> 23) - 127; }

DEVICE Float4 sum_of(Float4 a, Float4 b, float scale) {
    return {a.x + b.x * scale, a.y + b.y * scale, a.z + b.z * scale, a.w + b.w * scale};
}

// Along one axis: the rows (or columns) that a term's row is made of, and their shares.
struct Window {
    int at[3];
    float share[3];
};

// 1 / how many of n rows the window of three around a row has; 0 where there is no such row.
DEVICE float share_of(int row, int n) {
    if (row < 0 || row >= n) return 0;
    int missing = (row == 0) + (row == n - 1);
    return missing == 0 ? 1.0f / 3 : missing == 1 ? 0.5f : 1.0f;
}

DEVICE Window window_of(int kind, int row, int n) {
    switch (kind) {
        case SYNFLOW_HALVE: return {{2 * row, 2 * row + 1, 0}, {0.5f, 0.5f, 0}};
        case SYNFLOW_HALVE_BACK: return {{row / 2, 0, 0}, {0.5f, 0, 0}};
        case SYNFLOW_POOL: {
            float share = share_of(row, n);
            return {{row - 1, row, row + 1}, {row > 0 ? share : 0, share, row < n - 1 ? share : 0}};
        }
        default: return {{row - 1, row, row + 1}, {share_of(row - 1, n), share_of(row, n), share_of(row + 1, n)}};
    }
}

// A value, or a value's gradient. Terms are aligned to the one whose source's largest number weighs most. A thread takes four
// quads of channels at a time. Bytes: each term's map once, the result once. Grid: (parts of the map, jobs); any number of parts
// gives the same.
// lint: LDG.128>=8 STG.128>=1
KERNEL(256) synflow_mix(const SynflowMixJob* jobs, const SynflowTerm* terms, int height, int width, int channels) {
    constexpr int QUADS = 4;
    __shared__ SynflowTerm own[MOST_TERMS];
    __shared__ SynflowState states[MOST_TERMS];
    __shared__ float scales[MOST_TERMS];
    __shared__ float largest[THREADS / 32];
    const SynflowMixJob job = jobs[blockIdx.y];
    int thread = threadIdx.x, quads = channels / 4, total = height * width * quads;
    if (thread < job.count) {
        const SynflowTerm term = terms[job.first + thread];
        own[thread] = term;
        states[thread] = *in_global(term.state);
    }
    __syncthreads();
    if (thread == 0) {
        int exponent = 0;
        bool any = false;
        for (int t = 0; t < job.count; ++t) {
            const SynflowState& state = states[t];
            if (state.largest == 0) continue;
            int weight = state.exponent + own[t].shift + magnitude(state.largest);
            exponent = any ? max(exponent, weight) : weight;
            any = true;
        }
        // A map of zeros adds nothing, whatever its exponent.
        for (int t = 0; t < job.count; ++t) {
            const SynflowState& state = states[t];
            scales[t] = state.largest == 0 ? 0 : power_of_two(state.exponent + own[t].shift - exponent);
        }
        if (blockIdx.x == 0) in_global(job.state)->exponent = exponent;
    }
    __syncthreads();

    float* map = in_global(job.map);
    float peak = 0;
    for (int first = blockIdx.x * THREADS * QUADS + thread; first < total; first += gridDim.x * THREADS * QUADS) {
        Float4 sums[QUADS] = {};
        for (int t = 0; t < job.count; ++t) {
            float scale = scales[t];
            const float* x = in_global(own[t].x);
            int kind = own[t].kind;
            if (scale == 0) continue;
            if (kind == SYNFLOW_MAP) {
#pragma unroll
                for (int q = 0; q < QUADS; ++q) {
                    int at = first + q * THREADS;
                    if (at < total) sums[q] = sum_of(sums[q], load4(x + int64_t(at) * 4), scale);
                }
                continue;
            }
            int source_width = kind == SYNFLOW_HALVE ? width * 2 : kind == SYNFLOW_HALVE_BACK ? width / 2 : width;
#pragma unroll
            for (int q = 0; q < QUADS; ++q) {
                int at = first + q * THREADS, pixel = at / quads;
                if (at >= total) break;
                Window rows = window_of(kind, pixel / width, height), columns = window_of(kind, pixel % width, width);
                Float4 sum = {};
#pragma unroll
                for (int i = 0; i < 9; ++i) {
                    float share = rows.share[i / 3] * columns.share[i % 3];
                    int64_t from = int64_t(rows.at[i / 3] * source_width + columns.at[i % 3]) * quads + at % quads;
                    if (share != 0) sum = sum_of(sum, load4(x + from * 4), share);
                }
                sums[q] = sum_of(sums[q], sum, scale);
            }
        }
#pragma unroll
        for (int q = 0; q < QUADS; ++q) {
            int at = first + q * THREADS;
            if (at >= total) break;
            store4(map + int64_t(at) * 4, sums[q]);
            peak = fmaxf(peak, fmaxf(fmaxf(sums[q].x, sums[q].y), fmaxf(sums[q].z, sums[q].w)));
        }
    }
    for (int distance = 16; distance > 0; distance /= 2) peak = fmaxf(peak, __shfl_xor_sync(0xffffffff, peak, distance));
    if (thread % 32 == 0) largest[thread / 32] = peak;
    __syncthreads();
    if (thread > 0) return;
    for (int warp = 1; warp < THREADS / 32; ++warp) peak = fmaxf(peak, largest[warp]);
    // Bits of floats that are not negative are ordered as the floats are.
    atomicMax(reinterpret_cast<int32_t*>(&in_global(job.state)->largest), int32_t(bits_of(peak)));
}
EXPORT(synflow_mix)

// Adds the threads' sums in a fixed order and writes the block's.
DEVICE void write_sums(double (&sums)[3], double* to) {
    __shared__ double warps[THREADS / 32][3];
#pragma unroll
    for (int k = 0; k < 3; ++k) {
        for (int distance = 16; distance > 0; distance /= 2) sums[k] += __shfl_down_sync(0xffffffff, sums[k], distance);
        if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32][k] = sums[k];
    }
    __syncthreads();
    if (threadIdx.x >= 3) return;
    double sum = 0;
    for (int warp = 0; warp < int(blockDim.x) / 32; ++warp) sum += warps[warp][threadIdx.x];
    in_global(to)[threadIdx.x] = sum;
}

// Logarithms of g = m·2^exponent. Above 2^24, g + 1 is g to f32's precision; below 2^-40, ln(g + 1) is g.
struct Logarithms {
    float reference, one, tiny;  // |ln(g + 1e-6)|; ln(g + 1) is one, or m·2^exponent with m = tiny
};
DEVICE Logarithms logarithms(float m, int exponent, float half, float other_half) {
    // In two steps that do not leave f32's range where g does not.
    float g = m * half * other_half;
    if (g >= 0x1p24f) {
        float ln = logf(m) + float(exponent) * LN_2;
        return {ln, ln, 0};
    }
    float reference = fabsf(logf(g + REFERENCE));
    if (g < 0x1p-40f) return {reference, 0, m};
    return {reference, log1pf(g), 0};
}

// The sums of a convolution. Four weights' products are summed in f32, the rest in f64. Grid: (1, jobs).
// lint: LDG.128>=2
KERNEL(256) synflow_sums(const SynflowSumsJob* jobs, int weights, int parts) {
    const SynflowSumsJob job = jobs[blockIdx.y];
    const float *gradient = in_global(job.gradient), *own = in_global(job.weights);
    int exponent = in_global(job.source)->exponent + in_global(job.target)->exponent;
    // Beyond these limits every number of f32 but zero is large, or small.
    int limited = max(-280, min(254, exponent));
    float half = power_of_two(limited / 2), other_half = power_of_two(limited - limited / 2);
    double product = 0, reference = 0, one = 0, tiny = 0;
    for (int at = threadIdx.x * 4; at < weights; at += THREADS * 4) {
        Float4 m = load4(gradient + at), w = load4(own + at);
        for (int part = 1; part < parts; ++part) m = sum_of(m, load4(gradient + int64_t(part) * weights + at), 1.0f);
        Logarithms a = logarithms(m.x, exponent, half, other_half), b = logarithms(m.y, exponent, half, other_half);
        Logarithms c = logarithms(m.z, exponent, half, other_half), d = logarithms(m.w, exponent, half, other_half);
        product += double(w.x * m.x + w.y * m.y + w.z * m.z + w.w * m.w);
        reference += double(w.x * a.reference + w.y * b.reference + w.z * c.reference + w.w * d.reference);
        one += double(w.x * a.one + w.y * b.one + w.z * c.one + w.w * d.one);
        tiny += double(w.x * a.tiny + w.y * b.tiny + w.z * c.tiny + w.w * d.tiny);
    }
    double sums[3] = {
        ldexp(product, exponent + job.shift),
        ldexp(reference, job.shift),
        ldexp(one, job.shift) + ldexp(tiny, exponent + job.shift),
    };
    write_sums(sums, job.sums);
}
EXPORT(synflow_sums)

// The classifier's sums. g of a weight is its channel's mean over the pixels of the network's last value, whatever its class;
// column_sums: [channels], Σ |w| over the classes. Grid: (1, jobs).
KERNEL(256) synflow_output(const SynflowOutputJob* jobs, const double* column_sums, int pixels, int channels) {
    const SynflowOutputJob job = jobs[blockIdx.y];
    const float* map = in_global(job.map);
    int exponent = in_global(job.state)->exponent;
    double sums[3] = {0, 0, 0};
    for (int channel = threadIdx.x; channel < channels; channel += THREADS) {
        double total = 0;
        for (int pixel = 0; pixel < pixels; ++pixel) total += double(map[int64_t(pixel) * channels + channel]);
        double g = ldexp(total / pixels, exponent), w = column_sums[channel];
        sums[0] += w * g;
        sums[1] += w * fabs(log(g + 1e-6));
        sums[2] += w * log1p(g);
    }
    write_sums(sums, job.sums);
}
EXPORT(synflow_output)

// A cell's sums from those of its layers. Grid: (1, jobs); 32 threads.
KERNEL(32) synflow_total(const SynflowTotalJob* jobs) {
    const SynflowTotalJob job = jobs[blockIdx.y];
    if (threadIdx.x >= 3) return;
    double total = 0;
    for (int layer = 0; layer < job.count; ++layer) total += in_global(job.sums)[layer * 3 + threadIdx.x];
    in_global(job.total)[threadIdx.x] = total;
}
EXPORT(synflow_total)

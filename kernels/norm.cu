// BatchNorm on the statistics of the batch, forward and back, for maps of one shape.
//
// Grids: (parts, jobs, slabs of 1024 channels); norm_moments and norm_back_coefficients take (1, jobs, slabs). 256 threads, no
// dynamic shared memory. A part's pixels are added up in f32 around a number near their mean, parts in f64. docs/cuda-maps.md
// has bytes.
#include "maps.cuh"

using namespace maps;

// Pixels of a part whose mean is the centre of its sums.
constexpr int CENTRE = 8;

// lint: registers<=64 LDG.128>=1
// The sums of a map that is there already: `from` is the map, `to` the sums.
KERNEL(THREADS) map_sums(const MapJob* jobs, int pixels, int channels) {
    __shared__ __align__(16) float room[2 * SLAB];
    __shared__ __align__(16) float centres[SLAB];
    const Rows rows = rows_of(channels);
    const int count = part_pixels(pixels);
    const float* map = jobs[blockIdx.y].from + uint64_t(blockIdx.x) * PART * channels + rows.channel;
    if (rows.row == 0) {
        Float4 centre = splat(0);
        const int near = count < CENTRE ? count : CENTRE;
        for (int pixel = 0; pixel < near; pixel++) centre = centre + load4(map + pixel * channels);
        store4(centres + rows.column, centre * splat(1.0f / float(near)));
    }
    __syncthreads();
    if (active(rows)) {
        const Float4 centre = load4(centres + rows.column);
        Float4 first = splat(0), second = splat(0);
#pragma unroll 4
        for (int pixel = rows.row; pixel < count; pixel += rows.count) {
            const Float4 d = load4(map + pixel * channels) - centre;
            first = first + d;
            second = fused(d, d, second);
        }
        store4(room + place(rows, 0), first);
        store4(room + place(rows, 1), second);
    }
    float* sums = jobs[blockIdx.y].to + uint64_t(blockIdx.x) * 2 * channels + SLAB * blockIdx.z;
    sum_rows<2>(room, rows, [&](int column, const float(&s)[2]) {
        const float shift = s[0] / float(count), squares = fmaf(-s[0], shift, s[1]);
        sums[column] = centres[column] + shift;
        sums[channels + column] = squares > 0 ? squares : squares != squares ? squares : 0;
    });
}
EXPORT(map_sums)

// lint: registers<=128 LDG.128>=1
// Merges the parts by the rule of Chan, Golub and LeVeque: mean = Σ n·m / N, and Σ(x − mean)² = Σ (squares + n·(m − mean)²), both
// around the first part's mean, so that what cancels is no larger than what parts differ by.
KERNEL(THREADS) norm_moments(const MomentsJob* jobs, int parts, int pixels, int channels) {
    __shared__ __align__(16) double room[3 * SLAB];
    const Rows rows = rows_of(channels);
    const MomentsJob job = jobs[blockIdx.y];
    if (active(rows)) {
        const float* sums = job.sums + rows.channel;
        const Float4 centre = load4(sums);
        double first[4] = {}, second[4] = {}, within[4] = {};
        for (int part = rows.row; part < parts; part += rows.count) {
            const float* at = sums + uint64_t(part) * 2 * channels;
            const Float4 mean = load4(at), squares = load4(at + channels);
            const double share = part + 1 < parts ? 1 : (pixels - PART * part) * (1.0 / PART);
            const double d[4] = {double(mean.x) - centre.x, double(mean.y) - centre.y, double(mean.z) - centre.z,
                                 double(mean.w) - centre.w};
            const double s[4] = {squares.x, squares.y, squares.z, squares.w};
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const double shared = share * d[j];
                first[j] += shared;
                second[j] += shared * d[j];
                within[j] += s[j];
            }
        }
        store4(room + place(rows, 0), first);
        store4(room + place(rows, 1), second);
        store4(room + place(rows, 2), within);
    }
    sum_rows<3>(room, rows, [&](int column, const double(&s)[3]) {
        const int channel = SLAB * int(blockIdx.z) + column;
        const double shift = s[0] * PART / pixels;
        const double mean = double(job.sums[channel]) + shift;
        const double squares = s[2] + PART * (s[1] - s[0] * shift);
        const double variance = (squares > 0 ? squares : squares != squares ? squares : 0) / pixels;
        const double inverse = 1.0 / sqrt(variance + 1e-5);
        const double scale = (job.gamma ? double(job.gamma[channel]) : 1.0) * inverse;
        const double beta = job.beta ? double(job.beta[channel]) : 0.0;
        job.affine[channel] = float(scale);
        job.affine[channels + channel] = float(beta - mean * scale);
        if (job.moments) {
            job.moments[channel] = float(mean);
            job.moments[channels + channel] = float(inverse);
        }
    });
}
EXPORT(norm_moments)

// lint: registers<=64 LDG.128>=8
// Σ g and Σ g·x̂ over a part.
KERNEL(THREADS) norm_back_sums(const NormBackJob* jobs, int pixels, int channels) {
    __shared__ __align__(16) float room[2 * SLAB];
    const Rows rows = rows_of(channels);
    const int count = part_pixels(pixels);
    const NormBackJob& job = jobs[blockIdx.y];
    if (active(rows)) {
        const uint64_t start = uint64_t(blockIdx.x) * PART * channels + rows.channel;
        const float *g = job.g + start, *y = job.y + start;
        const Float4 mean = load4(job.moments + rows.channel);
        Float4 sum = splat(0), product = splat(0);
        for (int first = rows.row; first < count; first += 4 * rows.count) {
            Float4 of_g[4], of_y[4];
#pragma unroll
            for (int k = 0; k < 4; k++) {
                const int pixel = first + k * rows.count;
                of_g[k] = pixel < count ? load4(g + pixel * channels) : splat(0);
                of_y[k] = pixel < count ? load4(y + pixel * channels) : mean;
            }
#pragma unroll
            for (int k = 0; k < 4; k++) {
                sum = sum + of_g[k];
                product = fused(of_g[k], of_y[k] - mean, product);
            }
        }
        store4(room + place(rows, 0), sum);
        store4(room + place(rows, 1), product);
    }
    const int slab = SLAB * int(blockIdx.z);
    const float* inverse = job.moments + channels + slab;
    float* sums = job.sums + uint64_t(blockIdx.x) * 2 * channels + slab;
    sum_rows<2>(room, rows, [&](int column, const float(&s)[2]) {
        sums[column] = s[0];
        sums[channels + column] = s[1] * inverse[column];
    });
}
EXPORT(norm_back_sums)

// lint: registers<=128 LDG.128>=1
// The gradient by y is γ/σ·(g − Σg/N − x̂·Σ(g·x̂)/N) = a·g + b·(y − mean) + c.
KERNEL(THREADS) norm_back_coefficients(const NormBackJob* jobs, int parts, int pixels, int channels) {
    __shared__ __align__(16) double room[2 * SLAB];
    const Rows rows = rows_of(channels);
    const NormBackJob job = jobs[blockIdx.y];
    if (active(rows)) {
        double sum[4] = {}, product[4] = {};
        for (int part = rows.row; part < parts; part += rows.count) {
            const float* at = job.sums + uint64_t(part) * 2 * channels + rows.channel;
            const Float4 of_g = load4(at), of_product = load4(at + channels);
            sum[0] += of_g.x, sum[1] += of_g.y, sum[2] += of_g.z, sum[3] += of_g.w;
            product[0] += of_product.x, product[1] += of_product.y, product[2] += of_product.z, product[3] += of_product.w;
        }
        store4(room + place(rows, 0), sum);
        store4(room + place(rows, 1), product);
    }
    sum_rows<2>(room, rows, [&](int column, const double(&s)[2]) {
        const int channel = SLAB * int(blockIdx.z) + column;
        const double inverse = job.moments[channels + channel];
        const double a = (job.gamma ? double(job.gamma[channel]) : 1.0) * inverse;
        job.coefficients[channel] = float(a);
        job.coefficients[channels + channel] = float(-a * inverse * s[1] / pixels);
        job.coefficients[2 * channels + channel] = float(-a * s[0] / pixels);
        if (job.gamma_gradient) job.gamma_gradient[channel] = float(s[1]);
        if (job.beta_gradient) job.beta_gradient[channel] = float(s[0]);
    });
}
EXPORT(norm_back_coefficients)

// lint: registers<=64 LDG.128>=8 STG.128>=4
// y ← a·g + b·(y − mean) + c.
KERNEL(THREADS) norm_back_apply(const NormBackJob* jobs, int pixels, int channels) {
    const Rows rows = rows_of(channels);
    if (!active(rows)) return;
    const int count = part_pixels(pixels);
    const NormBackJob& job = jobs[blockIdx.y];
    const uint64_t start = uint64_t(blockIdx.x) * PART * channels + rows.channel;
    const float* g = job.g + start;
    float* y = job.y + start;
    const float* coefficients = job.coefficients + rows.channel;
    const Float4 mean = load4(job.moments + rows.channel);
    const Float4 a = load4(coefficients), b = load4(coefficients + channels), c = load4(coefficients + 2 * channels);
    for (int first = rows.row; first < count; first += 4 * rows.count) {
        Float4 of_g[4], of_y[4];
#pragma unroll
        for (int k = 0; k < 4; k++) {
            const int pixel = first + k * rows.count;
            of_g[k] = pixel < count ? load4(g + pixel * channels) : splat(0);
            of_y[k] = pixel < count ? load4(y + pixel * channels) : splat(0);
        }
#pragma unroll
        for (int k = 0; k < 4; k++) of_y[k] = fused(a, of_g[k], fused(b, of_y[k] - mean, c));
#pragma unroll
        for (int k = 0; k < 4; k++) {
            const int pixel = first + k * rows.count;
            if (pixel < count) store4(y + pixel * channels, of_y[k]);
        }
    }
}
EXPORT(norm_back_apply)

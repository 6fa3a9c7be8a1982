// LossSlope's heads beside their BatchNorm and convolution: the resize to 8×8, and the loss with its gradient.
//
// Grids: resize8 (images, jobs, slabs of 1024 channels), head_loss (parts, jobs), head_losses (1, jobs). 256 threads, no dynamic
// shared memory. The order of launches of a step and the bytes are in docs/cuda-maps.md.
#include "maps.cuh"

using namespace maps;

// lint: registers<=64 LDG.128>=1 STG.128>=1
// Nearest neighbours: pixel (y, x) of the result is pixel (y·height/8, x·width/8) of the source, or 0 where the source is null.
KERNEL(THREADS) resize8(const MapJob* jobs, int images, int height, int width, int channels) {
    const Rows rows = rows_of(channels);
    const int image = blockIdx.x;
    if (image >= images || !active(rows)) return;
    const MapJob job = jobs[blockIdx.y];
    const float* from = job.from + uint64_t(image) * height * width * channels + rows.channel;
    float* to = job.to + uint64_t(image) * 64 * channels + rows.channel;
#pragma unroll 4
    for (int pixel = rows.row; pixel < 64; pixel += rows.count) {
        const int y = (pixel >> 3) * height >> 3, x = (pixel & 7) * width >> 3;
        store4(to + pixel * channels, job.from ? load4(from + (y * width + x) * channels) : splat(0));
    }
}
EXPORT(resize8)

// Heads have 1024 channels at most.
// lint: registers<=64 LDG.128>=8 STG.128>=4
KERNEL(THREADS) head_loss(const HeadJob* jobs, int pixels, int channels) {
    __shared__ __align__(16) float room[SLAB];
    __shared__ double squares[THREADS];
    const Rows rows = rows_of(channels);
    const int count = part_pixels(pixels), thread = threadIdx.x;
    const HeadJob& job = jobs[blockIdx.y];
    const double scale = double(job.weight) / (double(pixels) * channels);
    double square = 0;
    if (active(rows)) {
        const uint64_t start = uint64_t(blockIdx.x) * PART * channels + rows.channel;
        float* output = job.output + start;
        const float* target = job.target + start;
        const Float4 bias = load4(job.bias + rows.channel), twice = splat(float(2 * scale));
        Float4 of_bias = splat(0);
        for (int first = rows.row; first < count; first += 4 * rows.count) {
            Float4 found[4], wanted[4];
#pragma unroll
            for (int k = 0; k < 4; k++) {
                const int pixel = first + k * rows.count;
                found[k] = pixel < count ? load4(output + pixel * channels) : splat(0);
                wanted[k] = pixel < count ? load4(target + pixel * channels) : bias;
            }
            Float4 run = splat(0);
#pragma unroll
            for (int k = 0; k < 4; k++) {
                const Float4 difference = (found[k] + bias) - wanted[k];
                run = fused(difference, difference, run);
                found[k] = difference * twice;
                of_bias = of_bias + found[k];
            }
#pragma unroll
            for (int k = 0; k < 4; k++) {
                const int pixel = first + k * rows.count;
                if (pixel < count) store4(output + pixel * channels, found[k]);
            }
            square += double((run.x + run.y) + (run.z + run.w));
        }
        store4(room + place(rows, 0), of_bias);
    }
    squares[thread] = square;
    float* bias_gradient = job.bias_gradient + uint64_t(blockIdx.x) * channels;
    sum_rows<1>(room, rows, [&](int column, const float(&s)[1]) { bias_gradient[column] = s[0]; });
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (thread < half) squares[thread] += squares[thread + half];
    }
    if (thread == 0) job.loss[blockIdx.x] = squares[0] * scale;
}
EXPORT(head_loss)

// lint: registers<=64
// The loss of a step: heads in their order, each the sum of its parts in theirs.
KERNEL(THREADS) head_losses(const LossJob* jobs, int parts, int step) {
    if (threadIdx.x != 0) return;
    const LossJob job = jobs[blockIdx.y];
    double loss = 0;
    for (int head = 0; head < 3; head++) {
        double sum = 0;
        for (int part = 0; part < parts; part++) sum += job.heads[head][part];
        loss += sum;
    }
    job.losses[step] = loss;
}
EXPORT(head_losses)

// SGD with momentum and weight decay, for lists of trained numbers of any lengths.
//
// Grid: (numbers of the longest list / 1024, rounded up, jobs), 256 threads, four numbers a thread. Bytes for each number: 16,
// and 4 for each part of its gradient.
#include "maps.cuh"

using namespace maps;

// lint: registers<=64 LDG.128>=3 STG.128>=2
KERNEL(THREADS) sgd(const SgdJob* jobs) {
    const SgdJob job = jobs[blockIdx.y];
    const int at = 4 * (int(blockIdx.x) * THREADS + int(threadIdx.x));
    if (at >= job.weights) return;
    const Float4 w = load4(job.w + at), m = load4(job.m + at);
    const float* part = job.gradient + at;
    Float4 g = load4(part);
#pragma unroll 4
    for (int p = 1; p < job.parts; p++) g = g + load4(part += job.weights);
    const Float4 momentum = fused(m, splat(0.9f), fused(w, splat(job.decay), g));
    store4(job.m + at, momentum);
    store4(job.w + at, fused(momentum, splat(-0.1f), w));
}
EXPORT(sgd)

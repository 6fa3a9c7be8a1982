// Copies of lists of floats: the initial parameters of every cell in training, from what all cells share.
//
// Grid: (numbers of the longest list / 1024, rounded up, jobs), 256 threads, four numbers a thread.
#include "maps.cuh"

using namespace maps;

// lint: registers<=32 LDG.128>=1 STG.128>=1
KERNEL(THREADS) copy(const CopyJob* jobs) {
    const CopyJob job = jobs[blockIdx.y];
    const int at = 4 * (int(blockIdx.x) * THREADS + int(threadIdx.x));
    if (at >= job.count) return;
    store4(job.to + at, job.from ? load4(job.from + at) : splat(0));
}
EXPORT(copy)

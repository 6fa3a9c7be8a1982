// Weights for the way back: the data gradient of a convolution is a convolution of the gradient, with inputs and outputs
// exchanged and the kernel turned by 180°. That holds for stride 2 too, of which the gradient is spread (ConvShape::spread).
#include "jobs.cuh"

// Packed weights of `inputs` × `outputs` to packed weights of `outputs` × `inputs`; both are multiples of 16. Grid: x covers
// inputs·outputs·taps/4 threads, y = job. Block: 256 threads. Each writes 16 bytes; a warp reads full sectors of 32.
// lint: STG.128>=1 registers<=32
KERNEL(256) transpose_weights(const MapJob* jobs, int inputs, int outputs, int taps) {
    int quad = blockIdx.x * 256 + threadIdx.x;
    if (quad >= inputs * outputs * taps / 4) return;
    const float* from = in_global(jobs[blockIdx.y].from);
    float* to = in_global(jobs[blockIdx.y].to);
    int lane = quad % 32, group = quad / 32;
    int input = group % (inputs / 8) * 8 + lane / 4;  // of the forward convolution, as all below
    int rest = group / (inputs / 8), tap = taps - 1 - rest % taps;
    int output = rest / taps * 16 + lane % 4 * 4;  // the first of four
    from += ((input / 16 * taps + tap) * (outputs / 8) + output / 8) * 128 + output % 8 * 16 + input % 16;
    store4(to + int64_t(quad) * 4, {from[0], from[16], from[32], from[48]});
}
EXPORT(transpose_weights)

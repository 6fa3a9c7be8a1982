// Packed weights on their way into shared memory.
#pragma once
#include "jobs.cuh"

namespace conv {

// A step is one tap of 16 inputs; packed weights are a list of steps. A stage is STEPS of them for N outputs, in shared memory twice, so
// that one arrives while the other is used. A lane of a product finds its four weights for eight outputs at
// [step][outputs/8][lane][WORDS]: four f32, or two words of two halves.
template <int N, int STEPS, bool HALVES> struct Stages {
    static constexpr int WORDS = HALVES ? 2 : 4;
    static constexpr int STEP = N / 8 * 32 * WORDS;
    static constexpr int SHARED = 2 * STEPS * STEP;  // words
    static constexpr int QUADS = N / 8 * 32;         // lanes' shares of a step
    static constexpr int ROUNDS = (STEPS * QUADS + 255) / 256;

    uint32_t* shared;
    const float* w;   // of the first of the N outputs
    int step_stride;  // floats from step to step
    Float4 held[HALVES ? ROUNDS : 1];
};

template <class S> DEVICE uint32_t* place_of(const S& stages, int stage) {
    return stages.shared + (stage & 1) * (S::SHARED / 2);
}

// Begins to bring in a stage of `count` steps from `first` on. What is to be 16 bits wide waits in registers for `deposit`.
template <int N, int STEPS, bool HALVES> DEVICE void fetch(Stages<N, STEPS, HALVES>& stages, int stage, int first, int count) {
    using S = Stages<N, STEPS, HALVES>;
    uint32_t* to = place_of(stages, stage);
#pragma unroll
    for (int round = 0; round < S::ROUNDS; ++round) {
        int quad = round * 256 + int(threadIdx.x);
        if (quad < count * S::QUADS) {
            const float* from = stages.w + (first + quad / S::QUADS) * stages.step_stride + quad % S::QUADS * 4;
            if (HALVES) stages.held[HALVES ? round : 0] = load4(from);
            else copy16(to + quad * S::WORDS, from);
        }
    }
    copies_commit();
}

// Rounds and writes what waits. Nobody may still use the stage before the last.
template <int N, int STEPS, bool HALVES> DEVICE void deposit(const Stages<N, STEPS, HALVES>& stages, int stage, int count) {
    using S = Stages<N, STEPS, HALVES>;
    if (!HALVES) return;
    uint32_t* to = place_of(stages, stage);
#pragma unroll
    for (int round = 0; round < S::ROUNDS; ++round) {
        int quad = round * 256 + int(threadIdx.x);
        Float4 v = stages.held[HALVES ? round : 0];
        Float2 halves = {float_of(halves_of(v.x, v.y)), float_of(halves_of(v.z, v.w))};
        if (quad < count * S::QUADS) store2(reinterpret_cast<float*>(to + quad * S::WORDS), halves);
    }
}

// Waits for the stage that was begun last; then it is there for all threads, and all have left the one before.
template <class S> DEVICE const uint32_t* arrived(const S& stages, int stage) {
    copies_wait<0>();
    __syncthreads();
    return place_of(stages, stage);
}

}  // namespace conv

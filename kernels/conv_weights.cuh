// Packed weights on their way into shared memory.
#pragma once
#include "jobs.cuh"

namespace conv {

// A step is one tap of 16 inputs; packed weights are a list of steps. A stage is STEPS of them for N outputs, in shared memory
// twice, so that one arrives while the other is used. A lane of a product finds its four weights for eight outputs at
// [step][outputs/8][lane][WORDS]: four f32, or two words of two halves.
template <int N, int STEPS, bool HALVES> struct Stages {
    static constexpr int WORDS = HALVES ? 2 : 4;
    static constexpr int STEP = N / 8 * 32 * WORDS;
    static constexpr int SHARED = 2 * STEPS * STEP;  // words
    static constexpr int QUADS = N / 8 * 32;         // lanes' shares of a step
    static constexpr int STEPS_A_ROUND = 256 / QUADS;  // that 256 threads bring, 16 bytes each
    static constexpr int ROUNDS = (STEPS + STEPS_A_ROUND - 1) / STEPS_A_ROUND;

    uint32_t* shared;
    const float* w;   // what this thread brings first of the next stage
    int step_stride;  // floats from step to step
    Float4 held[HALVES ? ROUNDS : 1];
};

// Which step of a round a thread brings, and which lane's share of it.
template <class S> DEVICE int own_step() { return S::QUADS == 256 ? 0 : int(threadIdx.x) / S::QUADS; }
template <class S> DEVICE int own_quad() { return S::QUADS == 256 ? int(threadIdx.x) : int(threadIdx.x) % S::QUADS; }

// For N outputs from `w` on; `outputs` are those of a step.
template <class S> DEVICE void begin(S& stages, uint32_t* shared, const float* w, int outputs) {
    stages.shared = shared;
    stages.step_stride = outputs * 16;
    stages.w = w + own_step<S>() * stages.step_stride + own_quad<S>() * 4;
}
template <class S> DEVICE uint32_t* place_of(const S& stages, int stage) {
    return stages.shared + (stage & 1) * (S::SHARED / 2);
}
// Whether a thread has a share of a stage of `count` steps in a round.
template <class S> DEVICE bool has_share(int round, int count) {
    return round * S::STEPS_A_ROUND + own_step<S>() < count;
}

// Begins to bring in a stage, the one after the last begun. What is to be 16 bits wide waits in registers for `deposit`.
template <int N, int STEPS, bool HALVES> DEVICE void fetch(Stages<N, STEPS, HALVES>& stages, int stage, int count) {
    using S = Stages<N, STEPS, HALVES>;
    uint32_t* to = place_of(stages, stage) + int(threadIdx.x) * S::WORDS;
#pragma unroll
    for (int round = 0; round < S::ROUNDS; ++round)
        if (has_share<S>(round, count)) {
            const float* from = in_global(stages.w + round * S::STEPS_A_ROUND * stages.step_stride);
            if (HALVES) stages.held[HALVES ? round : 0] = load4(from);
            else copy16(to + round * 256 * S::WORDS, from);
        }
    stages.w += STEPS * stages.step_stride;
    copies_commit();
}

// Rounds and writes what waits. Nobody may still use the stage before the last.
template <int N, int STEPS, bool HALVES> DEVICE void deposit(const Stages<N, STEPS, HALVES>& stages, int stage, int count) {
    using S = Stages<N, STEPS, HALVES>;
    if (!HALVES) return;
    uint32_t* to = place_of(stages, stage) + int(threadIdx.x) * S::WORDS;
#pragma unroll
    for (int round = 0; round < S::ROUNDS; ++round) {
        Float4 v = stages.held[HALVES ? round : 0];
        Float2 halves = {float_of(halves_of(v.x, v.y)), float_of(halves_of(v.z, v.w))};
        if (has_share<S>(round, count)) store2(reinterpret_cast<float*>(to + round * 256 * S::WORDS), halves);
    }
}

// Waits for the stage that was begun last; then it is there for all threads, and all have left the one before.
template <class S> DEVICE const uint32_t* arrived(const S& stages, int stage) {
    copies_wait<0>();
    __syncthreads();
    return place_of(stages, stage);
}

}  // namespace conv

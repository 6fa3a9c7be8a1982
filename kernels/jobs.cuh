// What the host tells kernels to do: mirrored by src/cuda/jobs.rs, field by field. A launch takes a list of jobs, one for each
// tensor of each cell; blockIdx.y is the job, blockIdx.x a part of it. Jobs of one launch have one shape.
//
// Map: [image][y][x][channel], f32, channels padded with zeros to a multiple of 16. "Pixels" counts all images' pixels.
// Packed weights: [inputs/16][tap][outputs/8][lane 0..31][4], f32, inputs and outputs padded to multiples of 16, tap = ky·k + kx,
// lane = 4·(output % 8) + (input % 16) / 4, the last index input % 4: what a lane of a tensor-core product reads is 16 bytes.
// Affine: [2][channels], scale then shift. Moments: [2][channels], mean then 1/σ.
// Sums of a map: [part][2][channels], mean and Σ(x − mean)² of the part's own pixels; part p covers the pixels from p·PART on.
#pragma once
#include "device.cuh"

#define PART 256

// What of a map a convolution reads and writes. Forward: output (y, x), tap (ky, kx) reads source (y·stride + ky − k/2, …) where that lies
// inside. Data gradient of a convolution with stride 2: the gradient is spread: source coordinate (y + ky − k/2) / 2 where
// even, and the weights are those of transpose_weights. Images and channels are common.
struct ConvShape {
    int32_t images;
    int32_t source_height, source_width;
    int32_t height, width;    // of the output
    int32_t inputs, outputs;  // channels in memory
    int32_t stride;           // 1 or 2
    int32_t spread;           // 1, or 2 for the data gradient of stride 2 (stride is 1 then)
    int32_t relu;             // 1: negative source numbers count as zero
};
// y = convolution of x with w, and the sums of y where `sums` is not null.
struct ConvJob {
    const float* x;
    const float* w;
    float* y;
    float* sums;
};

// The gradient by packed weights, in parts: part p of `gradient` ([parts][weights]) is the sum over the p-th range of pixels.
// x is the convolution's source (ReLU on load as the shape says), g the gradient by its output.
struct WeightGradientJob {
    const float* x;
    const float* g;
    float* gradient;
};

// Source and result of what turns one tensor into another.
struct MapJob {
    const float* from;
    float* to;
};

// BatchNorm's statistics from the sums of a map: affine = γ/σ, β − mean·γ/σ with σ² = variance + 1e-5, and moments where not null. γ
// and β are lists of channels, or null for ones and zeros.
struct MomentsJob {
    const float* sums;
    const float* gamma;
    const float* beta;
    float* affine;
    float* moments;
};

enum TermKind { TERM_NONE = 0, TERM_MAP = 1, TERM_POOL = 2, TERM_SHIFT = 3 };
// A summand of a value. MAP: x, behind its affine where not null. POOL: 3×3 average of x, the divisor counting pixels inside.
// SHIFT: the affine's second row, a number for each channel; x is null.
struct Term {
    const float* x;
    const float* affine;
    int32_t kind;
    int32_t padding;
};
// A value: the sum of its terms in their order, and its code. Either result may be null.
// Code of an image: bit = number > 0; words of 32 bits, `code_stride` words from image to image. Four words hold 128 numbers in a
// row of the image: bit l of word j is number 4·l + j. Bits past the end are zero; an image takes 4·ceil(numbers/128) words.
struct NodeJob {
    Term terms[3];
    float* value;
    uint32_t* code;
};

enum ReaderKind { READER_CONV = 0, READER_SKIP = 1, READER_POOL = 2, READER_HALF = 3, READER_NEAREST = 4 };
// One who read a value. CONV: g is the data gradient of a convolution behind ReLU: counts where the value is > 0. SKIP: g is the
// gradient by the reader. POOL: so, behind the 3×3 average. HALF: g, of half the size, is the gradient by the 2×2 average. NEAREST: g is
// [image][8][8][channel], the gradient by the map resized to 8×8 (source pixel of i: i·height/8).
struct Reader {
    const float* g;
    int32_t kind;
    int32_t padding;
};
// gradient = Σ over `count` readers from `first` on, in their order.
struct GradientJob {
    const float* value;
    float* gradient;
    int32_t first;
    int32_t count;
};

// BatchNorm's way back. g: gradient by the BatchNorm's output; y: its input, the convolution's output. `sums`:
// [part][2][channels], Σ g and Σ g·x̂ over a part of PART pixels, x̂ = (y − mean)/σ. Then coefficients: [3][channels], so that
// the gradient by y is a·g + b·(y − mean) + c, and the gradients by γ (Σ g·x̂) and β (Σ g), [channels] each, where not null.
// Then y is overwritten by the gradient by y.
struct NormBackJob {
    const float* g;
    float* y;
    const float* moments;
    const float* gamma;
    float* sums;
    float* coefficients;
    float* gamma_gradient;
    float* beta_gradient;
};

// A stretch of an image's code that counts `multiplicity` times.
struct Segment {
    int32_t first;  // word of the image's code, a multiple of 4
    int32_t words;  // a multiple of 4
    int32_t multiplicity;
    int32_t padding;
};
// The matrix of a cell: codes of `images` images, `stride` words from one to the next (a multiple of 4), and `count` segments from `first`
// on. Result [part][images][images]: common bits of images i and j, with multiplicity; a launch of P parts (gridDim.z) splits the
// codes' words between them.
struct CodeJob {
    const uint32_t* codes;
    int32_t* common;
    int32_t stride;
    int32_t first, count;
    int32_t padding;
};

// K = bits − distance of a cell, [images][images], from its common bits; `bits` is N_A.
struct MatrixJob {
    const int32_t* common;
    double* kernel;
    uint64_t bits;
};
// Overwrites the lower triangle of K. Result: ln|det K|, then the smallest pivot divided by its diagonal element.
struct DeterminantJob {
    double* kernel;
    double* result;
};

// Synflow. No number is negative; a map stands for its numbers times 2^exponent, and its largest number is known: whoever reads
// it takes that number's power of two out. A map of zeros has largest = 0 and any exponent. All bytes zero before it is written.
struct SynflowState {
    int32_t exponent;
    float largest;
};
// Kinds of a map's terms. MAP: x. POOL: 3×3 average of x, the divisor counting pixels inside. HALVE: 2×2 average of x, which is
// twice as high and wide. POOL_BACK, HALVE_BACK: the gradients by the sources of these; x is the gradient by their outputs.
enum SynflowKind { SYNFLOW_MAP = 0, SYNFLOW_POOL = 1, SYNFLOW_HALVE = 2, SYNFLOW_POOL_BACK = 3, SYNFLOW_HALVE_BACK = 4 };
// x, behind its kind, times 2^shift. `state` belongs to x, or to the map that a convolution made x from; then the weights'
// exponent is the shift.
struct SynflowTerm {
    const float* x;
    const SynflowState* state;
    int32_t shift;
    int32_t kind;
};
// A value or a gradient: the sum of `count` terms from `first` on, in their order, at most 16.
struct SynflowMixJob {
    float* map;
    SynflowState* state;
    int32_t first;
    int32_t count;
};
// The sums of a convolution's packed weights |w| = weights·2^shift and their gradients g, given in parts [part][weights]; g's
// exponent is that of the convolution's source and that of the gradient by its output together. Result: Σ w·g,
// Σ w·|ln(g + 1e-6)|, Σ w·ln(g + 1).
struct SynflowSumsJob {
    const float* gradient;
    const float* weights;
    const SynflowState* source;
    const SynflowState* target;
    double* sums;
    int32_t shift;
    int32_t padding;
};
// The same sums of the classifier, from the network's last value.
struct SynflowOutputJob {
    const float* map;
    const SynflowState* state;
    double* sums;
};
// A cell's sums: those of `count` layers, [layer][3], one after the other.
struct SynflowTotalJob {
    const double* sums;
    double* total;
    int32_t count;
    int32_t padding;
};

// A head of LossSlope behind its convolution, whose output is [image][8][8][channel], without bias, as is the target. The
// output is overwritten by the gradient of the loss by it, weight·2·(output + bias − target)/numbers. bias_gradient:
// [part][channels]. loss: [part], the parts of weight·mean squared error.
struct HeadJob {
    float* output;
    const float* bias;
    const float* target;
    float* bias_gradient;
    double* loss;
    float weight;
    int32_t padding;
};
// The loss of a step, at losses[step], from the parts of the three heads.
struct LossJob {
    const double* heads[3];
    double* losses;
};

// A step of trained numbers, a multiple of four: m ← 0.9·m + (g + decay·w), w ← w − 0.1·m, where g is the sum of the parts of
// the gradient, [parts][weights], in their order.
struct SgdJob {
    float* w;
    float* m;
    const float* gradient;
    int32_t weights;
    int32_t parts;
    float decay;
    int32_t padding;
};

// A list of floats, a multiple of four, copied; zeros where `from` is null.
struct CopyJob {
    const float* from;
    float* to;
    int32_t count;
    int32_t padding;
};

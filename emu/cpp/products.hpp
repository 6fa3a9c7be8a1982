// Tensor-core products of a warp, all of whose lanes have come with their operands.
#pragma once
#include "processor.hpp"

namespace emulated {

void multiply_f16_depth8(Thread* warp);
void multiply_f16_depth16(Thread* warp);
void multiply_tf32_depth8(Thread* warp);
void multiply_bits(Thread* warp);

}  // namespace emulated

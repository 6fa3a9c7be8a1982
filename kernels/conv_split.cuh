// f32 as two numbers of tf32, whose products are exact.
#pragma once
#include "jobs.cuh"

namespace conv {

// v = high + low exactly, high the nearest number of tf32, so that |low| is at most 2^-11 of |v| and has 12 bits. Who adds a
// constant to the bits turns NaN into something else, but low stays NaN then.
DEVICE void split(float v, uint32_t& high, uint32_t& low) {
    high = (bits_of(v) + 0x1000u) & 0xffffe000u;
    low = bits_of(v - float_of(high));
}

}  // namespace conv

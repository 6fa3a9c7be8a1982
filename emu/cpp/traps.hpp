// Accesses of kernels to addresses that are nowhere mapped.
#pragma once

namespace emulated {

// From now on such an access of a kernel on the calling thread fails the launch. What happens outside of kernels, and on other
// threads, goes to whoever cared for it before.
void catch_traps();

}  // namespace emulated

// Source lines of addresses in compiled kernels.
#pragma once
#include <string>
#include <vector>

namespace emulated {

// "file.cu:line" of the call that returns to `site`, by addr2line; the address where that tool or the line is missing.
std::string source_line(const void* site);
// Looks many up at once.
void find_source_lines(const std::vector<const void*>& sites);

}  // namespace emulated

// What the checker found in a launch.
#pragma once
#include "../processor.hpp"
#include "shadow.hpp"
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace emulated {

class Findings {
public:
    void clear();
    // Adds a finding of the running thread, unless the same was found at the same lines before. `detail` follows the place.
    void add(const std::string& kind, const void* site, const std::string& detail, const void* other_site = nullptr);
    // All findings, a line each.
    std::string text() const;
    bool full() const { return lines_.size() >= 20; }

private:
    std::vector<std::string> lines_;
    std::set<std::tuple<std::string, const void*, const void*>> sites_;
    std::set<std::string> known_;
    uint64_t count_ = 0;
};

// "block (1, 0, 0) thread (5, 0, 0)"
std::string thread_text(uint64_t block, uint32_t thread);

}  // namespace emulated

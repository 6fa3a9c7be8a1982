#include "findings.hpp"
#include "../lines.hpp"
#include <cstdio>

namespace emulated {

void Findings::clear() {
    lines_.clear();
    sites_.clear();
    known_.clear();
    count_ = 0;
}

void Findings::add(const std::string& kind, const void* site, const std::string& detail, const void* other_site) {
    ++count_;
    if (full() || !sites_.insert({kind, site, other_site}).second) {
        return;
    }
    std::string line = source_line(site);
    if (!known_.insert(kind + line + (other_site ? " " + source_line(other_site) : "")).second) {
        return;
    }
    const Thread& thread = processor->running();
    lines_.push_back(kind + ": kernel " + processor->kernel().name + " at " + line + ", " +
                     thread_text(processor->block_number(), thread.index) + ", " + detail);
}

std::string Findings::text() const {
    std::string text;
    for (const std::string& line : lines_) {
        text += (text.empty() ? "" : "\n") + line;
    }
    if (count_ > lines_.size()) {
        text += "\n(" + std::to_string(count_) + " findings in all)";
    }
    return text;
}

std::string thread_text(uint64_t block, uint32_t thread) {
    const Index3 &grid = block_place.grid_size, &shape = block_place.block_size;
    char text[160];
    std::snprintf(text, sizeof text, "block (%u, %u, %u) thread (%u, %u, %u)", uint32_t(block % grid.x),
                  uint32_t(block / grid.x % grid.y), uint32_t(block / (uint64_t(grid.x) * grid.y)), thread % shape.x,
                  thread / shape.x % shape.y, thread / (shape.x * shape.y));
    return text;
}

}  // namespace emulated

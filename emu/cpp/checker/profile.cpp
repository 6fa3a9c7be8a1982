#include "profile.hpp"
#include "../lines.hpp"
#include "../memory.hpp"
#include "bits.hpp"
#include <algorithm>
#include <tuple>

namespace emulated {

constexpr size_t SECTOR = 32;
constexpr size_t BANKS = 32;

bool Profile::RowKey::operator<(const RowKey& other) const {
    return std::tie(kernel, capability, site, kind, global) <
           std::tie(other.kernel, other.capability, other.site, other.kind, other.global);
}

void Profile::start() {
    enabled_ = true;
    interval_.clear();
    rows_.clear();
    totals_.clear();
}

bool Profile::pause() {
    bool was = enabled_;
    enabled_ = false;
    return was;
}

void Profile::begin_launch() {
    interval_.clear();
    touched_.clear();
}

void Profile::add(const Thread& thread, const void* site, checker::AccessKind kind, size_t bytes, uint64_t place,
                  Buffer* buffer) {
    interval_.push_back({site, place, 0, uint16_t(thread.index), uint8_t(bytes), kind, buffer != nullptr});
    if (buffer) {
        if (buffer->sectors_read.empty()) {
            size_t size = (buffer->bytes + SECTOR - 1) / SECTOR / 8 + 1;
            buffer->sectors_read.assign(size, 0);
            buffer->sectors_written.assign(size, 0);
            touched_.push_back(buffer);
        }
        size_t first = (place - buffer->address) / SECTOR, last = (place - buffer->address + bytes - 1) / SECTOR;
        if (kind != checker::Write) {
            set_bits(buffer->sectors_read.data(), first, last - first + 1);
        }
        if (kind != checker::Read) {
            set_bits(buffer->sectors_written.data(), first, last - first + 1);
        }
    }
}

static uint64_t counted(std::vector<uint8_t>& bits) {
    uint64_t count = 0;
    for (uint8_t byte : bits) {
        count += uint64_t(__builtin_popcount(byte));
    }
    bits.clear();
    return count;
}

void Profile::end_launch() {
    if (!enabled_) {
        return;
    }
    end_interval();
    Total& total = totals_[{processor->kernel().name, processor->kernel().capability}];
    ++total.launches;
    for (Buffer* buffer : touched_) {
        total.read += counted(buffer->sectors_read) * SECTOR;
        total.written += counted(buffer->sectors_written) * SECTOR;
    }
}

void Profile::end_interval() {
    if (!enabled_ || interval_.empty()) {
        return;
    }
    // Number each thread's accesses at a place, in the order they were made.
    std::stable_sort(interval_.begin(), interval_.end(), [](const Access& a, const Access& b) {
        return std::tie(a.site, a.kind, a.thread) < std::tie(b.site, b.kind, b.thread);
    });
    for (size_t i = 1; i < interval_.size(); ++i) {
        const Access& last = interval_[i - 1];
        Access& access = interval_[i];
        bool same = last.site == access.site && last.kind == access.kind && last.thread == access.thread;
        access.occurrence = same ? last.occurrence + 1 : 0;
    }
    auto request = [](const Access& a) { return std::make_tuple(a.site, a.kind, a.thread / WARP, a.occurrence); };
    std::sort(interval_.begin(), interval_.end(), [&](const Access& a, const Access& b) {
        return std::make_tuple(request(a), a.thread) < std::make_tuple(request(b), b.thread);
    });
    for (size_t i = 0, j; i < interval_.size(); i = j) {
        for (j = i + 1; j < interval_.size() && request(interval_[j]) == request(interval_[i]); ++j) {
        }
        const Access& access = interval_[i];
        Row& row = rows_[{processor->kernel().name, processor->kernel().capability, access.site, access.kind, access.global}];
        row.bytes = access.bytes;
        ++row.requests;
        row.lanes += j - i;
        (access.global ? count_sectors : count_wavefronts)(&interval_[i], &interval_[j - 1] + 1, row);
    }
    interval_.clear();
}

void Profile::count_sectors(const Access* first, const Access* last, Row& row) {
    std::vector<uint64_t> sectors;
    std::vector<uint64_t> words;
    for (const Access* access = first; access < last; ++access) {
        for (uint64_t sector = access->place / SECTOR; sector <= (access->place + access->bytes - 1) / SECTOR; ++sector) {
            sectors.push_back(sector);
        }
        words.push_back(access->place);
    }
    auto distinct = [](std::vector<uint64_t>& list) {
        std::sort(list.begin(), list.end());
        return size_t(std::unique(list.begin(), list.end()) - list.begin());
    };
    row.parts += distinct(sectors);
    // The least: the distinct numbers asked for, packed.
    row.least += (distinct(words) * first->bytes + SECTOR - 1) / SECTOR;
}

// 4-byte accesses of a warp take one wavefront at least, 8-byte accesses one for each half, 16-byte ones for each quarter.
void Profile::count_wavefronts(const Access* first, const Access* last, Row& row) {
    uint32_t lanes = first->bytes <= 4 ? 32 : first->bytes == 8 ? 16 : 8;
    while (first < last) {
        const Access* end = first;
        std::vector<uint64_t> banks[BANKS];
        size_t most = 1;
        for (; end < last && end->thread % WARP / lanes == first->thread % WARP / lanes; ++end) {
            for (uint64_t word = end->place / 4; word <= (end->place + end->bytes - 1) / 4; ++word) {
                auto& bank = banks[word % BANKS];
                if (std::find(bank.begin(), bank.end(), word) == bank.end()) {
                    bank.push_back(word);
                }
                most = std::max(most, bank.size());
            }
        }
        row.parts += most;
        ++row.least;
        first = end;
    }
}

std::string Profile::text() const {
    std::vector<const void*> sites;
    for (const auto& [key, row] : rows_) {
        sites.push_back(key.site);
    }
    find_source_lines(sites);
    // Places of one line are added up.
    static const char* kinds[] = {"load", "store", "atomic"};
    std::map<std::tuple<std::string, uint32_t, std::string, uint8_t, bool, uint32_t>, Row> lines;
    for (const auto& [key, row] : rows_) {
        Row& sum = lines[{key.kernel, key.capability, source_line(key.site), key.kind, key.global, row.bytes}];
        sum.requests += row.requests;
        sum.lanes += row.lanes;
        sum.parts += row.parts;
        sum.least += row.least;
    }
    std::string text;
    for (const auto& [key, row] : lines) {
        const auto& [kernel, capability, line, kind, global, bytes] = key;
        text +=
            kernel + "\t" + std::to_string(capability) + "\t" + line + "\t" + kinds[kind] + "\t" + (global ? "global" : "shared");
        for (uint64_t number : {uint64_t(bytes), row.requests, row.lanes, row.parts, row.least}) {
            text += "\t" + std::to_string(number);
        }
        text += "\n";
    }
    for (const auto& [key, total] : totals_) {
        text += key.first + "\t" + std::to_string(key.second) + "\t" + std::to_string(total.launches) + "\t" +
                std::to_string(total.read) + "\t" + std::to_string(total.written) + "\n";
    }
    return text;
}

}  // namespace emulated

#define API extern "C" __attribute__((visibility("default")))
API int emulator_profile_start() {
    emulated::profile().start();
    return 0;
}
// Writes the profile so far; returns the bytes it takes, with the final zero.
API size_t emulator_profile_text(char* to, size_t bytes) {
    std::string text = emulated::profile().text();
    if (to && bytes > text.size()) {
        std::memcpy(to, text.c_str(), text.size() + 1);
    }
    return text.size() + 1;
}

// Every access of a kernel: where it goes, whether that may be, and whether it races.
#include "../checker.hpp"
#include "../lines.hpp"
#include "../memory.hpp"
#include "bits.hpp"
#include "clock.hpp"
#include "findings.hpp"
#include "profile.hpp"
#include "statics.hpp"
#include <algorithm>
#include <cstdio>

namespace emulated {
namespace {

// All that the checker keeps; launches take turns.
struct State {
    Statics statics;
    Shadow static_shadow{statics.data_bytes()};
    Shadow dynamic_shadow{MAX_SHARED};
    std::vector<uint8_t> dynamic_initialised = std::vector<uint8_t>(MAX_SHARED / 8 + 1);
    Clock clock;
    Findings findings;
    Profile profile;
    Buffer* recent[4] = {};  // buffers found last
    uint32_t oldest = 0;
    uint64_t block = 0;  // counts all blocks of the process
    uint32_t card = 0;
};
State& state() {
    static State all;
    return all;
}
State* now = nullptr;

// A piece of memory that an access lies in.
struct Target {
    Shadow* shadow;
    size_t shadow_offset;
    uint8_t* initialised;
    size_t offset;         // in the piece
    const char* space;     // "shared" or "global"
    const Buffer* buffer;  // null: shared
};

const void* site_of(const Record& record) { return reinterpret_cast<const void*>(now->statics.library() + record.site); }

std::string amount(size_t bytes) { return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes"); }

// Ends the launch: what lies there must not be touched.
[[noreturn]] void outside(const std::string& detail, const void* site) {
    now->findings.add("out of bounds", site, detail);
    processor->abandon();
}

Target dynamic_shared(uintptr_t address, size_t bytes, const void* site) {
    size_t offset = address - reinterpret_cast<uintptr_t>(processor->shared_memory());
    if (offset + bytes > processor->shared_bytes()) {
        outside(amount(bytes) + " at offset " + std::to_string(ptrdiff_t(offset)) + " of " + amount(processor->shared_bytes()) +
                    " of dynamic shared memory",
                site);
    }
    return {&now->dynamic_shadow, offset, now->dynamic_initialised.data(), offset, "shared", nullptr};
}

Target static_shared(uintptr_t address, size_t bytes, const void* site) {
    Variable* variable = now->statics.at(address);
    if (!variable || address - variable->address + bytes > variable->bytes) {
        const Variable* near = now->statics.before(address);
        outside(near ? amount(bytes) + " at offset " + std::to_string(address - near->address) + " of the shared array " +
                           near->name + " of " + amount(near->bytes)
                     : amount(bytes) + " in no shared array",
                site);
    }
    if (variable->block != now->block) {
        variable->block = now->block;
        std::fill(variable->initialised.begin(), variable->initialised.end(), 0);
    }
    return {&now->static_shadow,
            now->statics.data_offset(address),
            variable->initialised.data(),
            address - variable->address,
            "shared",
            nullptr};
}

Target global(uintptr_t address, size_t bytes, const void* site) {
    Buffer* buffer = nullptr;
    for (Buffer* known : now->recent) {
        if (known && address - known->address < known->bytes) {
            buffer = known;
        }
    }
    if (!buffer && (buffer = buffer_at(address))) {
        now->recent[now->oldest++ % 4] = buffer;
    }
    if (!buffer || address - buffer->address + bytes > buffer->bytes) {
        const Buffer* near = buffer ? buffer : buffer_before(address);
        char text[40];
        std::snprintf(text, sizeof text, "%p", reinterpret_cast<void*>(address));
        outside(near ? amount(bytes) + " at offset " + std::to_string(address - near->address) + " of device memory of " +
                           amount(near->bytes)
                     : amount(bytes) + " at " + text + ", which is no device memory",
                site);
    }
    if (buffer->card != now->card) {
        outside(amount(bytes) + " of another card's memory", site);
    }
    size_t offset = address - buffer->address;
    return {buffer->shadow.get(), offset, buffer->initialised.data(), offset, "global", buffer};
}

void report_race(const Record& earlier, bool earlier_reads, checker::AccessKind kind, const Target& target, size_t bytes,
                 const void* site) {
    const char* what = kind == checker::Read ? "race (read after write)"
                       : earlier_reads       ? "race (write after read)"
                                             : "race (write after write)";
    const char* verb = earlier_reads ? "read" : earlier.atomic ? "changed" : "written";
    uint64_t block = target.buffer ? now->clock.block_of(earlier) : processor->block_number();
    now->findings.add(what, site,
                      amount(bytes) + " of " + target.space + " memory that was " + verb + " at " +
                          source_line(site_of(earlier)) + " by " + thread_text(block, earlier.thread),
                      site_of(earlier));
}

// Whether an earlier access races with one made now.
bool races(const Record& earlier, uint8_t mask, bool atomic, const Thread& thread, bool is_global) {
    if (!earlier.interval || !(earlier.bytes & mask) || (earlier.atomic && atomic)) {
        return false;
    }
    Clock::Relation relation = now->clock.relation(earlier, thread);
    return relation == Clock::Relation::Concurrent || (is_global && relation == Clock::Relation::OtherBlock);
}

// Keeps two reads at most, such that any write that races with a read of the word races with one of them: two of different
// warps or blocks, else the latest of one warp.
void remember_read(Cell& cell, const Record& record, const Thread& thread) {
    auto passed = [&](const Record& read) {
        return !read.interval || read.thread == record.thread || now->clock.relation(read, thread) == Clock::Relation::Ordered;
    };
    bool other_block = cell.first_read.interval && now->clock.relation(cell.first_read, thread) == Clock::Relation::OtherBlock;
    if (!other_block && passed(cell.first_read)) {
        cell.first_read = record;
        if (cell.second_read.interval && passed(cell.second_read)) {
            cell.second_read = {};
        }
    } else if (passed(cell.second_read) || (cell.second_read.thread / WARP == cell.first_read.thread / WARP)) {
        cell.second_read = record;
    }
}

void check_words(const Target& target, size_t bytes, checker::AccessKind kind, const void* site) {
    const Thread& thread = processor->running();
    Record record;
    record.interval = now->clock.interval();
    record.site = uint32_t(reinterpret_cast<uintptr_t>(site) - now->statics.library());
    record.thread = uint16_t(thread.index);
    record.epoch = now->clock.epoch(thread);
    record.atomic = kind == checker::Atomic;
    bool is_global = target.buffer != nullptr, reported = false;
    size_t first = target.shadow_offset, end = first + bytes;
    for (size_t word = first / 4 * 4; word < end; word += 4) {
        uint32_t low = word < first ? uint32_t(first - word) : 0, high = end - word < 4 ? uint32_t(end - word) : 4;
        record.bytes = uint8_t((1u << high) - (1u << low));
        Cell& cell = target.shadow->cell(word);
        if (!reported) {
            const Record* earlier = nullptr;
            if (races(cell.write, record.bytes, record.atomic, thread, is_global)) {
                earlier = &cell.write;
            } else if (kind != checker::Read && races(cell.first_read, record.bytes, false, thread, is_global)) {
                earlier = &cell.first_read;
            } else if (kind != checker::Read && races(cell.second_read, record.bytes, false, thread, is_global)) {
                earlier = &cell.second_read;
            }
            if (earlier) {
                report_race(*earlier, earlier != &cell.write, kind, target, bytes, site);
                reported = true;
            }
        }
        if (kind == checker::Read) {
            remember_read(cell, record, thread);
        } else {
            cell.write = record;
        }
    }
}

// The copy that is on its way to an address, or null.
const Copy* copy_to(uintptr_t address) {
    for (uint32_t i = 0; i < processor->thread_count(); ++i) {
        for (const Copy& copy : processor->thread(i).copies) {
            if (address - reinterpret_cast<uintptr_t>(copy.shared) < 16) {
                return &copy;
            }
        }
    }
    return nullptr;
}

void report_uninitialised(const Target& target, uintptr_t address, size_t bytes, const void* site) {
    if (const Copy* copy = target.buffer ? nullptr : copy_to(address)) {
        now->findings.add("early read", site,
                          amount(bytes) + " of shared memory to which the copy of " + source_line(copy->site) +
                              " is still on its way",
                          copy->site);
        return;
    }
    now->findings.add("uninitialised read", site,
                      amount(bytes) + " at offset " + std::to_string(target.offset) + " of " + target.space +
                          " memory that nothing has written");
}

}  // namespace

namespace checker {

void begin_launch(uint32_t card) {
    now = &state();
    now->card = card;
    std::fill_n(now->recent, 4, nullptr);
    now->findings.clear();
    now->clock.begin_launch();
    now->profile.begin_launch();
}

std::string end_launch() {
    now->profile.end_launch();
    return now->findings.text();
}

void begin_block() {
    now->clock.begin_block(processor->block_number());
    ++now->block;
    std::fill_n(now->dynamic_initialised.begin(), processor->shared_bytes() / 8 + 1, 0);
}

void end_block() { now->profile.end_interval(); }

void barrier() {
    now->clock.barrier();
    now->profile.end_interval();
}

void sync_warp(uint32_t warp, uint32_t lanes) { now->clock.sync_warp(warp, lanes); }

void access(const void* pointer, size_t bytes, AccessKind kind, const void* site) {
    if (!processor || !processor->in_kernel()) {
        return;
    }
    uintptr_t address = reinterpret_cast<uintptr_t>(pointer);
    if (processor->on_own_stack(address)) {
        return;
    }
    Target target;
    // The guards around dynamic shared memory count as its outside.
    if (address - reinterpret_cast<uintptr_t>(processor->shared_memory()) + SHARED_GUARD < MAX_SHARED + 2 * SHARED_GUARD) {
        target = dynamic_shared(address, bytes, site);
    } else if (now->statics.in_data(address)) {
        target = static_shared(address, bytes, site);
    } else if (now->statics.in_library(address)) {
        return;  // tables of constants
    } else if (processor->on_stacks(address)) {
        outside(amount(bytes) + " of another thread's local memory", site);
    } else {
        target = global(address, bytes, site);
    }
    if (address % bytes) {
        now->findings.add("misaligned access", site,
                          amount(bytes) + " at offset " + std::to_string(target.offset) + " of " + target.space + " memory");
    }
    if (kind != Write && !all_bits(target.initialised, target.offset, bytes)) {
        report_uninitialised(target, address, bytes, site);
    }
    if (kind != Read) {
        set_bits(target.initialised, target.offset, bytes);
    }
    check_words(target, bytes, kind, site);
    if (now->profile.enabled()) {
        uint64_t place = target.buffer ? address : target.offset;
        now->profile.add(processor->running(), site, kind, bytes, place, const_cast<Buffer*>(target.buffer));
    }
    if (now->findings.full()) {
        processor->abandon();
    }
}

void begin_copy(void* shared, const void* global, const void* site) {
    access(global, 16, Read, site);
    access(shared, 16, Write, site);
    uintptr_t address = reinterpret_cast<uintptr_t>(shared);
    size_t offset = address - reinterpret_cast<uintptr_t>(processor->shared_memory());
    if (offset < processor->shared_bytes()) {
        clear_bits(now->dynamic_initialised.data(), offset, 16);
    } else if (Variable* variable = now->statics.in_data(address) ? now->statics.at(address) : nullptr) {
        clear_bits(variable->initialised.data(), address - variable->address, 16);
    }
}

void end_copy(void* shared, const void* site) {
    bool profiled = now->profile.pause();
    access(shared, 16, Write, site);
    now->profile.resume(profiled);
}

}  // namespace checker

Profile& profile() { return state().profile; }

}  // namespace emulated

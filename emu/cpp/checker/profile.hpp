// Profile of accesses: what each source line of a kernel asks of memory, against the least that would do.
//
// A request is what the lanes of a warp ask for by one instruction: of each lane the n-th access at the place since the last
// barrier. Global memory answers in sectors of 32 bytes; shared memory in wavefronts, in each of which a bank gives one word.
#pragma once
#include "../checker.hpp"
#include "../processor.hpp"
#include <map>
#include <string>
#include <vector>

namespace emulated {

struct Buffer;

class Profile {
public:
    void start();
    // A line each: kernel, capability, source line, "load", "store" or "atomic", "global" or "shared", bytes of a lane, requests,
    // lanes, sectors or wavefronts, least number of them. Then for each kernel: name, capability, launches, bytes of global
    // memory read at least once, written at least once. Fields are separated by tabs.
    std::string text() const;

    bool enabled() const { return enabled_; }
    bool pause();
    void resume(bool enabled) { enabled_ = enabled; }
    void begin_launch();
    void end_launch();
    void end_interval();
    // `place` is the address, or for shared memory the offset in its array.
    void add(const Thread& thread, const void* site, checker::AccessKind kind, size_t bytes, uint64_t place, Buffer* buffer);

private:
    struct Access {
        const void* site;
        uint64_t place;
        uint32_t occurrence;
        uint16_t thread;
        uint8_t bytes;
        uint8_t kind;
        bool global;
    };
    struct Row {
        uint32_t bytes = 0;
        uint64_t requests = 0, lanes = 0, parts = 0, least = 0;
    };
    struct RowKey {
        std::string kernel;
        uint32_t capability;
        const void* site;
        uint8_t kind;
        bool global;
        bool operator<(const RowKey& other) const;
    };
    struct Total {
        uint64_t launches = 0, read = 0, written = 0;
    };
    static void count_sectors(const Access* first, const Access* last, Row& row);
    static void count_wavefronts(const Access* first, const Access* last, Row& row);

    bool enabled_ = false;
    std::vector<Access> interval_;
    std::map<RowKey, Row> rows_;
    std::map<std::pair<std::string, uint32_t>, Total> totals_;
    std::vector<Buffer*> touched_;
};

// The process's profile.
Profile& profile();

}  // namespace emulated

#include "lines.hpp"
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <mutex>
#include <unordered_map>

namespace emulated {

static int anchor;
static std::mutex known_mutex;
static std::unordered_map<const void*, std::string> known;

// Reads addr2line's answers: an address, then its line and, line by line, the callers it was inlined into. The first that is
// not the emulator's own is the kernel's.
static void read_answers(FILE* output, const std::vector<const void*>& sites, size_t first) {
    char line[2048];
    size_t next = first;
    while (std::fgets(line, sizeof line, output)) {
        if (!std::strncmp(line, "0x", 2)) {
            ++next;
            continue;
        }
        line[std::strcspn(line, "\n ")] = 0;
        const char* slash = std::strrchr(line, '/');
        std::string name = slash ? slash + 1 : line;
        bool own = name.rfind("emulated.hpp:", 0) == 0 || name.rfind("exchange.hpp:", 0) == 0 || name[0] == '?';
        if (next > first && next <= sites.size() && !own) {
            known.emplace(sites[next - 1], name);
        }
    }
}

static void ask(const std::vector<const void*>& sites) {
    Dl_info library;
    if (!dladdr(&anchor, &library)) {
        return;
    }
    constexpr size_t AT_ONCE = 1000;
    for (size_t first = 0; first < sites.size(); first += AT_ONCE) {
        std::string command = std::string("addr2line -a -i -e '") + library.dli_fname + "'";
        size_t end = first + AT_ONCE < sites.size() ? first + AT_ONCE : sites.size();
        for (size_t i = first; i < end; ++i) {
            char text[32];
            uintptr_t offset = reinterpret_cast<uintptr_t>(sites[i]) - reinterpret_cast<uintptr_t>(library.dli_fbase) - 1;
            std::snprintf(text, sizeof text, " 0x%zx", size_t(offset));
            command += text;
        }
        if (FILE* output = popen((command + " 2>/dev/null").c_str(), "r")) {
            read_answers(output, sites, first);
            pclose(output);
        }
    }
    for (const void* site : sites) {
        char text[40];
        std::snprintf(text, sizeof text, "address %p", site);
        known.emplace(site, text);
    }
}

void find_source_lines(const std::vector<const void*>& sites) {
    std::lock_guard<std::mutex> lock(known_mutex);
    std::vector<const void*> unknown;
    for (const void* site : sites) {
        if (!known.count(site)) {
            unknown.push_back(site);
        }
    }
    if (!unknown.empty()) {
        ask(unknown);
    }
}

std::string source_line(const void* site) {
    find_source_lines({site});
    std::lock_guard<std::mutex> lock(known_mutex);
    return known[site];
}

}  // namespace emulated

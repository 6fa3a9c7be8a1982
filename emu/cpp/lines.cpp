#include "lines.hpp"
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <mutex>
#include <unordered_map>

namespace emulated {

static int anchor;

// addr2line -i names the line and then, line by line, the callers it was inlined into. The first that is not the emulator's own is the kernel's.
static std::string resolve(uintptr_t offset, const char* library) {
    char command[1200];
    std::snprintf(command, sizeof command, "addr2line -i -e '%s' 0x%zx 2>/dev/null", library, size_t(offset));
    std::string found;
    if (FILE* output = popen(command, "r")) {
        char line[1024];
        while (std::fgets(line, sizeof line, output)) {
            line[std::strcspn(line, "\n ")] = 0;
            const char* slash = std::strrchr(line, '/');
            std::string name = slash ? slash + 1 : line;
            bool own = name.rfind("emulated.hpp:", 0) == 0 || name.rfind("exchange.hpp:", 0) == 0 || name[0] == '?';
            if (found.empty() && !own) {
                found = name;
            }
        }
        pclose(output);
    }
    if (found.empty()) {
        std::snprintf(command, sizeof command, "address 0x%zx", size_t(offset));
        found = command;
    }
    return found;
}

std::string source_line(const void* site) {
    static std::mutex mutex;
    static std::unordered_map<const void*, std::string> known;
    std::lock_guard<std::mutex> lock(mutex);
    auto entry = known.find(site);
    if (entry != known.end()) {
        return entry->second;
    }
    Dl_info library;
    if (!dladdr(&anchor, &library)) {
        return "an unknown line";
    }
    uintptr_t offset = reinterpret_cast<uintptr_t>(site) - reinterpret_cast<uintptr_t>(library.dli_fbase) - 1;
    return known[site] = resolve(offset, library.dli_fname);
}

}  // namespace emulated

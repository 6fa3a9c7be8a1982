// What -fsanitize=thread makes of every load and store in a kernel. Only kernels are compiled with it, and no runtime is linked.
#include "../checker.hpp"
#include <cstddef>

using emulated::checker::access;
using emulated::checker::Read;
using emulated::checker::Write;

#define SITE __builtin_return_address(0)
#define CALLBACK extern "C" __attribute__((visibility("hidden"))) void

#define ACCESSES(bytes)                                                                    \
    CALLBACK __tsan_read##bytes(const void* p) { access(p, bytes, Read, SITE); }           \
    CALLBACK __tsan_write##bytes(void* p) { access(p, bytes, Write, SITE); }               \
    CALLBACK __tsan_unaligned_read##bytes(const void* p) { access(p, bytes, Read, SITE); } \
    CALLBACK __tsan_unaligned_write##bytes(void* p) { access(p, bytes, Write, SITE); }     \
    CALLBACK __tsan_volatile_read##bytes(const void* p) { access(p, bytes, Read, SITE); }  \
    CALLBACK __tsan_volatile_write##bytes(void* p) { access(p, bytes, Write, SITE); }
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

// Whole structures: word by word, as a card's compiler would do it.
static void range(const char* p, size_t bytes, emulated::checker::AccessKind kind, const void* site) {
    for (; bytes >= 4; p += 4, bytes -= 4) {
        access(p, 4, kind, site);
    }
    for (; bytes; ++p, --bytes) {
        access(p, 1, kind, site);
    }
}
CALLBACK __tsan_read_range(const void* p, size_t bytes) { range(static_cast<const char*>(p), bytes, Read, SITE); }
CALLBACK __tsan_write_range(void* p, size_t bytes) { range(static_cast<const char*>(p), bytes, Write, SITE); }

CALLBACK __tsan_init() {}
CALLBACK __tsan_func_entry(void*) {}
CALLBACK __tsan_func_exit() {}

#include "shadow.hpp"
#include "checker.hpp"
#if EMULATOR_CHECKED
namespace emulated {
Shadow* new_shadow(size_t) { return nullptr; }
void free_shadow(Shadow*, size_t) {}
namespace checker {
void begin_block(Multiprocessor&) {}
void end_block() {}
void barrier() {}
void sync_warp(uint32_t, uint32_t) {}
void access(const void*, size_t, AccessKind, const void*) {}
bool begin_copy(void*, const void*, const void*) { return true; }
void end_copy(void*, const void*) {}
}
}
#define RW(n) void __tsan_read##n(void*) {} void __tsan_write##n(void*) {} void __tsan_unaligned_read##n(void*) {} void __tsan_unaligned_write##n(void*) {}
extern "C" { void __tsan_init() {} void __tsan_func_entry(void*) {} void __tsan_func_exit() {} void __tsan_read_range(void*, size_t) {} void __tsan_write_range(void*, size_t) {} RW(1) RW(2) RW(4) RW(8) RW(16) }
#endif

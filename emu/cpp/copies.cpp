// Copies from global to shared memory that are carried out when they are waited for. Until then the shared memory holds a NaN
// pattern: a kernel that reads it too early, or that still needed what was there, computes with NaN.
#include "checker.hpp"
#include "processor.hpp"

namespace emulated {

void Multiprocessor::copy_later(void* shared, const void* global, const void* site) {
    if ((reinterpret_cast<uintptr_t>(shared) | reinterpret_cast<uintptr_t>(global)) % 16 != 0) {
        fail("misaligned access of 16 bytes by copy16", site);
    }
    Thread& thread = *running_;
    checker::begin_copy(shared, global, site);
    std::memset(shared, 0xff, 16);
    thread.copies.push_back({shared, global, site, thread.copy_group});
}

void Multiprocessor::copies_wait(Thread& thread, int groups) {
    int end = thread.copy_group - groups;
    size_t kept = 0;
    for (const Copy& copy : thread.copies) {
        if (copy.group < end) {
            checker::end_copy(copy.shared, copy.site);
            std::memcpy(copy.shared, copy.global, 16);
        } else {
            thread.copies[kept++] = copy;
        }
    }
    thread.copies.resize(kept);
}

void copy_later(void* shared, const void* global) { processor->copy_later(shared, global, __builtin_return_address(0)); }
void copies_commit() { ++processor->running().copy_group; }
void copies_wait(int groups) { processor->copies_wait(processor->running(), groups); }
void atomic(void* address, size_t bytes) { checker::access(address, bytes, checker::Atomic, __builtin_return_address(0)); }

}  // namespace emulated

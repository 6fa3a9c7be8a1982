// Stacks of fibers, and the switch from one to another.
#pragma once
#include "sanitizer.hpp"
#include <cstddef>
#include <cstdint>

namespace emulated {

// Where a fiber goes on. All other registers are the compiler's to save around the switch.
struct Resume {
    void* stack_pointer;
    void* instruction;
    void* frame;
#if defined(__SANITIZE_ADDRESS__)
    void* fake_stack;
    const void* bottom;  // of the stack
    size_t bytes;
#endif
};

// The jump at the end leads to one place for all fibers that
// wait in the same function, which processors predict, unlike a return on another stack.
#if defined(__x86_64__)
__attribute__((always_inline)) inline void jump_to_fiber(Resume* saved, const Resume* next) {
    asm volatile("leaq 1f(%%rip), %%rax\n\t"
                 "movq %%rsp, 0(%%rdi)\n\t"
                 "movq %%rax, 8(%%rdi)\n\t"
                 "movq %%rbp, 16(%%rdi)\n\t"
                 "movq 0(%%rsi), %%rsp\n\t"
                 "movq 16(%%rsi), %%rbp\n\t"
                 "jmp *8(%%rsi)\n"
                 "1:"
                 : "+D"(saved), "+S"(next)
                 :
                 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc", "xmm0",
                   "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
                   "xmm14", "xmm15");
}
#elif defined(__aarch64__)
__attribute__((always_inline)) inline void jump_to_fiber(Resume* saved, const Resume* next) {
    register Resume* to asm("x0") = saved;
    register const Resume* from asm("x1") = next;
    asm volatile("adr x2, 1f\n\t"
                 "mov x3, sp\n\t"
                 "stp x3, x2, [x0]\n\t"
                 "str x29, [x0, #16]\n\t"
                 "ldp x3, x2, [x1]\n\t"
                 "ldr x29, [x1, #16]\n\t"
                 "mov sp, x3\n\t"
                 "br x2\n"
                 "1:"
                 : "+r"(to), "+r"(from)
                 :
                 : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x19",
                   "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30", "memory", "cc", "v0", "v1", "v2", "v3",
                   "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19",
                   "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}
#else
#error "The emulator switches stacks on x86-64 and aarch64; another processor needs its own few lines here."
#endif

#if defined(__SANITIZE_ADDRESS__)
// What the last switch left. Where it went to, AddressSanitizer tells its stack's bounds.
extern Resume* left;
inline void arrive(void* fake_stack) { __sanitizer_finish_switch_fiber(fake_stack, &left->bottom, &left->bytes); }
#endif

// Goes on with `next`; returns when something switches to `saved`.
__attribute__((always_inline)) inline void switch_fibers(Resume* saved, const Resume* next) {
#if defined(__SANITIZE_ADDRESS__)
    left = saved;
    __sanitizer_start_switch_fiber(&saved->fake_stack, next->bottom, next->bytes);
#endif
    jump_to_fiber(saved, next);
#if defined(__SANITIZE_ADDRESS__)
    arrive(saved->fake_stack);
#endif
}

// First on a fresh stack.
inline void arrive_fresh() {
#if defined(__SANITIZE_ADDRESS__)
    arrive(nullptr);
#endif
}

// A stack with its guard page at the low end. AddressSanitizer puts unused bytes between variables.
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t STACK_BYTES = 512 * 1024;
#else
constexpr size_t STACK_BYTES = 64 * 1024;
#endif
constexpr size_t GUARD_BYTES = 4096;

unsigned char* map_stacks(uint32_t count);
void unmap_stacks(unsigned char* stacks, uint32_t count);
// Lets AddressSanitizer forget what lay on stacks whose functions never returned.
inline void forget_frames(unsigned char* stacks, uint32_t count) { allow(stacks, size_t(count) * STACK_BYTES); }

// What calls `entry`, which never returns, on stack `number`. Tops are staggered, else all stacks' live lines would fall on the
// same sets of the cache.
inline Resume fresh_stack(unsigned char* stacks, int number, void (*entry)()) {
    unsigned char* top = stacks + size_t(number + 1) * STACK_BYTES - 64 - size_t(number % 32) * 128;
    *reinterpret_cast<void**>(top) = nullptr;
#if defined(__x86_64__)
    // As behind a call: the stack pointer is 8 less than a multiple of 16, and points to the return address.
    top -= 8;
    *reinterpret_cast<void**>(top) = nullptr;
#endif
#if defined(__SANITIZE_ADDRESS__)
    const void* bottom = stacks + size_t(number) * STACK_BYTES + GUARD_BYTES;
    return {top, reinterpret_cast<void*>(entry), nullptr, nullptr, bottom, STACK_BYTES - GUARD_BYTES};
#else
    return {top, reinterpret_cast<void*>(entry), nullptr};
#endif
}

}  // namespace emulated

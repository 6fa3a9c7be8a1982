#include "traps.hpp"
#include "processor.hpp"
#include "sanitizer.hpp"
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <pthread.h>
#include <ucontext.h>

namespace emulated {

static pthread_t kernel_thread;
static struct sigaction before[2];
static const int SIGNALS[2] = {SIGSEGV, SIGBUS};
static void* trapped_address;
static void* trapped_instruction;
// The kernel's own stack may be what ran out.
alignas(64) static unsigned char spare_stack[64 * 1024];

static void fail_launch() {
    char text[100];
    bool overflow = processor->on_stacks(reinterpret_cast<uintptr_t>(trapped_address));
    std::snprintf(text, sizeof text, overflow ? "out of bounds: the stack of a thread is full" : "out of bounds: access at %p",
                  trapped_address);
    // Reports name the line of the instruction before.
    processor->fail(text, static_cast<char*>(trapped_instruction) + 1);
}

static void handle(int signal, siginfo_t* info, void* context) {
    if (processor && processor->in_kernel() && pthread_equal(pthread_self(), kernel_thread)) {
        auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
        trapped_address = info->si_addr;
        allow(spare_stack, sizeof spare_stack);  // fail_launch never returned from the trap before
        uintptr_t stack = reinterpret_cast<uintptr_t>(spare_stack + sizeof spare_stack - 64);
#if defined(__x86_64__)
        trapped_instruction = reinterpret_cast<void*>(machine.gregs[REG_RIP]);
        machine.gregs[REG_RSP] = greg_t(stack - 8);
        machine.gregs[REG_RIP] = greg_t(reinterpret_cast<uintptr_t>(&fail_launch));
#else
        trapped_instruction = reinterpret_cast<void*>(machine.pc);
        machine.sp = stack;
        machine.pc = reinterpret_cast<uintptr_t>(&fail_launch);
#endif
        return;
    }
    struct sigaction& old = before[signal == SIGNALS[1]];
    if (old.sa_flags & SA_SIGINFO && old.sa_sigaction) {
        old.sa_sigaction(signal, info, context);
    } else if (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN) {
        old.sa_handler(signal);
    } else {
        sigaction(signal, &old, nullptr);  // the instruction is tried again
    }
}

// A signal cannot be handled on a stack that is full.
static void have_signal_stack() {
    static thread_local bool done = false;
    stack_t now{};
    if (done || sigaltstack(nullptr, &now) || !(now.ss_flags & SS_DISABLE)) {
        return;
    }
    constexpr size_t BYTES = 64 * 1024;
    stack_t own{};
    own.ss_sp = std::malloc(BYTES);
    own.ss_size = BYTES;
    done = own.ss_sp && !sigaltstack(&own, nullptr);
}

void catch_traps() {
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction action{};
        action.sa_sigaction = handle;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        for (int i = 0; i < 2; ++i) {
            sigaction(SIGNALS[i], &action, &before[i]);
        }
    });
    kernel_thread = pthread_self();
    have_signal_stack();
}

}  // namespace emulated

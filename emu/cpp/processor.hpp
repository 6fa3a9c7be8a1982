// A multiprocessor: runs the threads of one block at a time as fibers.
#pragma once
#include "exchange.hpp"
#include "order.hpp"
#include "stacks.hpp"
#include <memory>
#include <string>
#include <vector>

namespace emulated {

constexpr uint32_t WARP = 32;
constexpr uint32_t MAX_THREADS = 1024;
constexpr uint32_t MAX_WARPS = MAX_THREADS / WARP;
constexpr size_t MAX_SHARED = 227 * 1024;
// Unused bytes before and after a block's dynamic shared memory.
constexpr size_t SHARED_GUARD = 1024;

// A copy from global to shared memory that is under way.
struct Copy {
    void* shared;
    const void* global;
    const void* site;
    int group;
};

// `place` comes first: it is what the kernel's built-in variables point to.
struct Thread {
    Place place;
    uint32_t index;  // in the block
    uint32_t warp;
    Resume resume;
    int stack;
    // What it brings to a collective, and gets back.
    uint64_t value;
    int32_t source;
    uint64_t operands[3];  // words of a, of a, of b
    void* sums;
    const void* site;  // of the rendezvous it waits at
    std::vector<Copy> copies;
    int copy_group;
};

// Lanes of a warp that wait for the others of their mask.
struct Gathering {
    uint32_t mask;
    uint32_t arrived;
    Collective kind;
    const void* site;
};

// State of a warp, as masks of lanes. A lane that is alive is ready, at the barrier, in a gathering, or the one that runs.
struct Warp {
    uint32_t alive;
    uint32_t unstarted;  // ready, but without a stack
    uint32_t ready;
    uint32_t at_barrier;
    uint32_t gatherings;  // number of them
    uint32_t padding[3];
};

struct Counts {
    uint64_t blocks, threads, switches, barriers, collectives, products;

    void add(const Counts& other) {
        blocks += other.blocks;
        threads += other.threads;
        switches += other.switches;
        barriers += other.barriers;
        collectives += other.collectives;
        products += other.products;
    }
};

class Multiprocessor {
public:
    Multiprocessor();
    ~Multiprocessor();
    Multiprocessor(const Multiprocessor&) = delete;

    void begin_launch(const Kernel& kernel, void* const* arguments, Index3 grid, Index3 block, size_t shared_bytes, Order order);
    // Runs a block to its end, or until it fails.
    void run_block(uint64_t block);

    void copy_later(void* shared, const void* global, const void* site);
    void copies_wait(Thread& thread, int groups);
    // Ends the launch with a message about the running thread; does not return.
    [[noreturn]] void fail(const std::string& what, const void* site);
    // Ends the launch without a message.
    [[noreturn]] void abandon();

    Thread& running() { return *running_; }
    bool in_kernel() const { return running_ != nullptr; }
    const Kernel& kernel() const { return *kernel_; }
    Thread& thread(uint32_t index) { return threads_[index]; }
    uint32_t thread_count() const { return thread_count_; }
    bool failed() const { return failed_; }
    const std::string& failure() const { return failure_; }
    const Counts& counts() const { return counts_; }
    uint64_t block_number() const { return block_number_; }
    unsigned char* shared_memory() const { return shared_; }
    size_t shared_bytes() const { return shared_bytes_; }
    // Whether an address lies on the running thread's stack, or on any thread's.
    bool on_own_stack(uintptr_t address) const;
    bool on_stacks(uintptr_t address) const;

    // Waits at the barrier; or for the lanes of `mask`, of which the last to come carries out the operation.
    void wait_at_barrier(const void* site);
    void gather(Collective kind, uint32_t mask, const void* site);

private:
    static void enter();
    void run_threads();
    Thread* choose(bool* unstarted);
    void leave();
    void make_running(Thread& thread);
    void start_on_stack(Thread& thread, int stack);
    void finish(Thread& thread);
    void release_barrier();
    void complete(uint32_t warp, uint32_t gathering);
    void complete_without(Thread& thread);
    [[noreturn]] void stop(const std::string& what);
    void report_deadlock();
    void check_barrier_sites();
    void check_meeting(Collective kind, const void* site, const Gathering& gathering);
    [[noreturn]] void fail_unnamed(Collective kind, const void* site);
    [[noreturn]] void fail_different_masks(const void* other_site, const void* site);
    std::string describe(const Thread& thread) const;

    std::unique_ptr<Thread[]> threads_;
    Warp warps_[MAX_WARPS];
    Gathering gatherings_[MAX_WARPS][WARP];
    uint32_t ready_warps_ = 0;
    uint32_t warp_count_ = 0, thread_count_ = 0;
    uint32_t live_ = 0, waiting_ = 0;
    uint32_t current_warp_ = 0;  // of the thread that runs
    bool barrier_sites_differ_ = false;
    const void* barrier_site_ = nullptr;
    Thread* running_ = nullptr;
    Resume main_{};
    unsigned char* stacks_ = nullptr;
    std::vector<int> free_stacks_;

    const Kernel* kernel_ = nullptr;
    void* const* arguments_ = nullptr;
    Index3 block_shape_{};
    Order order_{};
    uint64_t random_ = 0;
    uint64_t block_number_ = 0;
    unsigned char* shared_allocation_ = nullptr;
    unsigned char* shared_ = nullptr;
    size_t shared_bytes_ = 0;
    bool failed_ = false;
    std::string failure_;
    Counts counts_{};
};

// The only one of this library: launches take turns.
extern Multiprocessor* processor;

// Tensor-core products and the other operations of a warp whose lanes have come.
void carry_out(Collective kind, uint32_t lanes, Thread* warp, Multiprocessor& processor, const void* site);
const char* name_of(Collective kind);

}  // namespace emulated

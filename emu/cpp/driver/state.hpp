// Objects of the emulated driver. All calls hold one lock.
#pragma once
#include "../kernels.hpp"
#include "images.hpp"
#include "settings.hpp"
#include "status.hpp"
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

// A call of the driver's interface.
#define CALL extern "C" __attribute__((visibility("default"))) int

namespace emulated {

using Operation = std::function<Status()>;

// A sequence of operations, captured or being captured.
struct Graph {
    std::vector<Operation> operations;
};

struct Stream;
struct Capture {
    Graph graph;
    Stream* origin;
    std::set<Stream*> joined;  // streams that took part and are not yet waited for
    int mode;                  // 0: global, 1: of the thread, 2: relaxed
    std::thread::id thread;
    bool broken = false;
};

struct Context;
struct Stream {
    Context* context;
    bool blocking;
    std::shared_ptr<Capture> capture;
};

struct Event {
    Context* context;
    bool timed;
    double time = -1;                // seconds; < 0: not recorded
    std::weak_ptr<Capture> capture;  // that recorded it
    Stream* captured_stream = nullptr;
};

struct Module {
    Context* context;
    Image image;
    std::vector<std::unique_ptr<struct Function>> functions;
};

struct Function {
    Module* module;
    const Kernel* kernel;
    uint32_t max_threads;
    int dynamic_shared = 48 * 1024;  // the most a launch may ask for
};

struct Device;
// The primary context of a card.
struct Context {
    Device* device;
    int references = 0;
    Status broken = SUCCESS;  // the error that all further calls return
    Stream legacy;
    std::set<Stream*> streams;
    std::set<Event*> events;
    std::set<Module*> modules;
    std::set<std::shared_ptr<Capture>> captures;
    std::map<uint64_t, size_t> memory;
    size_t used = 0;
};

struct Device {
    uint32_t number;
    uint32_t capability;
    Context primary;
};

std::recursive_mutex& driver_lock();
struct Lock {
    std::lock_guard<std::recursive_mutex> guard{driver_lock()};
};

// Devices, once cuInit has been called.
std::vector<std::unique_ptr<Device>>& devices();
bool initialised();
Device* device_at(int number);
// The thread's context if it can be used, else why not.
Status current(Context** context);
void set_current(Context* context);
Context* current_or_null();
// Frees all that a context holds.
void clear_context(Context& context);

// The stream a handle stands for; null: no such stream.
Stream* stream_of(Context& context, void* handle);
// Runs an operation now, or adds it to the stream's capture.
Status enqueue(Context& context, Stream& stream, Operation operation);
// Breaks captures that forbid a call which may wait or free; SUCCESS if there are none.
Status forbidden_while_capturing(Context& context);

}  // namespace emulated

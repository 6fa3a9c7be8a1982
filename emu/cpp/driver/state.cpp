#include "state.hpp"
#include "../memory.hpp"

namespace emulated {

std::recursive_mutex& driver_lock() {
    static std::recursive_mutex mutex;
    return mutex;
}

std::vector<std::unique_ptr<Device>>& devices() {
    static std::vector<std::unique_ptr<Device>> all;
    return all;
}

Device* device_at(int number) {
    auto& all = devices();
    return number >= 0 && size_t(number) < all.size() ? all[size_t(number)].get() : nullptr;
}

static thread_local Context* current_context;
void set_current(Context* context) { current_context = context; }
Context* current_or_null() { return current_context; }

Status current(Context** context) {
    if (!initialised()) {
        return NOT_INITIALIZED;
    }
    *context = current_context;
    if (!current_context || current_context->references == 0) {
        return INVALID_CONTEXT;
    }
    return current_context->broken;
}

void clear_context(Context& context) {
    for (const auto& [address, bytes] : context.memory) {
        release(address);
    }
    for (Stream* stream : context.streams) {
        delete stream;
    }
    for (Event* event : context.events) {
        delete event;
    }
    for (Module* module : context.modules) {
        delete module;
    }
    Device* device = context.device;
    context = Context{};
    context.device = device;
    context.legacy.context = &context;
    context.legacy.blocking = true;
}

Stream* stream_of(Context& context, void* handle) {
    // 0, 1 and 2 name the default streams.
    if (reinterpret_cast<uintptr_t>(handle) <= 2) {
        return &context.legacy;
    }
    Stream* stream = static_cast<Stream*>(handle);
    return context.streams.count(stream) ? stream : nullptr;
}

Status enqueue(Context& context, Stream& stream, Operation operation) {
    if (stream.capture) {
        if (stream.capture->broken) {
            return STREAM_CAPTURE_INVALIDATED;
        }
        stream.capture->graph.operations.push_back(std::move(operation));
        return SUCCESS;
    }
    if (&stream == &context.legacy) {
        for (const auto& capture : context.captures) {
            if (capture->origin->blocking) {
                capture->broken = true;
                return STREAM_CAPTURE_IMPLICIT;
            }
        }
    }
    return operation();
}

Status forbidden_while_capturing(Context& context) {
    Status status = SUCCESS;
    for (const auto& capture : context.captures) {
        if (capture->mode == 0 || (capture->mode == 1 && capture->thread == std::this_thread::get_id())) {
            capture->broken = true;
            status = STREAM_CAPTURE_UNSUPPORTED;
        }
    }
    return status;
}

}  // namespace emulated

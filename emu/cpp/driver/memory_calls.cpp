// Device memory, pinned memory, copies and fills. Copies check that both ends lie in memory of the context.
#include "../memory.hpp"
#include "state.hpp"
#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace emulated {

static std::map<void*, size_t>& pinned() {
    static std::map<void*, size_t> all;
    return all;
}

static Status take(Context& context, uint64_t* address, size_t bytes) {
    if (!bytes) {
        return INVALID_VALUE;
    }
    if (bytes > settings().largest || bytes > settings().memory || context.used > settings().memory - bytes) {
        return OUT_OF_MEMORY;
    }
    *address = allocate(context.device->number, bytes);
    if (!*address) {
        return OUT_OF_MEMORY;
    }
    context.memory[*address] = bytes;
    context.used += bytes;
    return SUCCESS;
}

static Status give_back(Context& context, uint64_t address) {
    auto found = context.memory.find(address);
    if (found == context.memory.end()) {
        return address ? INVALID_VALUE : SUCCESS;
    }
    context.used -= found->second;
    context.memory.erase(found);
    release(address);
    return SUCCESS;
}

static bool inside(const Context& context, uint64_t address, size_t bytes) {
    return !bytes || holds(context.device->number, address, bytes);
}

enum class Side { Host, Device };
struct End {
    Side side;
    uint64_t address;
};

// Copies now, or when the captured graph is launched.
static int copy(void* handle, End to, End from, size_t bytes, bool waits) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    Stream* stream = stream_of(*context, handle);
    if (!stream) {
        return INVALID_HANDLE;
    }
    if (waits) {
        if (Status status = forbidden_while_capturing(*context)) {
            return status;
        }
    }
    auto valid = [=] {
        return (to.side == Side::Host || inside(*context, to.address, bytes)) &&
               (from.side == Side::Host || inside(*context, from.address, bytes));
    };
    if (!valid()) {
        note_failure("a copy of " + std::to_string(bytes) + " bytes reaches outside of the device memory it names.");
        return INVALID_VALUE;
    }
    return enqueue(*context, *stream, [=] {
        if (!valid()) {
            note_failure("a captured copy of " + std::to_string(bytes) + " bytes reaches memory that was freed.");
            return context->broken = ILLEGAL_ADDRESS;
        }
        std::memmove(reinterpret_cast<void*>(to.address), reinterpret_cast<const void*>(from.address), bytes);
        if (to.side == Side::Device) {
            mark_written(to.address, bytes);
        }
        return SUCCESS;
    });
}

static uint64_t host(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

// Fills with a pattern of 1 or 4 bytes.
static int fill(void* handle, uint64_t address, uint32_t pattern, size_t width, size_t count) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    Stream* stream = stream_of(*context, handle);
    if (!stream) {
        return INVALID_HANDLE;
    }
    size_t bytes = width * count;
    if (address % width || !inside(*context, address, bytes)) {
        note_failure("a fill of " + std::to_string(bytes) + " bytes reaches outside of the device memory it names.");
        return INVALID_VALUE;
    }
    return enqueue(*context, *stream, [=] {
        if (!inside(*context, address, bytes)) {
            return context->broken = ILLEGAL_ADDRESS;
        }
        if (width == 1) {
            std::memset(reinterpret_cast<void*>(address), int(pattern), count);
        } else {
            std::fill_n(reinterpret_cast<uint32_t*>(address), count, pattern);
        }
        mark_written(address, bytes);
        return SUCCESS;
    });
}

}  // namespace emulated

using namespace emulated;

CALL cuMemGetInfo_v2(size_t* free, size_t* total) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    *total = settings().memory;
    *free = *total > context->used ? *total - context->used : 0;
    return SUCCESS;
}

CALL cuMemAlloc_v2(uint64_t* address, size_t bytes) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    if (Status status = forbidden_while_capturing(*context)) {
        return status;
    }
    return take(*context, address, bytes);
}

CALL cuMemFree_v2(uint64_t address) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    if (Status status = forbidden_while_capturing(*context)) {
        return status;
    }
    return give_back(*context, address);
}

// Allocation within a capture would make memory of the graph's own; the emulator has none.
static int allocate_on(void* handle, Status (*action)(Context&, uint64_t*, size_t), uint64_t* address, size_t bytes) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    Stream* stream = stream_of(*context, handle);
    if (!stream) {
        return INVALID_HANDLE;
    }
    if (stream->capture) {
        stream->capture->broken = true;
        return STREAM_CAPTURE_UNSUPPORTED;
    }
    return action(*context, address, bytes);
}
CALL cuMemAllocAsync(uint64_t* address, size_t bytes, void* stream) { return allocate_on(stream, take, address, bytes); }
CALL cuMemFreeAsync(uint64_t address, void* stream) {
    return allocate_on(stream, [](Context& context, uint64_t* given, size_t) { return give_back(context, *given); }, &address, 0);
}

CALL cuMemHostAlloc(void** pointer, size_t bytes, unsigned) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    if (!bytes) {
        return INVALID_VALUE;
    }
    *pointer = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!*pointer) {
        return OUT_OF_MEMORY;
    }
    pinned()[*pointer] = bytes;
    return SUCCESS;
}
CALL cuMemFreeHost(void* pointer) {
    Lock lock;
    if (!pinned().erase(pointer)) {
        return INVALID_VALUE;
    }
    std::free(pointer);
    return SUCCESS;
}

CALL cuMemcpyHtoD_v2(uint64_t to, const void* from, size_t bytes) {
    return copy(nullptr, {Side::Device, to}, {Side::Host, host(from)}, bytes, true);
}
CALL cuMemcpyDtoH_v2(void* to, uint64_t from, size_t bytes) {
    return copy(nullptr, {Side::Host, host(to)}, {Side::Device, from}, bytes, true);
}
CALL cuMemcpyDtoD_v2(uint64_t to, uint64_t from, size_t bytes) {
    return copy(nullptr, {Side::Device, to}, {Side::Device, from}, bytes, true);
}
CALL cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void* stream) {
    return copy(stream, {Side::Device, to}, {Side::Host, host(from)}, bytes, false);
}
CALL cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void* stream) {
    return copy(stream, {Side::Host, host(to)}, {Side::Device, from}, bytes, false);
}
CALL cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void* stream) {
    return copy(stream, {Side::Device, to}, {Side::Device, from}, bytes, false);
}

CALL cuMemsetD8_v2(uint64_t address, unsigned char value, size_t count) { return fill(nullptr, address, value, 1, count); }
CALL cuMemsetD8Async(uint64_t address, unsigned char value, size_t count, void* stream) {
    return fill(stream, address, value, 1, count);
}
CALL cuMemsetD32_v2(uint64_t address, unsigned value, size_t count) { return fill(nullptr, address, value, 4, count); }
CALL cuMemsetD32Async(uint64_t address, unsigned value, size_t count, void* stream) {
    return fill(stream, address, value, 4, count);
}

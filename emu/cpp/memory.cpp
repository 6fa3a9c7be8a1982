#include "memory.hpp"
#include "sanitizer.hpp"
#if EMULATOR_CHECKED
#include "checker/bits.hpp"
#endif
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

namespace emulated {

constexpr size_t ALIGNMENT = 256;
constexpr size_t GUARD = 256;

static std::mutex buffers_mutex;
static std::map<uintptr_t, Buffer>& buffers() {
    static std::map<uintptr_t, Buffer> all;
    return all;
}

uintptr_t allocate(uint32_t card, size_t bytes) {
    size_t size = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + 2 * GUARD;
    unsigned char* memory = static_cast<unsigned char*>(std::aligned_alloc(ALIGNMENT, size));
    if (!memory) {
        return 0;
    }
    std::memset(memory, 0xff, size);
    forbid(memory, GUARD);
    forbid(memory + GUARD + bytes, size - GUARD - bytes);
    uintptr_t address = reinterpret_cast<uintptr_t>(memory) + GUARD;
    std::lock_guard<std::mutex> lock(buffers_mutex);
    Buffer& buffer = buffers()[address];
    buffer.address = address;
    buffer.bytes = bytes;
    buffer.card = card;
#if EMULATOR_CHECKED
    buffer.initialised.assign((bytes + 7) / 8, 0);
    buffer.shadow = std::make_unique<Shadow>(bytes);
#endif
    return address;
}

bool release(uintptr_t address) {
    std::lock_guard<std::mutex> lock(buffers_mutex);
    auto found = buffers().find(address);
    if (found == buffers().end()) {
        return false;
    }
    buffers().erase(found);
    std::free(reinterpret_cast<void*>(address - GUARD));
    return true;
}

Buffer* buffer_before(uintptr_t address) {
    std::lock_guard<std::mutex> lock(buffers_mutex);
    auto after = buffers().upper_bound(address);
    return after == buffers().begin() ? nullptr : &std::prev(after)->second;
}

Buffer* buffer_at(uintptr_t address) {
    Buffer* buffer = buffer_before(address);
    return buffer && address - buffer->address < buffer->bytes ? buffer : nullptr;
}

bool holds(uint32_t card, uintptr_t address, size_t bytes) {
    Buffer* buffer = buffer_at(address);
    return buffer && buffer->card == card && bytes <= buffer->bytes - (address - buffer->address);
}

#if EMULATOR_CHECKED
void mark_written(uintptr_t address, size_t bytes) {
    Buffer* buffer = buffer_at(address);
    if (buffer && bytes) {
        set_bits(buffer->initialised.data(), address - buffer->address, bytes);
    }
}
#else
void mark_written(uintptr_t, size_t) {}
#endif

}  // namespace emulated

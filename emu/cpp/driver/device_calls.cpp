// Cards and their contexts.
#include "state.hpp"
#include <cstdio>
#include <cstring>

namespace emulated {

static bool is_initialised = false;
bool initialised() { return is_initialised; }

static void make_devices() {
    auto& all = devices();
    all.clear();
    for (uint32_t capability : settings().cards) {
        auto device = std::make_unique<Device>();
        device->number = uint32_t(all.size());
        device->capability = capability;
        device->primary.device = device.get();
        clear_context(device->primary);
        all.push_back(std::move(device));
    }
}

// Other cards from now on; refused while a context is in use.
Status replace_devices(const std::vector<uint32_t>& capabilities) {
    for (const auto& device : devices()) {
        if (device->primary.references) {
            return INVALID_CONTEXT;
        }
    }
    settings().cards = capabilities;
    if (is_initialised) {
        make_devices();
    }
    return SUCCESS;
}

// Figures of a T4 (7.5), an A100 (8.0), an H100 (9.0); other capabilities take those of the nearest older one.
struct Figures {
    int multiprocessors, threads, blocks, shared, shared_block, clock, memory_clock, bus, cache;
};
static const Figures& figures_of(uint32_t capability) {
    static const Figures t4{40, 1024, 16, 64 * 1024, 64 * 1024, 1590000, 5001000, 256, 4 << 20};
    static const Figures a100{108, 2048, 32, 164 * 1024, 163 * 1024, 1410000, 1593000, 5120, 40 << 20};
    static const Figures h100{132, 2048, 32, 228 * 1024, 227 * 1024, 1980000, 2619000, 5120, 50 << 20};
    return capability < 80 ? t4 : capability < 90 ? a100 : h100;
}

static int attribute_of(const Device& device, int attribute) {
    const Figures& figures = figures_of(device.capability);
    switch (attribute) {
    case 1:
    case 2:
    case 3: return 1024;  // threads of a block, and its extents
    case 4: return 64;
    case 5: return 0x7fffffff;  // extents of a grid
    case 6:
    case 7: return 65535;
    case 8: return 48 * 1024;  // shared memory of a block
    case 9: return 64 * 1024;  // constant memory
    case 10: return 32;        // threads of a warp
    case 12:
    case 82: return 65536;          // registers of a block, of a multiprocessor
    case 13: return figures.clock;  // kHz
    case 14: return 512;
    case 15:
    case 19:
    case 31:
    case 32: return 1;  // overlap, mapped host memory, concurrent kernels, ECC
    case 16: return figures.multiprocessors;
    case 33: return int(device.number) + 1;  // PCI bus
    case 36: return figures.memory_clock;    // kHz
    case 37: return figures.bus;             // bits
    case 38: return figures.cache;           // bytes of L2
    case 39: return figures.threads;         // of a multiprocessor
    case 40: return 3;                       // copy engines
    case 41:
    case 78:
    case 90: return 1;  // unified addresses, priorities, preemption
    case 75: return int(device.capability / 10);
    case 76: return int(device.capability % 10);
    case 81: return figures.shared;  // of a multiprocessor
    case 87: return device.capability == 75 ? 32 : 2;
    case 97: return figures.shared_block;                // of a block, if it asks
    case 106: return figures.blocks;                     // of a multiprocessor
    case 111: return device.capability < 80 ? 0 : 1024;  // shared memory kept for the system
    case 115: return 1;                                  // memory pools
    default: return 0;
    }
}

}  // namespace emulated

using namespace emulated;

CALL cuInit(unsigned flags) {
    Lock lock;
    if (flags) {
        return INVALID_VALUE;
    }
    if (!is_initialised) {
        read_environment();
        make_devices();
    }
    is_initialised = !devices().empty();
    return is_initialised ? SUCCESS : NO_DEVICE;
}

CALL cuDriverGetVersion(int* version) {
    Lock lock;
    read_environment();
    *version = settings().driver;
    return SUCCESS;
}

CALL cuDeviceGetCount(int* count) {
    Lock lock;
    *count = int(devices().size());
    return initialised() ? SUCCESS : NOT_INITIALIZED;
}

CALL cuDeviceGet(int* device, int number) {
    Lock lock;
    *device = number;
    return !initialised() ? NOT_INITIALIZED : device_at(number) ? SUCCESS : INVALID_DEVICE;
}

CALL cuDeviceGetName(char* name, int bytes, int number) {
    Lock lock;
    Device* device = device_at(number);
    if (!device) {
        return INVALID_DEVICE;
    }
    std::snprintf(name, size_t(bytes), "Emulated %u.%u", device->capability / 10, device->capability % 10);
    return SUCCESS;
}

CALL cuDeviceGetUuid_v2(void* uuid, int number) {
    Lock lock;
    if (!device_at(number)) {
        return INVALID_DEVICE;
    }
    std::memset(uuid, 0xe0 + number, 16);
    return SUCCESS;
}
CALL cuDeviceGetUuid(void* uuid, int number) { return cuDeviceGetUuid_v2(uuid, number); }

CALL cuDeviceTotalMem_v2(size_t* bytes, int number) {
    Lock lock;
    *bytes = settings().memory;
    return device_at(number) ? SUCCESS : INVALID_DEVICE;
}

CALL cuDeviceGetAttribute(int* value, int attribute, int number) {
    Lock lock;
    Device* device = device_at(number);
    if (!device) {
        return INVALID_DEVICE;
    }
    *value = attribute_of(*device, attribute);
    return SUCCESS;
}

CALL cuDevicePrimaryCtxRetain(void** context, int number) {
    Lock lock;
    Device* device = device_at(number);
    if (!device) {
        return INVALID_DEVICE;
    }
    ++device->primary.references;
    *context = &device->primary;
    return SUCCESS;
}

// The last release frees what the context holds, and mends a broken one.
CALL cuDevicePrimaryCtxRelease_v2(int number) {
    Lock lock;
    Device* device = device_at(number);
    if (!device) {
        return INVALID_DEVICE;
    }
    if (device->primary.references == 0) {
        return INVALID_CONTEXT;
    }
    if (--device->primary.references == 0) {
        clear_context(device->primary);
    }
    return SUCCESS;
}

CALL cuCtxSetCurrent(void* context) {
    Lock lock;
    set_current(static_cast<Context*>(context));
    return initialised() ? SUCCESS : NOT_INITIALIZED;
}

CALL cuCtxGetCurrent(void** context) {
    Lock lock;
    *context = current_or_null();
    return initialised() ? SUCCESS : NOT_INITIALIZED;
}

CALL cuCtxGetDevice(int* number) {
    Lock lock;
    Context* context = current_or_null();
    if (!context) {
        return INVALID_CONTEXT;
    }
    *number = int(context->device->number);
    return SUCCESS;
}

CALL cuCtxSynchronize() {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    return forbidden_while_capturing(*context);
}

CALL cuCtxGetStreamPriorityRange(int* least, int* greatest) {
    *least = 0;
    *greatest = -5;
    return SUCCESS;
}

CALL cuCtxSetFlags(unsigned) { return SUCCESS; }
CALL cuCtxSetLimit(int, size_t) { return SUCCESS; }
CALL cuCtxGetLimit(size_t* value, int) {
    *value = 1024;
    return SUCCESS;
}
CALL cuCtxSetCacheConfig(int) { return SUCCESS; }
CALL cuCtxGetCacheConfig(int* config) {
    *config = 0;
    return SUCCESS;
}
CALL cuProfilerStart() { return SUCCESS; }
CALL cuProfilerStop() { return SUCCESS; }

CALL cuGetErrorName(int status, const char** name) {
    *name = name_of(status);
    return SUCCESS;
}
CALL cuGetErrorString(int status, const char** text) {
    *text = meaning_of(status);
    return SUCCESS;
}

// Modules, functions and launches.
#include "state.hpp"
#include <cstring>

namespace emulated {

static std::string sizes_text(const uint32_t* sizes, size_t count) {
    std::string text;
    for (size_t i = 0; i < count; ++i) {
        text += (i ? ", " : "") + std::to_string(sizes[i]);
    }
    return "(" + text + ")";
}

// Whether an image declares the parameters that the kernel's source has now; it may have been compiled from an older one.
static bool same_parameters(const std::string& name, const Entry& entry, const Kernel& kernel) {
    size_t count = kernel.argument_count;
    bool same = entry.argument_sizes.size() == count &&
                std::equal(entry.argument_sizes.begin(), entry.argument_sizes.end(), kernel.argument_sizes);
    if (!same) {
        note_failure("the image's kernel " + name + " takes parameters of " +
                     sizes_text(entry.argument_sizes.data(), entry.argument_sizes.size()) + " bytes, its source of " +
                     sizes_text(kernel.argument_sizes, count) + "; compile the images again.");
    }
    return same;
}

static Function* find_function(void* handle) {
    Context* context;
    current(&context);
    for (Module* module : context ? context->modules : std::set<Module*>{}) {
        for (const auto& function : module->functions) {
            if (function.get() == handle) {
                return function.get();
            }
        }
    }
    return nullptr;
}

static Status run(Context& context, const Function& function, Index3 grid, Index3 block, size_t shared,
                  const std::vector<std::vector<uint64_t>>& values) {
    if (context.broken) {
        return context.broken;
    }
    if (settings().fail_launch && --settings().fail_launch == 0) {
        note_failure(std::string("the launch of ") + function.kernel->name + " was chosen to fail.");
        context.broken = LAUNCH_FAILED;
        return SUCCESS;
    }
    std::vector<void*> arguments;
    for (const auto& value : values) {
        arguments.push_back(const_cast<uint64_t*>(value.data()));
    }
    LaunchResult result =
        launch({function.kernel, context.device->number, grid, block, shared, arguments.data(), settings().order});
    if (!result.failure.empty()) {
        note_failure(result.failure);
        bool misaligned = result.failure.rfind("misaligned", 0) == 0,
             bounds = result.failure.find("out of bounds") != std::string::npos;
        context.broken = misaligned ? MISALIGNED_ADDRESS : bounds ? ILLEGAL_ADDRESS : LAUNCH_FAILED;
    }
    // As on a card, what a kernel does wrong is told by later calls.
    return SUCCESS;
}

static Status check_shape(const Function& function, const Index3& grid, const Index3& block, unsigned shared) {
    uint64_t threads = uint64_t(block.x) * block.y * block.z;
    bool grid_fits = grid.x && grid.y && grid.z && grid.x <= 0x7fffffffu && grid.y <= 65535 && grid.z <= 65535;
    bool block_fits = threads && block.x <= 1024 && block.y <= 1024 && block.z <= 64 && threads <= function.max_threads;
    if (!grid_fits || !block_fits || int(shared) > function.dynamic_shared) {
        note_failure(std::string("the launch of ") + function.kernel->name + " with " + std::to_string(threads) +
                     " threads and " + std::to_string(shared) + " bytes of shared memory is not allowed; the kernel allows " +
                     std::to_string(function.max_threads) + " threads and " + std::to_string(function.dynamic_shared) +
                     " bytes.");
        return INVALID_VALUE;
    }
    return SUCCESS;
}

}  // namespace emulated

using namespace emulated;

CALL cuModuleLoadData(void** module, const void* data) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    auto loaded = std::make_unique<Module>();
    loaded->context = context;
    if (Status status = read_image(data, &loaded->image)) {
        return status;
    }
    if (Status status = check_image(loaded->image, context->device->capability, settings().driver)) {
        return status;
    }
    context->modules.insert(loaded.get());
    *module = loaded.release();
    return SUCCESS;
}
CALL cuModuleLoadDataEx(void** module, const void* data, unsigned, int*, void**) { return cuModuleLoadData(module, data); }

CALL cuModuleUnload(void* handle) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    Module* module = static_cast<Module*>(handle);
    if (!context->modules.erase(module)) {
        return INVALID_HANDLE;
    }
    delete module;
    return SUCCESS;
}

CALL cuModuleGetFunction(void** handle, void* module_handle, const char* name) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    Module* module = static_cast<Module*>(module_handle);
    if (!context->modules.count(module)) {
        return INVALID_HANDLE;
    }
    auto entry = module->image.entries.find(name);
    if (entry == module->image.entries.end()) {
        return NOT_FOUND;
    }
    const Kernel* kernel = find_kernel(name, module->image.target);
    if (!kernel) {
        note_failure(std::string("kernel ") + name + " is in the image but not among the sources.");
        return NOT_FOUND;
    }
    if (entry->second.arguments_known && !same_parameters(name, entry->second, *kernel)) {
        return module->image.ptx ? INVALID_PTX : INVALID_IMAGE;
    }
    uint32_t max_threads = entry->second.max_threads ? entry->second.max_threads : kernel->max_threads;
    module->functions.push_back(std::make_unique<Function>(Function{module, kernel, max_threads}));
    *handle = module->functions.back().get();
    return SUCCESS;
}

CALL cuModuleGetGlobal_v2(uint64_t*, size_t*, void*, const char*) { return NOT_FOUND; }

CALL cuFuncGetAttribute(int* value, int attribute, void* handle) {
    Lock lock;
    Function* function = find_function(handle);
    if (!function) {
        return INVALID_HANDLE;
    }
    const Image& image = function->module->image;
    switch (attribute) {
    case 0: *value = int(function->max_threads); break;
    case 4: *value = 32; break;  // registers
    case 5:
    case 6: *value = int(image.target); break;
    case 8: *value = function->dynamic_shared; break;
    default: *value = 0;
    }
    return SUCCESS;
}

CALL cuFuncSetAttribute(void* handle, int attribute, int value) {
    Lock lock;
    Function* function = find_function(handle);
    if (!function) {
        return INVALID_HANDLE;
    }
    constexpr int MAX_DYNAMIC_SHARED_SIZE_BYTES = 8;
    if (attribute == MAX_DYNAMIC_SHARED_SIZE_BYTES) {
        uint32_t capability = function->module->context->device->capability;
        int most = (capability < 80 ? 64 : capability < 90 ? 163 : 227) * 1024;
        if (value < 0 || value > most) {
            return INVALID_VALUE;
        }
        function->dynamic_shared = value;
    }
    return SUCCESS;
}
CALL cuFuncSetCacheConfig(void*, int) { return SUCCESS; }

CALL cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void* handle, int threads, size_t) {
    Lock lock;
    Function* function = find_function(handle);
    if (!function || threads <= 0) {
        return function ? INVALID_VALUE : INVALID_HANDLE;
    }
    *blocks = (function->module->context->device->capability < 80 ? 1024 : 2048) / threads;
    return SUCCESS;
}
CALL cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, void* handle, int threads, size_t shared, unsigned) {
    return cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks, handle, threads, shared);
}

CALL cuLaunchKernel(void* handle, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                    unsigned block_z, unsigned shared, void* stream_handle, void** arguments, void** extra) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    Function* function = find_function(handle);
    Stream* stream = stream_of(*context, stream_handle);
    if (!function || !stream) {
        return INVALID_HANDLE;
    }
    if (extra) {
        return NOT_SUPPORTED;
    }
    Index3 grid{grid_x, grid_y, grid_z}, block{block_x, block_y, block_z};
    if (Status status = check_shape(*function, grid, block, shared)) {
        return status;
    }
    std::vector<std::vector<uint64_t>> values;
    for (uint32_t i = 0; i < function->kernel->argument_count; ++i) {
        // Words, so that any argument is aligned; a vector of them begins at a multiple of 16 bytes.
        uint32_t bytes = function->kernel->argument_sizes[i];
        values.emplace_back((bytes + 7) / 8);
        std::memcpy(values.back().data(), arguments[i], bytes);
    }
    return enqueue(*context, *stream, [context, copy = *function, grid, block, shared, values = std::move(values)] {
        return run(*context, copy, grid, block, shared, values);
    });
}
CALL cuLaunchCooperativeKernel(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**) {
    return NOT_SUPPORTED;
}

CALL cuLaunchHostFunc(void* stream_handle, void (*function)(void*), void* data) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    Stream* stream = stream_of(*context, stream_handle);
    if (!stream || !function) {
        return INVALID_HANDLE;
    }
    return enqueue(*context, *stream, [=] {
        function(data);
        return SUCCESS;
    });
}

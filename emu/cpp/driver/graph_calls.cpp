// Capture of a stream's work, and graphs. A graph is the list of captured operations; launching it does them in their order.
#include "state.hpp"

namespace emulated {

// A graph's handle and an executable's are both shared pointers to the same list.
using GraphHandle = std::shared_ptr<const Graph>;

}  // namespace emulated

using namespace emulated;

CALL cuStreamBeginCapture_v2(void* handle, int mode) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    Stream* stream = stream_of(*context, handle);
    if (!stream) {
        return INVALID_HANDLE;
    }
    if (settings().fail_capture || stream == &context->legacy) {
        return STREAM_CAPTURE_UNSUPPORTED;
    }
    if (stream->capture || mode < 0 || mode > 2) {
        return INVALID_VALUE;
    }
    stream->capture = std::make_shared<Capture>();
    stream->capture->origin = stream;
    stream->capture->mode = mode;
    stream->capture->thread = std::this_thread::get_id();
    context->captures.insert(stream->capture);
    return SUCCESS;
}

CALL cuStreamEndCapture(void* handle, void** graph) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    *graph = nullptr;
    Stream* stream = stream_of(*context, handle);
    if (!stream) {
        return INVALID_HANDLE;
    }
    std::shared_ptr<Capture> capture = stream->capture;
    if (!capture || capture->origin != stream) {
        return STREAM_CAPTURE_UNMATCHED;
    }
    for (Stream* other : context->streams) {
        if (other->capture == capture) {
            other->capture.reset();
        }
    }
    context->captures.erase(capture);
    if (capture->broken || !capture->joined.empty()) {
        return capture->broken ? STREAM_CAPTURE_INVALIDATED : STREAM_CAPTURE_UNJOINED;
    }
    *graph = new GraphHandle(std::make_shared<Graph>(std::move(capture->graph)));
    return SUCCESS;
}

CALL cuStreamIsCapturing(void* handle, int* capturing) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    Stream* stream = stream_of(*context, handle);
    if (!stream) {
        return INVALID_HANDLE;
    }
    *capturing = !stream->capture ? 0 : stream->capture->broken ? 2 : 1;
    return SUCCESS;
}

CALL cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
    Lock lock;
    if (!graph) {
        return INVALID_VALUE;
    }
    *executable = new GraphHandle(*static_cast<GraphHandle*>(graph));
    return SUCCESS;
}

CALL cuGraphUpload(void*, void*) { return SUCCESS; }

CALL cuGraphLaunch(void* executable, void* handle) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    Stream* stream = stream_of(*context, handle);
    if (!stream || !executable) {
        return INVALID_HANDLE;
    }
    GraphHandle graph = *static_cast<GraphHandle*>(executable);
    return enqueue(*context, *stream, [graph] {
        for (const Operation& operation : graph->operations) {
            if (Status status = operation()) {
                return status;
            }
        }
        return SUCCESS;
    });
}

CALL cuGraphDestroy(void* graph) {
    Lock lock;
    delete static_cast<GraphHandle*>(graph);
    return SUCCESS;
}
CALL cuGraphExecDestroy(void* executable) {
    Lock lock;
    delete static_cast<GraphHandle*>(executable);
    return SUCCESS;
}

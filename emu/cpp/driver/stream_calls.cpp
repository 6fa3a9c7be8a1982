// Streams and events. Work is done when it is given, so that nothing is ever waited for; what is kept is who may wait for whom.
#include "state.hpp"
#include <chrono>

namespace emulated {

static double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

static Event* event_of(Context& context, void* handle) {
    Event* event = static_cast<Event*>(handle);
    return context.events.count(event) ? event : nullptr;
}

// Context, stream and event of a call; any of the handles may be absent.
struct Handles {
    Status status;
    Context* context = nullptr;
    Stream* stream = nullptr;
    Event* event = nullptr;
};
static Handles handles(bool with_stream, void* stream, bool with_event, void* event) {
    Handles found;
    found.status = current(&found.context);
    if (found.status) {
        return found;
    }
    found.stream = with_stream ? stream_of(*found.context, stream) : nullptr;
    found.event = with_event ? event_of(*found.context, event) : nullptr;
    if ((with_stream && !found.stream) || (with_event && !found.event)) {
        found.status = INVALID_HANDLE;
    }
    return found;
}

// A stream waits for an event: within a capture, the stream that recorded it joins the waiting one's, or the reverse.
static Status wait_for(Stream& stream, Event& event) {
    std::shared_ptr<Capture> capture = event.capture.lock();
    if (stream.capture) {
        if (event.time >= 0 && (!capture || capture != stream.capture)) {
            stream.capture->broken = true;
            return STREAM_CAPTURE_ISOLATION;
        }
        stream.capture->joined.erase(event.captured_stream);
    } else if (capture && event.captured_stream && event.captured_stream->capture == capture) {
        stream.capture = capture;
        capture->joined.insert(&stream);
    }
    return SUCCESS;
}

}  // namespace emulated

using namespace emulated;

CALL cuStreamCreate(void** handle, unsigned flags) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    Stream* stream = new Stream{context, (flags & 1) == 0, nullptr};
    context->streams.insert(stream);
    *handle = stream;
    return SUCCESS;
}
CALL cuStreamCreateWithPriority(void** handle, unsigned flags, int) { return cuStreamCreate(handle, flags); }

CALL cuStreamDestroy_v2(void* handle) {
    Lock lock;
    Handles found = handles(true, handle, false, nullptr);
    if (found.status) {
        return found.status;
    }
    if (found.stream == &found.context->legacy) {
        return INVALID_HANDLE;
    }
    if (found.stream->capture) {
        found.stream->capture->broken = true;
        found.context->captures.erase(found.stream->capture);
    }
    found.context->streams.erase(found.stream);
    delete found.stream;
    return SUCCESS;
}

CALL cuStreamSynchronize(void* handle) {
    Lock lock;
    Handles found = handles(true, handle, false, nullptr);
    if (found.status) {
        return found.status;
    }
    if (found.stream->capture) {
        found.stream->capture->broken = true;
        return STREAM_CAPTURE_UNSUPPORTED;
    }
    return SUCCESS;
}
CALL cuStreamQuery(void* handle) { return cuStreamSynchronize(handle); }

CALL cuStreamWaitEvent(void* stream, void* event, unsigned) {
    Lock lock;
    Handles found = handles(true, stream, true, event);
    return found.status ? found.status : wait_for(*found.stream, *found.event);
}

CALL cuStreamAttachMemAsync(void*, uint64_t, size_t, unsigned) { return NOT_SUPPORTED; }

CALL cuEventCreate(void** handle, unsigned flags) {
    Lock lock;
    Context* context;
    if (Status status = current(&context)) {
        return status;
    }
    constexpr unsigned DISABLE_TIMING = 2;
    Event* event = new Event;
    event->context = context;
    event->timed = !(flags & DISABLE_TIMING);
    context->events.insert(event);
    *handle = event;
    return SUCCESS;
}

CALL cuEventDestroy_v2(void* handle) {
    Lock lock;
    Handles found = handles(false, nullptr, true, handle);
    if (found.status) {
        return found.status;
    }
    found.context->events.erase(found.event);
    delete found.event;
    return SUCCESS;
}

CALL cuEventRecord(void* handle, void* stream) {
    Lock lock;
    Handles found = handles(true, stream, true, handle);
    if (found.status) {
        return found.status;
    }
    Event& event = *found.event;
    event.time = now();
    event.capture = found.stream->capture;
    event.captured_stream = found.stream->capture ? found.stream : nullptr;
    return SUCCESS;
}

CALL cuEventSynchronize(void* handle) {
    Lock lock;
    Handles found = handles(false, nullptr, true, handle);
    if (found.status) {
        return found.status;
    }
    return found.event->capture.lock() ? STREAM_CAPTURE_UNSUPPORTED : SUCCESS;
}
CALL cuEventQuery(void* handle) { return cuEventSynchronize(handle); }

CALL cuEventElapsedTime(float* milliseconds, void* start, void* end) {
    Lock lock;
    Handles first = handles(false, nullptr, true, start), last = handles(false, nullptr, true, end);
    if (first.status || last.status) {
        return first.status ? first.status : last.status;
    }
    if (!first.event->timed || !last.event->timed || first.event->time < 0 || last.event->time < 0) {
        return INVALID_HANDLE;
    }
    *milliseconds = float((last.event->time - first.event->time) * 1e3);
    return SUCCESS;
}
CALL cuEventElapsedTime_v2(float* milliseconds, void* start, void* end) { return cuEventElapsedTime(milliseconds, start, end); }

/* host_streams.cpp - streams as queues that run when somebody waits, events, failures that stay, and what is asked of a
 * device. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <vector>

#include "backends/cuda/host/host_inner.h"

std::recursive_mutex ib_host_lock;
ib_host_counts ib_host_count;

const ib_host_counts *ib_host_counted(void)
{
    return &ib_host_count;
}

struct ib_host_event {
    long recorded, done; /* how often */
    cudaStream_t stream; /* where it was recorded last, */
    bool captured;       /* into a graph */
};

std::vector<cudaStream_t> ib_host_streams;

/* ---- failures ---- */

typedef struct failure {
    cudaError_t error;
    char text[400];
} failure;

static thread_local failure last; /* as CUDA's: what another thread was refused is not this one's */
static failure stays;

static cudaError_t say(cudaError_t error, char *to, const char *format, va_list args)
{
    vsnprintf(to, sizeof last.text, format, args);
    return error;
}

cudaError_t ib_host_refuse(cudaError_t error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    last.error = say(error, last.text, format, args);
    va_end(args);
    return error;
}

cudaError_t ib_host_break(cudaError_t error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!stays.error)
        stays.error = say(error, stays.text, format, args);
    va_end(args);
    return stays.error;
}

cudaError_t ib_host_broken(void)
{
    return stays.error;
}

cudaError_t cudaPeekAtLastError(void)
{
    IB_HOST_CALL();
    return stays.error ? stays.error : last.error;
}

cudaError_t cudaGetLastError(void)
{
    IB_HOST_CALL();
    const cudaError_t error = cudaPeekAtLastError();
    last.error = cudaSuccess;
    return error;
}

const char *cudaGetErrorString(cudaError_t error)
{
    IB_HOST_CALL();
    return !error ? "no error" : error == stays.error ? stays.text : *last.text ? last.text : "an error of CUDA";
}

/* ---- chance ---- */

unsigned ib_host_draw(unsigned n)
{
    static uint64_t state = 0;
    static int begun = 0;
    const char *seed = getenv("ISOBIT_CUDA_HOST_SEED");
    if (seed && !strcmp(seed, "0"))
        return 0;
    if (!begun++)
        state = seed ? strtoull(seed, NULL, 10) : 1;
    uint64_t z = state += 0x9E3779B97F4A7C15; /* splitmix64, Steele, Lea and Flood 2014 */
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return (unsigned)((z ^ z >> 31) % n);
}

/* ---- queues ---- */

bool ib_host_is_stream(cudaStream_t s)
{
    for (const cudaStream_t each : ib_host_streams)
        if (each == s)
            return true;
    return false;
}

cudaError_t ib_host_queue(cudaStream_t stream, ib_host_work what)
{
    if (ib_host_broken())
        return ib_host_broken();
    if (!ib_host_is_stream(stream))
        return ib_host_refuse(cudaErrorInvalidResourceHandle, "the stream %p is none that was created", (void *)stream);
    if (stream->capture)
        return ib_host_capture_node(stream, what);
    stream->queue.push_back(what.run);
    return cudaSuccess;
}

void ib_host_forget_queues(void)
{
    for (const cudaStream_t s : ib_host_streams)
        s->queue.clear();
}

bool ib_host_is_idle(cudaStream_t stream)
{
    return stream->queue.empty();
}

/* Counted as overlapping: a copy that runs while another stream has something to do. */
void ib_host_count_copy(cudaStream_t stream)
{
    bool others = false;
    for (const cudaStream_t s : ib_host_streams)
        others |= s != stream && !s->queue.empty();
    ib_host_count.overlapping += others;
}

/* The next thing of a queue; false if there is none, or it waits. */
static bool run_one(cudaStream_t s)
{
    if (s->queue.empty() || !s->queue.front()())
        return false;
    if (!s->queue.empty()) /* a failure empties it */
        s->queue.pop_front();
    return true;
}

/* Mostly of this stream, now and then of another. */
void ib_host_run_until(cudaStream_t stream, const std::function<bool()> &done)
{
    while (!ib_host_broken() && !done()) {
        if (ib_host_draw(4) == 3 && run_one(ib_host_streams[ib_host_draw((unsigned)ib_host_streams.size())]))
            continue;
        bool moved = ib_host_is_stream(stream) && run_one(stream);
        for (size_t i = 0; !moved && i < ib_host_streams.size(); i++)
            moved = run_one(ib_host_streams[i]);
        if (!moved)
            ib_host_break(cudaErrorLaunchFailure, "streams wait for each other's events");
    }
    if (ib_host_broken())
        ib_host_forget_queues();
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    IB_HOST_CALL();
    if (flags != cudaStreamNonBlocking)
        return ib_host_refuse(cudaErrorInvalidValue, "cudaStreamCreateWithFlags: only cudaStreamNonBlocking is there");
    ib_host_streams.push_back(*stream = new ib_host_stream);
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    IB_HOST_CALL();
    if (!ib_host_is_stream(stream))
        return ib_host_refuse(cudaErrorInvalidResourceHandle, "cudaStreamSynchronize: no stream");
    const cudaError_t error = ib_host_spoils(stream, "cudaStreamSynchronize");
    if (error)
        return error;
    ib_host_run_until(stream, [stream] { return stream->queue.empty(); });
    return ib_host_broken();
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    IB_HOST_CALL();
    if (ib_host_is_stream(stream))
        stream->capture.reset();
    cudaStreamSynchronize(stream);
    for (size_t i = 0; i < ib_host_streams.size(); i++)
        if (ib_host_streams[i] == stream) {
            ib_host_streams.erase(ib_host_streams.begin() + (long)i);
            delete stream;
            break;
        }
    return ib_host_broken();
}

void ib_host_run_all(void)
{
    for (size_t i = 0; i < ib_host_streams.size(); i++) {
        const cudaStream_t s = ib_host_streams[i];
        ib_host_run_until(s, [s] { return s->queue.empty(); });
    }
}

cudaError_t cudaDeviceSynchronize(void)
{
    IB_HOST_CALL();
    const cudaError_t error = ib_host_spoils(NULL, "cudaDeviceSynchronize");
    if (error)
        return error;
    ib_host_run_all();
    return ib_host_broken();
}

cudaError_t cudaDeviceReset(void)
{
    IB_HOST_CALL();
    ib_host_forget_queues();
    for (const cudaStream_t s : ib_host_streams)
        s->capture.reset();
    ib_host_forget_memory();
    last.error = stays.error = cudaSuccess;
    return cudaSuccess;
}

/* ---- events ---- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
    (void)flags;
    *event = new ib_host_event{0, 0, NULL, false};
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    IB_HOST_CALL();
    event->captured = ib_host_is_stream(stream) && stream->capture;
    if (event->captured)
        return cudaSuccess;
    const long turn = ++event->recorded;
    event->stream = stream;
    return ib_host_queue(stream, {IB_HOST_OTHER, 0,
                                  [event, turn] {
                                      event->done = event->done > turn ? event->done : turn;
                                      return true;
                                  },
                                  nullptr});
}

/* For the record before it; one that comes later does not matter. */
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
    IB_HOST_CALL();
    (void)flags;
    if (ib_host_is_stream(stream) && stream->capture && !event->captured) {
        ib_host_spoils(stream, "cudaStreamWaitEvent");
        return ib_host_refuse(cudaErrorStreamCaptureIsolation,
                              "cudaStreamWaitEvent: a stream that captures waits for what is not captured");
    }
    if (event->captured)
        return ib_host_is_stream(stream) && stream->capture
                   ? cudaSuccess
                   : (ib_host_spoils(NULL, "cudaStreamWaitEvent"),
                      ib_host_refuse(cudaErrorStreamCaptureUnsupported,
                                     "cudaStreamWaitEvent: captures of several streams are not covered"));
    const long turn = event->recorded;
    return ib_host_queue(stream, {IB_HOST_OTHER, 0, [event, turn] { return event->done >= turn; }, nullptr});
}

static cudaError_t look_at_event(cudaEvent_t event, const char *call)
{
    if (event->captured)
        return ib_host_refuse(cudaErrorCapturedEvent, "%s: the event was recorded last in a capture", call);
    return ib_host_unsafe(call);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    IB_HOST_CALL();
    const cudaError_t error = look_at_event(event, "cudaEventSynchronize");
    if (error)
        return error;
    const long turn = event->recorded;
    ib_host_run_until(event->stream, [event, turn] { return event->done >= turn; });
    return ib_host_broken();
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    IB_HOST_CALL();
    const cudaError_t error = look_at_event(event, "cudaEventQuery");
    if (error)
        return error;
    const bool done = event->done >= event->recorded;
    const size_t n = ib_host_streams.size(), first = n ? ib_host_draw((unsigned)n) : 0;
    for (size_t i = 0; !done && i < n && !run_one(ib_host_streams[(first + i) % n]); i++)
        continue;
    return ib_host_broken() ? ib_host_broken()
           : done           ? cudaSuccess
                            : ib_host_refuse(cudaErrorNotReady, "cudaEventQuery: what it stands behind has not run");
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    IB_HOST_CALL();
    ib_host_run_all(); /* queues hold it */
    delete event;
    return cudaSuccess;
}

/* ---- the device ---- */

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    IB_HOST_CALL();
    return !device ? cudaSuccess
                   : ib_host_refuse(cudaErrorInvalidDevice, "cudaSetDevice: %d, there is one device", device);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int device)
{
    *p = cudaDeviceProp{};
    snprintf(p->name, sizeof p->name, "the host");
    p->totalGlobalMem = (size_t)1 << 32;
    p->sharedMemPerBlock = 48 << 10;
    p->major = 7;
    p->minor = 5;
    p->multiProcessorCount = 4;
    p->warpSize = 32;
    p->maxThreadsPerBlock = 1024;
    p->memoryPoolsSupported = 1;
    return cudaSetDevice(device);
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = 12000;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    return cudaDriverGetVersion(version);
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int device)
{
    *pool = NULL;
    return cudaSetDevice(device);
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void *value)
{
    (void)pool, (void)attribute, (void)value;
    return cudaSuccess;
}

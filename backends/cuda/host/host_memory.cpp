/* host_memory.cpp - a table of what is allocated, for copies and for the arguments of kernels. */
#include <map>
#include <memory>
#include <pthread.h>
#include <stdlib.h>
#include <string>

#include "backends/cuda/host/host_inner.h"

#ifdef __SANITIZE_ADDRESS__
extern "C" int __sanitizer_get_ownership(const volatile void *p); /* gcc has no header for it */
#define IS_OTHER_BLOCK(p) __sanitizer_get_ownership(p)            /* where a block of the heap begins */
#else
#define IS_OTHER_BLOCK(p) false
#endif

typedef struct block {
    size_t bytes;
    ib_host_place place;
} block;

static std::map<uintptr_t, block> blocks;

/* The block with all of these bytes; behind: how many bytes of it are left from p on. */
ib_host_place ib_host_find(const void *p, size_t bytes, size_t *behind)
{
    auto at = blocks.upper_bound((uintptr_t)p);
    if (at == blocks.begin())
        return IB_HOST_UNKNOWN;
    --at;
    const size_t offset = (uintptr_t)p - at->first;
    if (offset > at->second.bytes)
        return IB_HOST_UNKNOWN;
    if (behind)
        *behind = at->second.bytes - offset;
    return bytes > at->second.bytes - offset ? IB_HOST_UNKNOWN : at->second.place;
}

void ib_host_forget_memory(void)
{
    for (const auto &each : blocks)
        free((void *)each.first);
    blocks.clear();
}

static void *add_block(size_t bytes, ib_host_place place)
{
    void *p;
    if (posix_memalign(&p, 256, bytes))
        return NULL;
    memset(p, 0xFF, bytes);
    blocks[(uintptr_t)p] = {bytes, place};
    return p;
}

cudaError_t cudaMallocAsync(void **p, size_t bytes, cudaStream_t stream)
{
    IB_HOST_CALL();
    if (ib_host_broken())
        return ib_host_broken();
    if (!stream)
        return ib_host_refuse(cudaErrorInvalidResourceHandle, "cudaMallocAsync: no stream");
    const cudaError_t error = ib_host_spoils(stream, "cudaMallocAsync");
    if (error)
        return error;
    *p = bytes ? add_block(bytes, IB_HOST_DEVICE) : NULL;
    return *p || !bytes ? cudaSuccess
                        : ib_host_refuse(cudaErrorMemoryAllocation, "cudaMallocAsync: %zu bytes are not there", bytes);
}

/* From now on nothing that is begun may use it; what was begun before may. */
cudaError_t cudaFreeAsync(void *p, cudaStream_t stream)
{
    IB_HOST_CALL();
    if (ib_host_broken())
        return ib_host_broken();
    auto at = blocks.find((uintptr_t)p);
    if (at == blocks.end() || at->second.place != IB_HOST_DEVICE)
        return ib_host_refuse(cudaErrorInvalidValue, "cudaFreeAsync: %p is no block of the device", p);
    const cudaError_t error = ib_host_spoils(stream, "cudaFreeAsync");
    if (error)
        return error;
    at->second.place = IB_HOST_RELEASED;
    return ib_host_queue(stream, {IB_HOST_OTHER, 0,
                                  [p] {
                                      blocks.erase((uintptr_t)p);
                                      free(p);
                                      return true;
                                  },
                                  nullptr});
}

cudaError_t cudaMallocHost(void **p, size_t bytes)
{
    IB_HOST_CALL();
    const cudaError_t error = ib_host_unsafe("cudaMallocHost");
    if (error)
        return error;
    *p = add_block(bytes, IB_HOST_PINNED);
    return *p ? cudaSuccess
              : ib_host_refuse(cudaErrorMemoryAllocation, "cudaMallocHost: %zu bytes are not there", bytes);
}

cudaError_t cudaFreeHost(void *p)
{
    IB_HOST_CALL();
    auto at = blocks.find((uintptr_t)p);
    if (!p)
        return cudaSuccess;
    const cudaError_t error = ib_host_spoils_own("cudaFreeHost"); /* it waits for the device */
    if (error)
        return error;
    if (at == blocks.end() || at->second.place != IB_HOST_PINNED)
        return ib_host_refuse(cudaErrorInvalidValue, "cudaFreeHost: %p is no pinned block", p);
    ib_host_run_all();
    blocks.erase(at);
    free(p);
    return cudaSuccess;
}

/* ---- copies ---- */

/* For the cases of kernels, whose buffers are the host's. */
static bool any_memory(void)
{
    const char *given = getenv("ISOBIT_CUDA_HOST_MEMORY");
    return given && !strcmp(given, "any");
}

bool ib_host_is_device(const void *p, size_t bytes)
{
    IB_HOST_CALL();
    return any_memory() ? p != NULL : ib_host_find(p, bytes, NULL) == IB_HOST_DEVICE;
}

int ib_host_has(const void *p)
{
    return ib_host_is_device(p, 0);
}

static cudaError_t look_at_span(const char *call, const char *what, const void *p, size_t bytes, bool device)
{
    const ib_host_place place = ib_host_find(p, bytes, NULL);
    if (any_memory())
        return cudaSuccess;
    if (device && place != IB_HOST_DEVICE)
        return ib_host_refuse(cudaErrorInvalidValue, "%s: %s %p with %zu bytes is %s", call, what, p, bytes,
                              place == IB_HOST_RELEASED ? "memory that was released" : "no memory of the device");
    if (!device && (place == IB_HOST_DEVICE || place == IB_HOST_RELEASED))
        return ib_host_refuse(cudaErrorInvalidValue, "%s: %s %p is memory of the device", call, what, p);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream)
{
    IB_HOST_CALL();
    if (ib_host_broken() || !bytes)
        return ib_host_broken();
    const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    cudaError_t error = look_at_span("cudaMemcpyAsync", "to", to, bytes, to_device);
    error = error ? error : look_at_span("cudaMemcpyAsync", "from", from, bytes, from_device);
    if (error)
        return error;
    const bool staged = !from_device && ib_host_find(from, bytes, NULL) != IB_HOST_PINNED; /* at once */
    const bool waits = !to_device && ib_host_find(to, bytes, NULL) != IB_HOST_PINNED;
    if ((staged || waits) && (error = ib_host_spoils(stream, "cudaMemcpyAsync of memory that is not pinned")))
        return error;
    const auto kept = std::make_shared<std::string>(staged ? (const char *)from : "", staged ? bytes : 0);
    error = ib_host_queue(stream, {IB_HOST_COPY, kind,
                                   [=] {
                                       memmove(to, staged ? kept->data() : from, bytes);
                                       if (!from_device)
                                           ib_host_count_copy(stream);
                                       return true;
                                   },
                                   nullptr});
    if (!error && waits)
        error = cudaStreamSynchronize(stream);
    return error;
}

cudaError_t cudaMemsetAsync(void *p, int byte, size_t bytes, cudaStream_t stream)
{
    IB_HOST_CALL();
    if (ib_host_broken() || !bytes)
        return ib_host_broken();
    const cudaError_t error = look_at_span("cudaMemsetAsync", "at", p, bytes, true);
    return error ? error
                 : ib_host_queue(stream, {IB_HOST_FILL, 0,
                                          [p, byte, bytes] {
                                              memset(p, byte, bytes);
                                              return true;
                                          },
                                          nullptr});
}

/* ---- arguments of kernels ---- */

/* The stack of the thread that calls. */
static bool is_on_stack(const void *p)
{
    static thread_local uintptr_t top = 0;
    if (!top) {
        pthread_attr_t a;
        void *from = NULL;
        size_t bytes = 0;
        pthread_getattr_np(pthread_self(), &a);
        pthread_attr_getstack(&a, &from, &bytes);
        pthread_attr_destroy(&a);
        top = (uintptr_t)from + bytes;
    }
    return (uintptr_t)p >= (uintptr_t)__builtin_frame_address(0) && (uintptr_t)p < top;
}

/* A pointer must be to memory of the device. In a structure each word is looked at that may be one: none may be to what
 * is certainly the host's. */
void ib_host_look_at(const char *kernel, int argument, const void *value, size_t bytes, int is_pointer)
{
    IB_HOST_CALL();
    if (ib_host_broken() || any_memory())
        return;
    for (size_t i = 0; i + sizeof(void *) <= bytes; i += sizeof(void *)) {
        void *p;
        memcpy(&p, (const char *)value + i, sizeof p);
        const ib_host_place place = p ? ib_host_find(p, 0, NULL) : IB_HOST_DEVICE;
        const char *what = place == IB_HOST_DEVICE     ? NULL
                           : place == IB_HOST_RELEASED ? "memory that was released"
                           : place == IB_HOST_PINNED || is_pointer || is_on_stack(p) || IS_OTHER_BLOCK(p)
                               ? "memory of the host"
                               : NULL;
        if (what)
            ib_host_break(cudaErrorIllegalAddress, "kernel '%s': argument %d holds %p, %s", kernel, argument + 1, p,
                          what);
    }
}

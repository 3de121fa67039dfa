/* watch.c - in the plugin: reading device memory without waiting for it (the verb peek).
 *
 * A look begins a copy to pinned memory, and gives what the copy before it has brought. What the host itself writes
 * there (fill, upload) is known at once, and what flew at that time is not believed. There are as many places as
 * addresses were looked at that have not been given back since: each graph and each optimizer wants some. */
#include <string.h>

#include "backends/cuda/inner.h"

void ib_cuda_watches_close(ib_cuda *d)
{
    for (size_t i = 0; i < d->n_watches; i++) {
        cudaEventDestroy(d->watch[i].arrived);
        cudaFreeHost(d->watch[i].pinned);
    }
    d->library.free(d->watch);
}

static ib_cuda_watch *find(ib_cuda *d, const void *from, size_t bytes)
{
    for (size_t i = 0; i < d->n_watches; i++)
        if (d->watch[i].from == from && d->watch[i].bytes == bytes)
            return &d->watch[i];
    return NULL;
}

/* One more place; NULL if there is no memory, which is the device's failure: a look that tells nothing for ever would
 * hide faults. */
static ib_cuda_watch *add(ib_cuda *d)
{
    ib_cuda_watch *all = ib_cuda_roomy(d, d->watch, d->n_watches, &d->watch_room, sizeof *all);
    if (!all) {
        ib_cuda_break(&d->own.base, cudaSuccess, "peek: no memory for place %zu", d->n_watches + 1);
        return NULL;
    }
    d->watch = all;
    ib_cuda_watch *w = &all[d->n_watches];
    *w = (ib_cuda_watch){0};
    cudaError_t error = cudaMallocHost((void **)&w->pinned, IB_CUDA_WATCHED);
    if (!error && (error = cudaEventCreateWithFlags(&w->arrived, cudaEventDisableTiming)) != cudaSuccess)
        cudaFreeHost(w->pinned);
    if (error) {
        ib_cuda_break(&d->own.base, error, "peek: pinned memory for place %zu", d->n_watches + 1);
        return NULL;
    }
    d->n_watches++;
    return w;
}

/* A place for it: that of memory that was given back, or a new one. */
static ib_cuda_watch *take(ib_cuda *d, const void *from, size_t bytes)
{
    ib_cuda_watch *w = find(d, NULL, 0);
    if (!w) {
        ib_cuda_leave_step(d, "a first look at some memory");
        if (!(w = add(d)))
            return NULL;
    }
    w->from = from;
    w->bytes = bytes;
    memset(w->known, 0, sizeof w->known);
    w->is_old = w->flies;
    return w;
}

static void land(ib_cuda_watch *w)
{
    if (!w->flies)
        return;
    if (cudaEventQuery(w->arrived)) {
        cudaGetLastError(); /* "not ready" would be taken for the next launch's */
        return;
    }
    if (!w->is_old)
        memcpy(w->known, w->pinned, w->bytes);
    w->flies = w->is_old = 0;
}

/* A copy begins, if one was asked for and none is on its way. */
static void fly(ib_cuda *d, ib_cuda_watch *w)
{
    if (!w->asked || w->flies || !w->from)
        return;
    cudaError_t error = cudaMemcpyAsync(w->pinned, w->from, w->bytes, cudaMemcpyDeviceToHost, d->compute);
    error = error ? error : cudaEventRecord(w->arrived, d->compute);
    w->flies = !error;
    w->asked = 0;
    if (error)
        ib_cuda_break(&d->own.base, error, "peek");
}

void ib_cuda_peek(ib_device *dev, void *to, const void *from, size_t bytes)
{
    ib_cuda *d = ib_cuda_of(dev);
    ib_cuda_watch *w = find(d, from, bytes);
    memset(to, 0, bytes); /* what a failure leaves */
    if (bytes > IB_CUDA_WATCHED)
        ib_cuda_break(dev, cudaSuccess, "peek: %zu bytes, %d may be looked at", bytes, IB_CUDA_WATCHED);
    if (bytes > IB_CUDA_WATCHED || (!w && !(w = take(d, from, bytes))))
        return;
    if (!d->capture.active)
        land(w);
    memcpy(to, w->known, bytes);
    w->asked = 1;
    if (!d->capture.active)
        fly(d, w);
}

void ib_cuda_watches_land(ib_cuda *d)
{
    for (size_t i = 0; i < d->n_watches; i++)
        land(&d->watch[i]);
}

void ib_cuda_watches_fly(ib_cuda *d)
{
    for (size_t i = 0; i < d->n_watches; i++)
        fly(d, &d->watch[i]);
}

void ib_cuda_watched_changes(ib_cuda *d, const void *at, size_t bytes, const void *with, int byte)
{
    const char *from = at, *end = from + bytes;
    for (size_t i = 0; i < d->n_watches; i++) {
        ib_cuda_watch *w = &d->watch[i];
        if (!w->from || w->from >= end || w->from + w->bytes <= from)
            continue;
        const char *first = w->from > from ? w->from : from,
                   *last = w->from + w->bytes < end ? w->from + w->bytes : end;
        char *known = w->known + (first - w->from);
        if (with)
            memcpy(known, (const char *)with + (first - from), (size_t)(last - first));
        else
            memset(known, byte < 0 ? 0 : byte, (size_t)(last - first));
        w->is_old = w->flies;
    }
}

void ib_cuda_watched_goes(ib_cuda *d, ib_cuda_block block)
{
    for (size_t i = 0; i < d->n_watches; i++) {
        ib_cuda_watch *w = &d->watch[i];
        if (w->from >= block.at && w->from < block.at + block.bytes) {
            w->from = NULL;
            w->bytes = 0;
            w->asked = 0;
        }
    }
}

/* watch.c - in the plugin: reading device memory without waiting for it (the verb peek).
 *
 * A look begins a copy to pinned memory, and gives what the copy before it has brought. What the host itself writes
 * there (fill, upload) is known at once, and what flew at that time is not believed. */
#include <string.h>

#include "backends/cuda/inner.h"

void ib_cuda_watches_close(ib_cuda *d)
{
    for (int i = 0; i < d->n_watches; i++) {
        cudaEventDestroy(d->watch[i].arrived);
        cudaFreeHost(d->watch[i].pinned);
    }
}

static ib_cuda_watch *find(ib_cuda *d, const void *from, size_t bytes)
{
    for (int i = 0; i < d->n_watches; i++)
        if (d->watch[i].from == from && d->watch[i].bytes == bytes)
            return &d->watch[i];
    return NULL;
}

/* A place for it: a new one, or that of memory that was given back; NULL if there is none. */
static ib_cuda_watch *take(ib_cuda *d, const void *from, size_t bytes)
{
    ib_cuda_watch *w = find(d, NULL, 0);
    if (!w) {
        ib_cuda_leave_step(d, "a first look at some memory");
        if (d->n_watches == IB_CUDA_WATCHES)
            return NULL;
        w = &d->watch[d->n_watches];
        if (cudaMallocHost((void **)&w->pinned, IB_CUDA_WATCHED))
            return NULL;
        if (cudaEventCreateWithFlags(&w->arrived, cudaEventDisableTiming)) {
            cudaFreeHost(w->pinned);
            return NULL;
        }
        d->n_watches++;
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
    memset(to, 0, bytes);
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
    for (int i = 0; i < d->n_watches; i++)
        land(&d->watch[i]);
}

void ib_cuda_watches_fly(ib_cuda *d)
{
    for (int i = 0; i < d->n_watches; i++)
        fly(d, &d->watch[i]);
}

void ib_cuda_watched_changes(ib_cuda *d, const void *at, size_t bytes, const void *with, int byte)
{
    const char *from = at, *end = from + bytes;
    for (int i = 0; i < d->n_watches; i++) {
        ib_cuda_watch *w = &d->watch[i];
        for (size_t j = 0; j < w->bytes; j++) {
            const char *p = w->from + j;
            if (p < from || p >= end)
                continue;
            w->known[j] = with ? ((const char *)with)[p - from] : byte < 0 ? 0 : (char)byte;
            w->is_old = w->flies;
        }
    }
}

void ib_cuda_watched_goes(ib_cuda *d, const void *at)
{
    for (int i = 0; i < d->n_watches; i++)
        if (d->watch[i].from == at) {
            d->watch[i].from = NULL;
            d->watch[i].bytes = 0;
            d->watch[i].asked = 0;
        }
}

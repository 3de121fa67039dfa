/* staging.c - in the plugin: uploads, which arrive while kernels run.
 *
 *     host's memory -> pinned piece       the caller, who has its memory back
 *     pinned piece -> piece on the device the stream that copies, behind `taken` of what the piece held before
 *     piece on the device -> its place    the stream that computes, behind `arrived`, in the order of what was begun
 *
 * The place itself may be in use by what runs, as a step's batch lies where the last one's did: only the last of these
 * copies waits for that, and it is of device memory. The next batch has arrived by then. */
#include <string.h>

#include "backends/cuda/inner.h"

cudaError_t ib_cuda_staging_open(ib_cuda *d)
{
    ib_cuda_staging *s = &d->staging;
    const size_t bytes = (size_t)IB_CUDA_PIECES * IB_CUDA_PIECE;
    cudaError_t error = cudaMallocHost((void **)&s->pinned, bytes);
    error = error ? error : cudaMallocAsync((void **)&s->device, bytes, d->compute);
    error = error ? error : cudaStreamSynchronize(d->compute); /* the other stream writes there */
    for (int i = 0; i < IB_CUDA_PIECES && !error; i++) {
        error = cudaEventCreateWithFlags(&s->arrived[i], cudaEventDisableTiming);
        error = error ? error : cudaEventCreateWithFlags(&s->taken[i], cudaEventDisableTiming);
    }
    return error;
}

void ib_cuda_staging_close(ib_cuda *d)
{
    ib_cuda_staging *s = &d->staging;
    if (d->copy)
        cudaStreamSynchronize(d->copy);
    for (int i = 0; i < IB_CUDA_PIECES; i++) {
        if (s->arrived[i])
            cudaEventDestroy(s->arrived[i]);
        if (s->taken[i])
            cudaEventDestroy(s->taken[i]);
    }
    if (s->device)
        cudaFreeAsync(s->device, d->compute);
    if (s->pinned)
        cudaFreeHost(s->pinned);
}

/* The next piece, when what was in it has gone on. */
static cudaError_t turn(ib_cuda *d)
{
    ib_cuda_staging *s = &d->staging;
    if (d->capture.active && s->full == IB_CUDA_PIECES - 1)
        ib_cuda_leave_step(d, "uploads of more than 7 MiB");
    cudaError_t error = cudaSuccess;
    if (d->capture.active)
        s->full++;
    else
        error = cudaEventRecord(s->taken[s->at], d->compute);
    s->at = (s->at + 1) % IB_CUDA_PIECES;
    s->used = 0;
    error = error ? error : cudaEventSynchronize(s->arrived[s->at]);
    return error ? error : cudaStreamWaitEvent(d->copy, s->taken[s->at], 0);
}

/* What fits into the piece, by both of its halves. */
static cudaError_t pass(ib_cuda *d, char *to, const char *from, size_t bytes)
{
    ib_cuda_staging *s = &d->staging;
    const size_t at = (size_t)s->at * IB_CUDA_PIECE + s->used;
    memcpy(s->pinned + at, from, bytes);
    cudaError_t error = cudaMemcpyAsync(s->device + at, s->pinned + at, bytes, cudaMemcpyHostToDevice, d->copy);
    error = error ? error : cudaEventRecord(s->arrived[s->at], d->copy);
    if (d->capture.active)
        s->waits = 1;
    else
        error = error ? error : cudaStreamWaitEvent(d->compute, s->arrived[s->at], 0);
    s->used = (s->used + bytes + 63) / 64 * 64;
    return error ? error : cudaMemcpyAsync(to, s->device + at, bytes, cudaMemcpyDeviceToDevice, d->compute);
}

cudaError_t ib_cuda_staging_launch(ib_cuda *d, cudaGraphExec_t exec)
{
    ib_cuda_staging *s = &d->staging;
    cudaError_t error = s->waits ? cudaStreamWaitEvent(d->compute, s->arrived[s->at], 0) : cudaSuccess;
    error = error ? error : cudaGraphLaunch(exec, d->compute);
    for (; s->full && !error; s->full--) /* the last one goes on being filled */
        error = cudaEventRecord(s->taken[(s->at + IB_CUDA_PIECES - s->full) % IB_CUDA_PIECES], d->compute);
    s->waits = 0;
    return error;
}

void ib_cuda_upload(ib_device *dev, void *to, const void *from, size_t bytes)
{
    ib_cuda *d = ib_cuda_of(dev);
    const ib_cuda_staging *s = &d->staging;
    cudaError_t error = cudaSuccess;
    ib_cuda_watched_changes(d, to, bytes, from, -1);
    for (size_t done = 0; done < bytes && !error;) {
        if (s->used == IB_CUDA_PIECE && (error = turn(d)))
            break;
        const size_t room = IB_CUDA_PIECE - s->used, n = bytes - done < room ? bytes - done : room;
        error = pass(d, (char *)to + done, (const char *)from + done, n);
        done += n;
    }
    if (error)
        ib_cuda_break(dev, error, "upload");
}

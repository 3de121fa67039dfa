/* memory.c - in the plugin: the verbs of memory, in the order of the stream that computes. */
#include <string.h>

#include "backends/cuda/inner.h"
#include "backends/cuda/libraries/libraries.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

cudaStream_t ib_cuda_stream(ib_device *dev)
{
    return ib_cuda_of(dev)->compute;
}

ib_cuda_work_space *ib_cuda_work(ib_device *dev)
{
    return ib_cuda_of(dev)->work;
}

void ib_cuda_break(ib_device *dev, cudaError_t error, const char *format, ...)
{
    if (*dev->failure)
        return;
    va_list args;
    va_start(args, format);
    const int n = ib_cuda_of(dev)->library.format(dev->failure, sizeof dev->failure, format, args);
    va_end(args);
    if (error && n >= 0 && (size_t)n + 3 < sizeof dev->failure) {
        strcat(dev->failure, ": ");
        strncat(dev->failure, cudaGetErrorString(error), sizeof dev->failure - (size_t)n - 3);
    }
}

static void look(ib_device *dev, cudaError_t error, const char *what)
{
    if (error)
        ib_cuda_break(dev, error, "%s", what);
}

void ib_cuda_launched(ib_device *dev, const char *kernel)
{
    look(dev, cudaGetLastError(), kernel);
}

static void *allocate(ib_device *dev, size_t bytes)
{
    ib_cuda *d = ib_cuda_of(dev);
    void *p = NULL;
    ib_cuda_leave_step(d, "an allocation");
    const cudaError_t error = cudaMallocAsync(&p, bytes, d->compute);
    if (!error && p && ib_cuda_block_came(d, p, bytes)) {
        look(dev, cudaFreeAsync(p, d->compute), "release");
        return NULL;
    }
    if (!error)
        return p;
    cudaGetLastError();
    d->library.fail(IB_ENOMEM, "%s: %zu bytes are not there: %s", dev->name, bytes, cudaGetErrorString(error));
    return NULL;
}

static void release(ib_device *dev, void *p)
{
    if (!p)
        return;
    ib_cuda_watched_goes(ib_cuda_of(dev), ib_cuda_block_goes(ib_cuda_of(dev), p));
    ib_cuda_leave_step(ib_cuda_of(dev), "a release");
    look(dev, cudaFreeAsync(p, ib_cuda_of(dev)->compute), "release");
}

/* ---- what waits, and what does not ---- */

static void download(ib_device *dev, void *to, const void *from, size_t bytes)
{
    ib_cuda *d = ib_cuda_of(dev);
    memset(to, 0, bytes); /* what a failure leaves */
    ib_cuda_leave_step(d, "a download");
    cudaError_t error = cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, d->compute);
    look(dev, error ? error : cudaStreamSynchronize(d->compute), "download");
}

static void copy(ib_device *dev, void *to, const void *from, size_t bytes)
{
    ib_cuda *d = ib_cuda_of(dev);
    ib_cuda_watched_changes(d, to, bytes, NULL, -1);
    look(dev, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, d->compute), "copy");
}

static void fill(ib_device *dev, void *to, int byte, size_t bytes)
{
    ib_cuda *d = ib_cuda_of(dev);
    ib_cuda_watched_changes(d, to, bytes, NULL, byte & 255);
    look(dev, cudaMemsetAsync(to, byte, bytes, d->compute), "fill");
}

static void forget(ib_device *dev, void *p, size_t bytes)
{
}

static void upload(ib_device *dev, void *to, const void *from, size_t bytes)
{
    ib_cuda_upload(dev, to, from, bytes);
}

static void peek(ib_device *dev, void *to, const void *from, size_t bytes)
{
    ib_cuda_peek(dev, to, from, bytes);
}

static void begin_step(ib_device *dev)
{
    ib_cuda_begin_step(dev);
}

static void end_step(ib_device *dev)
{
    ib_cuda_end_step(dev);
}

static void synchronize(ib_device *dev)
{
    ib_cuda_leave_step(ib_cuda_of(dev), "a wait");
    look(dev, cudaStreamSynchronize(ib_cuda_of(dev)->compute), "synchronize");
}

/* ---- work space, of which most kernels want none ---- */

static int64_t conv2d_words(ib_device *dev, const ib_window *w)
{
    return 0;
}

static int64_t conv2d_grads_words(ib_device *dev, const ib_window *w)
{
    return ib_cuda_conv2d_grads_words(w);
}

static int64_t qconv2d_words(ib_device *dev, const ib_window *w)
{
    return 0;
}

static int64_t qlinear_words(ib_device *dev, int64_t rows, int64_t k, int64_t out)
{
    return ib_cuda_library_takes_codes(dev, rows, k, out) ? out : 0;
}

static int64_t frozen_words(ib_device *dev, const ib_matrix *w, int64_t n)
{
    return 0;
}

static int64_t attention_words(ib_device *dev, const ib_attention *a, int64_t rows)
{
    return 0;
}

const ib_verbs ib_cuda_verbs = {
#define VERB(result, name, args) .name = name,
#include "backends/verbs.def"
#undef VERB
};

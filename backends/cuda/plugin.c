/* plugin.c - in the plugin: the table of kernels, opening a device, and closing it. */
#include "backends/cuda/inner.h"
#include "backends/cuda/libraries/open_libraries.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

/* A row of kernels.def whose family has no function (ib_cuda_<name>, in a .cu file) is one that says so. */
#define KERNEL(result, name, args)                                                                                     \
    result ib_cuda_##name args __attribute__((weak));                                                                  \
    result ib_cuda_##name args                                                                                         \
    {                                                                                                                  \
        ib_cuda_break(dev, cudaSuccess, "kernel '" #name "' is not on this device");                                   \
        return (result)0;                                                                                              \
    }
#include "backends/kernels.def"
#undef KERNEL

static const ib_kernels kernels = {
#define KERNEL(result, name, args) .name = ib_cuda_##name,
#include "backends/kernels.def"
#undef KERNEL
};

enum { LEAST_CAPABILITY = 75 }; /* dp4a, and what CUDA 13 compiles for */

static void close_device(ib_device *dev)
{
    ib_cuda *d = ib_cuda_of(dev);
    if (d->compute)
        cudaStreamSynchronize(d->compute);
    ib_cuda_capture_close(d);
    ib_cuda_libraries_close(d);
    ib_cuda_watches_close(d);
    ib_cuda_staging_close(d);
    ib_cuda_blocks_close(d);
    if (d->work)
        cudaFreeAsync(d->work, d->compute);
    if (d->compute)
        cudaStreamDestroy(d->compute);
    if (d->copy)
        cudaStreamDestroy(d->copy);
    d->library.free(d);
}

/* What keeps CUDA from giving that device, said; or IB_OK. */
static ib_status look_at(ib_cuda *d, const char *asked)
{
    int count = 0;
    struct cudaDeviceProp p;
    const cudaError_t error = cudaGetDeviceCount(&count);
    if (error)
        return d->library.fail(IB_EUNSUPPORTED, "%s: CUDA gives no device: %s", asked, cudaGetErrorString(error));
    if (d->number >= count)
        return d->library.fail(IB_EUNSUPPORTED, "%s: this machine has %d CUDA device%s, the first is cuda:0", asked,
                               count, count == 1 ? "" : "s");
    if (cudaSetDevice(d->number) || cudaGetDeviceProperties(&p, d->number))
        return d->library.fail(IB_EUNSUPPORTED, "%s: CUDA cannot use it: %s", asked,
                               cudaGetErrorString(cudaGetLastError()));
    if (10 * p.major + p.minor < LEAST_CAPABILITY)
        return d->library.fail(IB_EUNSUPPORTED, "%s: %s has compute capability %d.%d, isobit needs 7.5", asked, p.name,
                               p.major, p.minor);
    return IB_OK;
}

static ib_status start(ib_cuda *d, const char *asked)
{
    cudaMemPool_t pool;
    unsigned long long all = ~0ull; /* what was freed is kept for the next step */
    cudaError_t error = cudaStreamCreateWithFlags(&d->compute, cudaStreamNonBlocking);
    error = error ? error : cudaStreamCreateWithFlags(&d->copy, cudaStreamNonBlocking);
    error = error ? error : cudaDeviceGetDefaultMemPool(&pool, d->number);
    error = error ? error : cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all);
    error = error ? error : cudaMallocAsync((void **)&d->work, sizeof *d->work, d->compute);
    error = error ? error : cudaMemsetAsync(d->work, 0x7F, sizeof *d->work, d->compute);
    error = error ? error : ib_cuda_staging_open(d);
    return !error ? IB_OK
                  : d->library.fail(IB_EUNSUPPORTED, "%s: CUDA cannot begin: %s", asked, cudaGetErrorString(error));
}

static void say_name(ib_cuda *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    d->library.format(d->own.base.name, sizeof d->own.base.name, format, args);
    va_end(args);
}

static ib_device *open_device(const ib_cuda_library *library, int number, const char *asked)
{
    ib_cuda *d = library->alloc(sizeof *d);
    if (!d)
        return NULL;
    d->library = *library;
    d->number = number;
    d->own.close = close_device;
    d->own.base.v = ib_cuda_verbs;
    d->own.base.k = kernels;
#ifdef IB_CUDA_HOST
    say_name(d, "cuda:host");
    ib_cuda_look_at_given(&d->own.base.k);
#else
    say_name(d, "cuda:%d", number);
#endif
    if (ib_cuda_capture_open(d, asked) || look_at(d, asked) || start(d, asked) || ib_cuda_libraries_open(d, asked)) {
        close_device(&d->own.base);
        return NULL;
    }
    return &d->own.base;
}

const ib_cuda_plugin *ib_cuda_plugin_of(void) __attribute__((visibility("default")));
const ib_cuda_plugin *ib_cuda_plugin_of(void)
{
    static const ib_cuda_plugin plugin = {ib_cuda_rows, IB_CUDA_SIZES, open_device};
    return &plugin;
}

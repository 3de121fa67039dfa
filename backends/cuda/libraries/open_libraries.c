/* open_libraries.c - which of NVIDIA's libraries serve a device: found, new enough, and allowed by ISOBIT_CUDA_MATH. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cuda/libraries/open_libraries.h"

/* What stands in for them on the host goes by other names, so that NVIDIA's own is never taken there. */
#ifdef IB_CUDA_HOST
static const char *const blas_names[] = {"libisobit_host_cublasLt.so", NULL};
static const char *const dnn_names[] = {"libisobit_host_cudnn.so", NULL};
#else
static const char *const blas_names[] = {"libcublasLt.so.13", "libcublasLt.so.12", NULL};
static const char *const dnn_names[] = {"libcudnn.so.9", NULL};
#endif

int ib_cuda_write(ib_cuda *d, char *to, size_t bytes, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = d->library.format(to, bytes, format, args);
    va_end(args);
    return n;
}

/* ---- functions by their names ---- */

typedef struct function {
    const char *name;
    size_t at; /* in the table */
} function;

static const function blas_functions[] = {
#define FUNCTION(result, name, args) {#name, offsetof(ib_cublaslt, name)},
#include "backends/cuda/libraries/cublaslt.def"
#undef FUNCTION
};
static const function dnn_functions[] = {
#define FUNCTION(result, name, args) {#name, offsetof(ib_cudnn, name)},
#include "backends/cuda/libraries/cudnn_api.def"
#undef FUNCTION
};

/* Fills the table; the name of what is not there, or NULL. */
static const char *take_functions(void *handle, const function *f, size_t n, void *table)
{
    for (size_t i = 0; i < n; i++) {
        void *symbol = dlsym(handle, f[i].name);
        if (!symbol)
            return f[i].name;
        memcpy((char *)table + f[i].at, &symbol, sizeof symbol);
    }
    return NULL;
}

/* ---- opening: a text says what serves, or why not ---- */

enum { WORDS = 200 };

static void say_version(ib_cuda *d, char *words, const char *name, size_t version, const char *path)
{
    ib_cuda_write(d, words, WORDS, "%s %zu.%zu.%zu (%s)", name, version / 10000, version / 100 % 100, version % 100,
                  path);
}

static void say_old(ib_cuda *d, char *words, const char *name, size_t version, int least)
{
    ib_cuda_write(d, words, WORDS, "own kernels (%s %zu.%zu is older than %d.%d)", name, version / 10000,
                  version / 100 % 100, least / 10000, least / 100 % 100);
}

static void open_blas(ib_cuda *d, char *words)
{
    ib_cuda_libraries *l = d->libraries;
    char path[PATH_MAX] = "";
    void *handle = ib_cuda_find_library(d, blas_names, path, sizeof path);
    const char *lacks =
        handle ? take_functions(handle, blas_functions, sizeof blas_functions / sizeof *blas_functions, &l->blas)
               : NULL;
    if (!handle || lacks) {
        ib_cuda_write(d, words, WORDS, "own kernels (%s%s%s)", handle ? path : blas_names[0],
                      lacks ? " lacks " : " is not found", lacks ? lacks : "");
        return;
    }
    const size_t version = l->blas.cublasLtGetVersion();
    if (version < IB_LT_LEAST_VERSION) {
        say_old(d, words, "cuBLASLt", version, IB_LT_LEAST_VERSION);
        return;
    }
    const int status = l->blas.cublasLtCreate(&l->blas_handle);
    if (status) {
        l->blas_handle = NULL;
        ib_cuda_write(d, words, WORDS, "own kernels (cublasLtCreate: status %d)", status);
        return;
    }
    say_version(d, words, "cuBLASLt", version, path);
}

static void open_dnn(ib_cuda *d, char *words)
{
    ib_cuda_libraries *l = d->libraries;
    char path[PATH_MAX] = "";
    void *handle = ib_cuda_find_library(d, dnn_names, path, sizeof path);
    const char *lacks =
        handle ? take_functions(handle, dnn_functions, sizeof dnn_functions / sizeof *dnn_functions, &l->dnn) : NULL;
    if (!handle || lacks) {
        ib_cuda_write(d, words, WORDS, "own kernels (%s%s%s)", handle ? path : dnn_names[0],
                      lacks ? " lacks " : " is not found", lacks ? lacks : "");
        return;
    }
    const size_t version = l->dnn.cudnnGetVersion();
    if (version < IB_DNN_LEAST_VERSION) {
        say_old(d, words, "cuDNN", version, IB_DNN_LEAST_VERSION);
        return;
    }
    int status = l->dnn.cudnnCreate(&l->dnn_handle);
    if (status)
        l->dnn_handle = NULL;
    else if ((status = l->dnn.cudnnSetStream(l->dnn_handle, d->compute))) {
        l->dnn.cudnnDestroy(l->dnn_handle);
        l->dnn_handle = NULL;
    }
    if (status) {
        ib_cuda_write(d, words, WORDS, "own kernels (cuDNN %zu.%zu does not begin: status %d)", version / 10000,
                      version / 100 % 100, status);
        return;
    }
    say_version(d, words, "cuDNN", version, path);
}

/* ---- the whole ---- */

static const char *const math_names[] = {"own", "fp32", "tf32", "bf16"};

/* As ISOBIT_CUDA_MATH says; fp32 if nothing. */
static ib_status math_of(ib_cuda *d, const char *asked, ib_cuda_math *math)
{
    const char *given = getenv("ISOBIT_CUDA_MATH");
    *math = IB_CUDA_FP32;
    if (!given || !*given)
        return IB_OK;
    for (int i = 0; i < (int)(sizeof math_names / sizeof *math_names); i++)
        if (!strcmp(given, math_names[i])) {
            *math = (ib_cuda_math)i;
            return IB_OK;
        }
    return d->library.fail(IB_EINVAL, "%s: ISOBIT_CUDA_MATH is '%s', it can be own, fp32, tf32 or bf16", asked, given);
}

static ib_status open_rooms(ib_cuda *d, const char *asked)
{
    ib_cuda_libraries *l = d->libraries;
    const char *folder = getenv("ISOBIT_CUDA_LIBRARIES");
    char blas[WORDS], dnn[WORDS];
    open_blas(d, blas);
    open_dnn(d, dnn);
    ib_cuda_write(d, d->own.base.products, sizeof d->own.base.products, "%s: products by %s, convolutions by %s",
                  math_names[l->math], blas, dnn);
    if (folder && *folder && !l->blas_handle && !l->dnn_handle)
        return d->library.fail(IB_EUNSUPPORTED,
                               "%s: of ISOBIT_CUDA_LIBRARIES, %s, no library serves: products by %s, convolutions by "
                               "%s",
                               asked, folder, blas, dnn);
    if (l->math > IB_CUDA_FP32 && !l->blas_handle)
        return d->library.fail(IB_EUNSUPPORTED, "%s: ISOBIT_CUDA_MATH=%s wants cuBLASLt: products by %s", asked,
                               math_names[l->math], blas);
    if (!l->blas_handle && !l->dnn_handle)
        return IB_OK;
    const cudaError_t error = cudaMallocAsync(&l->workspace, IB_CUDA_WORKSPACE, d->compute);
    if (error)
        return d->library.fail(IB_ENOMEM, "%s: %d bytes for NVIDIA's libraries are not there: %s", asked,
                               IB_CUDA_WORKSPACE, cudaGetErrorString(error));
    return ib_cuda_products_open(d) || ib_cuda_convolutions_open(d) ? IB_ENOMEM : IB_OK;
}

ib_status ib_cuda_libraries_open(ib_cuda *d, const char *asked)
{
    ib_cuda_math math;
    const ib_status status = math_of(d, asked, &math);
    if (status)
        return status;
    if (math == IB_CUDA_OWN) {
        ib_cuda_write(d, d->own.base.products, sizeof d->own.base.products, "own kernels");
        return IB_OK;
    }
    if (!(d->libraries = d->library.alloc(sizeof *d->libraries)))
        return IB_ENOMEM;
    d->libraries->math = math;
    return open_rooms(d, asked);
}

void ib_cuda_libraries_close(ib_cuda *d)
{
    ib_cuda_libraries *l = d->libraries;
    if (!l)
        return;
    cudaStreamSynchronize(d->compute);
    ib_cuda_products_close(d);
    ib_cuda_convolutions_close(d);
    if (l->blas_handle)
        l->blas.cublasLtDestroy(l->blas_handle);
    if (l->dnn_handle)
        l->dnn.cudnnDestroy(l->dnn_handle);
    if (l->workspace)
        cudaFreeAsync(l->workspace, d->compute);
    d->library.free(l);
    d->libraries = NULL;
}

/* open.c - in the library: finds the CUDA plugin and has it open a device.
 *
 * "cuda" is the first device, "cuda:1" another, "cuda:host" the same kernels on the host, for tests (host/). */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/cuda/plugin.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "base/shared_object.h"
#include "base/trace.h"

#ifndef IB_LIBDIR /* where the library is installed, seen from the prefix */
#define IB_LIBDIR "lib"
#endif

static const char device_library[] = "libisobit_cuda.so", host_library[] = "libisobit_cuda_host.so";

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* folder/name of where `path` is, if that is there. */
static int is_beside(const char *path, const char *between, const char *name, char *to, size_t bytes)
{
    char real[PATH_MAX];
    if (!realpath(path, real))
        return 0;
    *strrchr(real, '/') = 0;
    ib_snprintf(to, bytes, "%s/%s%s", real, between, name);
    return !access(to, R_OK);
}

/* Where ISOBIT_CUDA_LIBRARY says; beside the library, or the program that it is linked into; where it is installed. */
static int find(const char *name, char *to, size_t bytes)
{
    const char *own = getenv("ISOBIT_CUDA_LIBRARY");
    if (own && *own) {
        ib_snprintf(to, bytes, "%s", own);
        return !strcmp(file_name(own), name) && !access(own, R_OK);
    }
    Dl_info here;
    if (dladdr((const void *)(uintptr_t)&find, &here) && here.dli_fname &&
        is_beside(here.dli_fname, "", name, to, bytes))
        return 1;
    return is_beside("/proc/self/exe", "", name, to, bytes) ||
           is_beside("/proc/self/exe", "../" IB_LIBDIR "/", name, to, bytes);
}

const char *ib_cuda_name_at(int i)
{
    static const char *const names[] = {"cuda", "cuda:host"};
    char path[PATH_MAX];
    const int device = find(device_library, path, sizeof path), host = find(host_library, path, sizeof path);
    return i < 0 || i >= device + host ? NULL : names[i + !device];
}

static const ib_cuda_library library = {ib_alloc, ib_free, ib_fail, ib_trace_note, ib_vsnprintf};

/* The plugin of that file, which stays loaded; NULL with ib_error(). */
static const ib_cuda_plugin *load(const char *path, const char *asked)
{
    static const size_t sizes[] = IB_CUDA_SIZES;
    const ib_file_extent file = ib_shared_object_extent(path);
    if (file.needs > file.has)
        return ib_fail_null(IB_EFORMAT, "%s: %s is cut short: %llu of %llu bytes", asked, path,
                            (unsigned long long)file.has, (unsigned long long)file.needs);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle)
        return ib_fail_null(IB_EUNSUPPORTED, "%s: %s", asked, dlerror());
    ib_cuda_plugin_function *of = NULL;
    void *symbol = dlsym(handle, IB_CUDA_PLUGIN_OF);
    memcpy(&of, &symbol, sizeof of);
    const ib_cuda_plugin *p = of ? of() : NULL;
    if (!p || strcmp(p->rows, ib_cuda_rows) || memcmp(p->sizes, sizes, sizeof sizes))
        return ib_fail_null(IB_EUNSUPPORTED, "%s: %s belongs to another version of isobit", asked, path);
    return p;
}

ib_device *ib_cuda_open(const char *variant, const char *asked)
{
    const int host = variant && !strcmp(variant, "host");
    const char *name = host ? host_library : device_library;
    char *end = NULL, path[PATH_MAX];
    const long device = variant && !host ? strtol(variant, &end, 10) : 0;
    if ((end && (*end || end == variant)) || device < 0 || device > INT_MAX)
        return ib_fail_null(IB_EUNSUPPORTED, "%s: after 'cuda:' comes the number of a device", asked);
    if (!find(name, path, sizeof path))
        return ib_fail_null(IB_EUNSUPPORTED,
                            "%s: %s is neither beside the library or the command nor in ../%s, nor what "
                            "ISOBIT_CUDA_LIBRARY names (%s)",
                            asked, name, IB_LIBDIR,
                            host ? "a build with tests leaves it in tests/cuda" : "scripts/build-cuda makes it");
    if (!host && !dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE))
        return ib_fail_null(IB_EUNSUPPORTED, "%s: there is no NVIDIA driver here (libcuda.so.1)", asked);
    const ib_cuda_plugin *p = load(path, asked);
    return p ? p->open(&library, (int)device, asked) : NULL;
}

void ib_cuda_close(ib_device *dev)
{
    ((const ib_cuda_device *)(const void *)dev)->close(dev);
}

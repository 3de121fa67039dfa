/* host_plugin.h - the plugin of "cuda:host" beside the tests, and what CUDA on the host has counted in it. */
#ifndef IB_TESTS_HOST_PLUGIN_H
#define IB_TESTS_HOST_PLUGIN_H

#include "tests/check.h"

#include <dlfcn.h>
#include <unistd.h>

#include "backends/cuda/host/host_api.h"
#include "backends/cuda/plugin.h"

/* That file or folder of tests/cuda. */
static inline const char *beside(const char *name)
{
    static char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 100);
    REQUIRE(n > 0);
    path[n] = 0;
    strcpy(strrchr(path, '/'), "/cuda/");
    return strcat(path, name);
}

/* Whether it was built; devices are then opened from it. */
static inline int has_plugin(void)
{
    const char *path = beside("libisobit_cuda_host.so");
    setenv("ISOBIT_CUDA_LIBRARY", path, 1);
    return !access(path, R_OK);
}

/* The plugin is open. */
static inline const ib_host_counts *counted(void)
{
    const ib_host_counts *(*function)(void) = NULL;
    void *plugin = dlopen(getenv("ISOBIT_CUDA_LIBRARY"), RTLD_LAZY | RTLD_NOLOAD);
    void *symbol = plugin ? dlsym(plugin, "ib_host_counted") : NULL;
    REQUIRE(symbol != NULL);
    memcpy(&function, &symbol, sizeof function);
    return function();
}

/* What the plugin itself has counted. */
static inline const ib_cuda_counts *steps_of(const ib_device *dev)
{
    return &((const ib_cuda_device *)(const void *)dev)->counts;
}

#endif

/* find_library.c - where NVIDIA's libraries lie: docs/cuda.md has the list. */
#define _GNU_SOURCE /* dlinfo */
#include <dlfcn.h>
#include <glob.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cuda/libraries/open_libraries.h"
#include "base/shared_object.h"

static void *try_to_open(const char *file, char *path, size_t bytes)
{
    if (strchr(file, '/')) { /* a name is the loader's to find */
        const ib_file_extent e = ib_shared_object_extent(file);
        if (e.needs > e.has)
            return NULL;
    }
    /* cuDNN opens its parts, and cuBLASLt, by their names, under which they are then loaded */
    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    struct link_map *map = NULL;
    if (handle && !dlinfo(handle, RTLD_DI_LINKMAP, &map) && map) {
        path[0] = 0;
        strncat(path, map->l_name, bytes - 1);
    }
    return handle;
}

/* The first that opens of the files of that pattern, in the order of their names. */
static void *try_pattern(const char *pattern, char *path, size_t bytes)
{
    glob_t found;
    void *handle = NULL;
    if (glob(pattern, 0, NULL, &found))
        return NULL;
    for (size_t i = 0; i < found.gl_pathc && !handle; i++)
        handle = try_to_open(found.gl_pathv[i], path, bytes);
    globfree(&found);
    return handle;
}

/* Packages of Python below a prefix, as PyTorch brings them: nvidia/cu13, nvidia/cublas, nvidia/cudnn. */
static void *try_prefix(ib_cuda *d, const char *prefix, int length, const char *name, char *path, size_t bytes)
{
    char pattern[PATH_MAX];
    if (length < 2 || *prefix != '/')
        return NULL;
    const int n = ib_cuda_write(d, pattern, sizeof pattern, "%.*s/lib*/python3*/*-packages/nvidia/*/lib/%s", length,
                                prefix, name);
    return n < (int)sizeof pattern ? try_pattern(pattern, path, bytes) : NULL;
}

static void *try_variable(ib_cuda *d, const char *variable, const char *below, const char *name, char *path,
                          size_t bytes)
{
    const char *value = getenv(variable);
    char file[PATH_MAX];
    if (!value || !*value || ib_cuda_write(d, file, sizeof file, "%s%s", value, below) >= (int)sizeof file)
        return NULL;
    return try_prefix(d, file, (int)strlen(file), name, path, bytes);
}

/* The prefixes of programs: /usr of /usr/bin. */
static void *try_programs(ib_cuda *d, const char *name, char *path, size_t bytes)
{
    const char *at = getenv("PATH");
    void *handle = NULL;
    while (at && *at && !handle) {
        int n = (int)strcspn(at, ":");
        const char *next = at[n] ? at + n + 1 : at + n;
        while (n > 1 && at[n - 1] == '/')
            n--;
        if (n > 4 && !strncmp(at + n - 4, "/bin", 4))
            handle = try_prefix(d, at, n - 4, name, path, bytes);
        at = next;
    }
    return handle;
}

static void *try_folder(ib_cuda *d, const char *folder, const char *below, const char *name, char *path, size_t bytes)
{
    char file[PATH_MAX];
    if (!folder || !*folder || ib_cuda_write(d, file, sizeof file, "%s%s/%s", folder, below, name) >= (int)sizeof file)
        return NULL;
    return try_to_open(file, path, bytes);
}

static void *try_name(ib_cuda *d, const char *name, char *path, size_t bytes)
{
    void *handle = try_to_open(name, path, bytes); /* LD_LIBRARY_PATH, and where the system keeps libraries */
    handle = handle ? handle : try_folder(d, getenv("CUDA_HOME"), "/lib64", name, path, bytes);
    handle = handle ? handle : try_folder(d, "/usr/local/cuda", "/lib64", name, path, bytes);
    handle = handle ? handle : try_variable(d, "VIRTUAL_ENV", "", name, path, bytes);
    handle = handle ? handle : try_variable(d, "CONDA_PREFIX", "", name, path, bytes);
    handle = handle ? handle : try_programs(d, name, path, bytes);
    return handle ? handle : try_variable(d, "HOME", "/.local", name, path, bytes);
}

void *ib_cuda_find_library(ib_cuda *d, const char *const *names, char *path, size_t bytes)
{
    const char *own = getenv("ISOBIT_CUDA_LIBRARIES");
    void *handle = NULL;
    for (; *names && !handle; names++)
        handle = own && *own ? try_folder(d, own, "", *names, path, bytes) : try_name(d, *names, path, bytes);
    return handle;
}

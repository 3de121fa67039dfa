/* available_memory.c - see available_memory.h. Files of Linux: proc(5) and the kernel's Documentation/admin-guide/
 * cgroup-v2.rst and cgroup-v1/memory.rst. */
#include "lm/train/available_memory.h"

#include <isobit/finetune.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Where a version of control groups keeps its numbers. */
typedef struct version {
    const char *mount, *limit, *usage, *files; /* files: the key in memory.stat of pages of files that can be dropped */
} version;
static const version versions[] = {
    {"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"},
    {"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}};

static FILE *open_file(const char *root, const char *folder, const char *group, const char *name)
{
    char *path = ib_format_text("%s%s%s/%s", root, folder, group, name);
    FILE *f = path ? fopen(path, "r") : NULL;
    ib_free(path);
    return f;
}

/* The number behind a key ("" for a file of one number); -1: there is none, as where it says "max". */
static int64_t number(FILE *f, const char *key)
{
    char line[256];
    int64_t n = -1;
    const size_t k = strlen(key);
    while (f && n < 0 && fgets(line, sizeof line, f)) {
        const size_t between = strncmp(line, key, k) ? 0 : strspn(line + k, " :");
        char *end, *at = line + k + between;
        if (strncmp(line, key, k) || (k && !between))
            continue;
        const long long x = strtoll(at, &end, 10);
        n = end == at ? -1 : x;
    }
    if (f)
        fclose(f);
    return n;
}

/* What a group may still take, -1: any amount. Pages that only hold files are given back when memory is wanted. */
static int64_t left(const char *root, const version *v, const char *group)
{
    const int64_t limit = number(open_file(root, v->mount, group, v->limit), ""),
                  usage = number(open_file(root, v->mount, group, v->usage), ""),
                  files = number(open_file(root, v->mount, group, "memory.stat"), v->files);
    if (limit < 0 || usage < 0)
        return -1;
    const int64_t taken = files > 0 && files < usage ? usage - files : usage;
    return limit > taken ? limit - taken : 0;
}

/* The version of a line "4:memory:/group" or "0::/group" of /proc/self/cgroup, NULL: not of memory; *group: its path.
 */
static const version *version_of(char *line, char **group)
{
    char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL, *save = NULL;
    if (!path)
        return NULL;
    *path = 0;
    *group = path + 1;
    (*group)[strcspn(*group, "\n")] = 0;
    if (!names[1])
        return &versions[0];
    for (char *name = strtok_r(names + 1, ",", &save); name; name = strtok_r(NULL, ",", &save))
        if (!strcmp(name, "memory"))
            return &versions[1];
    return NULL;
}

int64_t ib_memory_available_at(const char *root)
{
    const int64_t kilobytes = number(open_file(root, "/proc", "", "meminfo"), "MemAvailable");
    int64_t available = kilobytes < 0 ? -1 : kilobytes * 1024;
    char line[4096], *group;
    FILE *f = open_file(root, "/proc/self", "", "cgroup");
    while (f && fgets(line, sizeof line, f)) {
        const version *v = version_of(line, &group);
        for (int more = v != NULL; more;) { /* the group and those above it, each with a limit of its own */
            char *slash = strrchr(group, '/');
            if (slash && !slash[1])
                *slash = 0;
            const int64_t n = left(root, v, group);
            available = n >= 0 && (available < 0 || n < available) ? n : available;
            slash = strrchr(group, '/');
            if ((more = slash != NULL))
                *slash = 0;
        }
    }
    if (f)
        fclose(f);
    return available;
}

int64_t ib_memory_available(void)
{
    return ib_memory_available_at("");
}

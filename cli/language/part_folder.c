/* part_folder.c - see part_folder.h */
#include "cli/language/part_folder.h"

#include <dirent.h>
#include <errno.h>
#include <isobit/status.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/cli.h"

static int is_ours(const char *name)
{
    return strstr(name, ".gguf") || !strncmp(name, "isobit-hidden-", 14);
}

/* Of the folder's files: finished ones are counted, all of ours are taken away if so wanted. */
static int each(const char *folder, int taken)
{
    int finished = 0;
    DIR *d = opendir(folder);
    for (const struct dirent *e; d && (e = readdir(d));) {
        const size_t n = strlen(e->d_name);
        finished += n > 5 && !strcmp(e->d_name + n - 5, ".gguf");
        if (taken && is_ours(e->d_name))
            unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d)
        closedir(d);
    return finished;
}

int part_count(const char *folder)
{
    return each(folder, 0);
}

void part_remove(const char *folder)
{
    each(folder, 1);
    rmdir(folder);
}

char *part_open(const char *file, int resume)
{
    char *folder = ib_format_text("%s.part", file);
    if (!folder)
        return complain(), NULL;
    const int made = !mkdir(folder, 0777), there = !made && errno == EEXIST, count = there ? part_count(folder) : 0;
    if (!made && !there)
        fprintf(stderr, "isobit: %s: %s\n", folder, strerror(errno));
    else if (count && !resume)
        fprintf(stderr,
                "isobit: %s holds %d layers of an interrupted run: --resume goes on behind them; or remove it\n",
                folder, count);
    else if (!count && resume)
        fprintf(stderr, "isobit: --resume: %s holds no finished layers\n", folder);
    else
        return folder;
    if (made)
        rmdir(folder);
    ib_free(folder);
    return NULL;
}

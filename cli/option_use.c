/* option_use.c - options that nothing reads beside the others, or that would write over what is read. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

static const struct argp_option *find(const struct argp_option *options, int key)
{
    while (options->key != key)
        options++;
    return options;
}

int refuse_idle(const struct argp_option *options, uint64_t given, const int *keys, const char *needs)
{
    for (; *keys; keys++)
        if (given >> *keys & 1)
            return refuse_alone(find(options, *keys)->name, keys, needs);
    return 0;
}

int refuse_alone(const char *option, const void *given, const char *needs)
{
    return given ? fprintf(stderr, "isobit: --%s has no effect without %s\n", option, needs) > 0 : 0;
}

int refuse_onto(const char *option, const char *out, const char *what, const char *in)
{
    struct stat a, b;
    if (!out || !in || !strcmp(out, "-"))
        return 0;
    if (strcmp(out, in) && (stat(out, &a) || stat(in, &b) || a.st_dev != b.st_dev || a.st_ino != b.st_ino))
        return 0;
    fprintf(stderr, "isobit: %s '%s' is %s: give it another name\n", option, out, what);
    return 1;
}

int refuse_no_file(const char *option, const char *path)
{
    struct stat info;
    if (!stat(path, &info) && !S_ISREG(info.st_mode))
        return fprintf(stderr, "isobit: %s '%s' is not a regular file: it cannot be written over\n", option, path) > 0;
    return refuse_nowhere(option, path);
}

int refuse_no_folder(const char *option, const char *path)
{
    struct stat info;
    if (!path || stat(path, &info))
        return refuse_nowhere(option, path);
    if (!S_ISDIR(info.st_mode))
        return fprintf(stderr, "isobit: %s '%s' is a file: a folder is to be written\n", option, path) > 0;
    if (access(path, W_OK | X_OK))
        return fprintf(stderr, "isobit: %s '%s' cannot be written: %s\n", option, path, strerror(errno)) > 0;
    return 0;
}

int refuse_nowhere(const char *option, const char *path)
{
    struct stat info;
    char *copy = path && strcmp(path, "-") ? strdup(path) : NULL, *folder = copy ? dirname(copy) : NULL;
    const int nowhere = folder && (stat(folder, &info) || !S_ISDIR(info.st_mode));
    if (nowhere)
        fprintf(stderr, "isobit: %s '%s': there is no folder '%s'\n", option, path, folder);
    free(copy);
    return nowhere;
}

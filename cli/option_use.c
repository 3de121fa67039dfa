/* option_use.c - options that nothing reads beside the others, or that would write over what is read. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "data/dataset.h"
#include "files/file.h"

static const struct argp_option *find(const struct argp_option *options, int key)
{
    while (options->key != key)
        options++;
    return options;
}

int refuse_idle(const struct argp_option *options, uint64_t given, const int *keys, const char *needs)
{
    for (; *keys; keys++)
        if (given & option_bit(*keys))
            return refuse_alone(find(options, *keys)->name, keys, needs);
    return 0;
}

int refuse_alone(const char *option, const void *given, const char *needs)
{
    return given ? fprintf(stderr, "isobit: --%s has no effect without %s\n", option, needs) > 0 : 0;
}

int refuse_more(const char *option, int64_t asked, const char *things, int64_t there)
{
    if (asked <= there)
        return 0;
    return fprintf(stderr, "isobit: --%s %lld: there are %lld %s\n", option, (long long)asked, (long long)there,
                   things) > 0;
}

/* The folder of a path that is not there yet, and its name in it. */
static int place(const char *path, struct stat *folder, char *name, size_t size)
{
    char *copy = strdup(path), *other = strdup(path);
    const int known =
        copy && other && !stat(dirname(copy), folder) && (size_t)snprintf(name, size, "%s", basename(other)) < size;
    free(copy);
    free(other);
    return known;
}

static int same_file(const char *a, const char *b)
{
    struct stat x, y;
    char name[2][1024];
    const int there = !stat(a, &x);
    if (!strcmp(a, b))
        return 1;
    if (there != !stat(b, &y) ||
        (!there && (!place(a, &x, name[0], sizeof name[0]) || !place(b, &y, name[1], sizeof name[1]))))
        return 0;
    return x.st_dev == y.st_dev && x.st_ino == y.st_ino && (there || !strcmp(name[0], name[1]));
}

int refuse_onto(const char *option, const char *out, const char *what, const char *in)
{
    if (!out || !in || !strcmp(out, "-") || !same_file(out, in))
        return 0;
    fprintf(stderr, "isobit: %s '%s' is %s: give it another name\n", option, out, what);
    return 1;
}

/* Whether a path, there or not, is of something in a folder, however deep. */
static int is_inside(const char *path, const char *folder)
{
    struct stat top, at;
    char *copy = strdup(path), *real = copy ? realpath(dirname(copy), NULL) : NULL;
    int inside = 0, more = real && !stat(folder, &top) && S_ISDIR(top.st_mode);
    while (more && !inside) { /* from its folder up to the root, which is "" */
        inside = !stat(*real ? real : "/", &at) && at.st_dev == top.st_dev && at.st_ino == top.st_ino;
        char *end = strrchr(real, '/');
        if ((more = end != NULL))
            *end = 0;
    }
    free(copy);
    free(real);
    return inside;
}

int refuse_onto_data(const char *option, const char *out, const char *spec)
{
    int refused = 0;
    char *file = NULL;
    for (int i = 0; spec && !refused && (file = ib_dataset_file(spec, i)); i++) {
        refused = refuse_onto(option, out, "the data", file);
        if (!refused && out && strcmp(out, "-") && is_inside(out, file))
            refused = fprintf(stderr, "isobit: %s '%s' is inside the data: give it another folder\n", option, out) > 0;
        ib_free(file);
    }
    return refused;
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
    int nowhere = folder && (stat(folder, &info) || !S_ISDIR(info.st_mode));
    if (nowhere)
        fprintf(stderr, "isobit: %s '%s': there is no folder '%s'\n", option, path, folder);
    else if (copy) { /* what the writing will begin with */
        ib_file_writer *w = ib_file_writer_open(path);
        nowhere = !w && complain();
        ib_file_writer_drop(w);
    }
    free(copy);
    return nowhere;
}

int refuse_not_hdf5(const char *option, const char *path)
{
    static const char signature[] = "\x89HDF\r\n\x1a\n"; /* HDF5 File Format Specification 3.0, II.A */
    char head[sizeof signature - 1];
    FILE *f = path ? fopen(path, "rb") : NULL;
    const size_t n = f ? fread(head, 1, sizeof head, f) : 0;
    if (f)
        fclose(f);
    if (!n || (n == sizeof head && !memcmp(head, signature, n)))
        return refuse_nowhere(option, path);
    fprintf(stderr, "isobit: %s '%s': a file that is no checkpoint has this name: remove it or choose another\n",
            option, path);
    return 1;
}

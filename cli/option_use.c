/* option_use.c - options that were given although nothing reads them beside the others. */
#include <stdio.h>

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
            return fprintf(stderr, "isobit: --%s has no effect without %s\n", find(options, *keys)->name, needs), 1;
    return 0;
}

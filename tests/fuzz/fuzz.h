/* fuzz.h - the input as a file. */
#ifndef IB_TESTS_FUZZ_FUZZ_H
#define IB_TESTS_FUZZ_FUZZ_H

#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <isobit/isobit.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The path of a file in memory that holds the input. */
static inline const char *input_file(const uint8_t *data, size_t size)
{
    static char path[64];
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("input", 0);
    if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

/* The input as a data set "KIND:FILE": opened and looked at, or refused with one line. */
static inline void open_data(const char *kind, const uint8_t *data, size_t size)
{
    char spec[80];
    snprintf(spec, sizeof spec, "%s:%s", kind, input_file(data, size));
    ib_dataset *d = ib_dataset_open(spec, IB_SPLIT_ALL);
    if (!d && (!*ib_error() || strchr(ib_error(), '\n')))
        abort();
    float sum = 0;
    for (int64_t i = 0; d && i < ib_dataset_count(d); i++)
        sum += ib_dataset_image(d, i)[0];
    volatile float kept = sum;
    (void)kept;
    ib_dataset_free(d);
}

#endif

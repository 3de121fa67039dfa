/* files.h - files of data that a test writes. */
#ifndef IB_TESTS_DATA_FILES_H
#define IB_TESTS_DATA_FILES_H

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/check.h"
#include "data/dataset.h"

static char dir[64];

static inline const char *in_dir(const char *name)
{
    static char path[4][128];
    static int at;
    at = (at + 1) % 4;
    snprintf(path[at], sizeof path[at], "%s/%s", dir, name);
    return path[at];
}

static inline void put(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(in_dir(name), "wb");
    REQUIRE(f && fwrite(bytes, 1, n, f) == n);
    fclose(f);
}

static inline void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/isobit-test-XXXXXX");
    REQUIRE(mkdtemp(dir) != NULL);
}

static inline void remove_dir(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    CHECK(!system(command));
}

static inline ib_dataset *csv(const char *text, ib_split split)
{
    char spec[160];
    put("x.csv", text, strlen(text));
    snprintf(spec, sizeof spec, "csv:%s", in_dir("x.csv"));
    return ib_dataset_open(spec, split);
}

#endif

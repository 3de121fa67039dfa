/* folder.h - a folder of a suite's own for the files that it makes. */
#ifndef IB_TESTS_FOLDER_H
#define IB_TESTS_FOLDER_H

#include "tests/check.h"

static char dir[64];

static inline const char *in_dir(const char *name)
{
    static char path[8][400];
    static int at;
    at = (at + 1) % 8;
    snprintf(path[at], sizeof path[at], "%s/%s", dir, name);
    return path[at];
}

static inline void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/isobit-pictures-XXXXXX");
    REQUIRE(mkdtemp(dir) != NULL);
}

static inline void remove_dir(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    CHECK(!system(command));
}

static inline void put(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(in_dir(name), "wb");
    REQUIRE(f && fwrite(bytes, 1, n, f) == n);
    fclose(f);
}

#endif

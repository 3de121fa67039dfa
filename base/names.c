/* names.c - see names.h */
#include "base/names.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"

static const char *name_at(const void *table, size_t row, size_t i)
{
    return *(const char *const *)(const void *)((const char *)table + i * row);
}

int ib_name_find(const char *name, const void *table, size_t n, size_t row, ib_status status, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(name_at(table, row, i), name))
            return (int)i;
    ib_name_refuse(name, table, n, row, status, what);
    return -1;
}

ib_status ib_name_refuse(const char *name, const void *table, size_t n, size_t row, ib_status status, const char *what)
{
    char names[600] = "";
    for (size_t i = 0; i < n; i++) {
        const size_t at = strlen(names);
        ib_snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "", name_at(table, row, i));
    }
    return ib_fail(status, "%s '%s'; there are %s", what, name, names);
}

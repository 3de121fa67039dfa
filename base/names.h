/* names.h - a name that a caller or a file gives, in a table whose rows begin with their names. */
#ifndef IB_BASE_NAMES_H
#define IB_BASE_NAMES_H

#include <stddef.h>

#include "base/error.h"

/* The row named `name` among n of `row` bytes, each of which begins with a `const char *`; -1 with the line of
 * ib_name_refuse. */
int ib_name_find(const char *name, const void *table, size_t n, size_t row, ib_status status, const char *what);
#define IB_NAME_FIND(name, table, status, what)                                                                        \
    ib_name_find(name, table, sizeof(table) / sizeof *(table), sizeof *(table), status, what)

/* "WHAT 'name'; there are FIRST, SECOND, ..." */
ib_status ib_name_refuse(const char *name, const void *table, size_t n, size_t row, ib_status status, const char *what);

#endif

/* entry.c - see entry.h */
#include "files/entry.h"

#include <stdio.h>
#include <string.h>

int64_t ib_entry_size(const ib_entry *e)
{
    int64_t n = 1;
    for (int d = 0; d < e->ndim; d++)
        n *= e->shape[d];
    return n;
}

ib_matrix ib_entry_matrix(const ib_entry *e)
{
    const int64_t n = ib_entry_size(e), rows = e->ndim > 1 ? e->shape[0] : 1;
    return (ib_matrix){.format = e->format, .rows = rows, .cols = n / rows, .data = e->data};
}

char *ib_entry_shape_text(const ib_entry *e, char *buf, size_t size)
{
    size_t n = (size_t)snprintf(buf, size, "[");
    for (int d = 0; d < e->ndim && n < size; d++)
        n += (size_t)snprintf(buf + n, size - n, "%s%lld", d ? "," : "", (long long)e->shape[d]);
    if (n < size)
        snprintf(buf + n, size - n, "]");
    return buf;
}

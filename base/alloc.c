/* alloc.c - see alloc.h */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/number.h"

/* Where the sanitizers look, a block lies behind one line of its own: free() of it is an error that they report, and so
 * is ib_free() of a block that is not the library's. */
#ifdef IB_MARKED_BLOCKS
enum { ALIGN = 64, FRONT = ALIGN };
#else
enum { ALIGN = 64, FRONT = 0 };
#endif

static atomic_int_fast64_t allocations, fail_at, held;

int64_t ib_alloc_fail_at(int64_t n)
{
    atomic_store(&fail_at, n);
    return atomic_exchange(&allocations, 0);
}

int64_t ib_alloc_held(void)
{
    return atomic_load(&held);
}

void *ib_alloc_raw(size_t bytes)
{
    const int64_t count = atomic_fetch_add(&allocations, 1) + 1;
    char *p = NULL;
    const size_t rounded = bytes ? (bytes + ALIGN - 1) / ALIGN * ALIGN : ALIGN, all = FRONT + rounded;
    if (count != atomic_load(&fail_at) && rounded >= bytes && all >= rounded)
        p = aligned_alloc(ALIGN, all);
    if (!p)
        return ib_fail_null(IB_ENOMEM, "out of memory: %zu bytes wanted", bytes);
    atomic_fetch_add(&held, 1);
    return p + FRONT;
}

void *ib_alloc(size_t bytes)
{
    void *p = ib_alloc_raw(bytes);
    return p ? memset(p, 0, bytes ? (bytes + ALIGN - 1) / ALIGN * ALIGN : ALIGN) : NULL;
}

void *ib_realloc(void *p, size_t old_bytes, size_t bytes)
{
    void *q = ib_alloc(bytes);
    if (q && p) {
        memcpy(q, p, old_bytes < bytes ? old_bytes : bytes);
        ib_free(p);
    }
    return q;
}

void ib_free(void *p)
{
    if (!p)
        return;
    atomic_fetch_sub(&held, 1);
    free((char *)p - FRONT);
}

void *ib_copy(const void *from, size_t bytes)
{
    void *p = from ? ib_alloc(bytes) : NULL;
    return p ? memcpy(p, from, bytes) : NULL;
}

char *ib_strdup(const char *s)
{
    const size_t n = strlen(s) + 1;
    char *copy = ib_alloc(n);
    return copy ? memcpy(copy, s, n) : NULL;
}

char *ib_format_text(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = ib_vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = n < 0 ? NULL : ib_alloc((size_t)n + 1);
    if (text) {
        va_start(args, format);
        ib_vsnprintf(text, (size_t)n + 1, format, args);
        va_end(args);
    }
    return text;
}

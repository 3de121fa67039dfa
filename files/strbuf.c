/* strbuf.c - see strbuf.h */
#include "files/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"

static int reserve(ib_strbuf *t, size_t more)
{
    if (t->failed)
        return 0;
    if (t->n + more + 1 > t->capacity) {
        const size_t capacity = 2 * (t->n + more + 1) + 4096;
        char *s = ib_realloc(t->s, t->n, capacity);
        if (!s) {
            t->failed = 1;
            return 0;
        }
        t->s = s;
        t->capacity = capacity;
    }
    return 1;
}

void ib_strbuf_bytes(ib_strbuf *t, const char *s, size_t n)
{
    if (!reserve(t, n))
        return;
    memcpy(t->s + t->n, s, n);
    t->n += n;
    t->s[t->n] = 0;
}

void ib_strbuf_add(ib_strbuf *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = ib_vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        t->failed = 1;
    if (!reserve(t, n < 0 ? 0 : (size_t)n))
        return;
    va_start(args, format);
    ib_vsnprintf(t->s + t->n, (size_t)n + 1, format, args);
    va_end(args);
    t->n += (size_t)n;
}

#define ARRAY(suffix, type, format)                                                                                    \
    void ib_strbuf_##suffix(ib_strbuf *t, const char *what, int at, const type *v, int64_t n)                          \
    {                                                                                                                  \
        ib_strbuf_add(t, "static const " #type " %s_%s%d[%lld] = {", t->name, what, at, (long long)n);                 \
        for (int64_t i = 0; i < n; i++)                                                                                \
            ib_strbuf_add(t, "%s" format ",", i % 24 ? "" : "\n    ", v[i]);                                           \
        ib_strbuf_add(t, "\n};\n");                                                                                    \
    }
ARRAY(i8, int8_t, "%d")
ARRAY(u8, uint8_t, "%u")
ARRAY(i32, int32_t, "%d")

/* strbuf.h - a growing text; running out of memory is remembered and told at the end (sticky). */
#ifndef IB_FILES_STRBUF_H
#define IB_FILES_STRBUF_H

#include <stddef.h>
#include <stdint.h>

typedef struct ib_strbuf {
    char *s;
    size_t n, capacity;
    int failed;
    const char *name; /* prefix of printed identifiers */
} ib_strbuf;

void ib_strbuf_add(ib_strbuf *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ib_strbuf_bytes(ib_strbuf *t, const char *s, size_t n);
/* "static const <type> <name>_<what><at>[n] = {...};" */
void ib_strbuf_i8(ib_strbuf *t, const char *what, int at, const int8_t *v, int64_t n);
void ib_strbuf_u8(ib_strbuf *t, const char *what, int at, const uint8_t *v, int64_t n);
void ib_strbuf_i32(ib_strbuf *t, const char *what, int at, const int32_t *v, int64_t n);

#endif

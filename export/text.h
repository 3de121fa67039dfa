/* text.h - a growing text; running out of memory is remembered and told at the end (sticky). */
#ifndef IB_EXPORT_TEXT_H
#define IB_EXPORT_TEXT_H

#include <stddef.h>
#include <stdint.h>

typedef struct ib_text {
    char *s;
    size_t n, capacity;
    int failed;
    const char *name; /* prefix of printed identifiers */
} ib_text;

void ib_text_add(ib_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ib_text_bytes(ib_text *t, const char *s, size_t n);
/* "static const <type> <name>_<what><at>[n] = {...};" */
void ib_text_i8(ib_text *t, const char *what, int at, const int8_t *v, int64_t n);
void ib_text_u8(ib_text *t, const char *what, int at, const uint8_t *v, int64_t n);
void ib_text_i32(ib_text *t, const char *what, int at, const int32_t *v, int64_t n);

#endif

/* utf8.h - UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef IB_FILES_UTF8_H
#define IB_FILES_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at s[n], 0 if there is none; the character into *u (may be NULL). */
size_t ib_utf8_length(const char *s, size_t n, uint32_t *u);

#endif

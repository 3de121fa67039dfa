/* utf8.c - see utf8.h; ib_utf8_good is in text.h */
#include "files/utf8.h"

#include <isobit/text.h>

#include "base/argument.h"

size_t ib_utf8_length(const char *s, size_t n, uint32_t *u)
{
    const uint8_t c = n ? (uint8_t)*s : 0x80;
    const size_t k = c < 0x80                ? 1
                     : c >= 0xC2 && c < 0xE0 ? 2
                     : c >= 0xE0 && c < 0xF0 ? 3
                     : c >= 0xF0 && c < 0xF5 ? 4
                                             : 0;
    if (!k || k > n)
        return 0;
    uint32_t v = k == 1 ? c : c & (0xFFu >> (k + 1));
    for (size_t j = 1; j < k; j++) {
        if (((uint8_t)s[j] & 0xC0) != 0x80)
            return 0;
        v = v << 6 | ((uint8_t)s[j] & 0x3F);
    }
    if ((k == 3 && (v < 0x800 || (v >= 0xD800 && v < 0xE000))) || (k == 4 && (v < 0x10000 || v > 0x10FFFF)))
        return 0;
    if (u)
        *u = v;
    return k;
}

size_t ib_utf8_good(const char *s, size_t n)
{
    IB_NEED_OR(s, 0);
    for (size_t i = 0; i < n;) {
        if ((uint8_t)s[i] < 0x80) {
            i++;
            continue;
        }
        const size_t k = ib_utf8_length(s + i, n - i, NULL);
        if (!k)
            return i;
        i += k;
    }
    return n;
}

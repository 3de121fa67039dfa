/* tokenizer_normalize.c - is a text UTF-8, and Unicode's composed form (NFC) for the models that ask for it. */
#include <string.h>
#include <utf8proc.h>

#include "data/tokenizer.h"
#include "tensor/argument.h"

size_t ib_utf8_good(const char *s, size_t n)
{
    IB_NEED_OR(s, 0);
    for (size_t i = 0; i < n;) {
        const uint8_t c = (uint8_t)s[i];
        if (c < 0x80) {
            i++;
            continue;
        }
        const int k = c >= 0xC2 && c < 0xE0 ? 2 : c >= 0xE0 && c < 0xF0 ? 3 : c >= 0xF0 && c < 0xF5 ? 4 : 0;
        if (!k || i + (size_t)k > n)
            return i;
        for (int j = 1; j < k; j++)
            if (((uint8_t)s[i + (size_t)j] & 0xC0) != 0x80)
                return i;
        const uint8_t d = (uint8_t)s[i + 1];
        if ((c == 0xE0 && d < 0xA0) || (c == 0xED && d > 0x9F) || (c == 0xF0 && d < 0x90) || (c == 0xF4 && d > 0x8F))
            return i;
        i += (size_t)k;
    }
    return n;
}

ib_status ib_tokenizer_compose(const ib_tokenizer *t, const char *text, size_t n, char **composed, size_t *length)
{
    *composed = NULL;
    size_t i = 0;
    while (t->nfc && i < n && (uint8_t)text[i] < 0xCC) /* all below U+0300 is composed already */
        i++;
    if (!t->nfc || i == n)
        return IB_OK;
    const utf8proc_ssize_t m = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, (utf8proc_uint8_t **)composed, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (m < 0)
        return ib_fail(m == UTF8PROC_ERROR_NOMEM ? IB_ENOMEM : IB_EFORMAT, "composing the text (NFC): %s", utf8proc_errmsg(m));
    *length = (size_t)m;
    return IB_OK;
}

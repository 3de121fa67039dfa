/* tokenizer_normalize.c - Unicode's composed form (NFC) for the models that ask for it. */
#include <string.h>
#include <utf8proc.h>

#include "text/tokenizer.h"
#include "base/argument.h"

ib_status ib_tokenizer_compose(const ib_tokenizer *t, const char *text, size_t n, char **composed, size_t *length)
{
    *composed = NULL;
    size_t i = 0;
    while (t->nfc && i < n && (uint8_t)text[i] < 0xCC) /* all below U+0300 is composed already */
        i++;
    if (!t->nfc || i == n)
        return IB_OK;
    const utf8proc_ssize_t m = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n,
                                            (utf8proc_uint8_t **)composed, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (m < 0)
        return ib_fail(m == UTF8PROC_ERROR_NOMEM ? IB_ENOMEM : IB_EFORMAT, "composing the text (NFC): %s",
                       utf8proc_errmsg(m));
    *length = (size_t)m;
    return IB_OK;
}

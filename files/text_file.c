/* text_file.c - files of text: whole, as UTF-8 without a byte-order mark, also from gzip. */
#include <stdio.h>
#include <string.h>

#include <isobit/text.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "files/gzip.h"

/* Other encodings by their marks; UTF-16 without one has a zero in every second byte. */
static const char *other_encoding(const unsigned char *s, size_t n)
{
    if (n >= 4 && (!memcmp(s, "\xff\xfe\0\0", 4) || !memcmp(s, "\0\0\xfe\xff", 4)))
        return "UTF-32";
    if (n >= 2 && (!memcmp(s, "\xff\xfe", 2) || !memcmp(s, "\xfe\xff", 2)))
        return "UTF-16";
    size_t zeros[2] = {0};
    const size_t looked = n < 64 ? n & ~(size_t)1 : 64;
    for (size_t i = 0; i < looked; i++)
        zeros[i & 1] += !s[i];
    return looked >= 8 && ((zeros[0] == looked / 2 && !zeros[1]) || (zeros[1] == looked / 2 && !zeros[0])) ? "UTF-16"
                                                                                                           : NULL;
}

static ib_status check(const char *text, size_t n)
{
    const char *encoding = other_encoding((const unsigned char *)text, n);
    if (encoding)
        return ib_fail(IB_EFORMAT, "is %s: save it as UTF-8", encoding);
    const size_t good = ib_utf8_good(text, n);
    if (good == n)
        return IB_OK;
    long long line = 1;
    for (size_t i = 0; i < good; i++)
        line += text[i] == '\n';
    return ib_fail(IB_EFORMAT, "the text is not UTF-8: byte %zu is 0x%02X (line %lld)", good, (unsigned char)text[good],
                   line);
}

char *ib_text_read(const char *path, size_t *n)
{
    IB_NEED_OR(path, NULL);
    IB_NEED_OR(n, NULL);
    size_t size;
    char *text = (char *)ib_file_read_unpacked(path, &size);
    if (!text)
        return NULL;
    if (size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
        memmove(text, text + 3, size -= 3);
    if (check(text, size)) {
        ib_error_prefix("%s", path);
        ib_free(text);
        return NULL;
    }
    *n = size;
    return text;
}

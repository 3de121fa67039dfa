/* text_file.c - files of text: whole, as UTF-8 without a byte-order mark, also from gzip. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include <isobit/text.h>

#include "files/file.h"
#include "tensor/alloc.h"
#include "tensor/argument.h"

/* All members of a gzip file one behind the other; zlib checks the sum of each. */
static ib_status inflate_all(const unsigned char *packed, size_t size, char **text, size_t *n)
{
    size_t room = 4 * size + 65536, used = 0;
    char *out = ib_alloc_raw(room);
    z_stream z = {0};
    if (!out || inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) { /* 16: gzip alone */
        ib_free(out);
        return ib_fail(IB_ENOMEM, "out of memory");
    }
    ib_status status = IB_OK;
    z.next_in = (unsigned char *)packed;
    for (size_t left = size; (left || z.avail_in) && !status;) {
        if (!z.avail_in) {
            z.avail_in = left > 1u << 30 ? 1u << 30 : (unsigned)left;
            left -= z.avail_in;
        }
        if (used == room) {
            char *grown = ib_realloc(out, room, 2 * room);
            if (!grown) {
                status = IB_ENOMEM;
                break;
            }
            out = grown;
            room *= 2;
        }
        const size_t step = room - used > 1u << 30 ? 1u << 30 : room - used;
        z.next_out = (unsigned char *)out + used;
        z.avail_out = (unsigned)step;
        const int code = inflate(&z, Z_NO_FLUSH);
        used += step - z.avail_out;
        if (code == Z_STREAM_END) {
            if (left || z.avail_in)
                inflateReset(&z); /* another member */
            else
                break;
        } else if (code != Z_OK && code != Z_BUF_ERROR) {
            status = ib_fail(IB_EFORMAT, "is damaged gzip: %s", z.msg ? z.msg : "no reason given");
        } else if (!left && !z.avail_in && z.avail_out) {
            status = ib_fail(IB_EFORMAT, "is gzip that is cut short");
        }
    }
    inflateEnd(&z);
    if (status) {
        ib_free(out);
        return status;
    }
    *text = out;
    *n = used;
    return IB_OK;
}

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

/* A pipe, to its end. */
static char *read_pipe(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    size_t room = 1 << 16, used = 0, got = 1;
    char *text = f ? ib_alloc_raw(room) : ib_fail_null(IB_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    while (text && got) {
        if (used == room) {
            char *grown = ib_realloc(text, room, 2 * room);
            if (!grown) {
                ib_free(text);
                text = NULL;
                break;
            }
            text = grown;
            room *= 2;
        }
        got = fread(text + used, 1, room - used, f);
        used += got;
    }
    if (text && ferror(f)) {
        ib_free(text);
        text = ib_fail_null(IB_EIO, "%s: cannot be read: %s", path, strerror(errno));
    }
    if (f)
        fclose(f);
    *size = used;
    return text;
}

char *ib_text_read(const char *path, size_t *n)
{
    IB_NEED_OR(path, NULL);
    IB_NEED_OR(n, NULL);
    size_t size, length = strlen(path);
    struct stat info;
    char *text =
        !stat(path, &info) && S_ISFIFO(info.st_mode) ? read_pipe(path, &size) : (char *)ib_file_read(path, &size);
    ib_status status = text ? IB_OK : ib_error_status();
    if (!text)
        return NULL;
    if (size >= 2 && !memcmp(text, "\x1f\x8b", 2)) {
        char *packed = text;
        text = NULL;
        status = inflate_all((const unsigned char *)packed, size, &text, &size);
        ib_free(packed);
    } else if (length > 3 && !strcmp(path + length - 3, ".gz")) {
        status = ib_fail(IB_EFORMAT, "is named .gz and is not gzip");
    }
    if (!status && size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
        memmove(text, text + 3, size -= 3);
    if (!status)
        status = check(text, size);
    if (status) {
        ib_error_prefix("%s", path);
        ib_free(text);
        return NULL;
    }
    *n = size;
    return text;
}

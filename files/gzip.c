/* gzip.c - see gzip.h */
#include "files/gzip.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "files/file.h"

/* All members of a gzip file one behind the other; zlib checks the sum of each. */
static ib_status inflate_all(const unsigned char *packed, size_t size, unsigned char **text, size_t *n)
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
    *text = (unsigned char *)out;
    *n = used;
    return IB_OK;
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

unsigned char *ib_file_read_unpacked(const char *path, size_t *size)
{
    const size_t length = strlen(path);
    struct stat info;
    const int is_pipe = !stat(path, &info) && S_ISFIFO(info.st_mode);
    unsigned char *bytes = is_pipe ? (unsigned char *)read_pipe(path, size) : ib_file_read(path, size);
    ib_status status = IB_OK;
    if (bytes && *size >= 2 && !memcmp(bytes, "\x1f\x8b", 2)) {
        unsigned char *packed = bytes;
        bytes = NULL;
        status = inflate_all(packed, *size, &bytes, size);
        ib_free(packed);
    } else if (bytes && length > 3 && !strcmp(path + length - 3, ".gz")) {
        status = ib_fail(IB_EFORMAT, "is named .gz and is not gzip");
    }
    if (!status)
        return bytes;
    ib_error_prefix("%s", path);
    ib_free(bytes);
    return NULL;
}

/* picture.c - see picture.h */
#include "data/pictures/picture.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "files/file.h"

/* What a file begins with (ISO/IEC 10918-1 B.1.1.3: SOI and the next marker; PNG 5.2). */
static const struct format {
    size_t n;
    const char *magic;
    ib_picture_reader *read;
} formats[] = {{3, "\xff\xd8\xff", ib_picture_jpeg}, {8, "\x89PNG\r\n\x1a\n", ib_picture_png}};

static ib_status read_picture(ib_picture *p, int decode)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (p->size >= formats[i].n && !memcmp(p->bytes, formats[i].magic, formats[i].n))
            return formats[i].read(p, decode);
    return ib_fail(IB_EFORMAT, "%s: is neither JPEG nor PNG", p->name);
}

ib_status ib_picture_check_size(const char *name, uint64_t w, uint64_t h)
{
    if (!w || !h || w > IB_PICTURE_PIXELS || h > IB_PICTURE_PIXELS || w * h > IB_PICTURE_PIXELS)
        return ib_fail(IB_EFORMAT, "%s: is of %llu x %llu pixels; up to %d in all are possible", name,
                       (unsigned long long)w, (unsigned long long)h, IB_PICTURE_PIXELS);
    return IB_OK;
}

ib_status ib_picture_open(const char *path, ib_picture *out)
{
    struct stat info;
    *out = (ib_picture){.name = path, .orientation = 1};
    if (stat(path, &info))
        return ib_fail(IB_EIO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return ib_fail(IB_EIO, "%s: is not a regular file", path);
    if (info.st_size < 1 || info.st_size > IB_PICTURE_BYTES)
        return ib_fail(IB_EFORMAT, "%s: is a file of %lld bytes; pictures have 1 to %d", path, (long long)info.st_size,
                       IB_PICTURE_BYTES);
    if (!(out->bytes = ib_file_read(path, &out->size)))
        return ib_error_status();
    const ib_status status = read_picture(out, 0);
    if (status) {
        ib_picture_close(out);
        return status;
    }
    if (out->orientation > 4) {
        const int w = out->w;
        out->w = out->h;
        out->h = w;
    }
    return IB_OK;
}

ib_status ib_picture_decode(ib_picture *p)
{
    const ib_status status = read_picture(p, 1);
    return status || p->orientation == 1 ? status : ib_picture_turn(p);
}

void ib_picture_close(ib_picture *p)
{
    ib_free(p->bytes);
    ib_free(p->pixels);
    p->bytes = p->pixels = NULL;
}

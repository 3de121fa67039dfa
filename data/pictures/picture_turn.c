/* picture_turn.c - which side of a picture is up: EXIF 2.3, 4.6.4, tag 0x0112. */
#include <string.h>

#include "base/alloc.h"
#include "data/pictures/picture.h"

enum { ORIENTATION = 0x0112, SHORT = 3, ENTRY = 12 };

/* A number of n bytes at `at`, which lies inside. */
static uint32_t number(const unsigned char *exif, size_t at, int n)
{
    const int big = *exif == 'M';
    uint32_t v = 0;
    for (int i = 0; i < n; i++)
        v = v << 8 | exif[big ? at + (size_t)i : at + (size_t)(n - 1 - i)];
    return v;
}

int ib_exif_orientation(const unsigned char *exif, size_t size)
{
    if (size < 8 || (memcmp(exif, "II*\0", 4) && memcmp(exif, "MM\0*", 4)))
        return 0;
    const size_t at = number(exif, 4, 4);
    if (at < 8 || at > size - 2)
        return 0;
    const size_t n = number(exif, at, 2);
    if (n > (size - 2 - at) / ENTRY)
        return 0;
    for (size_t i = 0; i < n; i++) {
        const size_t entry = at + 2 + i * ENTRY;
        if (number(exif, entry, 2) != ORIENTATION)
            continue;
        const uint32_t v = number(exif, entry + 8, 2);
        if (number(exif, entry + 2, 2) != SHORT || number(exif, entry + 4, 4) != 1 || v > 8)
            return 0;
        return v ? (int)v : 1; /* cameras without a sensor for it write 0 */
    }
    return 1;
}

ib_status ib_picture_turn(ib_picture *p)
{
    const int w = p->w, h = p->h, c = p->c, turned = p->orientation > 4;
    uint8_t *out = ib_alloc_raw((size_t)w * (size_t)h * (size_t)c), *to = out;
    if (!out)
        return IB_ENOMEM;
    p->w = turned ? h : w;
    p->h = turned ? w : h;
    for (int y = 0; y < p->h; y++)
        for (int x = 0; x < p->w; x++, to += c) {
            const int u = turned ? y : x,
                      v = turned ? x : y; /* column and row of the stored picture, or from its end */
            const int right = p->orientation == 2 || p->orientation == 3 || p->orientation == 7 || p->orientation == 8;
            const int below = p->orientation == 3 || p->orientation == 4 || p->orientation == 6 || p->orientation == 7;
            const size_t column = (size_t)(right ? w - 1 - u : u), row = (size_t)(below ? h - 1 - v : v);
            memcpy(to, p->pixels + (row * (size_t)w + column) * (size_t)c, (size_t)c);
        }
    ib_free(p->pixels);
    p->pixels = out;
    return IB_OK;
}

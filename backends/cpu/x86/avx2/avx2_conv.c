/* avx2_conv.c - convolution of codes as training has them, a plane a channel: an image at a time is laid out with
 * channels last, multiplied by panels (avx2_panels.c), and its sums are put back into planes. */
#include <immintrin.h>
#include <omp.h>
#include <string.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/avx2/avx2_transpose.h"
#include "backends/cpu/x86/vectors.h"

/* n numbers in eights: the last eight end with the last one, where there are as many. */
static inline int64_t eight_at(int64_t i, int64_t n)
{
    return ib_min64(i, n - 8);
}

/* Rows first .. last - 1 of an image; its border is there. */
static void lay_out(const int8_t *x, const ib_nhwc *y, int64_t first, int64_t last)
{
    const int64_t plane = y->h * y->w;
    for (int64_t h = first; h < last; h++) {
        const int8_t *row = x + h * y->w;
        uint8_t *to = ib_nhwc_at(y, 0, h, 0);
        if (y->c < 8 || y->w < 8) {
            for (int64_t c = 0; c < y->c; c++)
                for (int64_t w = 0; w < y->w; w++)
                    to[w * y->c + c] = (uint8_t)(row[c * plane + w] ^ -128);
            continue;
        }
        for (int64_t i = 0; i < y->c; i += 8)
            for (int64_t j = 0; j < y->w; j += 8) {
                const int64_t c = eight_at(i, y->c), w = eight_at(j, y->w);
                ib_raise_8x8(row + c * plane + w, plane, to + w * y->c + c, y->c);
            }
    }
}

/* to[channels][pixels] = from[pixels][channels] */
static void put_back(const int32_t *from, int64_t pixels, int64_t channels, int32_t *to)
{
    for (int64_t i = 0; i < pixels && (pixels < 8 || channels < 8); i++)
        for (int64_t c = 0; c < channels; c++)
            to[c * pixels + i] = from[i * channels + c];
    for (int64_t i = 0; i < channels && pixels >= 8 && channels >= 8; i += 8)
        for (int64_t j = 0; j < pixels; j += 8) {
            const int64_t c = eight_at(i, channels), at = eight_at(j, pixels);
            transpose8(from + at * channels + c, channels, to + c * pixels + at, pixels);
        }
}

int ib_avx2_conv(const ib_products *by, const ib_window *s, const ib_qproduct *p)
{
    const int64_t pixels = s->oh * s->ow, image = s->ic * s->ih * s->iw, packed = (ib_panels_words(s) + 15) / 16 * 16,
                  room = ib_avx2_image_words(s);
    const int in_zero = ib_zero_of(p->in_zero);
    int32_t *panels = (int32_t *)(void *)p->scratch, *rooms = panels + packed;
    const ib_multiplier *m = ib_avx2_multiplier(by, s, p->w);
    if (!m)
        return 0;
    ib_window one = *s;
    one.n = 1;
#pragma omp parallel if (s->n > 1)
    {
        uint8_t *data = (uint8_t *)(rooms + omp_get_thread_num() * (room + (pixels * s->oc + 15) / 16 * 16));
        const ib_nhwc x = ib_avx2_image(s, data);
        int32_t *acc = (int32_t *)(void *)data + room;
        const ib_nhwc_product of = {.x = &x, .packed = panels};
        memset(data, in_zero + 128, (size_t)room * 4);
        ib_panels_pack(m, s, in_zero, p->w, p->bias, panels, (ib_share){omp_get_thread_num(), omp_get_num_threads()});
#pragma omp barrier
#pragma omp for schedule(static)
        for (int64_t i = 0; i < s->n; i++) {
            lay_out(p->x + i * image, &x, 0, s->ih);
            ib_panels_conv2d(m, &one, &of, acc, (ib_share){0, 1});
            put_back(acc, pixels, s->oc, p->acc + i * s->oc * pixels);
        }
    }
    return 1;
}

static void nhwc_from(ib_device *dev, const int8_t *x, int64_t n, const ib_nhwc *y, ib_share share)
{
    for (int64_t i = 0; i < n; i++) {
        const ib_nhwc image = {y->data + i * ib_nhwc_bytes(y), y->c, y->h, y->w, y->border};
        lay_out(x + i * y->c * y->h * y->w, &image, ib_share_first(share, y->h), ib_share_end(share, y->h));
    }
}

void ib_avx2_conv_replace(ib_kernels *k)
{
    k->nhwc_from = nhwc_from;
}

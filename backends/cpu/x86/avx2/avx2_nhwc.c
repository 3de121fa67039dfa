/* avx2_nhwc.c - additions and pooling of codes with AVX2, on images with channels last, equal in every bit to
 * nhwc.c. */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/requant8.h"
#include "backends/formulas/windows.h"

/* Sixteen bytes, or the first `count` and zeros. */
static inline __m128i load16(const void *from, int64_t count)
{
    __m128i v = _mm_setzero_si128();
    if (count >= 16)
        return _mm_loadu_si128((const __m128i *)from);
    memcpy(&v, from, (size_t)count);
    return v;
}
static inline __m256i eighth(__m128i v, int second)
{
    return _mm256_cvtepu8_epi32(second ? _mm_srli_si128(v, 8) : v);
}

/* A row of pixels is a row of bytes. */
static void nhwc_add(ib_device *dev, const struct isobit_add *p, int64_t n, const ib_nhwc *a, const ib_nhwc *b,
                     int profile, const ib_nhwc *y, ib_share share)
{
    const ib_add8 k = ib_add8_of(p, 128, profile);
    const int64_t row = y->w * y->c;
    if (!k.exact) {
        IB_BELOW(nhwc_add)(dev, p, n, a, b, profile, y, share);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t h = ib_share_first(share, y->h); h < ib_share_end(share, y->h); h++) {
            const uint8_t *u = ib_nhwc_at(a, i, h, 0), *v = ib_nhwc_at(b, i, h, 0);
            uint8_t *to = ib_nhwc_at(y, i, h, 0);
            for (int64_t j = 0; j < row; j += 16) {
                const __m128i c = load16(u + j, row - j), d = load16(v + j, row - j);
                ib_store16(to + j,
                           ib_raised16(ib_sum8(&k, eighth(c, 0), eighth(d, 0)), ib_sum8(&k, eighth(c, 1), eighth(d, 1)),
                                       p->out_zero, p->lo, p->hi),
                           row - j);
            }
        }
}

/* Reading may pass a pixel's end by what a vector is longer, and writing too, where the next pixel comes over it. */
static void nhwc_maxpool(ib_device *dev, const ib_window *s, const ib_nhwc *x, const ib_nhwc *y, ib_share share)
{
    const int64_t line = ib_nhwc_line(x), row = s->ow * s->ic, first = ib_share_first(share, s->oh),
                  lines = ib_share_end(share, s->oh) - first;
    for (int64_t j = 0; j < s->n * lines; j++) {
        const int64_t i = j / lines, oy = first + j % lines;
        const ib_inside v = ib_inside_of(s, oy, 0);
        const uint8_t *top = ib_nhwc_at(x, i, v.y0, 0), *end = ib_nhwc_at(x, i, v.y1, 0);
        uint8_t *to = ib_nhwc_at(y, i, oy, 0);
        for (int64_t ox = 0, at = 0; ox < s->ow; ox++) {
            const int64_t x0 = ox * s->sw - s->pw, x1 = x0 + s->kw, from = (x0 > 0 ? x0 : 0) * s->ic,
                          behind = (x1 < s->iw ? x1 : s->iw) * s->ic;
            for (int64_t c = 0; c < s->ic; c += 16) {
                __m128i best = _mm_setzero_si128();
                for (const uint8_t *p = top + c; p < end; p += line)
                    for (int64_t b = from; b < behind; b += s->ic)
                        best = _mm_max_epu8(best, _mm_loadu_si128((const __m128i *)(p + b)));
                ib_store16(to + at + c, best, row - at - c);
            }
            at += s->ic;
        }
    }
}

static void nhwc_avgpool(ib_device *dev, const ib_window *s, const ib_nhwc *x, int in_zero, const ib_epilogue *r,
                         const ib_nhwc *y, ib_share share)
{
    if (!ib_scale_is_small(*r->scale, r->profile)) {
        IB_BELOW(nhwc_avgpool)(dev, s, x, in_zero, r, y, share);
        return;
    }
    const ib_scales8 scale =
        ib_scales8_of(_mm256_set1_epi32(r->scale->mult), _mm256_set1_epi32(r->scale->exp), r->profile);
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t oy = ib_share_first(share, s->oh); oy < ib_share_end(share, s->oh); oy++)
            for (int64_t ox = 0; ox < s->ow; ox++) {
                const ib_inside k = ib_inside_of(s, oy, ox);
                const int64_t pixels = (k.y1 - k.y0) * (k.x1 - k.x0);
                const uint8_t *from = ib_nhwc_at(x, i, k.y0, k.x0);
                for (int64_t c = 0; c < s->ic; c += 16) {
                    __m256i low = _mm256_set1_epi32((int32_t)(-pixels * (in_zero + 128))), high = low;
                    for (int64_t iy = 0; iy < k.y1 - k.y0; iy++)
                        for (int64_t ix = 0; ix < k.x1 - k.x0; ix++) {
                            const __m128i v =
                                _mm_loadu_si128((const __m128i *)(from + iy * ib_nhwc_line(x) + ix * x->c + c));
                            low = _mm256_add_epi32(low, eighth(v, 0));
                            high = _mm256_add_epi32(high, eighth(v, 1));
                        }
                    ib_store16(
                        ib_nhwc_at(y, i, oy, ox) + c,
                        ib_raised16(ib_requant8(low, &scale), ib_requant8(high, &scale), *r->zero, *r->lo, *r->hi),
                        (s->ow - ox) * s->ic - c);
                }
            }
}

void ib_avx2_nhwc_replace(ib_kernels *k)
{
    k->nhwc_add = nhwc_add;
    k->nhwc_maxpool = nhwc_maxpool;
    k->nhwc_avgpool = nhwc_avgpool;
}

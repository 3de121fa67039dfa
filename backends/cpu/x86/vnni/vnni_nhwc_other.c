/* vnni_nhwc_other.c - addition, pooling and change of order on images with channels last, equal in every bit to
 * nhwc.c. */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/requant16.h"
#include "backends/cpu/x86/vnni/vnni.h"
#include "backends/formulas/windows.h"

static __mmask64 bytes(int64_t count)
{
    return count >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << count) - 1;
}

/* Up to four channels of sixteen pixels, a 32-bit word a pixel: pixel[16]. */
static inline void words(const int8_t *row, int64_t plane, int64_t channels, int64_t count, uint8_t *pixel)
{
    const __m128i flip = _mm_set1_epi8((char)0x80);
    const __mmask16 live = (__mmask16)bytes(count);
    __m128i v[4];
    for (int64_t j = 0; j < 4; j++)
        v[j] = _mm_xor_si128(flip, _mm_maskz_loadu_epi8(j < channels ? live : 0, row + (j < channels ? j : 0) * plane));
    const __m128i ab0 = _mm_unpacklo_epi8(v[0], v[1]), ab1 = _mm_unpackhi_epi8(v[0], v[1]),
                  cd0 = _mm_unpacklo_epi8(v[2], v[3]), cd1 = _mm_unpackhi_epi8(v[2], v[3]);
    __m128i *to = (__m128i *)(void *)pixel;
    _mm_storeu_si128(to, _mm_unpacklo_epi16(ab0, cd0));
    _mm_storeu_si128(to + 1, _mm_unpackhi_epi16(ab0, cd0));
    _mm_storeu_si128(to + 2, _mm_unpacklo_epi16(ab1, cd1));
    _mm_storeu_si128(to + 3, _mm_unpackhi_epi16(ab1, cd1));
}

/* Sixteen pixels of a row at a time: bytes as they are, or words of up to four channels, put side by side or apart. */
static void nhwc_from(ib_device *dev, const int8_t *x, int64_t n, const ib_nhwc *y, ib_share share)
{
    const __m128i flip = _mm_set1_epi8((char)0x80),
                  three = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    const int64_t plane = y->h * y->w;
    for (int64_t i = 0; i < n; i++)
        for (int64_t h = ib_share_first(share, y->h); h < ib_share_end(share, y->h); h++)
            for (int64_t w = 0; w < y->w; w += 16) {
                const int8_t *row = x + i * y->c * plane + h * y->w + w;
                const int64_t count = ib_min64(16, y->w - w);
                uint8_t *to = ib_nhwc_at(y, i, h, w), pixel[64], packed[64];
                if (y->c == 1) {
                    const __mmask16 live = (__mmask16)bytes(count);
                    _mm_mask_storeu_epi8(to, live, _mm_xor_si128(flip, _mm_maskz_loadu_epi8(live, row)));
                    continue;
                }
                for (int64_t c = 0; c < y->c; c += 4) {
                    const int64_t channels = ib_min64(4, y->c - c);
                    words(row + c * plane, plane, channels, count, pixel);
                    if (y->c == 3) {
                        for (int64_t j = 0; j < 4; j++)
                            _mm_storeu_si128(
                                (__m128i *)(void *)(packed + 12 * j),
                                _mm_shuffle_epi8(_mm_loadu_si128((__m128i *)(void *)(pixel + 16 * j)), three));
                        _mm512_mask_storeu_epi8(to, bytes(3 * count), _mm512_loadu_si512(packed));
                    } else if (channels == 4) {
                        for (int64_t p = 0; p < count; p++)
                            memcpy(to + p * y->c + c, pixel + 4 * p, 4);
                    } else {
                        for (int64_t p = 0; p < count; p++)
                            memcpy(to + p * y->c + c, pixel + 4 * p, (size_t)channels);
                    }
                }
            }
}

static void nhwc_to(ib_device *dev, const ib_nhwc *x, int64_t n, int8_t *y, ib_share share)
{
    if (x->h * x->w > 1) {
        IB_BELOW(nhwc_to)(dev, x, n, y, share);
        return;
    }
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    if (ib_share_first(share, 1) == ib_share_end(share, 1))
        return;
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < x->c; c += 64) {
            const __mmask64 live = bytes(x->c - c);
            _mm512_mask_storeu_epi8(y + i * x->c + c, live,
                                    _mm512_xor_si512(flip, _mm512_maskz_loadu_epi8(live, ib_nhwc_at(x, i, 0, 0) + c)));
        }
}

/* fp32_rne's sum of 64 raised codes, before zero point and clamp. With factors m = 2^15 h + l a pair's sum is two
 * instructions:
 *   v = a m_a + b m_b + base = 2^15 (a h_a + b h_b) + (a l_a + b l_b) + base
 *   v / 2^s to even = (v + 2^(s-1) - 1 + (v / 2^s & 1)) / 2^s, rounded down; with halves upward (v + 2^(s-1)) / 2^s */
typedef struct sums {
    __m512i high, low, base, base_half, last, zero, lo, hi; /* last: the bit that is looked at, 1 or none */
    __m128i shift;
} sums;

static __m512i both(int32_t a, int32_t b)
{
    return _mm512_set1_epi32((int32_t)((uint32_t)b << 16 | (uint32_t)a));
}

static sums sums_of(const struct isobit_add *p)
{
    const int32_t a = p->a.mult, b = p->b.mult, base = -(p->a_zero + 128) * a - (p->b_zero + 128) * b;
    return (sums){both(a >> 15, b >> 15),
                  both(a & 0x7FFF, b & 0x7FFF),
                  _mm512_set1_epi32(base),
                  _mm512_set1_epi32(base + (1 << (-p->a.exp - 1)) - !p->out.mult),
                  _mm512_set1_epi32(!p->out.mult),
                  _mm512_set1_epi16((int16_t)(p->out_zero + 128)),
                  _mm512_set1_epi8((char)(p->lo + 128)),
                  _mm512_set1_epi8((char)(p->hi + 128)),
                  _mm_cvtsi32_si128(-p->a.exp)};
}

static int fits_sums(const struct isobit_add *p)
{
    if (p->a.exp >= 0 || p->a.exp < -30 || p->a.mult >= 1 << 22 || p->b.mult >= 1 << 22)
        return 0;
    return 255 * ((int64_t)p->a.mult + p->b.mult) + ((int64_t)1 << (-p->a.exp - 1)) < INT32_MAX; /* v, and half */
}

static inline __m512i pair_sum(const sums *k, __m512i pairs)
{
    const __m512i v =
        _mm512_add_epi32(_mm512_slli_epi32(_mm512_madd_epi16(pairs, k->high), 15), _mm512_madd_epi16(pairs, k->low));
    const __m512i odd = _mm512_and_si512(_mm512_sra_epi32(_mm512_add_epi32(v, k->base), k->shift), k->last);
    return _mm512_sra_epi32(_mm512_add_epi32(_mm512_add_epi32(v, k->base_half), odd), k->shift);
}

/* Unpacked and packed within 128-bit lanes, so that bytes end where they began. */
static inline __m512i sum64(const sums *k, __m512i a, __m512i b)
{
    const __m512i none = _mm512_setzero_si512(), low = _mm512_unpacklo_epi8(a, b), high = _mm512_unpackhi_epi8(a, b);
    const __m512i q0 = pair_sum(k, _mm512_unpacklo_epi8(low, none)), q1 = pair_sum(k, _mm512_unpackhi_epi8(low, none));
    const __m512i q2 = pair_sum(k, _mm512_unpacklo_epi8(high, none)),
                  q3 = pair_sum(k, _mm512_unpackhi_epi8(high, none));
    const __m512i v = _mm512_packus_epi16(_mm512_adds_epi16(_mm512_packs_epi32(q0, q1), k->zero),
                                          _mm512_adds_epi16(_mm512_packs_epi32(q2, q3), k->zero));
    return _mm512_max_epu8(k->lo, _mm512_min_epu8(k->hi, v));
}

/* A row of pixels is a row of bytes. */
static void nhwc_add(ib_device *dev, const struct isobit_add *p, int64_t n, const ib_nhwc *a, const ib_nhwc *b,
                     int profile, const ib_nhwc *y, ib_share share)
{
    if (!(profile == ISOBIT_FP32_RNE ? fits_sums(p) : ib_add_is_small(p, profile))) {
        IB_BELOW(nhwc_add)(dev, p, n, a, b, profile, y, share);
        return;
    }
    const ib_add16 k = ib_add16_of(p, 128);
    const sums exact = profile == ISOBIT_FP32_RNE ? sums_of(p) : (sums){0};
    const __m512i zero = _mm512_set1_epi32(p->out_zero + 128), lo = _mm512_set1_epi32(p->lo - p->out_zero),
                  hi = _mm512_set1_epi32(p->hi - p->out_zero);
    const int64_t row = y->w * y->c;
    for (int64_t i = 0; i < n; i++)
        for (int64_t h = ib_share_first(share, y->h); h < ib_share_end(share, y->h); h++) {
            const uint8_t *u = ib_nhwc_at(a, i, h, 0), *v = ib_nhwc_at(b, i, h, 0);
            uint8_t *to = ib_nhwc_at(y, i, h, 0);
            for (int64_t j = 0; j < row && profile == ISOBIT_FP32_RNE; j += 64) {
                const __mmask64 live = bytes(row - j);
                _mm512_mask_storeu_epi8(
                    to + j, live,
                    sum64(&exact, _mm512_maskz_loadu_epi8(live, u + j), _mm512_maskz_loadu_epi8(live, v + j)));
            }
            for (int64_t j = 0; j < row && profile != ISOBIT_FP32_RNE; j += 16) {
                const __mmask16 live = (__mmask16)bytes(ib_min64(16, row - j));
                const __m512i q = ib_sum16(&k, _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(live, u + j)),
                                           _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(live, v + j)), profile);
                _mm_mask_storeu_epi8(
                    to + j, live,
                    _mm512_cvtepi32_epi8(_mm512_add_epi32(_mm512_max_epi32(lo, _mm512_min_epi32(hi, q)), zero)));
            }
        }
}

/* Windows of two by two next to each other, whole words a pixel: 64 bytes of two rows at a time become 32. */
static int is_two_by_two(const ib_window *s)
{
    return s->kh == 2 && s->kw == 2 && s->sh == 2 && s->sw == 2 && !s->ph && !s->pw && 2 * s->oh <= s->ih &&
           2 * s->ow <= s->iw && s->ic >= 4 && 32 % s->ic == 0;
}

static void maxpool_two_by_two(const ib_window *s, const ib_nhwc *x, const ib_nhwc *y, ib_share share)
{
    int32_t even[16] = {0};
    const int32_t words = (int32_t)s->ic / 4;
    for (int32_t d = 0; d < 8; d++)
        even[d] = 2 * (d / words) * words + d % words;
    const __m512i left = _mm512_loadu_si512(even), right = _mm512_add_epi32(left, _mm512_set1_epi32(words));
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t oy = ib_share_first(share, s->oh); oy < ib_share_end(share, s->oh); oy++) {
            const uint8_t *top = ib_nhwc_at(x, i, 2 * oy, 0), *bottom = ib_nhwc_at(x, i, 2 * oy + 1, 0);
            uint8_t *to = ib_nhwc_at(y, i, oy, 0);
            for (int64_t j = 0; j < s->ow * s->ic; j += 32) {
                const int64_t count = s->ow * s->ic - j;
                const __mmask64 live = bytes(2 * count);
                const __m512i v = _mm512_max_epu8(_mm512_maskz_loadu_epi8(live, top + 2 * j),
                                                  _mm512_maskz_loadu_epi8(live, bottom + 2 * j));
                const __m512i best =
                    _mm512_max_epu8(_mm512_permutexvar_epi32(left, v), _mm512_permutexvar_epi32(right, v));
                _mm256_mask_storeu_epi8(to + j, (__mmask32)bytes(ib_min64(32, count)), _mm512_castsi512_si256(best));
            }
        }
}

static void nhwc_maxpool(ib_device *dev, const ib_window *s, const ib_nhwc *x, const ib_nhwc *y, ib_share share)
{
    if (is_two_by_two(s)) {
        maxpool_two_by_two(s, x, y, share);
        return;
    }
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t oy = ib_share_first(share, s->oh); oy < ib_share_end(share, s->oh); oy++)
            for (int64_t ox = 0; ox < s->ow; ox++) {
                const ib_inside k = ib_inside_of(s, oy, ox);
                for (int64_t c = 0; c < s->ic; c += 64) {
                    const __mmask64 live = bytes(s->ic - c);
                    __m512i best = _mm512_setzero_si512();
                    for (int64_t iy = k.y0; iy < k.y1; iy++) {
                        const uint8_t *in = ib_nhwc_at(x, i, iy, k.x0) + c;
                        for (int64_t ix = k.x0; ix < k.x1; ix++, in += x->c)
                            best = _mm512_max_epu8(best, _mm512_maskz_loadu_epi8(live, in));
                    }
                    _mm512_mask_storeu_epi8(ib_nhwc_at(y, i, oy, ox) + c, live, best);
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
    const __m512i mult = _mm512_set1_epi32(r->scale->mult), exp = _mm512_set1_epi32(r->scale->exp),
                  zero = _mm512_set1_epi32(*r->zero + 128);
    const __m512i lo = _mm512_set1_epi32(*r->lo - *r->zero), hi = _mm512_set1_epi32(*r->hi - *r->zero);
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t oy = ib_share_first(share, s->oh); oy < ib_share_end(share, s->oh); oy++)
            for (int64_t ox = 0; ox < s->ow; ox++) {
                const ib_inside k = ib_inside_of(s, oy, ox);
                const int64_t pixels = (k.y1 - k.y0) * (k.x1 - k.x0);
                for (int64_t c = 0; c < s->ic; c += 16) {
                    const __mmask16 live = (__mmask16)bytes(ib_min64(16, s->ic - c));
                    __m512i sum = _mm512_set1_epi32((int32_t)(-pixels * (in_zero + 128)));
                    for (int64_t iy = k.y0; iy < k.y1; iy++) {
                        const uint8_t *in = ib_nhwc_at(x, i, iy, k.x0) + c;
                        for (int64_t ix = k.x0; ix < k.x1; ix++, in += x->c)
                            sum = _mm512_add_epi32(sum, _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(live, in)));
                    }
                    const __m512i q = ib_requant16(sum, mult, exp, r->profile);
                    _mm_mask_storeu_epi8(
                        ib_nhwc_at(y, i, oy, ox) + c, live,
                        _mm512_cvtepi32_epi8(_mm512_add_epi32(_mm512_max_epi32(lo, _mm512_min_epi32(hi, q)), zero)));
                }
            }
}

void ib_vnni_nhwc_other_replace(ib_kernels *k)
{
    k->nhwc_from = nhwc_from;
    k->nhwc_to = nhwc_to;
    k->nhwc_add = nhwc_add;
    k->nhwc_maxpool = nhwc_maxpool;
    k->nhwc_avgpool = nhwc_avgpool;
}

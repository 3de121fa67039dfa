/* vnni_nhwc.c - convolution on images with channels last (panels_nhwc.c) with vpdpbusd or AMX: sums to codes, four
 * pixels at a time; and which windows there are products for. */
#include <immintrin.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/requant16.h"
#include "backends/cpu/x86/vnni/vnni.h"
#include "backends/formulas/windows.h"

/* Four pixels' sixteen values before zero point and clamp to raised codes, a pixel in 128 bits; zero: + 128, in 16
 * bits. */
static inline __m512i raised4(__m512i a, __m512i b, __m512i c, __m512i d, __m512i zero, __m512i lo, __m512i hi)
{
    const __m512i ab = _mm512_adds_epi16(_mm512_packs_epi32(a, b), zero),
                  cd = _mm512_adds_epi16(_mm512_packs_epi32(c, d), zero);
    const __m512i bytes = _mm512_max_epu8(lo, _mm512_min_epu8(hi, _mm512_packus_epi16(ab, cd)));
    return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), bytes);
}

void ib_vnni_finish(const ib_epilogue *e, const isobit_scale *scale, int64_t count, int64_t rows, const int32_t *acc,
                    uint8_t *y, int64_t ldy)
{
    const __mmask16 live = (__mmask16)((1u << count) - 1);
    const __m512i zero = _mm512_set1_epi16((int16_t)(*e->zero + 128)), lo = _mm512_set1_epi8((char)(*e->lo + 128)),
                  hi = _mm512_set1_epi8((char)(*e->hi + 128));
    __m512i mult, exp;
    ib_load_scales(scale, &mult, &exp);
    const __m512 factor = ib_factor16(mult, exp);
    for (int64_t r = 0; r < rows; r += 4, acc += 4 * IB_TILE_LD, y += 4 * ldy) {
        __m512i q[4];
        for (int64_t j = 0; j < 4; j++) {
            const __m512i a = _mm512_load_si512(acc + j * IB_TILE_LD);
            q[j] = e->profile == ISOBIT_FP32_RNE ? _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(a), factor))
                                                 : ib_requant16(a, mult, exp, e->profile);
        }
        const __m512i four = raised4(q[0], q[1], q[2], q[3], zero, lo, hi);
        _mm_mask_storeu_epi8(y, live, _mm512_castsi512_si128(four));
        if (r + 1 < rows)
            _mm_mask_storeu_epi8(y + ldy, live, _mm512_extracti32x4_epi32(four, 1));
        if (r + 2 < rows)
            _mm_mask_storeu_epi8(y + 2 * ldy, live, _mm512_extracti32x4_epi32(four, 2));
        if (r + 3 < rows)
            _mm_mask_storeu_epi8(y + 3 * ldy, live, _mm512_extracti32x4_epi32(four, 3));
    }
}

int64_t ib_vnni_nhwc_pack(const ib_multiplier *m, const ib_window *s, int in_zero, const ib_qweights *w,
                          const int32_t *bias, void *packed)
{
    if (w->group_size || (s->groups > 1 && !ib_is_depthwise_of_many(s)))
        return 0;
    return ib_is_depthwise_of_many(s) ? ib_vnni_depthwise_pack(s, in_zero, w, bias, packed)
                                      : ib_panels_pack(m, s, in_zero, w, bias, packed, (ib_share){0, 1});
}

void ib_vnni_nhwc_conv2d(const ib_multiplier *m, const ib_window *s, const ib_nhwc_product *p, ib_share share)
{
    if (ib_is_depthwise_of_many(s))
        ib_vnni_depthwise(s, p, share);
    else
        ib_panels_conv2d(m, s, p, NULL, share);
}

static int64_t nhwc_pack(ib_device *dev, const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias,
                         void *packed)
{
    return ib_vnni_nhwc_pack(&ib_vnni_multiplier, s, in_zero, w, bias, packed);
}

static void nhwc_conv2d(ib_device *dev, const ib_window *s, const ib_nhwc_product *p, ib_share share)
{
    if (p->packed)
        ib_vnni_nhwc_conv2d(&ib_vnni_multiplier, s, p, share);
    else
        IB_BELOW(nhwc_conv2d)(dev, s, p, share);
}

void ib_vnni_nhwc_replace(ib_kernels *k)
{
    k->nhwc_pack = nhwc_pack;
    k->nhwc_conv2d = nhwc_conv2d;
    ib_vnni_nhwc_other_replace(k);
}

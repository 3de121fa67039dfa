/* requant8.h - eight requantizations at once with AVX2, equal in every bit to runtime/isobit_rt.h while each factor is
 * small (ib_scale_is_small). */
#ifndef IB_BACKENDS_CPU_X86_REQUANT8_H
#define IB_BACKENDS_CPU_X86_REQUANT8_H

#include <immintrin.h>

#include "backends/cpu/panels.h"

/* Eight factors, ready for a profile. */
typedef struct ib_scales8 {
    int profile;
    __m256 factor;                 /* of fp32_rne: mult 2^exp, exact, since mult has 24 bits and the power is normal */
    __m256i even, odd;             /* of the others: mult of lanes 0, 2, 4, 6 and of 1, 3, 5, 7 as int64 */
    __m256i even_shift, odd_shift; /* of the products of 64 bits */
    __m256i even_half, odd_half;   /* 2^(shift - 1), and 2^62, which makes all sums positive */
    __m256i taken;                 /* 2^62 >> shift */
    __m256i right, mask;           /* tflite_double's second shift, and 2^right - 1 */
} ib_scales8;

static inline ib_scales8 ib_scales8_of(__m256i mult, __m256i exp, int profile)
{
    ib_scales8 s = {.profile = profile};
    if (profile == ISOBIT_FP32_RNE) {
        const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(exp, _mm256_set1_epi32(23 + 127)), 23);
        s.factor = _mm256_mul_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(mult), _mm256_set1_ps(0x1p-23f)),
                                 _mm256_castsi256_ps(power));
        return s;
    }
    const __m256i one = _mm256_set1_epi64x(1), least = _mm256_set1_epi32(31), most = _mm256_set1_epi64x(1LL << 62);
    const __m256i shift = profile == ISOBIT_TFLITE_SINGLE ? _mm256_sub_epi32(least, exp) : least;
    s.even = mult;
    s.odd = _mm256_srli_epi64(mult, 32);
    s.even_shift = _mm256_and_si256(shift, _mm256_set1_epi64x(0xFFFFFFFF));
    s.odd_shift = _mm256_srli_epi64(shift, 32);
    s.even_half = _mm256_add_epi64(_mm256_sllv_epi64(one, _mm256_sub_epi64(s.even_shift, one)), most);
    s.odd_half = _mm256_add_epi64(_mm256_sllv_epi64(one, _mm256_sub_epi64(s.odd_shift, one)), most);
    s.taken = _mm256_sllv_epi32(_mm256_set1_epi32(1), _mm256_sub_epi32(_mm256_set1_epi32(62), shift));
    s.right = _mm256_sub_epi32(_mm256_setzero_si256(), exp);
    s.mask = _mm256_sub_epi32(_mm256_sllv_epi32(_mm256_set1_epi32(1), s.right), _mm256_set1_epi32(1));
    return s;
}

/* Eight {mult, exp} in a row. */
static inline ib_scales8 ib_load_scales8(const isobit_scale *s, int profile)
{
    const __m256i order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    const __m256i a = _mm256_permutevar8x32_epi32(_mm256_loadu_si256((const __m256i *)s), order),
                  b = _mm256_permutevar8x32_epi32(_mm256_loadu_si256((const __m256i *)(s + 4)), order);
    return ib_scales8_of(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31), profile);
}

/* v before zero point and clamp, by lane */
static inline __m256i ib_requant8(__m256i acc, const ib_scales8 *s)
{
    if (s->profile == ISOBIT_FP32_RNE) /* one rounding of the product, one of the result */
        return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(acc), s->factor));
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(acc, s->even), s->even_half),
                  odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(acc, 32), s->odd), s->odd_half);
    const __m256i high =
        _mm256_sub_epi32(_mm256_blend_epi32(_mm256_srlv_epi64(even, s->even_shift),
                                            _mm256_slli_epi64(_mm256_srlv_epi64(odd, s->odd_shift), 32), 0xAA),
                         s->taken);
    if (s->profile == ISOBIT_TFLITE_SINGLE)
        return high;
    const __m256i rest = _mm256_and_si256(high, s->mask); /* ties away from zero */
    const __m256i threshold = _mm256_sub_epi32(_mm256_srli_epi32(s->mask, 1), _mm256_srai_epi32(high, 31));
    return _mm256_sub_epi32(_mm256_srav_epi32(high, s->right), _mm256_cmpgt_epi32(rest, threshold));
}

#endif

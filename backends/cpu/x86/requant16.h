/* requant16.h - sixteen requantizations at once, equal in every bit to runtime/isobit_rt.h while each factor is
 * small (ib_scale_is_small). */
#ifndef IB_BACKENDS_CPU_X86_REQUANT16_H
#define IB_BACKENDS_CPU_X86_REQUANT16_H

#include <immintrin.h>

#include "backends/cpu/panels.h"

/* fp32_rne's factors as fp32, exact: mult has 24 bits and the power is normal. */
static inline __m512 ib_factor16(__m512i mult, __m512i exp)
{
    const __m512 power = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(exp, _mm512_set1_epi32(23 + 127)), 23));
    return _mm512_mul_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(mult), _mm512_set1_ps(0x1p-23f)), power);
}

/* v before zero point and clamp, by lane */
static inline __m512i ib_requant16(__m512i acc, __m512i mult, __m512i exp, int profile)
{
    if (profile == ISOBIT_FP32_RNE) { /* mult has 24 bits and the power is exact: one rounding of the product, one of
                                         the result */
        const __m512 scaled =
            _mm512_mul_ps(_mm512_cvtepi32_ps(acc), _mm512_mul_ps(_mm512_cvtepi32_ps(mult), _mm512_set1_ps(0x1p-23f)));
        const __m512 power =
            _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(exp, _mm512_set1_epi32(23 + 127)), 23));
        return _mm512_cvtps_epi32(_mm512_mul_ps(scaled, power));
    }
    const int single = profile == ISOBIT_TFLITE_SINGLE;
    const __m512i even_shift =
        single ? _mm512_sub_epi64(_mm512_set1_epi64(31), _mm512_srai_epi64(_mm512_slli_epi64(exp, 32), 32))
               : _mm512_set1_epi64(31);
    const __m512i odd_shift =
        single ? _mm512_sub_epi64(_mm512_set1_epi64(31), _mm512_srai_epi64(exp, 32)) : _mm512_set1_epi64(31);
    const __m512i half = _mm512_set1_epi64(1), one = half;
    const __m512i even = _mm512_srav_epi64(
        _mm512_add_epi64(_mm512_mul_epi32(acc, mult), _mm512_sllv_epi64(half, _mm512_sub_epi64(even_shift, one))),
        even_shift);
    const __m512i odd =
        _mm512_srav_epi64(_mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(acc, 32), _mm512_srli_epi64(mult, 32)),
                                           _mm512_sllv_epi64(half, _mm512_sub_epi64(odd_shift, one))),
                          odd_shift);
    const __m512i high = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
    if (single)
        return high;
    const __m512i right = _mm512_sub_epi32(_mm512_setzero_si512(), exp),
                  mask = _mm512_sub_epi32(_mm512_sllv_epi32(_mm512_set1_epi32(1), right), _mm512_set1_epi32(1));
    const __m512i rest = _mm512_and_si512(high, mask),
                  threshold = _mm512_add_epi32(_mm512_srli_epi32(mask, 1), _mm512_srli_epi32(high, 31));
    const __m512i floor = _mm512_srav_epi32(high, right); /* ties away from zero */
    return _mm512_mask_add_epi32(floor, _mm512_cmpgt_epi32_mask(rest, threshold), floor, _mm512_set1_epi32(1));
}

/* Sixteen {mult, exp} in a row. */
static inline void ib_load_scales(const isobit_scale *s, __m512i *mult, __m512i *exp)
{
    const __m512i a = _mm512_loadu_si512(s), b = _mm512_loadu_si512(s + 8);
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
                  odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    *mult = _mm512_permutex2var_epi32(a, even, b);
    *exp = _mm512_permutex2var_epi32(a, odd, b);
}

/* clamp(v + zero) as codes; *inside: the lanes that were not clamped */
static inline __m128i ib_codes16(__m512i v, int zero, int lo, int hi, __mmask16 *inside)
{
    const __m512i least = _mm512_set1_epi32(lo - zero), most = _mm512_set1_epi32(hi - zero);
    *inside = _mm512_cmple_epi32_mask(least, v) & _mm512_cmple_epi32_mask(v, most);
    return _mm512_cvtepi32_epi8(
        _mm512_add_epi32(_mm512_max_epi32(least, _mm512_min_epi32(most, v)), _mm512_set1_epi32(zero)));
}

/* ---- addition ---- */

static inline int ib_add_is_small(const isobit_add *p, int profile)
{
    if (profile == ISOBIT_FP32_RNE)
        return p->a.exp <= 0 && p->a.exp >= -30;
    return ib_scale_is_small(p->a, profile) && ib_scale_is_small(p->b, profile) && ib_scale_is_small(p->out, profile);
}

/* The constants of an addition of codes that are raised by `raise`. */
typedef struct ib_add16 {
    __m512i a_mult, a_exp, b_mult, b_exp, mult, exp, a_zero, b_zero, below_half;
    __m128i shift;
    int upward; /* halves, in fp32_rne's sum */
} ib_add16;
static inline ib_add16 ib_add16_of(const isobit_add *p, int raise)
{
    const int32_t shift = -p->a.exp; /* of fp32_rne; other profiles do not look at it */
    return (ib_add16){_mm512_set1_epi32(p->a.mult),
                      _mm512_set1_epi32(p->a.exp),
                      _mm512_set1_epi32(p->b.mult),
                      _mm512_set1_epi32(p->b.exp),
                      _mm512_set1_epi32(p->out.mult),
                      _mm512_set1_epi32(p->out.exp),
                      _mm512_set1_epi32(p->a_zero + raise),
                      _mm512_set1_epi32(p->b_zero + raise),
                      _mm512_set1_epi32(shift > 0 && shift < 31 ? (int32_t)((1u << (shift - 1)) - 1) : 0),
                      _mm_cvtsi32_si128(shift),
                      p->out.mult};
}
/* isobit_add_codes, by lane */
static inline __m512i ib_sum16(const ib_add16 *k, __m512i x, __m512i y, int profile)
{
    const __m512i a = _mm512_sub_epi32(x, k->a_zero), b = _mm512_sub_epi32(y, k->b_zero);
    if (profile != ISOBIT_FP32_RNE) {
        const __m512i ra = ib_requant16(_mm512_slli_epi32(a, 20), k->a_mult, k->a_exp, profile),
                      rb = ib_requant16(_mm512_slli_epi32(b, 20), k->b_mult, k->b_exp, profile);
        return ib_requant16(_mm512_add_epi32(ra, rb), k->mult, k->exp, profile);
    }
    const __m512i sum = _mm512_add_epi32(_mm512_mullo_epi32(a, k->a_mult), _mm512_mullo_epi32(b, k->b_mult)),
                  size = _mm512_abs_epi32(sum);
    if (k->upward)
        return _mm512_sra_epi32(_mm512_add_epi32(sum, _mm512_add_epi32(k->below_half, _mm512_set1_epi32(1))), k->shift);
    /* |sum| / 2^s to even: + half - 1 + the bit that would be last, then the sign again */
    const __m512i odd =
        _mm512_and_si512(_mm512_srl_epi32(size, k->shift), _mm512_set1_epi32(_mm_cvtsi128_si32(k->shift) > 0));
    const __m512i r = _mm512_srl_epi32(_mm512_add_epi32(_mm512_add_epi32(size, k->below_half), odd), k->shift);
    return _mm512_mask_sub_epi32(r, _mm512_movepi32_mask(sum), _mm512_setzero_si512(), r);
}

#endif

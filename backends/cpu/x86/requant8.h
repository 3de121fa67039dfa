/* requant8.h - eight requantizations at once with AVX2, equal in every bit to runtime/isobit_rt.h while each factor is
 * small (ib_scale_is_small). */
#ifndef IB_BACKENDS_CPU_X86_REQUANT8_H
#define IB_BACKENDS_CPU_X86_REQUANT8_H

#include <immintrin.h>
#include <string.h>

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

/* ---- addition ---- */

/* The constants of an addition of codes that are raised by `raise`. */
typedef struct ib_add8 {
    int exact; /* whether ib_sum8 is equal to isobit_add_codes */
    int profile, upward;
    ib_scales8 a, b, out;
    __m256i a_mult, b_mult; /* of fp32_rne */
    __m256i a_zero, b_zero, below_half, last;
    __m128i shift;
} ib_add8;

static inline ib_add8 ib_add8_of(const isobit_add *p, int raise, int profile)
{
    const int shift = -p->a.exp; /* of fp32_rne */
    ib_add8 k = {.profile = profile,
                 .upward = p->out.mult,
                 .a_zero = _mm256_set1_epi32(p->a_zero + raise),
                 .b_zero = _mm256_set1_epi32(p->b_zero + raise)};
    if (profile == ISOBIT_FP32_RNE) {
        k.exact = shift >= 0 && shift <= 30;
        k.a_mult = _mm256_set1_epi32(p->a.mult);
        k.b_mult = _mm256_set1_epi32(p->b.mult);
        k.below_half = _mm256_set1_epi32(shift > 0 && shift < 31 ? (int32_t)((1u << (shift - 1)) - 1) : 0);
        k.last = _mm256_set1_epi32(shift > 0);
        k.shift = _mm_cvtsi32_si128(shift);
        return k;
    }
    const isobit_scale scale[3] = {p->a, p->b, p->out};
    if ((k.exact = ib_scales_are_small(scale, 3, profile))) {
        k.a = ib_scales8_of(_mm256_set1_epi32(p->a.mult), _mm256_set1_epi32(p->a.exp), profile);
        k.b = ib_scales8_of(_mm256_set1_epi32(p->b.mult), _mm256_set1_epi32(p->b.exp), profile);
        k.out = ib_scales8_of(_mm256_set1_epi32(p->out.mult), _mm256_set1_epi32(p->out.exp), profile);
    }
    return k;
}

/* isobit_add_codes, by lane */
static inline __m256i ib_sum8(const ib_add8 *k, __m256i x, __m256i y)
{
    const __m256i a = _mm256_sub_epi32(x, k->a_zero), b = _mm256_sub_epi32(y, k->b_zero);
    if (k->profile != ISOBIT_FP32_RNE)
        return ib_requant8(_mm256_add_epi32(ib_requant8(_mm256_slli_epi32(a, 20), &k->a),
                                            ib_requant8(_mm256_slli_epi32(b, 20), &k->b)),
                           &k->out);
    const __m256i sum = _mm256_add_epi32(_mm256_mullo_epi32(a, k->a_mult), _mm256_mullo_epi32(b, k->b_mult));
    if (k->upward)
        return _mm256_sra_epi32(_mm256_add_epi32(sum, _mm256_add_epi32(k->below_half, _mm256_set1_epi32(1))), k->shift);
    /* |sum| / 2^s to even: + half - 1 + the bit that would be last, then the sign again */
    const __m256i size = _mm256_abs_epi32(sum), odd = _mm256_and_si256(_mm256_srl_epi32(size, k->shift), k->last);
    const __m256i r = _mm256_srl_epi32(_mm256_add_epi32(_mm256_add_epi32(size, k->below_half), odd), k->shift);
    return _mm256_sign_epi32(r, sum);
}

/* v + zero within lo .. hi, of sixteen sums (a, then b), as raised codes */
static inline __m128i ib_raised16(__m256i a, __m256i b, int zero, int lo, int hi)
{
    const __m256i least = _mm256_set1_epi32(lo - zero), most = _mm256_set1_epi32(hi - zero),
                  raise = _mm256_set1_epi32(zero + 128);
    const __m256i c = _mm256_add_epi32(_mm256_max_epi32(least, _mm256_min_epi32(most, a)), raise),
                  d = _mm256_add_epi32(_mm256_max_epi32(least, _mm256_min_epi32(most, b)), raise);
    const __m256i both = _mm256_permute4x64_epi64(_mm256_packs_epi32(c, d), 0xD8);
    return _mm_packus_epi16(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
}

/* All of sixteen bytes, or the first `count`. */
static inline void ib_store16(uint8_t *to, __m128i v, int64_t count)
{
    if (count >= 16)
        _mm_storeu_si128((__m128i *)to, v);
    else
        memcpy(to, &v, (size_t)count);
}

#endif

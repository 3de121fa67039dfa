/* avx2_coded.c - rows as codes with AVX2, and their products as AVX2 makes them. */
#include "backends/cpu/code_rows.h"
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/coded/coded_mul.h"

/* |x| of a group */
typedef struct group {
    __m256 first, second;
} group;
static inline group magnitudes(const float *x)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return (group){_mm256_andnot_ps(sign, _mm256_loadu_ps(x)), _mm256_andnot_ps(sign, _mm256_loadu_ps(x + 8))};
}
static inline float largest(__m256 x)
{
    __m128 a = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    a = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}

static int code_block(const float *x, int block, int8_t *codes, float *scale, int16_t *multiple, int16_t *sums)
{
    const int groups = block / IB_ROW_GROUP;
    float of_group[MOST_GROUPS], top = 0;
    __m256 finite = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
    for (int g = 0; g < groups; g++) {
        const group a = magnitudes(x + IB_ROW_GROUP * g);
        const __m256 most = _mm256_set1_ps(FLT_MAX);
        finite = _mm256_and_ps(
            finite, _mm256_and_ps(_mm256_cmp_ps(a.first, most, _CMP_LE_OQ), _mm256_cmp_ps(a.second, most, _CMP_LE_OQ)));
        of_group[g] = largest(_mm256_max_ps(a.first, a.second));
        top = of_group[g] > top ? of_group[g] : top;
    }
    if (_mm256_movemask_ps(finite) != 255)
        return 0;
    const ib_block_steps of = ib_steps_of_block(top);
    *scale = of.d;
    for (int g = 0; g < groups; g++, x += IB_ROW_GROUP, codes += IB_ROW_GROUP) {
        const float m = ib_group_multiple(of_group[g], of.share);
        const __m256 by = _mm256_set1_ps(of.i / m);
        const __m256i first = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), by)),
                      second = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), by)),
                      words = _mm256_permute4x64_epi64(_mm256_packs_epi32(first, second), 0xD8),
                      bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(words, words), 0xD8);
        _mm_storeu_si128((__m128i *)(void *)codes, _mm256_castsi256_si128(bytes));
        const __m256i four = _mm256_add_epi32(first, second);
        __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
        sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4E));
        sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xB1));
        multiple[g] = (int16_t)m;
        sums[g] = (int16_t)(_mm_cvtsi128_si32(sum) * (int)m);
    }
    return 1;
}

void ib_avx2_coded_replace(ib_kernels *k)
{
    k->code_rows = code_rows;
    k->coded_mul = coded_mul;
}

/* avx2_transpose.h - planes of codes to pixels with all their channels. */
#ifndef IB_BACKENDS_CPU_X86_AVX2_TRANSPOSE_H
#define IB_BACKENDS_CPU_X86_AVX2_TRANSPOSE_H

#include <immintrin.h>
#include <stdint.h>

/* to[p][0..8) (ld_to bytes apart) = from[0..8)[p] ^ 128 (ld bytes apart), eight pixels p */
static inline void ib_raise_8x8(const int8_t *from, int64_t ld, uint8_t *to, int64_t ld_to)
{
    const __m128i flip = _mm_set1_epi8(-128);
    __m128i two[4], four[4], eight[4];
    for (int j = 0; j < 4; j++)
        two[j] = _mm_xor_si128(flip, _mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)(from + 2 * j * ld)),
                                                       _mm_loadl_epi64((const __m128i *)(from + (2 * j + 1) * ld))));
    for (int j = 0; j < 2; j++) {
        four[2 * j] = _mm_unpacklo_epi16(two[2 * j], two[2 * j + 1]);     /* pixels 0..3 of four channels */
        four[2 * j + 1] = _mm_unpackhi_epi16(two[2 * j], two[2 * j + 1]); /* 4..7 */
    }
    for (int j = 0; j < 2; j++) {
        eight[2 * j] = _mm_unpacklo_epi32(four[j], four[j + 2]);
        eight[2 * j + 1] = _mm_unpackhi_epi32(four[j], four[j + 2]);
    }
    for (int j = 0; j < 4; j++) {
        _mm_storel_epi64((__m128i *)(to + 2 * j * ld_to), eight[j]);
        _mm_storel_epi64((__m128i *)(to + (2 * j + 1) * ld_to), _mm_srli_si128(eight[j], 8));
    }
}

#endif

/* avx2_coded.h - blocks of frozen matrices in registers of AVX2: of each format of tensor/integers.def its scales, and
 * its codes 32 at a time, in the order of the columns. Codes are whole numbers from 0 less a shift, or signed. */
#ifndef IB_BACKENDS_CPU_X86_AVX2_CODED_H
#define IB_BACKENDS_CPU_X86_AVX2_CODED_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

/* What multiplies a block's codes: see formulas/row_codes.h. */
typedef struct coded_head {
    float d, m;         /* m: of formats with minima */
    __m256i scale, min; /* of k-quants: 16 int16, one for each 16 columns */
} coded_head;

static inline __m256i load32(const uint8_t *b)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)b);
}
static inline __m128i load16(const uint8_t *b)
{
    return _mm_loadu_si128((const __m128i *)(const void *)b);
}
static inline float half(const uint8_t *b)
{
    uint16_t h;
    memcpy(&h, b, 2);
    return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}
static inline __m256i low_bits(__m256i x, int shift, int mask)
{
    return _mm256_and_si256(_mm256_srli_epi16(x, shift), _mm256_set1_epi8((char)mask));
}
/* bit `from` of each byte as its bit `to` */
static inline __m256i bit_to(__m256i x, int from, int to)
{
    const __m256i at = from > to ? _mm256_srli_epi16(x, from - to) : _mm256_slli_epi16(x, to - from);
    return _mm256_and_si256(at, _mm256_set1_epi8((char)(1 << to)));
}

/* 16 bytes: their low nibbles, then their high ones */
static inline __m256i nibbles(const uint8_t *b)
{
    const __m128i raw = load16(b);
    return low_bits(_mm256_inserti128_si256(_mm256_castsi128_si256(raw), _mm_srli_epi16(raw, 4), 1), 0, 15);
}
/* 32 bits, each as bit 4 of a byte */
static inline __m256i fifth_bits(const uint8_t *b)
{
    int32_t bits;
    memcpy(&bits, b, 4);
    const __m256i byte = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303),
                  bit = _mm256_set1_epi64x((long long)0x8040201008040201);
    const __m256i spread = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(bits), byte), bit);
    return _mm256_and_si256(_mm256_cmpeq_epi8(spread, bit), _mm256_set1_epi8(16));
}

#define HEAD(name) static inline __attribute__((always_inline)) void head_##name(const uint8_t *b, coded_head *h)
#define PART(name) static inline __attribute__((always_inline)) __m256i part_##name(const uint8_t *b, int j)

/* ---- blocks of 32 ---- */
HEAD(q4_0)
{
    h->d = half(b);
}
PART(q4_0)
{
    return (void)j, nibbles(b + 2);
}
HEAD(q4_1)
{
    h->d = half(b);
    h->m = half(b + 2);
}
PART(q4_1)
{
    return (void)j, nibbles(b + 4);
}
HEAD(q5_0)
{
    h->d = half(b);
}
PART(q5_0)
{
    return (void)j, _mm256_or_si256(nibbles(b + 6), fifth_bits(b + 2));
}
HEAD(q5_1)
{
    h->d = half(b);
    h->m = half(b + 2);
}
PART(q5_1)
{
    return (void)j, _mm256_or_si256(nibbles(b + 8), fifth_bits(b + 4));
}
HEAD(q8_0)
{
    h->d = half(b);
}
PART(q8_0)
{
    return (void)j, load32(b + 2);
}

#endif

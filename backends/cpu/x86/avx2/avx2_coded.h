/* avx2_coded.h - blocks of frozen matrices in registers of AVX2: of each format of tensor/integers.def its scales, and
 * its codes 32 at a time, in the order of the columns. Codes are whole numbers from 0 less a shift, or signed. */
#ifndef IB_BACKENDS_CPU_X86_AVX2_CODED_H
#define IB_BACKENDS_CPU_X86_AVX2_CODED_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

/* What multiplies a block's codes: see formulas/row_codes.h. */
typedef struct coded_head {
    float d, m;              /* m: of formats with minima */
    __m256i scale, min;      /* of k-quants: 16 int16, one for each 16 columns */
    __m256i high, low, sign; /* of wide codes, by their nibble: sign (128 high + low) */
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
HEAD(iq4_nl)
{
    h->d = half(b);
}
PART(iq4_nl)
{
    const __m256i value = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)); /* iq4_nl.c */
    return (void)j, _mm256_shuffle_epi8(value, nibbles(b + 2));
}
/* Neighbours share a byte, in two's complement: 8 more without a sign. */
HEAD(int4)
{
    h->d = half(b);
}
PART(int4)
{
    const __m128i raw = load16(b + 2), mask = _mm_set1_epi8(15), low = _mm_and_si128(raw, mask),
                  high = _mm_and_si128(_mm_srli_epi16(raw, 4), mask);
    const __m256i q =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi8(low, high)), _mm_unpackhi_epi8(low, high), 1);
    return (void)j, _mm256_xor_si256(q, _mm256_set1_epi8(8));
}
HEAD(int8) /* the row's scale lies apart */
{
    (void)b, (void)h;
}
PART(int8)
{
    return (void)j, load32(b);
}

/* ---- blocks of 64, whose parts are nibbles, the first of two in the high bits ---- */
static inline __m256i nibbles_in_turn(const uint8_t *b)
{
    const __m128i raw = load16(b), mask = _mm_set1_epi8(15), low = _mm_and_si128(raw, mask),
                  high = _mm_and_si128(_mm_srli_epi16(raw, 4), mask);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi8(high, low)), _mm_unpackhi_epi8(high, low),
                                   1);
}
HEAD(nf4) /* nf4.c */
{
    (void)b;
    h->d = 1.0f / 15684.0f;
    h->high =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(122, 85, 64, 48, 34, 22, 11, 0, 9, 19, 30, 41, 54, 68, 88, 122));
    h->low = _mm256_broadcastsi128_si256(_mm_setr_epi8(68, 39, 43, 50, 109, 82, 20, 0, 96, 92, 20, 52, 0, 120, 75, 68));
    h->sign = _mm256_broadcastsi128_si256(_mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, 1, 1, 1, 1, 1, 1, 1, 1, 1));
}
PART(nf4)
{
    return nibbles_in_turn(b + 16 * j);
}
HEAD(fp4) /* fp4.c */
{
    (void)b;
    h->d = 1.0f / 192.0f;
    h->high = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0));
    h->low = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 0, 64, 64, 96, 32, 48, 0, 1, 0, 64, 64, 96, 32, 48));
    h->sign = _mm256_broadcastsi128_si256(_mm_setr_epi8(1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1));
}
PART(fp4)
{
    return nibbles_in_turn(b + 16 * j);
}

/* ---- blocks of 256 ---- */
/* Each of 8 bytes twice, as int16. */
static inline __m256i twice(uint64_t bytes)
{
    const __m128i x = _mm_cvtsi64_si128((long long)bytes);
    return _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(x, x));
}
/* The 12 bytes of k_scales.h: four at a time of the first four scales, the first four minima, and the low bits of the
 * others, whose high ones are the two above the first's. */
static inline void k_head(const uint8_t *b, coded_head *h)
{
    uint32_t s[3];
    memcpy(s, b + 4, sizeof s);
    const uint64_t scale_high = (s[2] & 0x0F0F0F0F) | (s[0] >> 6 & 0x03030303) << 4,
                   min_high = (s[2] >> 4 & 0x0F0F0F0F) | (s[1] >> 6 & 0x03030303) << 4;
    h->d = half(b);
    h->m = -half(b + 2);
    h->scale = twice((s[0] & 0x3F3F3F3F) | scale_high << 32);
    h->min = twice((s[1] & 0x3F3F3F3F) | min_high << 32);
}
HEAD(q4_k)
{
    k_head(b, h);
}
PART(q4_k)
{
    return low_bits(load32(b + 16 + 32 * (j / 2)), 4 * (j & 1), 15);
}
HEAD(q5_k)
{
    k_head(b, h);
}
PART(q5_k)
{
    return _mm256_or_si256(low_bits(load32(b + 48 + 32 * (j / 2)), 4 * (j & 1), 15), bit_to(load32(b + 16), j, 4));
}
HEAD(q6_k)
{
    h->d = half(b + 208);
    h->scale = _mm256_cvtepi8_epi16(load16(b + 192));
}
PART(q6_k)
{
    const __m256i low = low_bits(load32(b + 64 * (j / 4) + 32 * (j & 1)), 4 * (j / 2 & 1), 15),
                  high = low_bits(load32(b + 128 + 32 * (j / 4)), 2 * (j & 3), 3);
    return _mm256_or_si256(low, _mm256_slli_epi16(high, 4));
}
HEAD(q2_k)
{
    const __m128i both = load16(b), mask = _mm_set1_epi8(15);
    h->d = half(b + 80);
    h->m = -half(b + 82);
    h->scale = _mm256_cvtepu8_epi16(_mm_and_si128(both, mask));
    h->min = _mm256_cvtepu8_epi16(_mm_and_si128(_mm_srli_epi16(both, 4), mask));
}
PART(q2_k)
{
    return low_bits(load32(b + 16 + 32 * (j / 4)), 2 * (j & 3), 3);
}
/* 16 scales, 32 more than they are: low nibbles of the first eight, high ones of the others; two high bits of scales
 * g % 4 in each of four bytes. */
HEAD(q3_k)
{
    uint64_t low;
    uint32_t top;
    memcpy(&low, b + 96, 8);
    memcpy(&top, b + 104, 4);
    const __m128i nibble =
                      _mm_set_epi64x((long long)(low >> 4 & 0x0F0F0F0F0F0F0F0F), (long long)(low & 0x0F0F0F0F0F0F0F0F)),
                  high = _mm_and_si128(_mm_setr_epi32((int)(top << 4), (int)(top << 2), (int)top, (int)(top >> 2)),
                                       _mm_set1_epi8(0x30));
    h->d = half(b + 108);
    h->scale = _mm256_cvtepi8_epi16(_mm_sub_epi8(_mm_or_si128(nibble, high), _mm_set1_epi8(32)));
}
PART(q3_k)
{
    return _mm256_or_si256(low_bits(load32(b + 32 + 32 * (j / 4)), 2 * (j & 3), 3), bit_to(load32(b), j, 2));
}

#endif

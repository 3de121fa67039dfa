/* coded_blocks.h - blocks of frozen matrices in registers of AVX2: of each format of tensor/integers.def its codes, 32
 * at a time in the order of the columns, and of k-quants the scales and minima of 16 columns. */
#ifndef IB_BACKENDS_CPU_X86_CODED_BLOCKS_H
#define IB_BACKENDS_CPU_X86_CODED_BLOCKS_H

#include <immintrin.h>

#include "backends/cpu/coded_formats.h"

/* What multiplies codes of k-quants: 16 int16, one for each 16 columns. */
typedef struct coded_scales {
    __m256i scale, min;
} coded_scales;

/* The low and the high byte of wide ones by their nibble, and what they are times. */
typedef struct wide_codes {
    __m256i low, high;
    float d;
} wide_codes;

static inline __m256i load32(const uint8_t *b)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)b);
}
static inline __m128i load16(const uint8_t *b)
{
    return _mm_loadu_si128((const __m128i *)(const void *)b);
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

#define PART(name) static inline __attribute__((always_inline)) __m256i part_##name(const uint8_t *b, int j)
#define SCALES(name) static inline __attribute__((always_inline)) coded_scales scales_##name(const uint8_t *b)
#define WIDE_CODES(name) static inline __attribute__((always_inline)) wide_codes wide_##name(void)

SCALES(none)
{
    return (void)b, (coded_scales){_mm256_setzero_si256(), _mm256_setzero_si256()};
}
WIDE_CODES(none)
{
    return (wide_codes){_mm256_setzero_si256(), _mm256_setzero_si256(), 1.0f};
}

/* ---- blocks of 32 ---- */
PART(q4_0)
{
    return (void)j, nibbles(b + 2);
}
PART(q4_1)
{
    return (void)j, nibbles(b + 4);
}
PART(q5_0)
{
    return (void)j, _mm256_or_si256(nibbles(b + 6), fifth_bits(b + 2));
}
PART(q5_1)
{
    return (void)j, _mm256_or_si256(nibbles(b + 8), fifth_bits(b + 4));
}
PART(q8_0)
{
    return (void)j, load32(b + 2);
}
PART(iq4_nl)
{
    const __m256i value = _mm256_broadcastsi128_si256(_mm_setr_epi8(IQ4_NL));
    return (void)j, _mm256_shuffle_epi8(value, nibbles(b + 2));
}
PART(mxfp4)
{
    const __m256i value = _mm256_broadcastsi128_si256(_mm_setr_epi8(E2M1));
    return (void)j, _mm256_shuffle_epi8(value, nibbles(b + 1));
}
/* Neighbours share a byte, in two's complement: 8 more without a sign. */
PART(int4)
{
    const __m128i raw = load16(b + 2), mask = _mm_set1_epi8(15), low = _mm_and_si128(raw, mask),
                  high = _mm_and_si128(_mm_srli_epi16(raw, 4), mask);
    const __m256i q =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi8(low, high)), _mm_unpackhi_epi8(low, high), 1);
    return (void)j, _mm256_xor_si256(q, _mm256_set1_epi8(8));
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
#define LOW(v) ((char)((v)&255))
#define HIGH(v) ((char)((v) >> 8))
#define TWICE(VALUES, OF) _mm256_broadcastsi128_si256(_mm_setr_epi8(VALUES(OF)))
WIDE_CODES(nf4)
{
    return (wide_codes){TWICE(NF4, LOW), TWICE(NF4, HIGH), 1.0f / 15684.0f};
}
PART(nf4)
{
    return nibbles_in_turn(b + 16 * j);
}
WIDE_CODES(fp4)
{
    return (wide_codes){TWICE(FP4, LOW), TWICE(FP4, HIGH), 1.0f / 192.0f};
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
SCALES(k)
{
    const k_scales s = k_scales_at(b + 4);
    return (coded_scales){twice(s.scale), twice(s.min)};
}
PART(q4_k)
{
    return low_bits(load32(b + 16 + 32 * (j / 2)), 4 * (j & 1), 15);
}
PART(q5_k)
{
    return _mm256_or_si256(low_bits(load32(b + 48 + 32 * (j / 2)), 4 * (j & 1), 15), bit_to(load32(b + 16), j, 4));
}
SCALES(q6_k)
{
    return (coded_scales){_mm256_cvtepi8_epi16(load16(b + 192)), _mm256_setzero_si256()};
}
PART(q6_k)
{
    const __m256i low = low_bits(load32(b + 64 * (j / 4) + 32 * (j & 1)), 4 * (j / 2 & 1), 15),
                  high = low_bits(load32(b + 128 + 32 * (j / 4)), 2 * (j & 3), 3);
    return _mm256_or_si256(low, _mm256_slli_epi16(high, 4));
}
SCALES(q2_k)
{
    const __m128i both = load16(b), mask = _mm_set1_epi8(15);
    return (coded_scales){_mm256_cvtepu8_epi16(_mm_and_si128(both, mask)),
                          _mm256_cvtepu8_epi16(_mm_and_si128(_mm_srli_epi16(both, 4), mask))};
}
PART(q2_k)
{
    return low_bits(load32(b + 16 + 32 * (j / 4)), 2 * (j & 3), 3);
}
/* 16 scales, 32 more than they are: low nibbles of the first eight, high ones of the others; two high bits of scales
 * g % 4 in each of four bytes. */
SCALES(q3_k)
{
    uint64_t low;
    uint32_t top;
    memcpy(&low, b + 96, 8);
    memcpy(&top, b + 104, 4);
    const __m128i nibble =
                      _mm_set_epi64x((long long)(low >> 4 & 0x0F0F0F0F0F0F0F0F), (long long)(low & 0x0F0F0F0F0F0F0F0F)),
                  high = _mm_and_si128(_mm_setr_epi32((int)(top << 4), (int)(top << 2), (int)top, (int)(top >> 2)),
                                       _mm_set1_epi8(0x30));
    return (coded_scales){_mm256_cvtepi8_epi16(_mm_sub_epi8(_mm_or_si128(nibble, high), _mm_set1_epi8(32))),
                          _mm256_setzero_si256()};
}
PART(q3_k)
{
    return _mm256_or_si256(low_bits(load32(b + 32 + 32 * (j / 4)), 2 * (j & 3), 3), bit_to(load32(b), j, 2));
}
SCALES(iq4_xs)
{
    return (coded_scales){_mm256_sub_epi16(twice(iq4_scales_at(b)), _mm256_set1_epi16(32)), _mm256_setzero_si256()};
}
PART(iq4_xs)
{
    const __m256i value = _mm256_broadcastsi128_si256(_mm_setr_epi8(IQ4_NL));
    return _mm256_shuffle_epi8(value, nibbles(b + 8 + 16 * j));
}
SCALES(ones)
{
    return (void)b, (coded_scales){_mm256_set1_epi16(1), _mm256_setzero_si256()};
}
PART(tq2_0)
{
    return low_bits(load32(b + 32 * (j / 4)), 2 * (j & 3), 3);
}
/* Bytes times 3^k, the same for neighbours, less what 256 divides: 1 from 86 on, 2 from 171 on. */
static inline __m256i digits(__m256i x, __m256i power)
{
    const __m256i low = _mm256_set1_epi16(255), one = _mm256_set1_epi8(86), two = _mm256_set1_epi8((char)171),
                  even = _mm256_and_si256(_mm256_mullo_epi16(x, power), low),
                  odd = _mm256_slli_epi16(_mm256_mullo_epi16(_mm256_srli_epi16(x, 8), power), 8),
                  part = _mm256_or_si256(even, odd);
    return _mm256_sub_epi8(_mm256_setzero_si256(),
                           _mm256_add_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(part, one), part),
                                           _mm256_cmpeq_epi8(_mm256_max_epu8(part, two), part)));
}
static inline __m256i halves_of(__m128i low, __m128i high)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}
PART(tq1_0)
{
    static const short power[5] = {1, 3, 9, 27, 81};
    if (j < 5)
        return digits(load32(b), _mm256_set1_epi16(power[j]));
    const __m128i fifth = load16(b + 32);
    if (j < 7)
        return digits(halves_of(fifth, fifth),
                      halves_of(_mm_set1_epi16(power[2 * j - 10]), _mm_set1_epi16(power[2 * j - 9])));
    int32_t last;
    memcpy(&last, b + 48, sizeof last);
    return digits(halves_of(fifth, _mm_set1_epi32(last)),
                  halves_of(_mm_set1_epi16(power[4]), _mm_setr_epi16(1, 1, 3, 3, 9, 9, 27, 27)));
}

#endif

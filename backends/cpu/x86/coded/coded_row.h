/* coded_row.h - a row of codes by eight outputs of a frozen matrix, whose blocks are taken apart in registers: a vector
 * holds codes of one output's block, and the eight vectors of sums are added up together. */
#ifndef IB_BACKENDS_CPU_X86_CODED_ROW_H
#define IB_BACKENDS_CPU_X86_CODED_ROW_H

#include "backends/cpu/level.h"
#include "backends/cpu/x86/coded/coded_blocks.h"
#include "tensor/storage/e2m1.h"
#include "tensor/storage/scaled.h"

/* A product of rows of blocks; y[rows][outputs]. */
typedef struct product {
    const uint8_t *w;
    const int8_t *c;
    const float *d;
    const int16_t *m, *s; /* multiples, sums */
    int64_t blocks, outputs;
    const ib_matrix *matrix; /* its scales of outputs, or of blocks, where these have none */
    float *y;
} product;

enum { EIGHT = 8 };

/* What is known of a format where functions are compiled for it. */
typedef __m256i (*parts)(const uint8_t *b, int j);
typedef coded_scales (*scales)(const uint8_t *b);
typedef wide_codes (*wides)(void);

/* Block b of outputs o .. o + 7; behind the last output it is the last one's. */
typedef struct eight {
    const uint8_t *at[EIGHT];
    int64_t o[EIGHT];
} eight;
static inline eight eight_of(const product *t, int bytes, int64_t o)
{
    eight e;
    for (int r = 0; r < EIGHT; r++) {
        e.o[r] = ib_min64(o + r, t->outputs - 1);
        e.at[r] = t->w + e.o[r] * t->blocks * bytes;
    }
    return e;
}

/* Halves that lie `at` bytes from each output's block. */
static inline __m256 halves(const eight *e, int64_t at)
{
    __m128i h = _mm_setzero_si128();
    uint16_t x;
#define HALF(r)                                                                                                        \
    memcpy(&x, e->at[r] + at, sizeof x);                                                                               \
    h = _mm_insert_epi16(h, x, r)
    HALF(0);
    HALF(1);
    HALF(2);
    HALF(3);
    HALF(4);
    HALF(5);
    HALF(6);
    HALF(7);
#undef HALF
    return _mm256_cvtph_ps(h);
}
/* d and m of block b of eight outputs */
static inline __attribute__((always_inline)) __m256 d_of(const product *t, const coded_format *f, const eight *e,
                                                         int64_t b, float wide)
{
    float d[EIGHT];
    for (int r = 0; f->power && r < EIGHT; r++)
        d[r] = half_power(e->at[r][b * f->bytes + f->d_at]);
    if (f->power)
        return _mm256_loadu_ps(d);
    if (f->d_at >= 0)
        return halves(e, b * f->bytes + f->d_at);
    for (int r = 0; r < EIGHT; r++)
        d[r] = f->shift == WIDE ? ib_absmax_at(t->matrix, e->o[r] * t->blocks + b) : ib_row_scale(t->matrix, e->o[r]);
    const __m256 all = _mm256_setr_ps(d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]);
    return f->shift == WIDE ? _mm256_mul_ps(all, _mm256_set1_ps(wide)) : all;
}
static inline __attribute__((always_inline)) __m256 m_of(const coded_format *f, const eight *e, int64_t b)
{
    const __m256 m = halves(e, b * f->bytes + f->m_at);
    return f->block == 256 ? _mm256_xor_ps(m, _mm256_set1_ps(-0.0f)) : m; /* k-quants take theirs off */
}

/* p + sums of pairs in 16 bits times what lies beside them */
static inline __m256i add_scaled(__m256i p, __m256i pairs, __m256i scale)
{
#if defined __AVXVNNI__ || defined __AVX512VNNI__
    return _mm256_dpwssd_epi32(p, pairs, scale);
#else
    return _mm256_add_epi32(p, _mm256_madd_epi16(pairs, scale));
#endif
}

/* Two multiples, m[0] in the low half. */
static inline __m256i multiples_of(const int16_t *m)
{
    int32_t two;
    memcpy(&two, m, sizeof two);
    return _mm256_shuffle_epi8(_mm256_set1_epi32(two), _mm256_setr_epi64x(0x0100010001000100, 0x0100010001000100,
                                                                          0x0302030203020302, 0x0302030203020302));
}

/* p + 32 wide codes, by their nibbles, times c times the multiples of its two groups */
static inline __m256i add_wide(__m256i p, __m256i nibble, __m256i c, __m256i multiples, const wide_codes *w)
{
    const __m256i low = _mm256_shuffle_epi8(w->low, nibble), high = _mm256_shuffle_epi8(w->high, nibble),
                  apart = _mm256_permute4x64_epi64(c, 0xD8); /* as unpacking has them */
    const __m256i first = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(apart)),
                  second = _mm256_cvtepi8_epi16(_mm256_extracti128_si256(apart, 1));
    p = add_scaled(p, _mm256_unpacklo_epi8(low, high), _mm256_mullo_epi16(first, multiples));
    return add_scaled(p, _mm256_unpackhi_epi8(low, high), _mm256_mullo_epi16(second, multiples));
}

/* Of 32 codes of weights and a row what their products add up to, in fours, times the multiples where the level has
 * them from pairs (else add_eights does that). A shift is for the caller to make up for; signed weights are 128 more
 * here where they have a shift. */
#if defined __AVXVNNI__ || defined __AVX512VNNI__
enum { SIGNED_SHIFT = 128 };
static inline __m256i fours(__m256i w, __m256i c, int shift, __m256i multiples)
{
    (void)multiples;
    const __m256i raised = shift == SIGNED ? _mm256_xor_si256(w, _mm256_set1_epi8(-128)) : w;
    return _mm256_dpbusd_epi32(_mm256_setzero_si256(), raised, c);
}
#else
enum { SIGNED_SHIFT = 0 };
static inline __m256i fours(__m256i w, __m256i c, int shift, __m256i multiples)
{
    const __m256i pairs =
        shift == SIGNED ? _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(c, w)) : _mm256_maddubs_epi16(w, c);
    return _mm256_madd_epi16(pairs, multiples);
}
#endif
/* The same in pairs of 16 bits, of codes that are times scales. */
static inline __m256i pairs_of(__m256i w, __m256i c, int shift)
{
    return shift == SIGNED ? _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(c, w))
                           : _mm256_maddubs_epi16(w, c);
}
static inline int shift_of(const coded_format *f)
{
    return f->shift == SIGNED ? SIGNED_SHIFT : f->shift > 0 ? f->shift : 0;
}

/* Scales of columns 32 j .. 32 j + 31, of 16 int16. */
static inline __m256i scales_at(__m256i scale, int j)
{
    const __m256i both = j < 4 ? _mm256_permute4x64_epi64(scale, 0x44) : _mm256_permute4x64_epi64(scale, 0xEE);
    const short first = (short)(0x0100 + 0x0404 * (j % 4)), second = (short)(first + 0x0202);
    return _mm256_shuffle_epi8(
        both, _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_set1_epi16(first)), _mm_set1_epi16(second), 1));
}

static inline __m256i add_halves(__m256i low, __m256i high)
{
    return _mm256_add_epi32(_mm256_permute2x128_si256(low, high, 0x20), _mm256_permute2x128_si256(low, high, 0x31));
}
/* lane r: the sum of p[r]'s eight, of which each four are times a multiple if these are given */
static inline __m256i add_eights(const __m256i *p, const __m256i *multiples)
{
    __m256i two[4], four[2];
    for (int r = 0; r < 4; r++)
        two[r] = _mm256_add_epi32(_mm256_unpacklo_epi32(p[2 * r], p[2 * r + 1]),
                                  _mm256_unpackhi_epi32(p[2 * r], p[2 * r + 1]));
    for (int r = 0; r < 2; r++) {
        four[r] = _mm256_add_epi32(_mm256_unpacklo_epi64(two[2 * r], two[2 * r + 1]),
                                   _mm256_unpackhi_epi64(two[2 * r], two[2 * r + 1]));
        if (multiples)
            four[r] = _mm256_mullo_epi32(four[r], _mm256_srli_epi32(*multiples, 16));
    }
    return add_halves(four[0], four[1]);
}
/* The same of pairs[r]'s sixteen, of which four add up in 16 bits. */
static inline __m256i add_sixteens(const __m256i *pairs, __m256i multiples)
{
    __m256i two[4], four[2];
    for (int r = 0; r < 4; r++)
        two[r] = _mm256_add_epi16(_mm256_unpacklo_epi32(pairs[2 * r], pairs[2 * r + 1]),
                                  _mm256_unpackhi_epi32(pairs[2 * r], pairs[2 * r + 1]));
    for (int r = 0; r < 2; r++)
        four[r] = _mm256_madd_epi16(_mm256_add_epi16(_mm256_unpacklo_epi64(two[2 * r], two[2 * r + 1]),
                                                     _mm256_unpackhi_epi64(two[2 * r], two[2 * r + 1])),
                                    multiples);
    return add_halves(four[0], four[1]);
}

/* y + (w d) p, each rounded */
static inline __m256 add_block(__m256 y, __m256 w, __m256 d, __m256i p)
{
    return _mm256_add_ps(y, _mm256_mul_ps(_mm256_mul_ps(w, d), _mm256_cvtepi32_ps(p)));
}

/* y[i][o .. o + 7]; f and the functions are constants where it is inlined. */
static inline __attribute__((always_inline)) void one_row(const product *t, int64_t o, int64_t i, const coded_format *f,
                                                          parts part, scales scale, wides wide)
{
    const int k_quant = f->block == 256, shift = k_quant && f->shift == SIGNED ? 0 : shift_of(f),
              groups = f->block / 16, in_pairs = f->most && f->most <= 31 && f->block == 32 && !SIGNED_SHIFT,
              lines = (EIGHT * f->bytes + 63) / 64;
    const eight e = eight_of(t, f->bytes, o);
    const wide_codes codes = wide();
    /* Lines of the cache are asked for one by one, as it waits for few at a time, and past the second level, as weights
     * are read once a token. */
    const int64_t ahead = t->outputs - o > 2 * EIGHT ? EIGHT * t->blocks * f->bytes : 0;
    __m256 y = _mm256_setzero_ps();
    for (int64_t b = 0; b < t->blocks; b++) {
        const int64_t at = i * t->blocks + b;
        const uint8_t *c = (const uint8_t *)t->c + at * f->block;
        const int16_t *sums = t->s + at * groups, *by = t->m + at * groups;
        const __m256i multiples = multiples_of(by);
        __m256i p[EIGHT], min[EIGHT];
#pragma GCC unroll 8
        for (int r = 0; r < EIGHT; r++) {
            const uint8_t *w = e.at[r] + b * f->bytes;
            for (int k = r * lines / EIGHT; ahead && k < (r + 1) * lines / EIGHT; k++) /* what the next eight read */
                _mm_prefetch((const char *)e.at[0] + ahead + b * EIGHT * f->bytes + 64 * k, _MM_HINT_NTA);
            if (f->block == 32) {
                p[r] = in_pairs ? _mm256_maddubs_epi16(part(w, 0), load32(c))
                                : fours(part(w, 0), load32(c), f->shift, multiples);
                continue;
            }
            const coded_scales s = scale(w);
            const __m256i both = k_quant ? _mm256_mullo_epi16(s.scale, load32((const uint8_t *)by)) : s.scale;
            p[r] = _mm256_setzero_si256();
#pragma GCC unroll 8
            for (int j = 0; j < f->block / 32; j++)
                p[r] = f->shift == WIDE
                           ? add_wide(p[r], part(w, j), load32(c + 32 * j), multiples_of(by + 2 * j), &codes)
                           : add_scaled(p[r], pairs_of(part(w, j), load32(c + 32 * j), f->shift), scales_at(both, j));
            if (k_quant && shift)
                p[r] =
                    _mm256_sub_epi32(p[r], _mm256_mullo_epi32(_mm256_madd_epi16(s.scale, load32((const uint8_t *)sums)),
                                                              _mm256_set1_epi32(shift)));
            if (k_quant && f->m_at >= 0)
                min[r] = _mm256_madd_epi16(s.min, load32((const uint8_t *)sums));
        }
        const __m256 d = _mm256_set1_ps(t->d[at]);
        const int32_t sum = f->block == 32 ? sums[0] + sums[1] : 0;
        __m256i all = in_pairs ? add_sixteens(p, multiples)
                               : add_eights(p, f->block == 32 && SIGNED_SHIFT > 0 ? &multiples : NULL);
        if (f->block == 32 && shift)
            all = _mm256_sub_epi32(all, _mm256_set1_epi32(shift * sum));
        y = add_block(y, d_of(t, f, &e, b, codes.d), d, all);
        if (f->m_at >= 0)
            y = add_block(y, m_of(f, &e, b), d, f->block == 32 ? _mm256_set1_epi32(sum) : add_eights(min, NULL));
    }
    const int64_t m = ib_min64(EIGHT, t->outputs - o);
    float *to = t->y + i * t->outputs + o;
    if (m == EIGHT)
        _mm256_storeu_ps(to, y);
    else
        _mm256_maskstore_ps(
            to, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)m), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)), y);
}

#endif

/* coded_panel.h - sixteen outputs of a frozen matrix as a panel of codes, by which many rows are multiplied: taken
 * apart once, in the order in which tiles read it (coded_tile.h). A step is 64 bytes: four codes of each output, or two
 * of 16 bits where vpmaddubsw has no room for a format's codes, which then are times the scales of k-quants. */
#ifndef IB_BACKENDS_CPU_X86_CODED_PANEL_H
#define IB_BACKENDS_CPU_X86_CODED_PANEL_H

#include "backends/cpu/x86/coded/coded_row.h"
#include "backends/cpu/x86/vectors.h"

enum { PANEL = 16, STEP = 64, PANEL_STEPS = 256 };

/* So many blocks of a panel as its steps have room for; scales and minima of k-quants. */
typedef struct coded_panel {
    _Alignas(64) uint8_t codes[PANEL_STEPS * STEP];
    _Alignas(64) float d[PANEL_STEPS * 4 / 32][PANEL], m[PANEL_STEPS * 4 / 32][PANEL];
    _Alignas(64) int32_t scale[PANEL_STEPS * 4 / 16][PANEL]; /* of 16 columns; for vpmaddwd twice in 16 bits */
    _Alignas(64) int32_t min[PANEL_STEPS * 4 / 32][PANEL]; /* of 2 x 16 columns; scales where a shift is made up for */
} coded_panel;

/* Whether codes are 16 bits wide, and how many columns a step has. */
static inline int in_words(const coded_format *f)
{
    return f->shift == WIDE || (f->shift == SIGNED && !SIGNED_SHIFT);
}
static inline int columns_of_step(const coded_format *f)
{
    return in_words(f) ? 2 : 4;
}
static inline int panel_blocks(const coded_format *f)
{
    return PANEL_STEPS * columns_of_step(f) / f->block;
}

/* Eight vectors of dwords, turned (turn8), a step apart. */
static inline void put_turned(const __m256i *x, void *to)
{
    __m256i turned[8];
    turn8(x, turned);
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++)
        _mm256_store_si256((__m256i *)(void *)((uint8_t *)to + j * STEP), turned[j]);
}

/* 16 codes, the low or high half of 32, in 16 bits each */
static inline __m256i word_codes(__m256i q, int second, int shift, const wide_codes *w)
{
    const __m128i half = second ? _mm256_extracti128_si256(q, 1) : _mm256_castsi256_si128(q);
    if (shift == SIGNED)
        return _mm256_cvtepi8_epi16(half);
    const __m128i low = _mm_shuffle_epi8(_mm256_castsi256_si128(w->low), half),
                  high = _mm_shuffle_epi8(_mm256_castsi256_si128(w->high), half);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi8(low, high)), _mm_unpackhi_epi8(low, high),
                                   1);
}

/* A scale of 16 bits as tiles take it: eight from the low or high half. */
static inline __m256i scales_as_taken(__m256i scale, int high)
{
#if defined __AVXVNNI__ || defined __AVX512VNNI__
    return _mm256_cvtepi16_epi32(high ? _mm256_extracti128_si256(scale, 1) : _mm256_castsi256_si128(scale));
#else
    const __m256i in_order = _mm256_permute4x64_epi64(scale, 0xD8);
    return high ? _mm256_unpackhi_epi16(in_order, in_order) : _mm256_unpacklo_epi16(in_order, in_order);
#endif
}

/* Blocks from .. from + blocks of outputs o .. o + 15; f and the functions are constants where it is inlined. */
static inline __attribute__((always_inline)) void fill_panel(const product *t, int64_t o, int64_t from, int blocks,
                                                             coded_panel *to, const coded_format *f, parts part,
                                                             scales scale, wides wide)
{
    const wide_codes codes = wide();
    const int steps = 32 / columns_of_step(f), k_quant = f->block == 256;
    for (int h = 0; h < 2; h++) {
        const eight e = eight_of(t, f->bytes, ib_min64(o + EIGHT * h, t->outputs - 1));
        for (int b = 0; b < blocks; b++) {
            const int64_t at = (from + b) * f->bytes;
            for (int j = 0; j < f->block / 32; j++) {
                uint8_t *step = to->codes + ((int64_t)b * (f->block / 32) + j) * steps * STEP + 32 * h;
                __m256i q[EIGHT], x[EIGHT];
                short by[EIGHT][16];
                for (int r = 0; r < EIGHT; r++)
                    q[r] = part(e.at[r] + at, j);
                for (int r = 0; in_words(f) && k_quant && r < EIGHT; r++)
                    _mm256_storeu_si256((__m256i *)(void *)by[r], scale(e.at[r] + at).scale);
                for (int half = 0; half < (in_words(f) ? 2 : 1); half++) {
                    for (int r = 0; r < EIGHT; r++)
                        x[r] = in_words(f)          ? word_codes(q[r], half, f->shift, &codes)
                               : f->shift == SIGNED ? _mm256_xor_si256(q[r], _mm256_set1_epi8(-128))
                                                    : q[r];
                    for (int r = 0; in_words(f) && k_quant && r < EIGHT; r++)
                        x[r] = _mm256_mullo_epi16(x[r], _mm256_set1_epi16(by[r][2 * j + half]));
                    put_turned(x, step + 8 * half * STEP);
                }
            }
            _mm256_store_ps(to->d[b] + EIGHT * h, d_of(t, f, &e, from + b, codes.d));
            if (f->m_at >= 0)
                _mm256_store_ps(to->m[b] + EIGHT * h, m_of(f, &e, from + b));
            if (k_quant) {
                __m256i first[EIGHT], second[EIGHT], both[EIGHT];
                for (int r = 0; r < EIGHT; r++) {
                    const coded_scales s = scale(e.at[r] + at);
                    first[r] = scales_as_taken(s.scale, 0);
                    second[r] = scales_as_taken(s.scale, 1);
                    both[r] = f->m_at >= 0 ? s.min : s.scale;
                }
                put_turned(first, to->scale[16 * b] + EIGHT * h);
                put_turned(second, to->scale[16 * b + 8] + EIGHT * h);
                put_turned(both, to->min[8 * b] + EIGHT * h);
            }
        }
    }
}

#endif

/* coded_tile.h - rows of codes by a panel of frozen codes (coded_panel.h): a vector holds one sum of each output. */
#ifndef IB_BACKENDS_CPU_X86_CODED_TILE_H
#define IB_BACKENDS_CPU_X86_CODED_TILE_H

#include "backends/cpu/x86/coded/coded_panel.h"

/* Vectors of a panel's outputs, and rows of a tile, whose sums stay in registers. */
#if defined __AVX512VNNI__ && defined __AVX512BW__
enum { HALVES = PANEL / WIDTH, ROWS = 8 };
typedef __m512i ints;
#define INTS(what) _mm512_##what
#define LOAD(x) _mm512_load_si512(x)
#else
enum { HALVES = PANEL / WIDTH, ROWS = 4 };
typedef __m256i ints;
#define INTS(what) _mm256_##what
#define LOAD(x) _mm256_load_si256((const __m256i *)(const void *)(x))
#endif
/* GCC orders sums of integers anew, so that none of a step's products is added before all are there: they would not
 * stay in registers. */
#define IN_ORDER(x) __asm__("" : "+v"(x))

/* Rows' codes in bytes, or in words times their multiples; scales, multiples and sums, from a panel's first block on;
 * y: their results of its outputs. */
typedef struct tile_rows {
    const void *c[ROWS];
    const float *d[ROWS];
    const int16_t *m[ROWS], *s[ROWS];
    float (*y)[PANEL];
} tile_rows;

/* Four bytes of a row in each lane */
static inline ints everywhere(const void *x, int64_t at)
{
    int32_t four;
    memcpy(&four, (const char *)x + 4 * at, 4);
    return INTS(set1_epi32)(four);
}

/* Steps of a group of 16 columns: four of bytes, eight of words. */
enum { BYTE_STEPS = 4, WORD_STEPS = 8 };

/* p[rows][vectors] += group g of codes in words, whose rows have their multiples */
static inline __attribute__((always_inline)) void add_words(ints (*p)[HALVES], const tile_rows *x, int64_t g,
                                                            const uint8_t *w, int rows)
{
#pragma GCC unroll 8
    for (int s = 0; s < WORD_STEPS; s++) {
        ints q[HALVES];
        for (int h = 0; h < HALVES; h++)
            q[h] = LOAD(w + s * STEP + 32 * h);
#pragma GCC unroll 8
        for (int k = 0; k < rows; k++) {
            const ints c = everywhere(x->c[k], g * WORD_STEPS + s);
            for (int h = 0; h < HALVES; h++) {
#if defined __AVXVNNI__ || defined __AVX512VNNI__
                p[k][h] = INTS(dpwssd_epi32)(p[k][h], q[h], c);
#else
                p[k][h] = INTS(add_epi32)(p[k][h], INTS(madd_epi16)(q[h], c));
#endif
                IN_ORDER(p[k][h]);
            }
        }
    }
}

/* The same of bytes, times the rows' multiples and, of k-quants, the outputs' scales. */
static inline __attribute__((always_inline)) void add_bytes(ints (*p)[HALVES], const tile_rows *x, int64_t g,
                                                            const uint8_t *w, const int32_t *scale, int rows,
                                                            const coded_format *f)
{
    const int scaled = f->block == 256;
#if defined __AVXVNNI__ || defined __AVX512VNNI__
    const int more = BYTE_STEPS;
#else
    const int more = f->most <= 31 ? BYTE_STEPS : 2; /* pairs of products that fit 16 bits */
#endif
#pragma GCC unroll 2
    for (int s = 0; s < BYTE_STEPS; s += more) {
        ints u[ROWS][HALVES];
#pragma GCC unroll 4
        for (int l = s; l < s + more; l++) {
            ints q[HALVES];
            for (int h = 0; h < HALVES; h++)
                q[h] = LOAD(w + l * STEP + 32 * h);
#pragma GCC unroll 8
            for (int k = 0; k < rows; k++) {
                const ints c = everywhere(x->c[k], g * BYTE_STEPS + l);
                for (int h = 0; h < HALVES; h++) {
#if defined __AVXVNNI__ || defined __AVX512VNNI__
                    u[k][h] = INTS(dpbusd_epi32)(l == s ? INTS(set1_epi32)(0) : u[k][h], q[h], c);
#else
                    const ints pairs = INTS(maddubs_epi16)(q[h], c);
                    u[k][h] = l == s ? pairs : INTS(add_epi16)(u[k][h], pairs);
                    IN_ORDER(u[k][h]);
#endif
                }
            }
        }
#pragma GCC unroll 8
        for (int k = 0; k < rows; k++)
            for (int h = 0; h < HALVES; h++) {
#if defined __AVXVNNI__ || defined __AVX512VNNI__
                const ints m = INTS(set1_epi32)(x->m[k][g]),
                           by = scaled ? INTS(mullo_epi32)(LOAD(scale + WIDTH * h), m) : m;
                p[k][h] = INTS(add_epi32)(p[k][h], INTS(mullo_epi32)(u[k][h], by));
#else
                const ints m = INTS(set1_epi16)(x->m[k][g]),
                           by = scaled ? INTS(mullo_epi16)(LOAD(scale + WIDTH * h), m) : m;
                p[k][h] = INTS(add_epi32)(p[k][h], INTS(madd_epi16)(u[k][h], by));
                IN_ORDER(p[k][h]);
#endif
            }
    }
}

/* x->y += rows of so many blocks by the panel; all but w, x and blocks are constants where it is inlined. */
static inline __attribute__((always_inline)) void tile(const coded_panel *w, const tile_rows *x, int blocks, int rows,
                                                       const coded_format *f)
{
    const int shift = shift_of(f), groups = f->block / 16, k_quant = f->block == 256;
    for (int b = 0; b < blocks; b++) {
        ints p[ROWS][HALVES];
        for (int k = 0; k < rows; k++)
            for (int h = 0; h < HALVES; h++)
                p[k][h] = INTS(set1_epi32)(0);
        for (int64_t g = (int64_t)b * groups; g < (int64_t)(b + 1) * groups; g++) {
            if (in_words(f))
                add_words(p, x, g, w->codes + g * WORD_STEPS * STEP, rows);
            else
                add_bytes(p, x, g, w->codes + g * BYTE_STEPS * STEP, k_quant ? w->scale[g] : NULL, rows, f);
        }
#pragma GCC unroll 8
        for (int k = 0; k < rows; k++) {
            const vec d = VEC(set1_ps)(x->d[k][b]);
            const int32_t sum = f->block == 32 ? x->s[k][2 * b] + x->s[k][2 * b + 1] : 0;
            for (int h = 0; h < HALVES; h++) {
                ints less = INTS(set1_epi32)(sum), q = p[k][h];
                if (k_quant && (shift || f->m_at >= 0)) { /* sums of scales or minima times those of the row's codes */
                    less = INTS(set1_epi32)(0);
                    for (int g = 0; g < 8; g++)
                        less = INTS(add_epi32)(less, INTS(madd_epi16)(LOAD(w->min[8 * b + g] + WIDTH * h),
                                                                      everywhere(x->s[k] + b * groups, g)));
                }
                if (shift)
                    q = INTS(sub_epi32)(q, INTS(mullo_epi32)(less, INTS(set1_epi32)(shift)));
                float *y = x->y[k] + WIDTH * h;
                vec a = VEC(load_ps)(y);
                a = VEC(add_ps)(a, VEC(mul_ps)(VEC(mul_ps)(VEC(load_ps)(w->d[b] + WIDTH * h), d), VEC(cvtepi32_ps)(q)));
                if (f->m_at >= 0)
                    a = VEC(add_ps)(
                        a, VEC(mul_ps)(VEC(mul_ps)(VEC(load_ps)(w->m[b] + WIDTH * h), d), VEC(cvtepi32_ps)(less)));
                VEC(store_ps)(y, a);
            }
        }
    }
}

#endif

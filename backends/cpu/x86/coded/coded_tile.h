/* coded_tile.h - rows of codes by a panel of frozen codes (coded_panel.h): a vector holds one sum of each output. */
#ifndef IB_BACKENDS_CPU_X86_CODED_TILE_H
#define IB_BACKENDS_CPU_X86_CODED_TILE_H

#include "backends/cpu/x86/coded/coded_panel.h"

/* Vectors of a panel's outputs, and rows of a tile, whose sums stay in registers. */
#if defined __AVX512VNNI__ && defined __AVX512BW__
enum { HALVES = 1, ROWS = 8 };
typedef __m512i ints;
typedef __m512 reals;
#define INTS(what) _mm512_##what
#define REALS(what) _mm512_##what
#define LOAD(x) _mm512_load_si512(x)
#else
enum { HALVES = 2, ROWS = 4 };
typedef __m256i ints;
typedef __m256 reals;
#define INTS(what) _mm256_##what
#define REALS(what) _mm256_##what
#define LOAD(x) _mm256_load_si256((const __m256i *)(const void *)(x))
#endif
enum { WIDTH = PANEL / HALVES };
/* GCC orders sums of integers anew, so that none of a step's products is added before all are there: they would not
 * stay in registers. */
#define IN_ORDER(x) __asm__("" : "+v"(x))

/* Rows' codes in bytes or words, scales and sums, from a panel's first block on; y: their results of its outputs. */
typedef struct tile_rows {
    const void *c[ROWS];
    const float *d[ROWS];
    const int16_t *s[ROWS];
    float (*y)[PANEL];
} tile_rows;

/* Four bytes of a row in each lane */
static inline ints everywhere(const void *x, int64_t at)
{
    int32_t four;
    memcpy(&four, (const char *)x + 4 * at, 4);
    return INTS(set1_epi32)(four);
}

/* p[rows][vectors] += steps of codes times scale, which is of k-quants alone */
static inline __attribute__((always_inline)) void add_steps(ints (*p)[HALVES], const tile_rows *x, int64_t at,
                                                            int steps, const uint8_t *w, const int32_t *scale, int rows,
                                                            const coded_format *f)
{
    const int scaled = f->block == 256;
#if defined __AVXVNNI__ || defined __AVX512VNNI__
    ints u[ROWS][HALVES];
    for (int k = 0; k < rows; k++)
        for (int h = 0; h < HALVES; h++)
            u[k][h] = scaled ? INTS(set1_epi32)(0) : p[k][h];
#pragma GCC unroll 16
    for (int s = 0; s < steps; s++) {
        ints q[HALVES];
        for (int h = 0; h < HALVES; h++)
            q[h] = LOAD(w + s * STEP + 32 * h);
#pragma GCC unroll 8
        for (int k = 0; k < rows; k++) {
            const ints c = everywhere(x->c[k], at + s);
            for (int h = 0; h < HALVES; h++)
                u[k][h] = in_words(f) ? INTS(dpwssd_epi32)(u[k][h], q[h], c) : INTS(dpbusd_epi32)(u[k][h], q[h], c);
        }
    }
#pragma GCC unroll 8
    for (int k = 0; k < rows; k++)
        for (int h = 0; h < HALVES; h++)
            p[k][h] = scaled ? INTS(add_epi32)(p[k][h], INTS(mullo_epi32)(u[k][h], LOAD(scale + WIDTH * h))) : u[k][h];
#else
    const int in_16_bits = in_words(f) ? 1 : f->most <= 15 ? 8 : f->most <= 31 ? 4 : 2; /* pairs of products that fit */
#pragma GCC unroll 8
    for (int s = 0; s < steps; s += in_16_bits) {
        ints u[ROWS][HALVES];
        const int end = steps < s + in_16_bits ? steps : s + in_16_bits;
#pragma GCC unroll 8
        for (int l = s; l < end; l++) {
            ints q[HALVES];
            for (int h = 0; h < HALVES; h++)
                q[h] = LOAD(w + l * STEP + 32 * h);
#pragma GCC unroll 8
            for (int k = 0; k < rows; k++) {
                const ints c = everywhere(x->c[k], at + l);
                for (int h = 0; h < HALVES; h++) {
                    if (in_words(f)) {
                        p[k][h] = INTS(add_epi32)(p[k][h], INTS(madd_epi16)(q[h], c));
                        IN_ORDER(p[k][h]);
                        continue;
                    }
                    const ints pairs = INTS(maddubs_epi16)(q[h], c);
                    u[k][h] = l == s ? pairs : INTS(add_epi16)(u[k][h], pairs);
                    IN_ORDER(u[k][h]);
                }
            }
        }
        if (in_words(f))
            continue;
#pragma GCC unroll 8
        for (int k = 0; k < rows; k++)
            for (int h = 0; h < HALVES; h++) {
                const ints m = scaled ? LOAD(scale + WIDTH * h) : INTS(set1_epi16)(1);
                p[k][h] = INTS(add_epi32)(p[k][h], INTS(madd_epi16)(u[k][h], m));
            }
    }
#endif
}

/* x->y += rows of so many blocks by the panel; all but w, x and blocks are constants where it is inlined. */
static inline __attribute__((always_inline)) void tile(const coded_panel *w, const tile_rows *x, int blocks, int rows,
                                                       const coded_format *f)
{
    const int shift = shift_of(f), groups = f->block / 16, k_quant = f->block == 256,
              steps = f->group / columns_of_step(f), all = f->block / f->group;
    for (int b = 0; b < blocks; b++) {
        ints p[ROWS][HALVES];
        for (int k = 0; k < rows; k++)
            for (int h = 0; h < HALVES; h++)
                p[k][h] = INTS(set1_epi32)(0);
        for (int g = 0; g < all; g++) {
            const int64_t at = ((int64_t)b * all + g) * steps;
            add_steps(p, x, at, steps, w->codes + at * STEP, w->scale[16 * b + g * (f->group / 16)], rows, f);
        }
#pragma GCC unroll 8
        for (int k = 0; k < rows; k++) {
            const reals d = REALS(set1_ps)(x->d[k][b]);
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
                reals a = REALS(load_ps)(y);
                a = REALS(add_ps)(
                    a, REALS(mul_ps)(REALS(mul_ps)(REALS(load_ps)(w->d[b] + WIDTH * h), d), REALS(cvtepi32_ps)(q)));
                if (f->m_at >= 0)
                    a = REALS(add_ps)(a, REALS(mul_ps)(REALS(mul_ps)(REALS(load_ps)(w->m[b] + WIDTH * h), d),
                                                       REALS(cvtepi32_ps)(less)));
                REALS(store_ps)(y, a);
            }
        }
    }
}

#endif

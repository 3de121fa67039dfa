/* bf16_panel.h - products in bfloat16 on packed panels (AVX512-BF16), for the files of the bf16 level.
 *
 * A panel holds 32 columns of a right factor as [k/2][32][2], so that one vdpbf16ps does two steps of k for 16 columns;
 * 12 rows by 32 columns of results stay in registers. Every result is one sum in the order of k. */
#ifndef IB_BACKENDS_CPU_X86_BF16_PANEL_H
#define IB_BACKENDS_CPU_X86_BF16_PANEL_H

#include <immintrin.h>
#include <string.h>

#include "backends/kernels.h"

enum { MR = 12, NR = 32 };

typedef uint16_t bf16;

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t even(int64_t k)
{
    return (k + 1) / 2 * 2;
}

/* y[n] = bf16 of x[n] */
static inline void round_row(const float *x, int64_t n, bf16 *y)
{
    int64_t j = 0;
    for (; j + 32 <= n; j += 32)
        _mm512_storeu_si512(y + j, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + j + 16), _mm512_loadu_ps(x + j)));
    for (; j < n; j++)
        y[j] = ib_float_to_bf16(x[j]);
}

/* c[mr][32] (+)= a[mr][2 pairs] panel; stores `cols` columns */
static inline __attribute__((always_inline)) void micro(int mr, const bf16 *a, int64_t lda, const bf16 *panel,
                                                        int64_t pairs, float *c, int64_t ldc, int64_t cols, int add)
{
    __m512 acc[MR][2];
#pragma GCC unroll 12
    for (int i = 0; i < mr; i++)
        acc[i][0] = acc[i][1] = _mm512_setzero_ps();
    for (int64_t p = 0; p < pairs; p++) {
        const __m512bh b0 = (__m512bh)_mm512_loadu_si512(panel + p * 64),
                       b1 = (__m512bh)_mm512_loadu_si512(panel + p * 64 + 32);
#pragma GCC unroll 12
        for (int i = 0; i < mr; i++) {
            int32_t two;
            memcpy(&two, a + i * lda + 2 * p, 4);
            const __m512bh x = (__m512bh)_mm512_set1_epi32(two);
            acc[i][0] = _mm512_dpbf16_ps(acc[i][0], x, b0);
            acc[i][1] = _mm512_dpbf16_ps(acc[i][1], x, b1);
        }
    }
    const __mmask16 m0 = cols >= 16 ? 0xffff : (__mmask16)((1u << cols) - 1),
                    m1 = cols >= 32  ? 0xffff
                         : cols > 16 ? (__mmask16)((1u << (cols - 16)) - 1)
                                     : 0;
#pragma GCC unroll 12
    for (int i = 0; i < mr; i++) {
        float *ci = c + i * ldc;
        if (add) {
            acc[i][0] = _mm512_add_ps(acc[i][0], _mm512_maskz_loadu_ps(m0, ci));
            acc[i][1] = _mm512_add_ps(acc[i][1], _mm512_maskz_loadu_ps(m1, ci + 16));
        }
        _mm512_mask_storeu_ps(ci, m0, acc[i][0]);
        _mm512_mask_storeu_ps(ci + 16, m1, acc[i][1]);
    }
}

/* All n rows against one panel. */
static inline void rows_by_panel(const bf16 *a, int64_t lda, int64_t n, const bf16 *panel, int64_t pairs, float *c,
                                 int64_t ldc, int64_t cols, int add)
{
    int64_t i = 0;
    for (; i + MR <= n; i += MR)
        micro(MR, a + i * lda, lda, panel, pairs, c + i * ldc, ldc, cols, add);
    for (; i + 4 <= n; i += 4)
        micro(4, a + i * lda, lda, panel, pairs, c + i * ldc, ldc, cols, add);
    for (; i < n; i++)
        micro(1, a + i * lda, lda, panel, pairs, c + i * ldc, ldc, cols, add);
}

/* What rows_by_panel does, by one instruction or another; and the products with frozen matrices by it
 * (bf16_frozen.c). */
typedef void ib_by_panel(const bf16 *a, int64_t lda, int64_t n, const bf16 *panel, int64_t pairs, float *c, int64_t ldc,
                         int64_t cols, int add);
void ib_bf16_frozen_mul(ib_device *dev, ib_by_panel *by_panel, const ib_matrix *w, int64_t n, const float *x, int add,
                        float *y, float *scratch);
void ib_bf16_frozen_mul_grad(ib_device *dev, ib_by_panel *by_panel, const ib_matrix *w, int64_t n, const float *dy,
                             float *dx, float *scratch);

/* 32 rows of bf16, ld (even) apart, as a panel over k = 0 .. 2 pairs */
static inline void panel_of_rows(const bf16 *rows, int64_t ld, int64_t pairs, bf16 *panel)
{
    const __m512i step = _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                                            _mm512_set1_epi32((int)(ld / 2)));
    for (int64_t p = 0; p < pairs; p++) {
        _mm512_storeu_si512(panel + p * 64, _mm512_i32gather_epi32(step, (const int *)(const void *)rows + p, 4));
        _mm512_storeu_si512(panel + p * 64 + 32,
                            _mm512_i32gather_epi32(step, (const int *)(const void *)(rows + 16 * ld) + p, 4));
    }
}

/* Two rows of 32 floats as one pair of a panel over the rows */
static inline void panel_of_two(const float *even_row, const float *odd_row, bf16 *pair)
{
    const __m512i mix = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    for (int64_t j = 0; j < NR; j += 16)
        _mm512_storeu_si512(pair + 2 * j,
                            _mm512_permutexvar_epi16(mix, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(odd_row + j),
                                                                                       _mm512_loadu_ps(even_row + j))));
}

#endif

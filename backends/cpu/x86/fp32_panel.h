/* fp32_panel.h - products in fp32 on packed panels, for the files of AVX2 and AVX-512.
 *
 * A panel holds NR columns of a right factor as [k][NR]; MR rows by NR columns of results stay in registers. Every
 * result is one sum in the order of k, however many rows are done together. */
#ifndef IB_BACKENDS_CPU_X86_FP32_PANEL_H
#define IB_BACKENDS_CPU_X86_FP32_PANEL_H

#include "backends/cpu/x86/vectors.h"

enum { TALL = 12 }; /* rows where there is one vector of columns: so many sums hide an addition's latency */
#ifdef __AVX512F__
enum { MR = 12 };
#else
enum { MR = 6 };
#endif
enum { NR = 2 * WIDTH };

/* c[n][cols] (+)= a[n][k] panel, cols <= NR; ld: from row to row, of a panel that is packed NR */
typedef struct strip {
    const float *a;
    int64_t lda;
    const float *panel;
    int64_t ldp, k;
    float *c;
    int64_t ldc, cols;
    int add;
} strip;

/* `rows` rows from row i on, with one or two vectors of columns */
static inline __attribute__((always_inline)) void micro(int rows, int vectors, const strip *s, int64_t i)
{
    vec acc[TALL][2];
    const int64_t lda = s->lda, ldp = s->ldp, k = s->k;
    const float *panel = s->panel, *a[TALL / 3]; /* each three rows': few enough for registers */
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
        a[r / 3] = s->a + (i + r / 3 * 3) * lda;
        for (int v = 0; v < vectors; v++)
            acc[r][v] = VEC(setzero_ps)();
        _mm_prefetch((const char *)(s->c + (i + r) * s->ldc), _MM_HINT_T0);
    }
    for (int64_t l = 0; l < k; l++, panel += ldp) {
        const vec b0 = VEC(loadu_ps)(panel), b1 = vectors > 1 ? VEC(loadu_ps)(panel + WIDTH) : b0;
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
            const vec x = VEC(set1_ps)(a[r / 3][r % 3 * lda]);
            acc[r][0] = VEC(fmadd_ps)(x, b0, acc[r][0]);
            if (vectors > 1)
                acc[r][1] = VEC(fmadd_ps)(x, b1, acc[r][1]);
        }
#pragma GCC unroll 4
        for (int p = 0; p < (rows + 2) / 3; p++)
            a[p]++;
    }
    const int whole = s->cols == vectors * WIDTH;
    const lanes last = first_lanes(s->cols - (vectors - 1) * WIDTH);
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
        float *c = s->c + (i + r) * s->ldc;
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++, c += WIDTH) {
            if (whole || v + 1 < vectors)
                VEC(storeu_ps)(c, s->add ? VEC(add_ps)(VEC(loadu_ps)(c), acc[r][v]) : acc[r][v]);
            else
                store_lanes(c, last, s->add ? VEC(add_ps)(load_lanes(c, last), acc[r][v]) : acc[r][v]);
        }
    }
}

/* Rows from .. to by the panel. */
static inline __attribute__((always_inline)) void rows_by_vectors(int vectors, const strip *s, int64_t from, int64_t to)
{
    int64_t i = from;
    for (; vectors == 1 && i + TALL <= to; i += TALL)
        micro(TALL, vectors, s, i);
    for (; i + MR <= to; i += MR)
        micro(MR, vectors, s, i);
    switch (to - i) {
#define REST(rows)                                                                                                     \
    case rows: micro(rows, vectors, s, i); break;
        REST(1)
        REST(2)
        REST(3)
        REST(4)
        REST(5)
#ifdef __AVX512F__
        REST(6)
        REST(7)
        REST(8)
        REST(9)
        REST(10)
        REST(11)
#endif
#undef REST
    }
}

static void rows_by_panel(const strip *s, int64_t from, int64_t to)
{
    if (s->cols > WIDTH)
        rows_by_vectors(2, s, from, to);
    else
        rows_by_vectors(1, s, from, to);
}

#endif

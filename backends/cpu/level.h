/* level.h - one source, several instruction sets.
 *
 * Each file of kernels/ is compiled once for each level that levels.def gives a compilation of its own, with
 * -DIB_LEVEL=<level>; IB_K(name) is then that level's function. Floating-point contraction is off, so that plain loops
 * give the same bits at every level. A level's own files (x86/, arm/) see as IB_LEVEL the compilation that the level
 * takes, and with -DIB_ON=<level> the one that it builds on. */
#ifndef IB_BACKENDS_CPU_LEVEL_H
#define IB_BACKENDS_CPU_LEVEL_H

#include "backends/cpu/levels.h"
#include "tensor/matrix_fields.h"

#ifndef IB_LEVEL
#error "compile with -DIB_LEVEL=<a level of levels.def>"
#endif
#define IB_CAT2(a, b) ib_##a##_##b
#define IB_CAT(a, b) IB_CAT2(a, b)
#define IB_K(name) IB_CAT(name, IB_LEVEL)
#ifdef IB_ON /* the kernel of the level below, for what this one has nothing better for */
#define IB_BELOW(name) (IB_CAT(kernels, IB_ON).name)
#endif

#pragma GCC diagnostic ignored "-Wunused-parameter" /* kernels are given the device, which few of them ask anything */

#define KERNEL(result, name, args) result IB_K(name) args;
#include "backends/kernels.def"
#undef KERNEL

/* C[m,n] = alpha op(A) op(B) + beta C with leading dimensions, by the calling thread alone. */
void IB_K(gemm_tile)(int ta, int tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
                     int64_t ldb, float beta, float *c, int64_t ldc);

/* Both gradients of a convolution, of fp32 alone. */
void IB_K(conv2d_grad_x)(const ib_window *s, const float *dy, const float *w, float *dx, float *scratch);
void IB_K(conv2d_grad_w)(const ib_window *s, const float *x, const float *dy, float *dw, float *scratch);

/* Convolution by taps (conv_taps.c, conv_taps_grads.c), where the level and the window have it. */
int IB_K(has_taps)(const ib_window *s);
void IB_K(taps_forward)(const ib_window *s, const float *x, const float *w, const float *bias, float *y,
                        float *scratch);
void IB_K(taps_grads)(const ib_window *s, const ib_conv_grads *g, float *scratch);
/* out[m][p] = bias[m] + sum over taps panels[tap][m] src[offset[tap] + p] */
typedef struct ib_sweep {
    const float *src;
    int64_t taps, rows, positions;
    const int32_t *offset; /* [taps] */
    const float *panels;   /* [taps][rows of a panel], one behind the other */
    const float *bias;     /* [rows] or NULL */
    float *out;            /* [rows][ld], with room for whole vectors of positions */
    int64_t ld;
} ib_sweep;
void IB_K(taps_sweep)(const ib_sweep *s);
void IB_K(taps_depthwise)(const ib_window *s, const float *x, const float *w, const float *bias, float *y,
                          float *scratch);
void IB_K(taps_depthwise_grads)(const ib_window *s, const ib_conv_grads *g, float *scratch);

/* Depthwise convolution: one input channel per output channel. */
void IB_K(depthwise)(const ib_window *s, const float *x, const float *w, const float *bias, float *y);
void IB_K(depthwise_grad_x)(const ib_window *s, const float *dy, const float *w, float *dx);
void IB_K(depthwise_grad_w)(const ib_window *s, const float *x, const float *dy, float *dw, float *parts);

/* Below this many elements a loop is not worth a second thread. */
enum { IB_SERIAL = 16384 };
/* Sums are made of blocks of this many elements, whatever the number of threads. */
enum { IB_BLOCK = 4096 };

static inline int64_t ib_min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static inline int64_t ib_max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif

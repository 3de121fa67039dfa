/* avx2_learned.c - gradients of learned scales with AVX2, equal in every bit to quantizers.c: IB_LSQ_LANES columns of a
 * row at a time. */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/formulas/quantizers.h"

typedef struct range {
    float scale, lo, hi;
} range;

/* The sum of a row; dx, unless NULL, gets dy where x is inside. */
static inline __attribute__((always_inline)) double row_of(const range *of, const float *x, const float *dy, float *dx,
                                                           int64_t cols)
{
    const __m256 lo = _mm256_set1_ps(of->lo), hi = _mm256_set1_ps(of->hi), scale = _mm256_set1_ps(of->scale);
    __m256d first = _mm256_setzero_pd(), second = _mm256_setzero_pd();
    int64_t c = 0;
    for (; c + IB_LSQ_LANES <= cols; c += IB_LSQ_LANES) {
        const __m256 v = _mm256_div_ps(_mm256_loadu_ps(x + c), scale), grad = _mm256_loadu_ps(dy + c),
                     r = _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        const __m256 below = _mm256_cmp_ps(r, lo, _CMP_LT_OQ), above = _mm256_cmp_ps(r, hi, _CMP_GT_OQ);
        const __m256 q = _mm256_blendv_ps(_mm256_blendv_ps(_mm256_sub_ps(r, v), hi, above), lo, below),
                     term = _mm256_mul_ps(grad, q);
        first = _mm256_add_pd(first, _mm256_cvtps_pd(_mm256_castps256_ps128(term)));
        second = _mm256_add_pd(second, _mm256_cvtps_pd(_mm256_extractf128_ps(term, 1)));
        if (dx) {
            const __m256 inside = _mm256_and_ps(_mm256_cmp_ps(r, lo, _CMP_GE_OQ), _mm256_cmp_ps(r, hi, _CMP_LE_OQ));
            _mm256_storeu_ps(dx + c, _mm256_add_ps(_mm256_loadu_ps(dx + c), _mm256_and_ps(grad, inside)));
        }
    }
    double lanes[IB_LSQ_LANES];
    _mm256_storeu_pd(lanes, first);
    _mm256_storeu_pd(lanes + 4, second);
    for (; c < cols; c++) {
        lanes[c % IB_LSQ_LANES] += ib_lsq_term(x[c], dy[c], of->scale, of->lo, of->hi);
        if (dx)
            dx[c] += ib_lsq_inside(x[c], of->scale, of->lo, of->hi) ? dy[c] : 0.0f;
    }
    return ib_lsq_sum(lanes);
}

static void lsq_grad(ib_device *dev, int64_t rows, int64_t cols, const ib_affine *p, const ib_lsq_grads *g)
{
    const int zero = ib_zero_of(p->zero);
    const float lo = (float)(p->qmin - zero), hi = (float)(p->qmax - zero);
    const double factor = ib_lsq_factor(g->values, p->qmax, zero);
#pragma omp parallel for schedule(static) if (rows > 1 && rows * cols > IB_SERIAL)
    for (int64_t row = 0; row < rows; row++) {
        const range of = {p->scale[row], lo, hi};
        const float *x = g->x + row * cols, *dy = g->dy + row * cols;
        const double sum = g->dx ? row_of(&of, x, dy, g->dx + row * cols, cols) : row_of(&of, x, dy, NULL, cols);
        if (g->dt)
            g->dt[row] += (float)(factor * of.scale * sum);
    }
}

void ib_avx2_learned_replace(ib_kernels *k)
{
    k->lsq_grad = lsq_grad;
}

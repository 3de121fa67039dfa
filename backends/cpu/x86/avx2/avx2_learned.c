/* avx2_learned.c - gradients of the learned scales of weights with AVX2, equal in every bit to quantizers.c: eight rows
 * at a time, each of which adds its terms in order. */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/vectors.h"
#include "backends/formulas/quantizers.h"

/* ib_lsq_term of eight elements of a row. */
static inline __m256 terms(const float *x, const float *dy, __m256 scale, __m256 lo, __m256 hi)
{
    const __m256 v = _mm256_div_ps(_mm256_loadu_ps(x), scale),
                 r = _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256 below = _mm256_cmp_ps(r, lo, _CMP_LT_OQ), above = _mm256_cmp_ps(r, hi, _CMP_GT_OQ);
    const __m256 of = _mm256_blendv_ps(_mm256_blendv_ps(_mm256_sub_ps(r, v), hi, above), lo, below);
    return _mm256_mul_ps(_mm256_loadu_ps(dy), of);
}

/* The sums of eight rows. */
static void eight_rows(const float *x, const float *dy, int64_t cols, const float *scale, float lo, float hi,
                       double total[8])
{
    const __m256 least = _mm256_set1_ps(lo), most = _mm256_set1_ps(hi);
    __m256d sum[2] = {_mm256_setzero_pd(), _mm256_setzero_pd()};
    int64_t c = 0;
    for (; c + 8 <= cols; c += 8) {
        __m256i of[8];
        for (int r = 0; r < 8; r++)
            of[r] =
                _mm256_castps_si256(terms(x + r * cols + c, dy + r * cols + c, _mm256_set1_ps(scale[r]), least, most));
        turn8(of, of);
        for (int k = 0; k < 8; k++) {
            const __m256 column = _mm256_castsi256_ps(of[k]);
            sum[0] = _mm256_add_pd(sum[0], _mm256_cvtps_pd(_mm256_castps256_ps128(column)));
            sum[1] = _mm256_add_pd(sum[1], _mm256_cvtps_pd(_mm256_extractf128_ps(column, 1)));
        }
    }
    _mm256_storeu_pd(total, sum[0]);
    _mm256_storeu_pd(total + 4, sum[1]);
    for (; c < cols; c++)
        for (int r = 0; r < 8; r++)
            total[r] += ib_lsq_term(x[r * cols + c], dy[r * cols + c], scale[r], lo, hi);
}

static void lsq_grad(ib_device *dev, const float *x, const float *dy, int64_t rows, int64_t cols, const ib_affine *p,
                     int64_t values, float *dt)
{
    const int zero = ib_zero_of(p->zero);
    const float *scale = p->scale, lo = (float)(p->qmin - zero), hi = (float)(p->qmax - zero);
    const double factor = ib_lsq_factor(values, p->qmax, zero);
    const int64_t whole = rows / 8 * 8;
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
    for (int64_t row = 0; row < whole; row += 8) {
        double total[8];
        eight_rows(x + row * cols, dy + row * cols, cols, scale + row, lo, hi, total);
        for (int64_t r = 0; r < 8; r++)
            dt[row + r] += (float)(factor * scale[row + r] * total[r]);
    }
    if (whole < rows) {
        ib_affine rest = *p;
        rest.scale += whole;
        IB_K(lsq_grad)(dev, x + whole * cols, dy + whole * cols, rows - whole, cols, &rest, values, dt + whole);
    }
}

void ib_avx2_learned_replace(ib_kernels *k)
{
    k->lsq_grad = lsq_grad;
}

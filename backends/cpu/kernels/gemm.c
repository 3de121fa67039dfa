/* gemm.c - fp32 matrix products. Tiles are fixed by the shape and each is computed by one thread, because BLAS
 * libraries order their sums by the number of threads they use. */
#include "backends/cpu/level.h"

#ifdef IB_BLAS
#include <cblas.h>
#include <omp.h>

void IB_K(gemm_tile)(int ta, int tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
                     int64_t ldb, float beta, float *c, int64_t ldc)
{
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1); /* BLAS must not share the work again, also where regions within regions have threads */
    /* One row is a matrix-vector product, which BLAS does several times faster by that name. */
    if (m == 1 && !ta && ldc >= n)
        cblas_sgemv(CblasRowMajor, tb ? CblasNoTrans : CblasTrans, (int)(tb ? n : k), (int)(tb ? k : n), 1.0f, b,
                    (int)ldb, a, 1, beta, c, 1);
    else
        cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, (int)m, (int)n,
                    (int)k, 1.0f, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
    omp_set_num_threads(threads);
}
#else
/* c_ij = sum_k a_ik b_kj + beta c_ij */
void IB_K(gemm_tile)(int ta, int tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
                     int64_t ldb, float beta, float *c, int64_t ldc)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            float acc = 0;
            for (int64_t l = 0; l < k; l++)
                acc += (ta ? a[l * lda + i] : a[i * lda + l]) * (tb ? b[j * ldb + l] : b[l * ldb + j]);
            c[i * ldc + j] = (beta == 0.0f ? 0.0f : beta * c[i * ldc + j]) + acc;
        }
}
#endif

/* Rows or columns of C, whichever are more, are cut into tiles of at least 32 and at most 16 pieces. */
void IB_K(gemm)(ib_device *dev, int ta, int tb, int64_t m, int64_t n, int64_t k, const float *a, const float *b,
                float beta, float *c)
{
    const int by_rows = m >= n;
    const int64_t dim = by_rows ? m : n, tile = ib_max64(32, (dim / 16 + 15) / 16 * 16);
    const int64_t lda = ta ? m : k, ldb = tb ? k : n;
#pragma omp parallel for schedule(static) if (m * n * k > 262144)
    for (int64_t i = 0; i < dim; i += tile) {
        const int64_t size = ib_min64(tile, dim - i);
        if (by_rows)
            IB_K(gemm_tile)(ta, tb, size, n, k, a + i * (ta ? 1 : lda), lda, b, ldb, beta, c + i * n, n);
        else
            IB_K(gemm_tile)(ta, tb, m, size, k, a, lda, b + i * (tb ? ldb : 1), ldb, beta, c + i, n);
    }
}

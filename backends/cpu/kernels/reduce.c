/* reduce.c - fp32 sums and extremes, of everything, of columns; and a row added to all, or multiplied with. */
#include <float.h>
#include <math.h>

#include "backends/cpu/level.h"

/* A sum is the sum, in order, of the sums of blocks; a block is summed by one thread. */
#define BLOCK_SUM(n, term)                                                                                             \
    double total = 0;                                                                                                  \
    const int64_t blocks = (n + IB_BLOCK - 1) / IB_BLOCK;                                                              \
    for (int64_t first = 0; first < blocks; first += 256) {                                                            \
        double part[256];                                                                                              \
        const int64_t count = ib_min64(256, blocks - first);                                                           \
        _Pragma("omp parallel for schedule(static) if (n > IB_SERIAL)") for (int64_t k = 0; k < count; k++)            \
        {                                                                                                              \
            const int64_t from = (first + k) * IB_BLOCK, to = ib_min64(n, from + IB_BLOCK);                            \
            double acc = 0;                                                                                            \
            for (int64_t i = from; i < to; i++)                                                                        \
                acc += term;                                                                                           \
            part[k] = acc;                                                                                             \
        }                                                                                                              \
        for (int64_t k = 0; k < count; k++)                                                                            \
            total += part[k];                                                                                          \
    }

void IB_K(sum)(ib_device *dev, const float *x, int64_t n, float divisor, float *y)
{
    BLOCK_SUM(n, x[i])
    *y = (float)(total / divisor);
}

void IB_K(add_sum_sq)(ib_device *dev, const float *x, int64_t n, double *sum)
{
    BLOCK_SUM(n, (double)x[i] * x[i])
    *sum += total;
}

void IB_K(mse)(ib_device *dev, const float *a, const float *b, int64_t n, float *d, float *y)
{
    BLOCK_SUM(n, (d[i] = a[i] - b[i], (double)d[i] * d[i]))
    *y = (float)(total / (double)n);
}

/* In blocks, so that each is one loop without a branch. */
int64_t IB_K(first_not_finite)(ib_device *dev, const float *x, int64_t n)
{
    for (int64_t from = 0; from < n; from += IB_BLOCK) {
        const int64_t to = ib_min64(n, from + IB_BLOCK);
        int bad = 0;
        for (int64_t i = from; i < to; i++)
            bad |= !(fabsf(x[i]) <= FLT_MAX);
        for (int64_t i = from; bad && i < to; i++)
            if (!isfinite(x[i]))
                return i;
    }
    return n;
}

/* lo = hi = NaN if any element is NaN */
void IB_K(min_max)(ib_device *dev, const float *x, int64_t n, float *lo, float *hi)
{
    float a = INFINITY, b = -INFINITY;
    int nan = 0;
#pragma omp parallel for schedule(static) reduction(min : a) reduction(max : b) reduction(| : nan) if (n > IB_SERIAL)
    for (int64_t i = 0; i < n; i++) {
        a = x[i] < a ? x[i] : a;
        b = x[i] > b ? x[i] : b;
        nan |= x[i] != x[i];
    }
    *lo = nan ? NAN : a;
    *hi = nan ? NAN : b;
}

/* y[j] += sum_i x[i,j] */
void IB_K(col_sum)(ib_device *dev, const float *x, int64_t rows, int64_t cols, float *y)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            y[j] += x[i * cols + j];
}

void IB_K(add_rows)(ib_device *dev, float *y, const float *bias, int64_t rows, int64_t cols)
{
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            y[i * cols + j] += bias[j];
}

void IB_K(mul_rows)(ib_device *dev, float *y, const float *c, int64_t rows, int64_t cols)
{
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            y[i * cols + j] *= c[j];
}

/* reduce.c - fp32 sums, and the row-wise functions that need them. */
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
        _Pragma("omp parallel for schedule(static) if (n > IB_SERIAL)") for (int64_t b = 0; b < count; b++)            \
        {                                                                                                              \
            const int64_t from = (first + b) * IB_BLOCK, to = ib_min64(n, from + IB_BLOCK);                            \
            double acc = 0;                                                                                            \
            for (int64_t i = from; i < to; i++)                                                                        \
                acc += term;                                                                                           \
            part[b] = acc;                                                                                             \
        }                                                                                                              \
        for (int64_t b = 0; b < count; b++)                                                                            \
            total += part[b];                                                                                          \
    }                                                                                                                  \
    return total

double IB_K(sum)(const float *x, int64_t n)
{
    BLOCK_SUM(n, x[i]);
}

double IB_K(sum_sq)(const float *x, int64_t n)
{
    BLOCK_SUM(n, (double)x[i] * x[i]);
}

/* In blocks, so that each is one loop without a branch. */
int64_t IB_K(first_not_finite)(const float *x, int64_t n)
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
void IB_K(min_max)(const float *x, int64_t n, float *lo, float *hi)
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
void IB_K(col_sum)(const float *x, int64_t rows, int64_t cols, float *y)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            y[j] += x[i * cols + j];
}

void IB_K(add_rows)(float *y, const float *bias, int64_t rows, int64_t cols)
{
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            y[i * cols + j] += bias[j];
}

/* y = exp(x - max) / sum; returns log of the sum plus max */
static float softmax_row(const float *x, float *y, int64_t n)
{
    float max = x[0], sum = 0;
    for (int64_t j = 1; j < n; j++)
        max = x[j] > max ? x[j] : max;
    for (int64_t j = 0; j < n; j++)
        sum += y[j] = expf(x[j] - max);
    for (int64_t j = 0; j < n; j++)
        y[j] /= sum;
    return max + logf(sum);
}

void IB_K(softmax)(const float *x, float *y, int64_t rows, int64_t cols)
{
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
    for (int64_t i = 0; i < rows; i++)
        softmax_row(x + i * cols, y + i * cols, cols);
}

/* dx += y (dy - <dy, y>) */
void IB_K(softmax_grad)(const float *y, const float *dy, float *dx, int64_t rows, int64_t cols)
{
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
    for (int64_t i = 0; i < rows; i++) {
        float dot = 0;
        for (int64_t j = 0; j < cols; j++)
            dot += y[i * cols + j] * dy[i * cols + j];
        for (int64_t j = 0; j < cols; j++)
            dx[i * cols + j] += y[i * cols + j] * (dy[i * cols + j] - dot);
    }
}

/* returns the sum over rows of -sum_j w_j t_j log p_j, t = (1 - smooth) onehot + smooth / cols; weight NULL: w = 1 */
double IB_K(cross_entropy)(const ib_class_loss *s, const float *x, float *prob)
{
    const int64_t rows = s->rows, cols = s->cols;
    const int32_t *label = s->label;
    const float *weight = s->weight, smooth = s->smooth;
    double loss = 0;
    for (int64_t i = 0; i < rows; i++) {
        const float *row = x + i * cols;
        const double log_sum = softmax_row(row, prob + i * cols, cols);
        double mean = 0;
        for (int64_t j = 0; j < cols; j++)
            mean += weight ? weight[j] * (log_sum - row[j]) : row[j];
        if (weight)
            loss += (1.0 - smooth) * weight[label[i]] * (log_sum - row[label[i]]) + smooth * mean / (double)cols;
        else
            loss += log_sum - (1.0 - smooth) * row[label[i]] - smooth * mean / (double)cols;
    }
    return loss;
}

/* dx += scale (p sum_k w_k t_k - w t) */
void IB_K(cross_entropy_grad)(const ib_class_loss *s, const float *prob, float scale, float *dx)
{
    const int64_t rows = s->rows, cols = s->cols;
    const int32_t *label = s->label;
    const float *weight = s->weight, smooth = s->smooth;
    for (int64_t i = 0; i < rows; i++) {
        float sum = 1;
        if (weight) {
            sum = (1.0f - smooth) * weight[label[i]];
            for (int64_t j = 0; j < cols; j++)
                sum += smooth / (float)cols * weight[j];
        }
        for (int64_t j = 0; j < cols; j++) {
            const float target = smooth / (float)cols + (j == label[i] ? 1.0f - smooth : 0.0f);
            dx[i * cols + j] +=
                scale * (weight ? prob[i * cols + j] * sum - weight[j] * target : prob[i * cols + j] - target);
        }
    }
}

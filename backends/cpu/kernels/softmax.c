/* softmax.c - softmax of rows, and the losses that are its logarithms: of classes, and of the next token. */
#include "arithmetic/real.h"
#include "backends/cpu/dot.h"
#include "backends/cpu/level.h"

/* y = exp(x - max) / sum; returns log of the sum plus max */
static float softmax_row(const float *x, float *y, int64_t n)
{
    float max = x[0], sum = 0;
    for (int64_t j = 1; j < n; j++)
        max = x[j] > max ? x[j] : max;
    for (int64_t j = 0; j < n; j++)
        y[j] = ib_exp(x[j] - max);
    for (int64_t j = 0; j < n; j++)
        sum += y[j];
    for (int64_t j = 0; j < n; j++)
        y[j] /= sum;
    return max + ib_log(sum);
}

void IB_K(softmax)(ib_device *dev, const float *x, float *y, int64_t rows, int64_t cols)
{
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
    for (int64_t i = 0; i < rows; i++)
        softmax_row(x + i * cols, y + i * cols, cols);
}

/* dx += y (dy - <dy, y>) */
void IB_K(softmax_grad)(ib_device *dev, const float *y, const float *dy, float *dx, int64_t rows, int64_t cols)
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

/* y = sum over rows of -sum_j w_j t_j log p_j / divisor, t = (1 - smooth) onehot + smooth / cols; weight NULL: w = 1 */
void IB_K(cross_entropy)(ib_device *dev, const ib_class_loss *s, const float *x, float *prob, float *y)
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
    *y = (float)(loss / s->divisor);
}

/* dx += dy / divisor (p sum_k w_k t_k - w t) */
void IB_K(cross_entropy_grad)(ib_device *dev, const ib_class_loss *s, const float *prob, const float *dy, float *dx)
{
    const float scale = *dy / (float)s->divisor;
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

/* nll[i] = log sum exp(x_i) - x_i[target_i]; x becomes scale (softmax(x) - onehot) if grad; target -1: 0 and zeros */
void IB_K(nll_rows)(ib_device *dev, float *x, const int32_t *target, int64_t rows, int64_t cols, float scale, int grad,
                    float *nll)
{
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
    for (int64_t i = 0; i < rows; i++) {
        float *xi = x + i * cols, max = xi[0], part[LANES] = {0}, sum = 0;
        nll[i] = 0;
        if (target[i] < 0) {
            for (int64_t j = 0; grad && j < cols; j++)
                xi[j] = 0;
            continue;
        }
        const float right = xi[target[i]];
        float best[LANES];
        for (int l = 0; l < LANES; l++)
            best[l] = max;
        int64_t j = 0;
        for (; j + LANES <= cols; j += LANES)
            for (int l = 0; l < LANES; l++)
                best[l] = xi[j + l] > best[l] ? xi[j + l] : best[l];
        for (int l = 0; l < LANES; l++)
            max = best[l] > max ? best[l] : max;
        for (; j < cols; j++)
            max = xi[j] > max ? xi[j] : max;
        for (j = 0; j + LANES <= cols; j += LANES)
            for (int l = 0; l < LANES; l++)
                part[l] += xi[j + l] = ib_exp(xi[j + l] - max);
        for (int l = 0; l < LANES; l++)
            sum += part[l];
        for (; j < cols; j++)
            sum += xi[j] = ib_exp(xi[j] - max);
        nll[i] = ib_log(sum) + max - right;
        if (grad) {
            const float f = scale / sum;
            for (j = 0; j < cols; j++)
                xi[j] *= f;
            xi[target[i]] -= scale;
        }
    }
}

/* In order, by one thread: what a row adds does not depend on how many there are. */
void IB_K(nll_sum)(ib_device *dev, const float *nll, int64_t rows, float scale, float *y)
{
    double loss = 0;
    for (int64_t i = 0; i < rows; i++)
        loss += nll[i];
    *y = (float)(loss * scale);
}

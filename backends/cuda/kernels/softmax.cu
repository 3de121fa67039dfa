/* softmax.cu - softmax of rows, and the loss of classes over it. A thread has a row. */
#include "backends/cuda/kernels/block.cuh"

/* y = exp(x - max) / sum; returns log of the sum plus max */
static __device__ float softmax_row(const float *x, float *y, int64_t n)
{
    float max = x[0], sum = 0;
    for (int64_t j = 1; j < n; j++)
        max = x[j] > max ? x[j] : max;
    for (int64_t j = 0; j < n; j++)
        sum += y[j] = ib_exp(x[j] - max);
    for (int64_t j = 0; j < n; j++)
        y[j] /= sum;
    return max + ib_log(sum);
}

static __global__ void softmax_kernel(const float *x, float *y, int64_t rows, int64_t cols)
{
    EACH(i, rows)
    {
        softmax_row(x + i * cols, y + i * cols, cols);
    }
}

void ib_cuda_softmax(ib_device *dev, const float *x, float *y, int64_t rows, int64_t cols)
{
    BEGIN(dev, softmax_kernel, rows, x, y, rows, cols);
}

/* dx += y (dy - <dy, y>) */
static __global__ void softmax_grad_kernel(const float *y, const float *dy, float *dx, int64_t rows, int64_t cols)
{
    EACH(i, rows)
    {
        float dot = 0;
        for (int64_t j = i * cols; j < (i + 1) * cols; j++)
            dot += y[j] * dy[j];
        for (int64_t j = i * cols; j < (i + 1) * cols; j++)
            dx[j] += y[j] * (dy[j] - dot);
    }
}

void ib_cuda_softmax_grad(ib_device *dev, const float *y, const float *dy, float *dx, int64_t rows, int64_t cols)
{
    BEGIN(dev, softmax_grad_kernel, rows, y, dy, dx, rows, cols);
}

/* parts[i] = -sum_j w_j t_j log p_j of row first + i, t = (1 - smooth) onehot + smooth / cols; weight NULL: w = 1 */
static __global__ void cross_entropy_kernel(ib_class_loss s, const float *x, float *prob, int64_t first, int64_t rows,
                                            double *parts)
{
    EACH(k, rows)
    {
        const int64_t i = first + k;
        const float *row = x + i * s.cols;
        const int32_t label = s.label[i];
        const double log_sum = softmax_row(row, prob + i * s.cols, s.cols);
        double mean = 0;
        for (int64_t j = 0; j < s.cols; j++)
            mean += s.weight ? s.weight[j] * (log_sum - row[j]) : row[j];
        parts[k] = s.weight
                       ? (1.0 - s.smooth) * s.weight[label] * (log_sum - row[label]) + s.smooth * mean / (double)s.cols
                       : log_sum - (1.0 - s.smooth) * row[label] - s.smooth * mean / (double)s.cols;
    }
}

/* y = sum over rows, in their order, / divisor */
void ib_cuda_cross_entropy(ib_device *dev, const ib_class_loss *s, const float *x, float *prob, float *y)
{
    const sum_end end = {y, s->divisor, NULL};
    for (int64_t first = 0; first == 0 || first < s->rows; first += IB_CUDA_SUMS) {
        const int64_t rows = ib_cuda_min(s->rows - first, IB_CUDA_SUMS);
        BEGIN(dev, cross_entropy_kernel, rows, *s, x, prob, first, rows, ib_cuda_work(dev)->parts);
        add_parts(dev, first, rows, first + rows >= s->rows, end);
    }
}

/* dx += dy / divisor (p sum_k w_k t_k - w t) */
static __global__ void cross_entropy_grad_kernel(ib_class_loss s, const float *prob, const float *dy, float *dx)
{
    const float scale = *dy / (float)s.divisor, smooth = s.smooth;
    EACH(i, s.rows)
    {
        float sum = 1;
        if (s.weight) {
            sum = (1.0f - smooth) * s.weight[s.label[i]];
            for (int64_t j = 0; j < s.cols; j++)
                sum += smooth / (float)s.cols * s.weight[j];
        }
        for (int64_t j = 0; j < s.cols; j++) {
            const float p = prob[i * s.cols + j];
            const float target = smooth / (float)s.cols + (j == s.label[i] ? 1.0f - smooth : 0.0f);
            dx[i * s.cols + j] += scale * (s.weight ? p * sum - s.weight[j] * target : p - target);
        }
    }
}

void ib_cuda_cross_entropy_grad(ib_device *dev, const ib_class_loss *s, const float *prob, const float *dy, float *dx)
{
    BEGIN(dev, cross_entropy_grad_kernel, s->rows, *s, prob, dy, dx);
}

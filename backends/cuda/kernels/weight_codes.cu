/* weight_codes.cu - weights [rows][cols] and their codes, scales of rows and of groups within them. */
#include "backends/formulas/codes.h"
#include "backends/cuda/kernels/family.cuh"

/* q = clamp(rne(w / scale[row]), -qmax, qmax); a thread has the elements of a byte of the mask */
static __global__ void quantize_rows_kernel(int64_t n, ib_weight_codes p)
{
    const int64_t part = n / p.n_scales;
    const float lo = (float)-p.qmax, hi = (float)p.qmax;
    EACH(b, (n + 7) / 8)
    {
        unsigned bits = 0;
        for (int64_t i = 8 * b; i < ib_cuda_min(n, 8 * b + 8); i++) {
            const float r = ib_steps_of(p.w[i], p.scale[i / part], 0);
            bits |= (unsigned)(r >= lo && r <= hi) << (i & 7);
            p.q[i] = (int8_t)ib_code_within(r, lo, hi);
        }
        if (p.mask)
            p.mask[b] = (uint8_t)bits;
    }
}

void ib_cuda_quantize_rows(ib_device *dev, int64_t rows, int64_t cols, const ib_weight_codes *p)
{
    const int64_t n = rows * cols;
    BEGIN(dev, quantize_rows_kernel, (n + 7) / 8, n, *p);
}

/* y = codes * factor of the group * scale of the row */
static __global__ void dequantize_rows_kernel(ib_qweights w, int64_t n, int64_t cols, const float *scale, int n_scales,
                                              float *y)
{
    EACH(i, n)
    {
        const int64_t r = i / cols;
        const int factor = w.group_size ? w.group_factor[r * w.n_groups + i % cols / w.group_size] : 1;
        y[i] = (float)(w.codes[i] * factor) * scale[n_scales == 1 ? 0 : r];
    }
}

void ib_cuda_dequantize_rows(ib_device *dev, const ib_qweights *w, int64_t rows, int64_t cols, const float *scale,
                             int n_scales, float *y)
{
    BEGIN(dev, dequantize_rows_kernel, rows * cols, *w, rows * cols, cols, scale, n_scales, y);
}

/* ---- a block a row ---- */

enum { OF_ROW = 64 }; /* threads */

#define BEGIN_ROWS(dev, kernel, rows, ...)                                                                             \
    do {                                                                                                               \
        if ((rows) > 0) {                                                                                              \
            IB_LAUNCH(kernel, (unsigned)(rows), OF_ROW, 0, ib_cuda_stream(dev), __VA_ARGS__);                          \
            ib_cuda_launched(dev, #kernel);                                                                            \
        }                                                                                                              \
    } while (0)

/* The largest |x|, a NaN passed over, known to all threads of the block. */
static __device__ float largest(const float *x, int64_t n)
{
    __shared__ float most[OF_ROW / 32];
    float best = 0;
    for (int64_t i = threadIdx.x; i < n; i += OF_ROW)
        best = fabsf(x[i]) > best ? fabsf(x[i]) : best;
    for (int by = 16; by; by /= 2) {
        const float other = __shfl_xor_sync(0xFFFFFFFF, best, by);
        best = other > best ? other : best;
    }
    if (threadIdx.x % 32 == 0)
        most[threadIdx.x / 32] = best;
    __syncthreads();
    return most[0] > most[1] ? most[0] : most[1];
}

static __global__ void abs_max_rows_kernel(const float *w, int64_t cols, float *y)
{
    const float top = largest(w + blockIdx.x * cols, cols);
    if (!threadIdx.x)
        y[blockIdx.x] = top;
}

void ib_cuda_abs_max_rows(ib_device *dev, const float *w, int64_t rows, int64_t cols, float *y)
{
    BEGIN_ROWS(dev, abs_max_rows_kernel, rows, w, cols, y);
}

/* The scale with the least squared rounding error, of several the largest; a thread has one that is tried. */
static __global__ void mse_scale_rows_kernel(const float *w, int64_t cols, int qmax, float *scale)
{
    __shared__ double error[OF_ROW];
    const float *row = w + blockIdx.x * cols, top = largest(row, cols);
    const int t = IB_SCALES_TRIED - (int)threadIdx.x, least = IB_SCALES_TRIED / 6;
    double sum = 0;
    for (int64_t i = 0; i < cols && t > least; i++)
        sum += ib_squared_error(row[i], ib_tried_scale(top, t, qmax), qmax);
    error[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x)
        return;
    float best = top / (float)qmax;
    double best_error = INFINITY;
    for (int k = 0; IB_SCALES_TRIED - k > least && top > 0; k++)
        if (error[k] < best_error) {
            best_error = error[k];
            best = ib_tried_scale(top, IB_SCALES_TRIED - k, qmax);
        }
    scale[blockIdx.x] = best;
}

void ib_cuda_mse_scale_rows(ib_device *dev, const float *w, int64_t rows, int64_t cols, int qmax, float *scale)
{
    BEGIN_ROWS(dev, mse_scale_rows_kernel, rows, w, cols, qmax, scale);
}

/* Two-level scales; a thread has a group. */
static __global__ void quantize_groups_kernel(int64_t cols, ib_weight_codes p)
{
    const int64_t r = blockIdx.x, groups = (cols + p.group_size - 1) / p.group_size;
    const float scale = ib_scale_of_groups(largest(p.w + r * cols, cols), p.qmax);
    for (int64_t g = threadIdx.x; g < groups; g += OF_ROW) {
        const int64_t first = r * cols + g * p.group_size, end = ib_cuda_min((r + 1) * cols, first + p.group_size);
        float top = 0;
        for (int64_t i = first; i < end; i++)
            top = fabsf(p.w[i]) > top ? fabsf(p.w[i]) : top;
        const uint8_t factor = ib_group_factor(top, p.qmax, scale);
        for (int64_t i = first; i < end; i++)
            p.q[i] = (int8_t)ib_code_within(rintf(p.w[i] / (scale * factor)), (float)-p.qmax, (float)p.qmax);
        p.factor[r * groups + g] = factor;
    }
    if (!threadIdx.x)
        p.scale[r] = scale;
}

void ib_cuda_quantize_groups(ib_device *dev, int64_t rows, int64_t cols, const ib_weight_codes *p)
{
    BEGIN_ROWS(dev, quantize_groups_kernel, rows, cols, *p);
    if (p->mask && cudaMemsetAsync(p->mask, 0xFF, (size_t)(rows * cols + 7) / 8, ib_cuda_stream(dev)))
        ib_cuda_launched(dev, "quantize_groups");
}

static __global__ void requantize_groups_kernel(int64_t cols, ib_weight_codes p, const float *chosen)
{
    const int64_t r = blockIdx.x, groups = (cols + p.group_size - 1) / p.group_size;
    const float scale = p.scale[r];
    for (int64_t g = threadIdx.x; g < groups && scale > chosen[r]; g += OF_ROW) {
        const int64_t first = r * cols + g * p.group_size, end = ib_cuda_min((r + 1) * cols, first + p.group_size);
        float top = 0;
        for (int64_t i = first; i < end; i++)
            top = fmaxf(top, fabsf(p.w[i]));
        const uint8_t factor = ib_group_factor(top, p.qmax, scale);
        for (int64_t i = first; i < end; i++)
            p.q[i] = (int8_t)ib_regrown_code(p.w[i], scale * factor, p.qmax);
        p.factor[r * groups + g] = factor;
    }
}

void ib_cuda_requantize_groups(ib_device *dev, int64_t rows, int64_t cols, const ib_weight_codes *p,
                               const float *chosen)
{
    BEGIN_ROWS(dev, requantize_groups_kernel, rows, cols, *p, chosen);
}

/* ---- by rows, for gradients ---- */

/* y += gain[row] x */
static __global__ void scale_rows_kernel(const float *x, int64_t n, int64_t cols, const float *gain, float *y)
{
    EACH(i, n)
    y[i] += gain[i / cols] * x[i];
}

void ib_cuda_scale_rows(ib_device *dev, const float *x, int64_t rows, int64_t cols, const float *gain, float *y)
{
    BEGIN(dev, scale_rows_kernel, rows * cols, x, rows * cols, cols, gain, y);
}

/* y[row] += <x[row], dy[row]> */
static __global__ void dot_rows_kernel(const float *x, const float *dy, int64_t rows, int64_t cols, float *y)
{
    EACH(r, rows)
    {
        double dot = 0;
        for (int64_t i = r * cols; i < (r + 1) * cols; i++)
            dot += x[i] * dy[i];
        y[r] += (float)dot;
    }
}

void ib_cuda_dot_rows(ib_device *dev, const float *x, const float *dy, int64_t rows, int64_t cols, float *y)
{
    BEGIN(dev, dot_rows_kernel, rows, x, dy, rows, cols, y);
}

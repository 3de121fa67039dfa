/* reduce.cu - fp32 sums and extremes, of everything, of columns; and a row added to all, or multiplied with. */
#include "backends/cuda/kernels/block.cuh"

static __global__ void sum_kernel(const float *x, int64_t n, float divisor, float *y)
{
    BLOCK_SUM(n, x[i])
    if (!threadIdx.x)
        *y = (float)(total / divisor);
}

void ib_cuda_sum(ib_device *dev, const float *x, int64_t n, float divisor, float *y)
{
    BEGIN_BLOCK(dev, sum_kernel, x, n, divisor, y);
}

static __global__ void mse_kernel(const float *a, const float *b, int64_t n, float *d, float *y)
{
    BLOCK_SUM(n, (d[i] = a[i] - b[i], (double)d[i] * d[i]))
    if (!threadIdx.x)
        *y = (float)(total / (double)n);
}

void ib_cuda_mse(ib_device *dev, const float *a, const float *b, int64_t n, float *d, float *y)
{
    BEGIN_BLOCK(dev, mse_kernel, a, b, n, d, y);
}

/* lo = hi = NaN if any element is NaN. One block: extremes do not depend on an order. */
static __global__ void min_max_kernel(const float *x, int64_t n, float *lo, float *hi)
{
    __shared__ float least[IB_CUDA_BLOCK / 32], most[IB_CUDA_BLOCK / 32];
    __shared__ int nan;
    float a = INFINITY, b = -INFINITY;
    int bad = 0;
    if (!threadIdx.x)
        nan = 0;
    __syncthreads();
    EACH(i, n)
    {
        a = x[i] < a ? x[i] : a;
        b = x[i] > b ? x[i] : b;
        bad |= x[i] != x[i];
    }
    for (int by = 16; by; by /= 2) {
        const float c = __shfl_xor_sync(0xFFFFFFFF, a, by), d = __shfl_xor_sync(0xFFFFFFFF, b, by);
        a = c < a ? c : a;
        b = d > b ? d : b;
    }
    if (bad)
        atomicOr(&nan, 1);
    if (threadIdx.x % 32 == 0) {
        least[threadIdx.x / 32] = a;
        most[threadIdx.x / 32] = b;
    }
    __syncthreads();
    if (threadIdx.x)
        return;
    for (int w = 1; w < IB_CUDA_BLOCK / 32; w++) {
        a = least[w] < a ? least[w] : a;
        b = most[w] > b ? most[w] : b;
    }
    *lo = nan ? NAN : a;
    *hi = nan ? NAN : b;
}

void ib_cuda_min_max(ib_device *dev, const float *x, int64_t n, float *lo, float *hi)
{
    BEGIN_BLOCK(dev, min_max_kernel, x, n, lo, hi);
}

/* y[j] += sum_i x[i,j], in the order of i */
static __global__ void col_sum_kernel(const float *x, int64_t rows, int64_t cols, float *y)
{
    EACH(j, cols)
    {
        float sum = y[j];
        for (int64_t i = 0; i < rows; i++)
            sum += x[i * cols + j];
        y[j] = sum;
    }
}

void ib_cuda_col_sum(ib_device *dev, const float *x, int64_t rows, int64_t cols, float *y)
{
    BEGIN(dev, col_sum_kernel, cols, x, rows, cols, y);
}

static __global__ void add_rows_kernel(float *y, const float *bias, int64_t n, int64_t cols)
{
    EACH(i, n)
    y[i] += bias[i % cols];
}

void ib_cuda_add_rows(ib_device *dev, float *y, const float *bias, int64_t rows, int64_t cols)
{
    BEGIN(dev, add_rows_kernel, rows * cols, y, bias, rows * cols, cols);
}

static __global__ void mul_rows_kernel(float *y, const float *c, int64_t n, int64_t cols)
{
    EACH(i, n)
    {
        y[i] *= c[i % cols];
    }
}

void ib_cuda_mul_rows(ib_device *dev, float *y, const float *c, int64_t rows, int64_t cols)
{
    BEGIN(dev, mul_rows_kernel, rows * cols, y, c, rows * cols, cols);
}

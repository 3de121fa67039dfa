/* reduce.cu - fp32 sums and extremes, of everything, of columns; and a row added to all, or multiplied with. */
#include "backends/cuda/kernels/block.cuh"
#include "backends/cuda/kernels/extremes.cuh"

static __global__ void sum_kernel(int64_t from, int64_t n, double *parts, sum_end end, const float *x)
{
    PART_SUMS(n, x[from + i])
}

void ib_cuda_sum(ib_device *dev, const float *x, int64_t n, float divisor, float *y)
{
    const sum_end end = {y, divisor, NULL};
    BEGIN_SUM(dev, sum_kernel, n, end, x)
}

static __device__ double square_of_difference(float a, float b, float *d)
{
    *d = a - b;
    return (double)*d * *d;
}

static __global__ void mse_kernel(int64_t from, int64_t n, double *parts, sum_end end, const float *a, const float *b,
                                  float *d)
{
    PART_SUMS(n, square_of_difference(a[from + i], b[from + i], &d[from + i]))
}

void ib_cuda_mse(ib_device *dev, const float *a, const float *b, int64_t n, float *d, float *y)
{
    const sum_end end = {y, (double)n, NULL};
    BEGIN_SUM(dev, mse_kernel, n, end, a, b, d)
}

/* lo = hi = NaN if any element is NaN. A block's extremes are those of its warps. */
static __global__ void min_max_kernel(const float *x, int64_t n, float *lo, float *hi)
{
    __shared__ float least[IB_CUDA_BLOCK / 32], most[IB_CUDA_BLOCK / 32];
    float a = INFINITY, b = -INFINITY;
    EACH(i, n)
    {
        a = x[i] < a ? x[i] : a;
        b = x[i] > b ? x[i] : b;
        if (x[i] != x[i])
            widen_to_nan(lo, hi);
    }
    least_and_most(&a, &b);
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
    widen(lo, hi, a, b);
}

void ib_cuda_min_max(ib_device *dev, const float *x, int64_t n, float *lo, float *hi)
{
    begin_extremes(dev, lo, hi);
    if (n > 0) { /* few blocks, since each has its turn at lo and hi */
        IB_LAUNCH(min_max_kernel, (unsigned)ib_cuda_min((n + 2047) / 2048, 512), IB_CUDA_BLOCK, 0, ib_cuda_stream(dev),
                  x, n, lo, hi);
        ib_cuda_launched(dev, "min_max_kernel");
    }
    end_extremes(dev, lo, hi);
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

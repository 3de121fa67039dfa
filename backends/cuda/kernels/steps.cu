/* steps.cu - what a training step is held to, and comes to, by formulas/steps.h. */
#include "backends/cuda/kernels/block.cuh"
#include "backends/formulas/steps.h"

/* The first of this thread's; n: none. */
static __global__ void first_not_finite_kernel(const float *x, int64_t n, long long *found)
{
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    while (i < n && ib_is_finite(x[i]))
        i += (int64_t)gridDim.x * blockDim.x;
    find_least(found, i, n);
}

static __global__ void say_data_kernel(const float *x, int64_t n, int64_t row, long long *found, ib_site at)
{
    if (*found < n)
        ib_say_data(at, *found, x[*found], row);
    *found = IB_CUDA_NOTHING;
}

void ib_cuda_need_finite(ib_device *dev, const float *x, int64_t n, int64_t row, ib_site at)
{
    long long *found = &ib_cuda_work(dev)->found;
    BEGIN(dev, first_not_finite_kernel, n, x, n, found);
    BEGIN_ONE(dev, say_data_kernel, x, n, row, found, at);
}

static __global__ void spoil_kernel(float *y, int64_t n, const ib_fault *fault)
{
    EACH(i, n)
    {
        if (fault->kind)
            y[i] = NAN;
    }
}

void ib_cuda_spoil(ib_device *dev, float *y, int64_t n, const ib_fault *fault)
{
    BEGIN(dev, spoil_kernel, n, y, n, fault);
}

static __global__ void judge_kernel(const float *loss, ib_pass pass, const ib_fault *operators, const ib_fault *data,
                                    ib_fault *verdict, ib_fault *refused)
{
    ib_judge(*loss, pass, operators, data, verdict, refused);
}

void ib_cuda_judge(ib_device *dev, const float *loss, ib_pass pass, const ib_fault *operators, const ib_fault *data,
                   ib_fault *verdict, ib_fault *refused)
{
    BEGIN_ONE(dev, judge_kernel, loss, pass, operators, data, verdict, refused);
}

static __global__ void add_sum_sq_kernel(int64_t from, int64_t n, double *parts, sum_end end, const float *x)
{
    PART_SUMS(n, (double)x[from + i] * x[from + i])
}

void ib_cuda_add_sum_sq(ib_device *dev, const float *x, int64_t n, double *sum)
{
    const sum_end end = {NULL, 1, sum};
    BEGIN_SUM(dev, add_sum_sq_kernel, n, end, x)
}

static __global__ void clip_factor_kernel(const double *square, double most, double *norm, float *factor,
                                          ib_fault *refused)
{
    ib_clip_factor(*square, most, norm, factor, refused);
}

void ib_cuda_clip_factor(ib_device *dev, const double *square, double most, double *norm, float *factor,
                         ib_fault *refused)
{
    BEGIN_ONE(dev, clip_factor_kernel, square, most, norm, factor, refused);
}

static __global__ void add_loss_kernel(const float *loss, double weight, ib_tally *tally)
{
    ib_add_loss(*loss, weight, tally);
}

void ib_cuda_add_loss(ib_device *dev, const float *loss, double weight, ib_tally *tally)
{
    BEGIN_ONE(dev, add_loss_kernel, loss, weight, tally);
}

/* A thread has a row; whole numbers are added in any order. */
static __global__ void count_right_kernel(const float *y, int64_t rows, int64_t cols, const int32_t *label,
                                          ib_tally *tally)
{
    EACH(i, rows)
    {
        if (ib_is_right(y + i * cols, cols, label[i]))
            atomicAdd((unsigned long long *)&tally->right, 1ull);
    }
}

void ib_cuda_count_right(ib_device *dev, const float *y, int64_t rows, int64_t cols, const int32_t *label,
                         ib_tally *tally)
{
    BEGIN(dev, count_right_kernel, rows, y, rows, cols, label, tally);
}

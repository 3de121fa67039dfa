/* strided.cu - elements copied or added at the places of another order, and rows added where a list of numbers says. */
#include "backends/cuda/kernels/family.cuh"

static int64_t elements(const ib_strides *s)
{
    return s->shape[0] * s->shape[1] * s->shape[2];
}

/* Where the order of these strides has element i. */
static __device__ int64_t place(const ib_strides *s, const int64_t *stride, int64_t i)
{
    const int64_t k = i % s->shape[2], row = i / s->shape[2];
    return row / s->shape[1] * stride[0] + row % s->shape[1] * stride[1] + k * stride[2];
}

template <typename T> static __global__ void copy_strided_kernel(ib_strides s, int64_t n, const T *x, T *y)
{
    EACH(i, n)
    {
        y[place(&s, s.to, i)] = x[place(&s, s.from, i)];
    }
}

void ib_cuda_copy_strided(ib_device *dev, const ib_strides *s, const void *x, int bytes, void *y)
{
    const int64_t n = elements(s);
    if (bytes == 4)
        BEGIN(dev, copy_strided_kernel<uint32_t>, n, *s, n, (const uint32_t *)x, (uint32_t *)y);
    else
        BEGIN(dev, copy_strided_kernel<uint8_t>, n, *s, n, (const uint8_t *)x, (uint8_t *)y);
}

static __global__ void add_strided_kernel(ib_strides s, int64_t n, const float *x, float *y)
{
    EACH(i, n)
    {
        y[place(&s, s.to, i)] += x[place(&s, s.from, i)];
    }
}

void ib_cuda_add_strided(ib_device *dev, const ib_strides *s, const float *x, float *y)
{
    BEGIN(dev, add_strided_kernel, elements(s), *s, elements(s), x, y);
}

/* A thread has a column, since a row of y may come more than once. */
static __global__ void add_to_rows_kernel(const int32_t *row, int64_t n, int64_t cols, const float *x, float a,
                                          float *y)
{
    EACH(j, cols)
    {
        for (int64_t i = 0; i < n; i++)
            y[row[i] * cols + j] += a * x[i * cols + j];
    }
}

void ib_cuda_add_to_rows(ib_device *dev, const int32_t *row, int64_t n, int64_t cols, const float *x, float a, float *y)
{
    BEGIN(dev, add_to_rows_kernel, cols, row, n, cols, x, a, y);
}

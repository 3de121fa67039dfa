/* factors.cu - what accumulators, sums and tables of codes are multiplied by and clamped to, by formulas/factors.h. */
#include "backends/cuda/kernels/block.cuh"
#include "backends/formulas/factors.h"

/* Outputs behind one without a step get none. */
static __global__ void product_steps_kernel(ib_product_constants p)
{
    ib_fault mine = {};
    int64_t o = threadIdx.x;
    while (o < p.outputs && ib_product_step(&p, o, ib_cuda_own(p.at, &mine)))
        o += blockDim.x;
    const int64_t first = ib_cuda_raise_first(p.at, &mine);
    for (o = threadIdx.x; o < p.outputs; o += blockDim.x)
        if (o > first)
            ib_no_product_step(&p, o);
}

static __global__ void area_step_kernel(ib_product_constants p)
{
    *p.acc_scale = *p.in_scale / (float)p.area;
}

void ib_cuda_product_steps(ib_device *dev, const ib_product_constants *p)
{
    if (p->area)
        BEGIN_ONE(dev, area_step_kernel, *p);
    else
        BEGIN_BLOCK(dev, product_steps_kernel, *p);
}

static __global__ void product_factors_kernel(ib_product_constants p)
{
    ib_fault mine = {};
    EACH_OF_BLOCK(o, p.outputs)
    {
        ib_product_factor(&p, o, ib_cuda_own(p.at, &mine));
    }
    ib_cuda_raise_first(p.at, &mine);
    if (!threadIdx.x)
        ib_result_bounds(&p.out, p.lo, p.hi);
}

void ib_cuda_product_factors(ib_device *dev, const ib_product_constants *p)
{
    BEGIN_BLOCK(dev, product_factors_kernel, *p);
}

static __global__ void add_factors_kernel(ib_coded a, ib_coded b, ib_result_codes r, struct isobit_add *made,
                                          float *top, ib_site at)
{
    ib_add_factors(&a, &b, &r, made, top, at);
}

void ib_cuda_add_factors(ib_device *dev, const ib_coded *a, const ib_coded *b, const ib_result_codes *r,
                         struct isobit_add *made, float *top, ib_site at)
{
    BEGIN_ONE(dev, add_factors_kernel, *a, *b, *r, made, top, at);
}

static __global__ void mul_factors_kernel(ib_coded a, ib_coded b, ib_result_codes r, struct isobit_mul *made,
                                          float *top, ib_site at)
{
    ib_mul_factors(&a, &b, &r, made, top, at);
}

void ib_cuda_mul_factors(ib_device *dev, const ib_coded *a, const ib_coded *b, const ib_result_codes *r,
                         struct isobit_mul *made, float *top, ib_site at)
{
    BEGIN_ONE(dev, mul_factors_kernel, *a, *b, *r, made, top, at);
}

static __global__ void lookup_table_kernel(const float *scale, const int32_t *zero, int f, ib_result_codes r,
                                           int8_t *table, float *slope)
{
    EACH(i, 256)
    {
        table[i] = ib_table_entry((int)i - 128, *scale, ib_zero_of(zero), f, &r, &slope[i]);
    }
}

void ib_cuda_lookup_table(ib_device *dev, const float *scale, const int32_t *zero, int f, const ib_result_codes *r,
                          int8_t *table, float *slope)
{
    BEGIN(dev, lookup_table_kernel, 256, scale, zero, f, *r, table, slope);
}

/* weight_scales.cu - scales of weights that suit the product's accumulator, by formulas/weight_scales.h. */
#include "backends/cuda/kernels/block.cuh"
#include "backends/formulas/weight_scales.h"

/* The block's threads share out the channels; each returns whether all are well. */
static __device__ int check_scales(const ib_weight_scaling *p, float in_scale)
{
    __shared__ int top; /* bits of fp32, which are ordered as the numbers are: none is negative */
    ib_fault mine = {};
    const ib_site at = ib_cuda_own(p->at, &mine);
    if (!threadIdx.x)
        top = 0;
    __syncthreads();
    int64_t c = threadIdx.x;
    for (; c < p->count && isfinite(p->scale[c]); c += blockDim.x)
        atomicMax(&top, (int)ib_bits_of(p->scale[c]));
    if (c < p->count)
        ib_raise(at, IB_FAULT_weights_not_finite, c, 0, 0, 0);
    if (ib_cuda_raise_first(p->at, &mine) < INT64_MAX)
        return 0;
    c = threadIdx.x;
    while (c < p->count && ib_check_scale(p, c, in_scale, ib_float_of((uint32_t)top), at))
        c += blockDim.x;
    return ib_cuda_raise_first(p->at, &mine) == INT64_MAX;
}

/* One scale grows bias by bias. */
static __device__ int suit(const ib_weight_scaling *p, float in_scale)
{
    ib_fault mine = {};
    const ib_site at = ib_cuda_own(p->at, &mine);
    EACH_OF_BLOCK(c, p->count)
    {
        ib_suit_empty(p, c, in_scale);
    }
    int64_t o = p->count == 1 && threadIdx.x ? p->n_bias : threadIdx.x;
    while (o < p->n_bias && ib_raise_scale(p, o, in_scale, at))
        o += p->count == 1 ? 1 : blockDim.x;
    return ib_cuda_raise_first(p->at, &mine) == INT64_MAX;
}

static __global__ void weight_scales_kernel(ib_weight_scaling p)
{
    const float in_scale = p.in_scale ? *p.in_scale : 0;
    EACH_OF_BLOCK(c, p.count)
    {
        ib_begin_scale(&p, c);
    }
    const int ok = check_scales(&p, in_scale) && (!p.bias || !(in_scale > 0) || suit(&p, in_scale));
    for (int64_t c = threadIdx.x; c < p.count && !ok; c += blockDim.x)
        ib_no_scale(&p, c);
}

void ib_cuda_weight_scales(ib_device *dev, const ib_weight_scaling *p)
{
    BEGIN_BLOCK(dev, weight_scales_kernel, *p);
}

static __global__ void row_steps_kernel(int64_t rows, float *scale, ib_site at)
{
    ib_fault mine = {};
    EACH_OF_BLOCK(i, rows)
    {
        scale[i] = ib_row_step(scale[i], i, ib_cuda_own(at, &mine));
    }
    ib_cuda_raise_first(at, &mine);
}

void ib_cuda_row_steps(ib_device *dev, int64_t rows, float *scale, ib_site at)
{
    BEGIN_BLOCK(dev, row_steps_kernel, rows, scale, at);
}

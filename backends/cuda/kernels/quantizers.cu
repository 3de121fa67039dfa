/* quantizers.cu - scales and zero points of activations and the gradients of learned ones, by formulas/quantizers.h. */
#include "backends/cuda/kernels/block.cuh"
#include "backends/formulas/quantizers.h"

static __global__ void follow_kernel(ib_following p)
{
    ib_follow(&p);
}

void ib_cuda_follow(ib_device *dev, const ib_following *p)
{
    BEGIN_ONE(dev, follow_kernel, *p);
}

static __global__ void constant_scale_kernel(const float *lo, const float *hi, int qmin, int qmax,
                                             ib_quantizer_state *state, ib_site at)
{
    ib_constant_scale(*lo, *hi, qmin, qmax, state, at);
}

void ib_cuda_constant_scale(ib_device *dev, const float *lo, const float *hi, int qmin, int qmax,
                            ib_quantizer_state *state, ib_site at)
{
    BEGIN_ONE(dev, constant_scale_kernel, lo, hi, qmin, qmax, state, at);
}

/* Where a code stands that is not 0's. */
static __global__ void other_code_kernel(ib_coded x, int64_t n, long long *found)
{
    const int32_t zero = ib_zero_of(x.zero);
    int64_t other = INT64_MAX;
    EACH(i, n)
    {
        if (x.codes[i] != zero && i < other)
            other = i;
    }
    find_least(found, other, n);
}

static __global__ void code_range_kernel(ib_coded x, int64_t n, int qmin, int qmax, long long *found, float *lo,
                                         float *hi)
{
    if (*found < n)
        ib_widen_range(*x.scale, ib_zero_of(x.zero), qmin, qmax, lo, hi);
    *found = IB_CUDA_NOTHING;
}

void ib_cuda_code_range(ib_device *dev, const ib_coded *x, int64_t n, int qmin, int qmax, float *lo, float *hi)
{
    long long *found = &ib_cuda_work(dev)->found;
    BEGIN(dev, other_code_kernel, n, *x, n, found);
    BEGIN_ONE(dev, code_range_kernel, *x, n, qmin, qmax, found, lo, hi);
}

/* ---- learned scales ---- */

/* A block has a row. */
static __global__ void lsq_grad_kernel(int64_t rows, int64_t cols, ib_affine p, ib_lsq_grads g)
{
    const int zero = ib_zero_of(p.zero);
    const float lo = (float)(p.qmin - zero), hi = (float)(p.qmax - zero);
    for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
        const float scale = p.scale[row], *x = g.x + row * cols, *dy = g.dy + row * cols;
        LANE_SUMS(cols, IB_LSQ_LANES, ib_lsq_term(x[i], dy[i], scale, lo, hi))
        if (g.dt && !threadIdx.x)
            g.dt[row] += (float)(ib_lsq_factor(g.values, p.qmax, zero) * scale * ib_lsq_sum(lanes));
        if (g.dx)
            EACH_OF_BLOCK(i, cols)
                g.dx[row * cols + i] += ib_lsq_inside(x[i], scale, lo, hi) ? dy[i] : 0.0f;
    }
}

void ib_cuda_lsq_grad(ib_device *dev, int64_t rows, int64_t cols, const ib_affine *p, const ib_lsq_grads *g)
{
    BEGIN_BLOCKS(dev, lsq_grad_kernel, rows, rows, cols, *p, *g);
}

static __global__ void pact_grad_kernel(const float *x, const float *dy, int64_t n, ib_affine p, float *dalpha)
{
    const float alpha = ib_level_of(&p);
    ORDERED_SUM(0, n, ib_pact_term(x[i], dy[i], alpha))
    if (!threadIdx.x)
        *dalpha += (float)total;
}

void ib_cuda_pact_grad(ib_device *dev, const float *x, const float *dy, int64_t n, const ib_affine *p, float *dalpha)
{
    BEGIN_BLOCK(dev, pact_grad_kernel, x, dy, n, *p, dalpha);
}

/* What PACT's level gets, x does not. A thread has a byte of the mask. */
static __global__ void pact_passes_kernel(const float *x, int64_t n, ib_affine p, uint8_t *mask)
{
    const float alpha = ib_level_of(&p);
    EACH(b, (n + 7) / 8)
    {
        unsigned out = 0;
        for (int64_t i = 8 * b; i < n && i < 8 * b + 8; i++)
            out |= (unsigned)(x[i] >= alpha) << i % 8;
        mask[b] &= (uint8_t)~out;
    }
}

void ib_cuda_pact_passes(ib_device *dev, const float *x, int64_t n, const ib_affine *p, uint8_t *mask)
{
    BEGIN(dev, pact_passes_kernel, (n + 7) / 8, x, n, *p, mask);
}

static __global__ void exp_scales_kernel(const float *x, float *y, int64_t n)
{
    EACH(i, n)
    {
        y[i] = ib_exp_nearest(x[i]);
    }
}

void ib_cuda_exp_scales(ib_device *dev, const float *x, float *y, int64_t n)
{
    BEGIN(dev, exp_scales_kernel, n, x, y, n);
}

static __global__ void log_scales_kernel(const float *x, float *y, int64_t n)
{
    EACH(i, n)
    {
        y[i] = ib_log_nearest(x[i]);
    }
}

void ib_cuda_log_scales(ib_device *dev, const float *x, float *y, int64_t n)
{
    BEGIN(dev, log_scales_kernel, n, x, y, n);
}

/* fold.cu - a batch norm as a gain and a bias of the product before it, by formulas/fold.h. A thread has a channel. */
#include "backends/cuda/kernels/family.cuh"
#include "backends/formulas/fold.h"

static __global__ void fold_gain_kernel(ib_fold p, float *gain)
{
    EACH(c, p.n)
    {
        gain[c] = ib_gain_at(&p, c, p.gamma[c]);
    }
}

void ib_cuda_fold_gain(ib_device *dev, const ib_fold *p, float *gain)
{
    BEGIN(dev, fold_gain_kernel, p->n, *p, gain);
}

static __global__ void fold_gain_grad_kernel(ib_fold p, const float *dot, float *dgamma)
{
    EACH(c, p.n)
    {
        dgamma[c] += ib_gain_at(&p, c, dot[c]);
    }
}

void ib_cuda_fold_gain_grad(ib_device *dev, const ib_fold *p, const float *dot, float *dgamma)
{
    BEGIN(dev, fold_gain_grad_kernel, p->n, *p, dot, dgamma);
}

static __global__ void fold_bias_kernel(ib_fold p, float *y)
{
    EACH(c, p.n)
    {
        y[c] = ib_fold_bias_at(&p, c);
    }
}

void ib_cuda_fold_bias(ib_device *dev, const ib_fold *p, float *y)
{
    BEGIN(dev, fold_bias_kernel, p->n, *p, y);
}

static __global__ void fold_bias_grad_kernel(ib_fold p, const float *dy, float *dgamma, float *dbeta, float *dbias)
{
    EACH(c, p.n)
    {
        ib_fold_bias_grad_at(&p, c, dy[c], dgamma, dbeta, dbias);
    }
}

void ib_cuda_fold_bias_grad(ib_device *dev, const ib_fold *p, const float *dy, float *dgamma, float *dbeta,
                            float *dbias)
{
    BEGIN(dev, fold_bias_grad_kernel, p->n, *p, dy, dgamma, dbeta, dbias);
}

static __global__ void fold_reestimate_kernel(int64_t n, const float *gamma, float eps, float share,
                                              const float *batch_mean, const float *batch_var, float *mean, float *var)
{
    EACH(c, n)
    {
        ib_reestimate(gamma[c], eps, share, batch_mean[c], batch_var[c], &mean[c], &var[c]);
    }
}

void ib_cuda_fold_reestimate(ib_device *dev, int64_t n, const float *gamma, float eps, float share,
                             const float *batch_mean, const float *batch_var, float *mean, float *var)
{
    BEGIN(dev, fold_reestimate_kernel, n, n, gamma, eps, share, batch_mean, batch_var, mean, var);
}

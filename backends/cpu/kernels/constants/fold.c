/* fold.c - a batch norm as a gain and a bias of the product before it, by formulas/fold.h. */
#include "backends/cpu/level.h"
#include "backends/formulas/fold.h"

void IB_K(fold_gain)(ib_device *dev, const ib_fold *p, float *gain)
{
    for (int64_t c = 0; c < p->n; c++)
        gain[c] = ib_gain_at(p, c, p->gamma[c]);
}

void IB_K(fold_gain_grad)(ib_device *dev, const ib_fold *p, const float *dot, float *dgamma)
{
    for (int64_t c = 0; c < p->n; c++)
        dgamma[c] += ib_gain_at(p, c, dot[c]);
}

void IB_K(fold_bias)(ib_device *dev, const ib_fold *p, float *y)
{
    for (int64_t c = 0; c < p->n; c++)
        y[c] = ib_fold_bias_at(p, c);
}

void IB_K(fold_bias_grad)(ib_device *dev, const ib_fold *p, const float *dy, float *dgamma, float *dbeta, float *dbias)
{
    for (int64_t c = 0; c < p->n; c++)
        ib_fold_bias_grad_at(p, c, dy[c], dgamma, dbeta, dbias);
}

void IB_K(fold_reestimate)(ib_device *dev, int64_t n, const float *gamma, float eps, float share,
                           const float *batch_mean, const float *batch_var, float *mean, float *var)
{
    for (int64_t c = 0; c < n; c++)
        ib_reestimate(gamma[c], eps, share, batch_mean[c], batch_var[c], &mean[c], &var[c]);
}

/* fold.h - a batch norm as a gain and a bias of the product before it, and its statistics from that product, a channel
 * at a time. Of the formulas that kernels of the CPU and of CUDA share. */
#ifndef IB_BACKENDS_FORMULAS_FOLD_H
#define IB_BACKENDS_FORMULAS_FOLD_H

#include <math.h>

#include "backends/quantization.h"

/* gain = x / sqrt(var + eps), of x = gamma; its gradient, of x = dgain */
IB_DEVICE_FN static inline float ib_gain_at(const ib_fold *p, int64_t c, float x)
{
    return x / sqrtf(p->var[c] + p->eps);
}

/* y = beta + (bias - mean) gain */
IB_DEVICE_FN static inline float ib_fold_bias_at(const ib_fold *p, int64_t c)
{
    return p->beta[c] + ((p->bias ? p->bias[c] : 0.0f) - p->mean[c]) * p->gain[c];
}

IB_DEVICE_FN static inline void ib_fold_bias_grad_at(const ib_fold *p, int64_t c, float dy, float *dgamma, float *dbeta,
                                                     float *dbias)
{
    if (dgamma)
        dgamma[c] += dy * ((p->bias ? p->bias[c] : 0.0f) - p->mean[c]) / sqrtf(p->var[c] + p->eps);
    if (dbeta)
        dbeta[c] += dy;
    if (dbias)
        dbias[c] += dy * p->gain[c];
}

/* The product before bias and batch norm is z / gain; its mean and variance replace a share of the statistics. Channels
 * whose gamma is 0 have no such product and keep theirs. */
IB_DEVICE_FN static inline void ib_reestimate(float gamma, float eps, float share, float batch_mean, float batch_var,
                                              float *mean, float *var)
{
    const double gain = gamma / sqrt((double)*var + eps);
    if (gain * gain < 1e-12)
        return;
    *mean += share * (float)(batch_mean / gain - *mean);
    *var += share * (float)(batch_var / (gain * gain) - *var);
}

#endif

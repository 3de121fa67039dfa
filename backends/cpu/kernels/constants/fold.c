/* fold.c - a batch norm as a gain and a bias of the product before it, and its statistics from that product. */
#include <math.h>

#include "backends/cpu/level.h"

/* gain = gamma / sqrt(var + eps) */
void IB_K(fold_gain)(ib_device *dev, const ib_fold *p, float *gain)
{
    for (int64_t c = 0; c < p->n; c++)
        gain[c] = p->gamma[c] / sqrtf(p->var[c] + p->eps);
}

void IB_K(fold_gain_grad)(ib_device *dev, const ib_fold *p, const float *dot, float *dgamma)
{
    for (int64_t c = 0; c < p->n; c++)
        dgamma[c] += dot[c] / sqrtf(p->var[c] + p->eps);
}

/* y = beta + (bias - mean) gain */
void IB_K(fold_bias)(ib_device *dev, const ib_fold *p, float *y)
{
    for (int64_t c = 0; c < p->n; c++)
        y[c] = p->beta[c] + ((p->bias ? p->bias[c] : 0.0f) - p->mean[c]) * p->gain[c];
}

void IB_K(fold_bias_grad)(ib_device *dev, const ib_fold *p, const float *dy, float *dgamma, float *dbeta, float *dbias)
{
    for (int64_t c = 0; c < p->n; c++) {
        if (dgamma)
            dgamma[c] += dy[c] * ((p->bias ? p->bias[c] : 0.0f) - p->mean[c]) / sqrtf(p->var[c] + p->eps);
        if (dbeta)
            dbeta[c] += dy[c];
        if (dbias)
            dbias[c] += dy[c] * p->gain[c];
    }
}

/* The product before bias and batch norm is z / gain; its mean and variance replace a share of the statistics. Channels
 * whose gamma is 0 have no such product and keep theirs. */
void IB_K(fold_reestimate)(ib_device *dev, int64_t n, const float *gamma, float eps, float share,
                           const float *batch_mean, const float *batch_var, float *mean, float *var)
{
    for (int64_t c = 0; c < n; c++) {
        const double gain = gamma[c] / sqrt((double)var[c] + eps);
        if (gain * gain < 1e-12)
            continue;
        mean[c] += share * (float)(batch_mean[c] / gain - mean[c]);
        var[c] += share * (float)(batch_var[c] / (gain * gain) - var[c]);
    }
}

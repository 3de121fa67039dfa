/* norm.cu - batch norm in fp32 and sums of channels, in the lanes of backends/cpu/dot.h. A thread has a channel. */
#include "backends/cpu/dot.h"
#include "backends/cuda/kernels/family.cuh"

/* y[c] += sum over n and hw of x[n,c,hw] */
static __global__ void channel_sum_kernel(ib_planes s, const float *x, float *y)
{
    EACH(j, s.c)
    {
        double sum = 0;
        for (int64_t i = 0; i < s.n; i++)
            sum += ib_sum(x + (i * s.c + j) * s.hw, s.hw);
        y[j] += (float)sum;
    }
}

void ib_cuda_channel_sum(ib_device *dev, const ib_planes *s, const float *x, float *y)
{
    BEGIN(dev, channel_sum_kernel, s->c, *s, x, y);
}

/* mean and biased variance of each channel of x[n,c,hw] */
static __global__ void bn_stats_kernel(ib_planes s, const float *x, float *mean, float *var)
{
    EACH(j, s.c)
    {
        double sum = 0, square = 0;
        for (int64_t i = 0; i < s.n; i++)
            sum += ib_sum(x + (i * s.c + j) * s.hw, s.hw);
        const double m = sum / (double)(s.n * s.hw);
        for (int64_t i = 0; i < s.n; i++)
            square += ib_sum_deviation(x + (i * s.c + j) * s.hw, (float)m, s.hw);
        mean[j] = (float)m;
        var[j] = (float)(square / (double)(s.n * s.hw));
    }
}

void ib_cuda_bn_stats(ib_device *dev, const ib_planes *s, const float *x, float *mean, float *var)
{
    BEGIN(dev, bn_stats_kernel, s->c, *s, x, mean, var);
}

/* The variance that is kept is unbiased. */
static __global__ void bn_track_kernel(int64_t c, int64_t count, float momentum, const float *mean, const float *var,
                                       float *running_mean, float *running_var)
{
    EACH(j, c)
    {
        const float unbiased = var[j] * (float)count / (float)(count - 1);
        running_mean[j] += momentum * (mean[j] - running_mean[j]);
        running_var[j] += momentum * (unbiased - running_var[j]);
    }
}

void ib_cuda_bn_track(ib_device *dev, int64_t c, int64_t count, float momentum, const float *mean, const float *var,
                      float *running_mean, float *running_var)
{
    BEGIN(dev, bn_track_kernel, c, c, count, momentum, mean, var, running_mean, running_var);
}

static __global__ void bn_rstd_kernel(int64_t c, const float *var, float eps, float *rstd)
{
    EACH(j, c)
    {
        rstd[j] = 1.0f / sqrtf(var[j] + eps);
    }
}

void ib_cuda_bn_rstd(ib_device *dev, int64_t c, const float *var, float eps, float *rstd)
{
    BEGIN(dev, bn_rstd_kernel, c, c, var, eps, rstd);
}

/* y = (x - mean) rstd gamma + beta, an element a thread */
static __global__ void bn_apply_kernel(ib_planes s, ib_norm p)
{
    const float least = p.relu ? 0.0f : -INFINITY;
    EACH(l, s.n * s.c * s.hw)
    {
        const int64_t j = l / s.hw % s.c;
        const float a = p.rstd[j] * p.gamma[j], b = p.beta[j] - p.mean[j] * a;
        const float v = p.x[l] * a + b;
        p.y[l] = v < least ? least : v; /* NaN stays */
    }
}

void ib_cuda_bn_apply(ib_device *dev, const ib_planes *s, const ib_norm *p)
{
    BEGIN(dev, bn_apply_kernel, s->n * s->c * s->hw, *s, *p);
}

static __global__ void bn_grad_kernel(ib_planes s, ib_norm_grads g)
{
    EACH(j, s.c)
    {
        double sum = 0, dot = 0;
        for (int64_t i = 0; i < s.n; i++) {
            const int64_t at = (i * s.c + j) * s.hw;
            for (int64_t l = at; g.relu && l < at + s.hw; l++)
                g.dy[l] = g.relu[l] > 0 ? g.dy[l] : 0.0f;
            sum += ib_sum(g.dy + at, s.hw);
            dot += ib_dot_deviation(g.dy + at, g.x + at, g.mean[j], s.hw);
        }
        dot *= g.rstd[j];
        if (g.dgamma)
            g.dgamma[j] += (float)dot;
        if (g.dbeta)
            g.dbeta[j] += (float)sum;
        if (!g.dx)
            continue;
        const float a = g.gamma[j] * g.rstd[j], m = g.mean[j];
        const float mean = g.batch ? (float)(sum / (double)(s.n * s.hw)) : 0.0f;
        const float d = g.batch ? (float)(dot / (double)(s.n * s.hw)) * g.rstd[j] : 0.0f;
        for (int64_t i = 0; i < s.n; i++)
            for (int64_t l = (i * s.c + j) * s.hw; l < (i * s.c + j + 1) * s.hw; l++) {
                const float v = a * (g.dy[l] - mean - (g.x[l] - m) * d);
                g.dx[l] = g.sets_dx ? v : g.dx[l] + v;
            }
    }
}

void ib_cuda_bn_grad(ib_device *dev, const ib_planes *s, const ib_norm_grads *g)
{
    BEGIN(dev, bn_grad_kernel, s->c, *s, *g);
}

/* norm.cu - batch norm in fp32 and sums of channels. A block of threads has a channel, 16 of them a sample's plane,
 * each one of the lanes of backends/cpu/dot.h. */
#include "backends/cpu/dot.h"
#include "backends/cuda/kernels/family.cuh"

/* Planes at a time. */
enum { PLANES = IB_CUDA_BLOCK / LANES };

/* What the lanes of a plane come to, which all of them know: ib_add_lanes. */
static __device__ float add_lanes(float part)
{
    for (int half = LANES / 2; half; half /= 2)
        part += __shfl_xor_sync(0xFFFFFFFF, part, half, LANES);
    return part;
}

/* In a kernel: total += over samples, in their order, the sum of `term` over l = the elements of channel j, as dot.h
 * adds them; known to all threads. */
#define CHANNEL_SUM(total, s, j, term)                                                                                 \
    for (int64_t first = 0; first < (s).n; first += PLANES) {                                                          \
        const int64_t i = first + threadIdx.x / LANES, at = (i * (s).c + (j)) * (s).hw;                                \
        const int64_t end = at + (i < (s).n ? (s).hw : 0), whole = at + (end - at) / LANES * LANES;                    \
        float sum = 0;                                                                                                 \
        for (int64_t l = at + threadIdx.x % LANES; l < whole; l += LANES)                                              \
            sum += term;                                                                                               \
        sum = add_lanes(sum);                                                                                          \
        for (int64_t l = whole; l < end; l++)                                                                          \
            sum += term;                                                                                               \
        if (threadIdx.x % LANES == 0)                                                                                  \
            plane[threadIdx.x / LANES] = sum;                                                                          \
        __syncthreads();                                                                                               \
        for (int t = 0; t < PLANES && first + t < (s).n; t++)                                                          \
            total += plane[t];                                                                                         \
        __syncthreads();                                                                                               \
    }

/* In a kernel: the elements l of channel j that are this thread's. */
#define EACH_OF_CHANNEL(l, s, j)                                                                                       \
    for (int64_t l_ = threadIdx.x, l;                                                                                  \
         l_ < (s).n * (s).hw && (l = (l_ / (s).hw * (s).c + (j)) * (s).hw + l_ % (s).hw, 1); l_ += blockDim.x)

/* y[c] += sum over n and hw of x[n,c,hw] */
static __global__ void channel_sum_kernel(ib_planes s, const float *x, float *y)
{
    __shared__ float plane[PLANES];
    for (int64_t j = blockIdx.x; j < s.c; j += gridDim.x) {
        double all = 0;
        CHANNEL_SUM(all, s, j, x[l])
        if (!threadIdx.x)
            y[j] += (float)all;
    }
}

void ib_cuda_channel_sum(ib_device *dev, const ib_planes *s, const float *x, float *y)
{
    BEGIN_BLOCKS(dev, channel_sum_kernel, s->c, *s, x, y);
}

/* mean and biased variance of each channel of x[n,c,hw] */
static __global__ void bn_stats_kernel(ib_planes s, const float *x, float *mean, float *var)
{
    __shared__ float plane[PLANES];
    for (int64_t j = blockIdx.x; j < s.c; j += gridDim.x) {
        double all = 0, square = 0;
        CHANNEL_SUM(all, s, j, x[l])
        const double middle = all / (double)(s.n * s.hw);
        const float m = (float)middle;
        CHANNEL_SUM(square, s, j, (x[l] - m) * (x[l] - m))
        if (!threadIdx.x) {
            mean[j] = m;
            var[j] = (float)(square / (double)(s.n * s.hw));
        }
    }
}

void ib_cuda_bn_stats(ib_device *dev, const ib_planes *s, const float *x, float *mean, float *var)
{
    BEGIN_BLOCKS(dev, bn_stats_kernel, s->c, *s, x, mean, var);
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
    __shared__ float plane[PLANES];
    for (int64_t j = blockIdx.x; j < s.c; j += gridDim.x) {
        const float m = g.mean[j];
        double all = 0, dot = 0;
        if (g.relu) {
            EACH_OF_CHANNEL(l, s, j)
            {
                g.dy[l] = g.relu[l] > 0 ? g.dy[l] : 0.0f;
            }
            __syncthreads();
        }
        CHANNEL_SUM(all, s, j, g.dy[l])
        CHANNEL_SUM(dot, s, j, g.dy[l] * (g.x[l] - m))
        dot *= g.rstd[j];
        if (g.dgamma && !threadIdx.x)
            g.dgamma[j] += (float)dot;
        if (g.dbeta && !threadIdx.x)
            g.dbeta[j] += (float)all;
        if (!g.dx)
            continue;
        const float a = g.gamma[j] * g.rstd[j];
        const float mean = g.batch ? (float)(all / (double)(s.n * s.hw)) : 0.0f;
        const float d = g.batch ? (float)(dot / (double)(s.n * s.hw)) * g.rstd[j] : 0.0f;
        EACH_OF_CHANNEL(l, s, j)
        {
            const float v = a * (g.dy[l] - mean - (g.x[l] - m) * d);
            g.dx[l] = g.sets_dx ? v : g.dx[l] + v;
        }
    }
}

void ib_cuda_bn_grad(ib_device *dev, const ib_planes *s, const ib_norm_grads *g)
{
    BEGIN_BLOCKS(dev, bn_grad_kernel, s->c, *s, *g);
}

/* pool.cu - max and average pooling of fp32 and of codes. A thread has an output; in the gradients, an input. */
#include "backends/cuda/kernels/family.cuh"
#include "backends/formulas/windows.h"

/* The inputs under output o of [planes][oh][ow]. */
typedef struct under {
    int64_t plane;
    ib_inside k;
} under;

static __device__ under window_of(const ib_window *s, int64_t o)
{
    under u;
    u.plane = o / s->ow / s->oh;
    u.k = ib_inside_of(s, o / s->ow % s->oh, o % s->ow);
    return u;
}

static int64_t outputs(const ib_window *s)
{
    return s->n * s->ic * s->oh * s->ow;
}

/* The first of the largest elements wins; padding never does. argmax is the index in the plane. */
template <typename T>
static __global__ void maxpool_kernel(ib_window s, int64_t n, const T *x, T lowest, T *y, int32_t *argmax)
{
    EACH(o, n)
    {
        const under u = window_of(&s, o);
        const T *in = x + u.plane * s.ih * s.iw;
        T best = lowest;
        int64_t at = -1;
        IB_EACH_INSIDE(u.k)
            if (at < 0 || in[iy * s.iw + ix] > best) {
                at = iy * s.iw + ix;
                best = in[at];
            }
        y[o] = best;
        if (argmax)
            argmax[o] = (int32_t)at;
    }
}

void ib_cuda_maxpool(ib_device *dev, const ib_window *s, const float *x, float *y, int32_t *argmax)
{
    BEGIN(dev, maxpool_kernel<float>, outputs(s), *s, outputs(s), x, -INFINITY, y, argmax);
}

void ib_cuda_qmaxpool(ib_device *dev, const ib_window *s, const int8_t *x, int8_t *y, int32_t *argmax)
{
    BEGIN(dev, maxpool_kernel<int8_t>, outputs(s), *s, outputs(s), x, (int8_t)-128, y, argmax);
}

/* The outputs along one axis, first to last, whose windows hold input i. */
static __device__ void outputs_over(int64_t i, int padding, int stride, int size, int64_t out, int64_t *first,
                                    int64_t *end)
{
    const int64_t last = i + padding, least = last - size + 1; /* o stride lies between */
    *first = least <= 0 ? 0 : (least + stride - 1) / stride;
    *end = ib_cuda_min(out, last / stride + 1);
}

/* An input's place, and the outputs whose windows lie over it: rows y0 .. y1, columns x0 .. x1. */
typedef struct over {
    int64_t plane, in_plane, y0, y1, x0, x1;
} over;

static __device__ over over_of(const ib_window *s, int64_t i)
{
    over v;
    v.plane = i / (s->ih * s->iw);
    v.in_plane = i % (s->ih * s->iw);
    outputs_over(v.in_plane / s->iw, s->ph, s->sh, s->kh, s->oh, &v.y0, &v.y1);
    outputs_over(v.in_plane % s->iw, s->pw, s->sw, s->kw, s->ow, &v.x0, &v.x1);
    return v;
}

/* dx += dy of the outputs that took this input, in their order */
static __global__ void maxpool_grad_kernel(ib_window s, int64_t n, const float *dy, const int32_t *argmax, float *dx)
{
    EACH(i, n)
    {
        const over v = over_of(&s, i);
        float sum = dx[i];
        for (int64_t oy = v.y0; oy < v.y1; oy++)
            for (int64_t ox = v.x0; ox < v.x1; ox++) {
                const int64_t o = (v.plane * s.oh + oy) * s.ow + ox;
                if (argmax[o] == v.in_plane)
                    sum += dy[o];
            }
        dx[i] = sum;
    }
}

void ib_cuda_maxpool_grad(ib_device *dev, const ib_window *s, const float *dy, const int32_t *argmax, float *dx)
{
    const int64_t n = s->n * s->ic * s->ih * s->iw;
    BEGIN(dev, maxpool_grad_kernel, n, *s, n, dy, argmax, dx);
}

/* y = sum / (kh kw); padding counts as 0 */
static __global__ void avgpool_kernel(ib_window s, int64_t n, const float *x, float *y)
{
    EACH(o, n)
    {
        const under u = window_of(&s, o);
        float sum = 0;
        IB_EACH_INSIDE(u.k)
            sum += x[(u.plane * s.ih + iy) * s.iw + ix];
        y[o] = sum / (float)(s.kh * s.kw);
    }
}

void ib_cuda_avgpool(ib_device *dev, const ib_window *s, const float *x, float *y)
{
    BEGIN(dev, avgpool_kernel, outputs(s), *s, outputs(s), x, y);
}

static __global__ void avgpool_grad_kernel(ib_window s, int64_t n, const float *dy, float *dx)
{
    EACH(i, n)
    {
        const over v = over_of(&s, i);
        float sum = dx[i];
        for (int64_t oy = v.y0; oy < v.y1; oy++)
            for (int64_t ox = v.x0; ox < v.x1; ox++)
                sum += dy[(v.plane * s.oh + oy) * s.ow + ox] / (float)(s.kh * s.kw);
        dx[i] = sum;
    }
}

void ib_cuda_avgpool_grad(ib_device *dev, const ib_window *s, const float *dy, float *dx)
{
    const int64_t n = s->n * s->ic * s->ih * s->iw;
    BEGIN(dev, avgpool_grad_kernel, n, *s, n, dy, dx);
}

/* acc = sum (x - in_zero), padding 0 */
static __global__ void qavgpool_kernel(ib_window s, int64_t n, const int8_t *x, const int32_t *in_zero, int32_t *acc)
{
    const int32_t zero = ib_zero_of(in_zero);
    EACH(o, n)
    {
        const under u = window_of(&s, o);
        int32_t sum = 0;
        IB_EACH_INSIDE(u.k)
            sum += x[(u.plane * s.ih + iy) * s.iw + ix] - zero;
        acc[o] = sum;
    }
}

void ib_cuda_qavgpool(ib_device *dev, const ib_window *s, const int8_t *x, const int32_t *in_zero, int32_t *acc)
{
    BEGIN(dev, qavgpool_kernel, outputs(s), *s, outputs(s), x, in_zero, acc);
}

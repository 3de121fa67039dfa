/* depthwise.cu - see depthwise.cuh. A thread has an output; in the gradients an input, or a weight of a part. */
#include "backends/cuda/kernels/depthwise.cuh"

static __global__ void depthwise_kernel(ib_window s, int64_t n, const float *x, const float *w, const float *bias,
                                        float *y)
{
    EACH(t, n)
    {
        const int64_t ox = t % s.ow, oy = t / s.ow % s.oh, plane = t / (s.oh * s.ow), c = plane % s.ic;
        const float *tap = w + c * s.kh * s.kw;
        float sum = bias ? bias[c] : 0.0f;
        for (int ky = 0; ky < s.kh; ky++)
            for (int kx = 0; kx < s.kw; kx++, tap++) {
                const int64_t iy = oy * s.sh - s.ph + ky, ix = ox * s.sw - s.pw + kx;
                if (iy >= 0 && iy < s.ih && ix >= 0 && ix < s.iw)
                    sum += *tap * x[(plane * s.ih + iy) * s.iw + ix];
            }
        y[t] = sum;
    }
}

void depthwise_forward(ib_device *dev, const ib_window *s, const float *x, const float *w, const float *bias, float *y)
{
    const int64_t n = s->n * s->ic * s->oh * s->ow;
    BEGIN(dev, depthwise_kernel, n, *s, n, x, w, bias, y);
}

/* dx += w dy of the outputs that took this input */
static __global__ void depthwise_grad_x_kernel(ib_window s, int64_t n, const float *dy, const float *w, float *dx,
                                               int sets)
{
    EACH(t, n)
    {
        const int64_t ix = t % s.iw, iy = t / s.iw % s.ih, plane = t / (s.ih * s.iw);
        const float *tap = w + plane % s.ic * s.kh * s.kw;
        float sum = sets ? 0.0f : dx[t];
        for (int ky = 0; ky < s.kh; ky++)
            for (int kx = 0; kx < s.kw; kx++, tap++) {
                const int64_t y = iy + s.ph - ky, x = ix + s.pw - kx;
                if (y >= 0 && x >= 0 && y % s.sh == 0 && x % s.sw == 0 && y / s.sh < s.oh && x / s.sw < s.ow)
                    sum += *tap * dy[(plane * s.oh + y / s.sh) * s.ow + x / s.sw];
            }
        dx[t] = sum;
    }
}

void depthwise_grad_x(ib_device *dev, const ib_window *s, const float *dy, const float *w, float *dx, int sets)
{
    const int64_t n = s->n * s->ic * s->ih * s->iw;
    BEGIN(dev, depthwise_grad_x_kernel, n, *s, n, dy, w, dx, sets);
}

/* The sum over rows of outputs of the sums of each. */
static __global__ void depthwise_grad_w_kernel(ib_window s, const float *x, const float *dy, int64_t parts, float *part)
{
    const int64_t weights = s.ic * s.kh * s.kw;
    EACH(j, parts * weights)
    {
        const int64_t t = j / weights, c = j % weights / (s.kh * s.kw), ky = j / s.kw % s.kh, kx = j % s.kw;
        float sum = 0;
        for (int64_t i = t * s.n / parts; i < (t + 1) * s.n / parts; i++)
            for (int64_t oy = 0; oy < s.oh; oy++) {
                const int64_t iy = oy * s.sh - s.ph + ky;
                if (iy < 0 || iy >= s.ih)
                    continue;
                const float *d = dy + ((i * s.ic + c) * s.oh + oy) * s.ow;
                const float *in = x + ((i * s.ic + c) * s.ih + iy) * s.iw;
                float of_row = 0;
                for (int64_t ox = 0; ox < s.ow; ox++) {
                    const int64_t ix = ox * s.sw - s.pw + kx;
                    if (ix >= 0 && ix < s.iw)
                        of_row += in[ix] * d[ox];
                }
                sum += of_row;
            }
        part[j] = sum;
    }
}

void depthwise_grad_w(ib_device *dev, const ib_window *s, const float *x, const float *dy, int64_t parts, float *part)
{
    BEGIN(dev, depthwise_grad_w_kernel, parts * s->ic * s->kh * s->kw, *s, x, dy, parts, part);
}

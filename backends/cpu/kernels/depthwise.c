/* depthwise.c - fp32 convolution in which channel c of the output sees channel c of the input alone. */
#include <string.h>

#include "backends/cpu/level.h"

/* Runs `body` for each tap (ky, kx) and each output row that reads inside the image, with x in [from, to);
 * in[ox * sw] and out[ox] are the rows' elements. */
#define FOR_TAPS(s, in_plane, out_plane, in_type, out_type, body)                                                      \
    for (int ky = 0; ky < (s)->kh; ky++)                                                                               \
        for (int kx = 0; kx < (s)->kw; kx++)                                                                           \
            for (int64_t oy = 0; oy < (s)->oh; oy++) {                                                                 \
                const int64_t iy = oy * (s)->sh - (s)->ph + ky;                                                        \
                if (iy < 0 || iy >= (s)->ih)                                                                           \
                    continue;                                                                                          \
                const int64_t low = (s)->pw - kx, high = (s)->iw - 1 + (s)->pw - kx;                                   \
                const int64_t from = low <= 0 ? 0 : (low + (s)->sw - 1) / (s)->sw;                                     \
                const int64_t to = high < 0 ? 0 : ib_min64((s)->ow, high / (s)->sw + 1);                               \
                in_type *in = (in_plane) + iy * (s)->iw - (s)->pw + kx;                                                \
                out_type *out = (out_plane) + oy * (s)->ow;                                                            \
                const int64_t stride = (s)->sw;                                                                        \
                body                                                                                                   \
            }

void IB_K(depthwise)(const ib_window *s, const float *x, const float *w, const float *bias, float *y)
{
#pragma omp parallel for schedule(static) if (s->n * s->ic > 1)
    for (int64_t i = 0; i < s->n * s->ic; i++) {
        const int64_t c = i % s->ic;
        float *plane = y + i * s->oh * s->ow;
        for (int64_t j = 0; j < s->oh * s->ow; j++)
            plane[j] = bias ? bias[c] : 0.0f;
        FOR_TAPS(s, x + i * s->ih * s->iw, plane, const float, float, {
            const float tap = w[(c * s->kh + ky) * s->kw + kx];
            for (int64_t ox = from; ox < to; ox++)
                out[ox] += tap * in[ox * stride];
        })
    }
}

void IB_K(depthwise_grad_x)(const ib_window *s, const float *dy, const float *w, float *dx)
{
#pragma omp parallel for schedule(static) if (s->n * s->ic > 1)
    for (int64_t i = 0; i < s->n * s->ic; i++) {
        const int64_t c = i % s->ic;
        FOR_TAPS(s, dx + i * s->ih * s->iw, dy + i * s->oh * s->ow, float, const float, {
            const float tap = w[(c * s->kh + ky) * s->kw + kx];
            for (int64_t ox = from; ox < to; ox++)
                in[ox * stride] += tap * out[ox];
        })
    }
}

void IB_K(depthwise_grad_w)(const ib_window *s, const float *x, const float *dy, float *dw, float *parts)
{
    const int64_t count = ib_min64(s->n, IB_PARTS), weights = s->ic * s->kh * s->kw;
#pragma omp parallel for schedule(static) if (count > 1)
    for (int64_t t = 0; t < count; t++) {
        float *sum = parts + t * weights;
        memset(sum, 0, (size_t)weights * sizeof *sum);
        for (int64_t i = t * s->n / count * s->ic; i < (t + 1) * s->n / count * s->ic; i++) {
            const int64_t c = i % s->ic;
            FOR_TAPS(s, x + i * s->ih * s->iw, dy + i * s->oh * s->ow, const float, const float, {
                float acc = 0;
                for (int64_t ox = from; ox < to; ox++)
                    acc += in[ox * stride] * out[ox];
                sum[(c * s->kh + ky) * s->kw + kx] += acc;
            })
        }
    }
    for (int64_t t = 0; t < count; t++)
        for (int64_t j = 0; j < weights; j++)
            dw[j] += parts[t * weights + j];
}

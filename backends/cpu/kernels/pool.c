/* pool.c - max and average pooling of fp32 and of codes. */
#include <math.h>

#include "backends/cpu/level.h"
#include "backends/formulas/windows.h"

#define FOR_PLANES(s, p)                                                                                               \
    _Pragma("omp parallel for schedule(static) if (s->n * s->ic * s->oh * s->ow > 4096)") for (int64_t p = 0;          \
                                                                                               p < s->n * s->ic; p++)

/* The first of the largest elements wins; padding never does. argmax is the index in the plane. */
#define MAX_POOL(type, lowest)                                                                                         \
    FOR_PLANES(s, p)                                                                                                   \
    {                                                                                                                  \
        const type *in = x + p * s->ih * s->iw;                                                                        \
        int64_t o = p * s->oh * s->ow;                                                                                 \
        for (int64_t oy = 0; oy < s->oh; oy++)                                                                         \
            for (int64_t ox = 0; ox < s->ow; ox++, o++) {                                                              \
                const ib_inside k = ib_inside_of(s, oy, ox);                                                           \
                type best = lowest;                                                                                    \
                int64_t at = -1;                                                                                       \
                IB_EACH_INSIDE(k)                                                                                      \
                    if (at < 0 || in[iy * s->iw + ix] > best) {                                                        \
                        at = iy * s->iw + ix;                                                                          \
                        best = in[at];                                                                                 \
                    }                                                                                                  \
                y[o] = best;                                                                                           \
                if (argmax)                                                                                            \
                    argmax[o] = (int32_t)at;                                                                           \
            }                                                                                                          \
    }

void IB_K(maxpool)(ib_device *dev, const ib_window *s, const float *x, float *y, int32_t *argmax)
{
    MAX_POOL(float, -INFINITY)
}

void IB_K(qmaxpool)(ib_device *dev, const ib_window *s, const int8_t *x, int8_t *y, int32_t *argmax)
{
    MAX_POOL(int8_t, -128)
}

void IB_K(maxpool_grad)(ib_device *dev, const ib_window *s, const float *dy, const int32_t *argmax, float *dx)
{
    const int64_t out = s->oh * s->ow;
    FOR_PLANES(s, p)
    for (int64_t o = p * out; o < (p + 1) * out; o++)
        if (argmax[o] >= 0)
            dx[p * s->ih * s->iw + argmax[o]] += dy[o];
}

/* y = sum / (kh kw); padding counts as 0 */
void IB_K(avgpool)(ib_device *dev, const ib_window *s, const float *x, float *y)
{
    const float divisor = (float)(s->kh * s->kw);
    FOR_PLANES(s, p)
    for (int64_t oy = 0; oy < s->oh; oy++)
        for (int64_t ox = 0; ox < s->ow; ox++) {
            const ib_inside k = ib_inside_of(s, oy, ox);
            float sum = 0;
            IB_EACH_INSIDE(k)
                sum += x[(p * s->ih + iy) * s->iw + ix];
            y[(p * s->oh + oy) * s->ow + ox] = sum / divisor;
        }
}

void IB_K(avgpool_grad)(ib_device *dev, const ib_window *s, const float *dy, float *dx)
{
    const float divisor = (float)(s->kh * s->kw);
    FOR_PLANES(s, p)
    for (int64_t oy = 0; oy < s->oh; oy++)
        for (int64_t ox = 0; ox < s->ow; ox++) {
            const ib_inside k = ib_inside_of(s, oy, ox);
            const float share = dy[(p * s->oh + oy) * s->ow + ox] / divisor;
            IB_EACH_INSIDE(k)
                dx[(p * s->ih + iy) * s->iw + ix] += share;
        }
}

/* acc = sum (x - in_zero), padding 0 */
void IB_K(qavgpool)(ib_device *dev, const ib_window *s, const int8_t *x, const int32_t *in_zero, int32_t *acc)
{
    const int32_t zero = ib_zero_of(in_zero);
    FOR_PLANES(s, p)
    for (int64_t oy = 0; oy < s->oh; oy++)
        for (int64_t ox = 0; ox < s->ow; ox++) {
            const ib_inside k = ib_inside_of(s, oy, ox);
            int32_t sum = 0;
            IB_EACH_INSIDE(k)
                sum += x[(p * s->ih + iy) * s->iw + ix] - zero;
            acc[(p * s->oh + oy) * s->ow + ox] = sum;
        }
}

/* weight_scales.h - scales of weights that suit the product's accumulator, and what depends on them by rows. Of the
 * formulas that kernels of the CPU and of CUDA share. */
#ifndef IB_BACKENDS_FORMULAS_WEIGHT_SCALES_H
#define IB_BACKENDS_FORMULAS_WEIGHT_SCALES_H

#include <float.h>
#include <math.h>

#include "backends/quantization.h"

IB_DEVICE_FN static inline int ib_is_empty(const ib_weight_scaling *p, int64_t c)
{
    const int64_t part = p->size / p->count;
    const float *x = p->w + c * part;
    for (int64_t i = 0; i < part; i++)
        if (x[i] != 0)
            return 0;
    return 1;
}

/* The scale of a row of zeros is no measure for the others. */
IB_DEVICE_FN static inline void ib_begin_scale(const ib_weight_scaling *p, int64_t c)
{
    if (p->qmax)
        p->scale[c] /= (float)p->qmax;
    if (p->chosen)
        p->chosen[c] = p->scale[c] = p->chosen[c] > 0 || !isfinite(p->chosen[c]) ? p->scale[c] : 0;
}

/* A channel keeps its own scale, however small beside the others', of which `top` is the largest. One of zeros, which
 * must not be divided by, gets 2^-12 of the largest; and so does one whose step of the accumulator fp32 cannot hold
 * while the largest is 2^24 of what it can: that is 0 in fp32 too. Returns whether it is one. */
IB_DEVICE_FN static inline int ib_check_scale(const ib_weight_scaling *p, int64_t c, float in_scale, float top,
                                              ib_site at)
{
    const float step = in_scale > 0 ? in_scale : 1;
    const int visible = step * top >= 0x1p24f * FLT_MIN;
    if (visible ? step * p->scale[c] < FLT_MIN : ib_is_empty(p, c))
        p->scale[c] = top == 0 ? 1.0f : visible ? top * 0x1p-12f : top;
    if (p->scale[c] == 0)
        ib_raise(at, IB_FAULT_weight_step, c, 0, 0, 0);
    return p->scale[c] != 0;
}

/* Channels of zeros alone say nothing but their bias: a scale that leaves less than 2^16 of the accumulator's steps to
 * it shrinks. (One scale of several channels: to the largest bias.) */
IB_DEVICE_FN static inline void ib_suit_empty(const ib_weight_scaling *p, int64_t c, float in_scale)
{
    const int64_t shared = p->count == 1 ? p->n_bias : 1;
    float bias = 0;
    for (int64_t o = 0; o < shared; o++)
        bias = fmaxf(bias, fabsf(p->bias[c + o]));
    const float wanted = fmaxf(fmaxf(bias * 0x1p-16f, 2 * FLT_MIN) / in_scale, FLT_MIN);
    if (bias > 0 && wanted < p->scale[c] && ib_is_empty(p, c))
        p->scale[c] = wanted;
}

/* Where |bias| / (in_scale scale) would exceed the accumulator's room, the scale grows until it does not: the bias
 * decides such a channel, and the steps of its weights are small beside it. One scale for all channels can grow for a
 * bias that the results show; where a ReLU hides a large negative one, the other channels would lose their weights
 * to it. Returns whether the scale suits. */
IB_DEVICE_FN static inline int ib_raise_scale(const ib_weight_scaling *p, int64_t o, float in_scale, ib_site at)
{
    const float bias = p->bias[o];
    float *s = &p->scale[p->count == 1 ? 0 : o];
    /* less the rounding of fp32 steps */
    const double least = fabs((double)bias) / ((double)in_scale * (IB_MAX_BIAS - 256));
    if (!isfinite(bias)) {
        ib_raise(at, IB_FAULT_bias_not_finite, o, bias, 0, 0);
        return 0;
    }
    if (!(least > *s))
        return 1;
    if (p->count == 1 && p->n_bias > 1 && bias < 0 && p->act != IB_ACT_NONE && least > 4 * (double)*s) {
        ib_raise(at, IB_FAULT_bias_of_one_scale, o, bias, 0, 0);
        return 0;
    }
    *s = (float)least;
    return 1;
}

IB_DEVICE_FN static inline void ib_no_scale(const ib_weight_scaling *p, int64_t c)
{
    p->scale[c] = 1.0f;
    if (p->chosen)
        p->chosen[c] = 1.0f;
}

/* What is not normal in fp32 is rounded there too. */
IB_DEVICE_FN static inline float ib_row_step(float scale, int64_t row, ib_site at)
{
    if (!isfinite(scale))
        ib_raise(at, IB_FAULT_row_not_finite, row, scale, 0, 0);
    return scale >= 127 * FLT_MIN && isfinite(scale) ? scale / 127.0f : FLT_MIN;
}

#endif

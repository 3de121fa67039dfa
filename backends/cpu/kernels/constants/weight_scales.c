/* weight_scales.c - scales of weights that suit the product's accumulator, and what depends on them by rows. */
#include <float.h>
#include <math.h>

#include "backends/cpu/level.h"

static int is_empty(const ib_weight_scaling *p, int64_t c)
{
    const int64_t part = p->size / p->count;
    const float *x = p->w + c * part;
    for (int64_t i = 0; i < part; i++)
        if (x[i] != 0)
            return 0;
    return 1;
}

/* A channel keeps its own scale, however small beside the others'. One of zeros, which must not be divided by, gets
 * 2^-12 of the largest; and so does one whose step of the accumulator fp32 cannot hold while the largest is 2^24 of
 * what it can: that is 0 in fp32 too. */
static int check_scales(const ib_weight_scaling *p, float in_scale)
{
    const float step = in_scale > 0 ? in_scale : 1;
    float *scale = p->scale, top = 0;
    for (int c = 0; c < p->count; c++) {
        if (!isfinite(scale[c])) {
            ib_raise(p->at, IB_FAULT_weights_not_finite, c, 0, 0, 0);
            return 0;
        }
        top = scale[c] > top ? scale[c] : top;
    }
    const int visible = step * top >= 0x1p24f * FLT_MIN;
    const float rest = top == 0 ? 1.0f : visible ? top * 0x1p-12f : top;
    for (int c = 0; c < p->count; c++) {
        if (visible ? step * scale[c] < FLT_MIN : is_empty(p, c))
            scale[c] = rest;
        if (scale[c] == 0) {
            ib_raise(p->at, IB_FAULT_weight_step, c, 0, 0, 0);
            return 0;
        }
    }
    return 1;
}

/* Channels of zeros alone say nothing but their bias: a scale that leaves less than 2^16 of the accumulator's steps to
 * it shrinks. (One scale of several channels: to the largest bias.) */
static void suit_empty(const ib_weight_scaling *p, float in_scale)
{
    const int64_t shared = p->count == 1 ? p->n_bias : 1;
    for (int64_t c = 0; c < p->count; c++) {
        float bias = 0;
        for (int64_t o = 0; o < shared; o++)
            bias = fmaxf(bias, fabsf(p->bias[c + o]));
        const float wanted = fmaxf(fmaxf(bias * 0x1p-16f, 2 * FLT_MIN) / in_scale, FLT_MIN);
        if (bias > 0 && wanted < p->scale[c] && is_empty(p, c))
            p->scale[c] = wanted;
    }
}

/* Where |bias| / (in_scale scale) would exceed the accumulator's room, the scale grows until it does not: the bias
 * decides such a channel, and the steps of its weights are small beside it. One scale for all channels can grow for a
 * bias that the results show; where a ReLU hides a large negative one, the other channels would lose their weights
 * to it. */
static int raise_scales(const ib_weight_scaling *p, float in_scale)
{
    for (int64_t o = 0; o < p->n_bias; o++) {
        const float bias = p->bias[o];
        float *s = &p->scale[p->count == 1 ? 0 : o];
        /* less the rounding of fp32 steps */
        const double least = fabs((double)bias) / ((double)in_scale * (IB_MAX_BIAS - 256));
        if (!isfinite(bias)) {
            ib_raise(p->at, IB_FAULT_bias_not_finite, o, bias, 0, 0);
            return 0;
        }
        if (!(least > *s))
            continue;
        if (p->count == 1 && p->n_bias > 1 && bias < 0 && p->act != IB_ACT_NONE && least > 4 * (double)*s) {
            ib_raise(p->at, IB_FAULT_bias_of_one_scale, o, bias, 0, 0);
            return 0;
        }
        *s = (float)least;
    }
    return 1;
}

void IB_K(weight_scales)(ib_device *dev, const ib_weight_scaling *p)
{
    const float in_scale = p->in_scale ? *p->in_scale : 0;
    for (int c = 0; c < p->count && p->qmax; c++)
        p->scale[c] /= (float)p->qmax;
    for (int c = 0; c < p->count && p->chosen; c++) /* the scale of a row of zeros is no measure for the others */
        p->chosen[c] = p->scale[c] = p->chosen[c] > 0 || !isfinite(p->chosen[c]) ? p->scale[c] : 0;
    int ok = check_scales(p, in_scale);
    if (ok && p->bias && in_scale > 0) {
        suit_empty(p, in_scale);
        ok = raise_scales(p, in_scale);
    }
    for (int c = 0; c < p->count && !ok; c++) {
        p->scale[c] = 1.0f;
        if (p->chosen)
            p->chosen[c] = 1.0f;
    }
}

/* By the formula of quantize_groups. */
void IB_K(requantize_groups)(ib_device *dev, int64_t rows, int64_t cols, const ib_weight_codes *p, const float *chosen)
{
    const int64_t groups = (cols + p->group_size - 1) / p->group_size;
    for (int64_t r = 0; r < rows; r++) {
        const float scale = p->scale[r];
        for (int64_t g = 0; g < groups && scale > chosen[r]; g++) {
            const int64_t first = r * cols + g * p->group_size, end = ib_min64(r * cols + cols, first + p->group_size);
            float top = 0;
            for (int64_t i = first; i < end; i++)
                top = fmaxf(top, fabsf(p->w[i]));
            const float f = ceilf(top / (float)p->qmax / scale - 1e-4f);
            /* at most 15 but for rounding: the scale only grew */
            const uint8_t factor = p->factor[r * groups + g] = (uint8_t)(f < 1 ? 1 : f > 15 ? 15 : f);
            for (int64_t i = first; i < end; i++) {
                const float v = rintf(p->w[i] / (scale * factor));
                p->q[i] = (int8_t)fminf(fmaxf(v, (float)-p->qmax), (float)p->qmax);
            }
        }
    }
}

/* What is not normal in fp32 is rounded there too. */
void IB_K(row_steps)(ib_device *dev, int64_t rows, float *scale, ib_site at)
{
    for (int64_t i = 0; i < rows; i++) {
        if (!isfinite(scale[i]))
            ib_raise(at, IB_FAULT_row_not_finite, i, scale[i], 0, 0);
        scale[i] = scale[i] >= 127 * FLT_MIN && isfinite(scale[i]) ? scale[i] / 127.0f : FLT_MIN;
    }
}

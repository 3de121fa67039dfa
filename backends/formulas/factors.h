/* factors.h - what accumulators, sums and tables of codes are multiplied by and clamped to, an output at a time. Of the
 * formulas that kernels of the CPU and of CUDA share. */
#ifndef IB_BACKENDS_FORMULAS_FACTORS_H
#define IB_BACKENDS_FORMULAS_FACTORS_H

#include <math.h>

#include "arithmetic/requant.h"
#include "arithmetic/runtime.h"
#include "backends/quantization.h"

/* ---- products ---- */

/* The step s_a s_b of output o's accumulator (-1: of all) is a finite normal number. */
IB_DEVICE_FN static inline int ib_step_is_normal(ib_site at, int64_t o, float s_a, float s_b)
{
    const float step = s_a * s_b;
    if (!ib_usable_scale(step))
        ib_raise(at, o < 0 ? IB_FAULT_two_steps : IB_FAULT_product_step, o, s_a, s_b, step);
    return ib_usable_scale(step);
}

/* M = s_a s_b / s_out of output o; 0 if fp32 cannot say it. */
IB_DEVICE_FN static inline isobit_scale ib_factor_of(ib_site at, int64_t o, float s_a, float s_b,
                                                     const ib_result_codes *out)
{
    if (isfinite(s_a * s_b / *out->scale))
        return ib_requant_scale(s_a, s_b, *out->scale, out->profile);
    ib_raise(at, IB_FAULT_factor_too_large, o, s_a * s_b, *out->scale, 0);
    return (isobit_scale){0, 0};
}

IB_DEVICE_FN static inline float ib_weight_scale_of(const ib_product_constants *p, int64_t o)
{
    return p->w_scale[p->n_w_scales == 1 ? 0 : o];
}

/* acc_scale = s_in s_w, and the bias in such steps; the weights' scale was chosen so that it fits. Returns whether
 * there is such a step. */
IB_DEVICE_FN static inline int ib_product_step(const ib_product_constants *p, int64_t o, ib_site at)
{
    const float s_w = ib_weight_scale_of(p, o), step = *p->in_scale * s_w;
    const int ok = ib_step_is_normal(at, o, *p->in_scale, s_w);
    const double q = ok && p->bias ? rint((double)p->bias[o] / step) : 0;
    const int fits = fabs(q) <= IB_MAX_BIAS;
    if (!fits)
        ib_raise(at, IB_FAULT_bias_too_large, o, p->bias[o], q, 0);
    p->acc_scale[o] = ok && fits ? step : 1.0f;
    p->bias_code[o] = ok && fits ? (int32_t)q : 0;
    return ok && fits;
}

/* What outputs behind one without a step get. */
IB_DEVICE_FN static inline void ib_no_product_step(const ib_product_constants *p, int64_t o)
{
    p->acc_scale[o] = 1.0f;
    p->bias_code[o] = 0;
}

/* A bias of less than half a step is 0: where that is more than half of the result's codes, they would not be the
 * layer's. */
IB_DEVICE_FN static inline void ib_check_bias(const ib_product_constants *p, int64_t o, ib_site at)
{
    const ib_result_codes *out = &p->out;
    const float bias = p->bias[o];
    const double steps = fabs((double)bias) / *out->scale;
    if (p->bias_code[o] || steps <= (out->qmax - out->qmin) / 2.0 || (bias < 0 && out->act != IB_ACT_NONE))
        return;
    ib_raise(at, IB_FAULT_bias_lost, o, bias, steps, (double)bias / p->acc_scale[o]);
}

/* The least accumulator whose real value is not below `limit`. */
IB_DEVICE_FN static inline int32_t ib_accumulator_below(float limit, float acc_scale)
{
    const double t = ceil((double)limit / acc_scale);
    return t < INT32_MAX ? (int32_t)t : INT32_MAX;
}

IB_DEVICE_FN static inline float ib_limit_of(const ib_result_codes *r)
{
    return ib_passes_below(*r->scale, *r->zero, r->qmax, r->learned, r->act);
}

/* Factor and top of an output; of an area there is one, by ones of step 1 / area, so that runtimes without such a
 * pooling can say it as a convolution. */
IB_DEVICE_FN static inline void ib_product_factor(const ib_product_constants *p, int64_t o, ib_site at)
{
    const ib_result_codes *out = &p->out;
    if (p->area) {
        const float one = 1.0f / (float)p->area;
        *p->factor = ib_step_is_normal(at, -1, *p->in_scale, one) ? ib_factor_of(at, o, *p->in_scale, one, out)
                                                                  : (isobit_scale){0, 0};
    } else {
        p->factor[o] = ib_factor_of(at, o, *p->in_scale, ib_weight_scale_of(p, o), out);
        if (p->bias)
            ib_check_bias(p, o, at);
    }
    if (p->top)
        p->top[o] = ib_accumulator_below(ib_limit_of(out), p->acc_scale[o]);
}

IB_DEVICE_FN static inline void ib_result_bounds(const ib_result_codes *r, int32_t *lo, int32_t *hi)
{
    ib_act_bounds(*r->scale, *r->zero, r->qmin, r->qmax, r->act, lo, hi);
}

/* ---- sums and products of two operands ---- */

IB_DEVICE_FN static inline void ib_add_factors(const ib_coded *a, const ib_coded *b, const ib_result_codes *r,
                                               struct isobit_add *made, float *top, ib_site at)
{
    const float s_a = *a->scale, s_b = *b->scale;
    const double most = ib_requant_add_limit(r->profile), larger = s_a > s_b ? s_a : s_b;
    *made = (isobit_add){.a_zero = ib_zero_of(a->zero), .b_zero = ib_zero_of(b->zero), .out_zero = *r->zero};
    ib_result_bounds(r, &made->lo, &made->hi);
    *top = ib_limit_of(r);
    if (larger / *r->scale < most)
        ib_requant_add(s_a, s_b, *r->scale, r->profile, &made->a, &made->b, &made->out);
    else
        ib_raise(at, IB_FAULT_addend_too_large, s_b > s_a, larger, *r->scale, most);
}

IB_DEVICE_FN static inline void ib_mul_factors(const ib_coded *a, const ib_coded *b, const ib_result_codes *r,
                                               struct isobit_mul *made, float *top, ib_site at)
{
    *made = (isobit_mul){.a_zero = ib_zero_of(a->zero), .b_zero = ib_zero_of(b->zero), .out_zero = *r->zero};
    ib_result_bounds(r, &made->lo, &made->hi);
    *top = ib_limit_of(r);
    if (ib_step_is_normal(at, -1, *a->scale, *b->scale))
        made->scale = ib_factor_of(at, 0, *a->scale, *b->scale, r);
}

/* ---- tables ---- */

/* r's code of y = f(scale (code - zero)), and where a gradient passes, the slope. */
IB_DEVICE_FN static inline int8_t ib_table_entry(int code, float scale, int zero, int f, const ib_result_codes *r,
                                                 float *slope)
{
    int32_t lo, hi;
    ib_result_bounds(r, &lo, &hi);
    const float x = scale * (float)(code - zero), y = ib_function_at((ib_function)f, x);
    const float q = rintf(y / *r->scale) + (float)*r->zero;
    const int inside = q >= (float)lo && q <= (float)hi;
    const int passes = inside && (r->act == IB_ACT_NONE || (x > 0 && x < ib_limit_of(r)));
    *slope = passes ? ib_slope_at((ib_function)f, y) : 0.0f;
    return (int8_t)(inside ? q : q < (float)lo ? lo : hi);
}

#endif

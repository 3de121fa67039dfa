/* factors.c - what accumulators, sums and tables of codes are multiplied by and clamped to. */
#include <math.h>

#include "arithmetic/requant.h"
#include "backends/cpu/level.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include "runtime/isobit_rt.h"
#pragma GCC diagnostic pop

/* ---- products ---- */

/* The step s_a s_b of output o's accumulator (-1: of all) is a finite normal number. */
static int step_is_normal(ib_site at, int64_t o, float s_a, float s_b)
{
    const float step = s_a * s_b;
    if (!ib_usable_scale(step))
        ib_raise(at, o < 0 ? IB_FAULT_two_steps : IB_FAULT_product_step, o, s_a, s_b, step);
    return ib_usable_scale(step);
}

/* M = s_a s_b / s_out; 0 if fp32 cannot say it. */
static isobit_scale factor_of(ib_site at, float s_a, float s_b, const ib_result_codes *out)
{
    if (isfinite(s_a * s_b / *out->scale))
        return ib_requant_scale(s_a, s_b, *out->scale, out->profile);
    ib_raise(at, IB_FAULT_factor_too_large, 0, s_a * s_b, *out->scale, 0);
    return (isobit_scale){0, 0};
}

/* acc_scale = s_in s_w, and the bias in such steps; the weights' scale was chosen so that it fits. */
void IB_K(product_steps)(ib_device *dev, const ib_product_constants *p)
{
    int ok = 1;
    if (p->area) {
        *p->acc_scale = *p->in_scale / (float)p->area;
        return;
    }
    for (int64_t o = 0; o < p->outputs; o++) {
        const float s_w = p->w_scale[p->n_w_scales == 1 ? 0 : o], step = *p->in_scale * s_w;
        ok = ok && step_is_normal(p->at, o, *p->in_scale, s_w);
        const double q = ok && p->bias ? rint((double)p->bias[o] / step) : 0;
        if (!(fabs(q) <= IB_MAX_BIAS)) {
            ib_raise(p->at, IB_FAULT_bias_too_large, o, p->bias[o], q, 0);
            ok = 0;
        }
        p->acc_scale[o] = ok ? step : 1.0f;
        p->bias_code[o] = ok ? (int32_t)q : 0;
    }
}

/* A bias of less than half a step is 0: where that is more than half of the result's codes, they would not be the
 * layer's. */
static void check_bias(const ib_product_constants *p, int64_t o)
{
    const ib_result_codes *out = &p->out;
    const float bias = p->bias[o];
    const double steps = fabs((double)bias) / *out->scale;
    if (p->bias_code[o] || steps <= (out->qmax - out->qmin) / 2.0 || (bias < 0 && out->act != IB_ACT_NONE))
        return;
    ib_raise(p->at, IB_FAULT_bias_lost, o, bias, steps, (double)bias / p->acc_scale[o]);
}

/* The least accumulator whose real value is not below `limit`. */
static int32_t accumulator_below(float limit, float acc_scale)
{
    const double t = ceil((double)limit / acc_scale);
    return t < INT32_MAX ? (int32_t)t : INT32_MAX;
}

void IB_K(product_factors)(ib_device *dev, const ib_product_constants *p)
{
    const ib_result_codes *out = &p->out;
    if (p->area) { /* by ones of step 1 / area, so that runtimes without such a pooling can say it as a convolution */
        const float one = 1.0f / (float)p->area;
        *p->factor = step_is_normal(p->at, -1, *p->in_scale, one) ? factor_of(p->at, *p->in_scale, one, out)
                                                                  : (isobit_scale){0, 0};
    }
    for (int64_t o = 0; o < p->outputs && !p->area; o++) {
        p->factor[o] = factor_of(p->at, *p->in_scale, p->w_scale[p->n_w_scales == 1 ? 0 : o], out);
        if (p->bias)
            check_bias(p, o);
    }
    ib_act_bounds(*out->scale, *out->zero, out->qmin, out->qmax, out->act, p->lo, p->hi);
    const float limit = ib_passes_below(*out->scale, *out->zero, out->qmax, out->learned, out->act);
    for (int64_t o = 0; o < p->outputs && p->top; o++)
        p->top[o] = accumulator_below(limit, p->acc_scale[o]);
}

/* ---- sums and products of two operands ---- */

void IB_K(add_factors)(ib_device *dev, const ib_coded *a, const ib_coded *b, const ib_result_codes *r,
                       struct isobit_add *made, float *top, ib_site at)
{
    const float s_a = *a->scale, s_b = *b->scale;
    const double most = ib_requant_add_limit(r->profile), larger = s_a > s_b ? s_a : s_b;
    *made = (isobit_add){.a_zero = ib_zero_of(a->zero), .b_zero = ib_zero_of(b->zero), .out_zero = *r->zero};
    ib_act_bounds(*r->scale, *r->zero, r->qmin, r->qmax, r->act, &made->lo, &made->hi);
    *top = ib_passes_below(*r->scale, *r->zero, r->qmax, r->learned, r->act);
    if (larger / *r->scale < most)
        ib_requant_add(s_a, s_b, *r->scale, r->profile, &made->a, &made->b, &made->out);
    else
        ib_raise(at, IB_FAULT_addend_too_large, s_b > s_a, larger, *r->scale, most);
}

void IB_K(mul_factors)(ib_device *dev, const ib_coded *a, const ib_coded *b, const ib_result_codes *r,
                       struct isobit_mul *made, float *top, ib_site at)
{
    *made = (isobit_mul){.a_zero = ib_zero_of(a->zero), .b_zero = ib_zero_of(b->zero), .out_zero = *r->zero};
    ib_act_bounds(*r->scale, *r->zero, r->qmin, r->qmax, r->act, &made->lo, &made->hi);
    *top = ib_passes_below(*r->scale, *r->zero, r->qmax, r->learned, r->act);
    if (step_is_normal(at, -1, *a->scale, *b->scale))
        made->scale = factor_of(at, *a->scale, *b->scale, r);
}

/* ---- tables ---- */

void IB_K(lookup_table)(ib_device *dev, const float *scale, const int32_t *zero, int f, const ib_result_codes *r,
                        int8_t *table, float *slope)
{
    const float top = ib_passes_below(*r->scale, *r->zero, r->qmax, r->learned, r->act);
    const int in_zero = ib_zero_of(zero);
    int32_t lo, hi;
    ib_act_bounds(*r->scale, *r->zero, r->qmin, r->qmax, r->act, &lo, &hi);
    for (int code = -128; code < 128; code++) {
        const float x = *scale * (float)(code - in_zero), y = ib_function_at(f, x);
        const float q = rintf(y / *r->scale) + (float)*r->zero;
        const int inside = q >= (float)lo && q <= (float)hi;
        const int passes = inside && (r->act == IB_ACT_NONE || (x > 0 && x < top));
        table[code + 128] = (int8_t)(inside ? q : q < (float)lo ? lo : hi);
        slope[code + 128] = passes ? ib_slope_at(f, y) : 0.0f;
    }
}

/* quantizer.c - see quantizer.h */
#include "autograd/quantizer.h"

#include <math.h>

#include "arithmetic/requant.h"
#include "base/assert.h"

void ib_act_bounds(const ib_quantizer *q, ib_act act, int *lo, int *hi)
{
    IB_ASSERT(q->qmin < q->qmax && q->zero >= q->qmin && q->zero <= q->qmax, "a zero point is one of the codes");
    IB_ASSERT(q->scale > 0, "a quantizer has a scale before its codes are bounded");
    *lo = q->qmin;
    *hi = q->qmax;
    if (act != IB_ACT_NONE && q->zero > *lo)
        *lo = q->zero;
    if (act == IB_ACT_RELU6) {
        const float six = rintf(6.0f / q->scale) + (float)q->zero;
        if (six < (float)*hi)
            *hi = six < (float)*lo ? *lo : (int)six;
    }
}

float ib_passes_below(const ib_quantizer *q, ib_act act)
{
    return q->learned == IB_PACT ? (float)(q->qmax - q->zero) * q->scale : act == IB_ACT_RELU6 ? 6.0f : INFINITY;
}

void ib_quantizer_set_range(ib_quantizer *q, float lo, float hi, int symmetric)
{
    lo = lo < 0 ? lo : 0;
    hi = hi > 0 ? hi : 0;
    IB_ASSERT(q->qmin < q->qmax && q->qmax > 0, "a range becomes codes of a width");
    q->scale = 1.0f;
    q->zero = lo < 0 || symmetric ? 0 : q->qmin;
    if (!(hi - lo > 0))
        return;
    if (symmetric) {
        const float top = -lo > hi ? -lo : hi;
        q->scale = top / (float)q->qmax;
        return;
    }
    q->scale = (hi - lo) / (float)(q->qmax - q->qmin);
    if (!isnormal(q->scale))
        return;
    const float zero = rintf((float)q->qmin - lo / q->scale);
    q->zero = zero < (float)q->qmin ? q->qmin : zero > (float)q->qmax ? q->qmax : (int)zero;
}

ib_status ib_quantizer_check(const ib_quantizer *q)
{
    if (isnormal(q->scale))
        return IB_OK;
    return ib_fail(IB_ENUMERIC, "its range makes a step of %g, %s than fp32 holds", q->scale,
                   q->scale < 1 ? "less" : "more");
}

ib_status ib_op_refuse(const ib_node *n)
{
    const ib_status status = ib_error_status();
    ib_op_fail(n, "%s", ib_error());
    return ib_fail(status, "%s", ib_error());
}

ib_status ib_check_step(const ib_node *n, int64_t o, float s_a, float s_b)
{
    const float step = s_a * s_b;
    if (isnormal(step))
        return IB_OK;
    if (o >= 0)
        ib_fail(IB_ENUMERIC,
                "the steps of the input (%g) and of the weights of output %lld (%g) multiply to %g, %s than "
                "fp32 holds",
                s_a, (long long)o, s_b, step, step < 1 ? "less" : "more");
    else
        ib_fail(IB_ENUMERIC, "the steps %g and %g multiply to %g, %s than fp32 holds", s_a, s_b, step,
                step < 1 ? "less" : "more");
    return ib_op_refuse(n);
}

ib_status ib_factor_of(const ib_node *n, float s_a, float s_b, const ib_quantizer *out, isobit_scale *m)
{
    if (!isfinite(s_a * s_b / out->scale)) {
        ib_fail(IB_ENUMERIC, "a step of its accumulator, %g, is more of its result's, %g, than fp32 can say", s_a * s_b,
                out->scale);
        return ib_op_refuse(n);
    }
    *m = ib_requant_scale(s_a, s_b, out->scale, out->profile);
    return IB_OK;
}

ib_status ib_addends_of(const ib_node *n, float s_a, float s_b, const ib_quantizer *out, ib_qbinary_const *c)
{
    const double most = ib_requant_add_limit(out->profile), larger = s_a > s_b ? s_a : s_b;
    if (!(larger / out->scale < most)) {
        ib_fail(IB_ENUMERIC,
                "a step of input %d, %g, is %.4g times the result's, %g: an addition of this profile holds less "
                "than %g",
                s_b > s_a, larger, larger / out->scale, out->scale, most);
        return ib_op_refuse(n);
    }
    ib_requant_add(s_a, s_b, out->scale, out->profile, &c->a, &c->b, &c->out);
    return IB_OK;
}

ib_status ib_set_codes(ib_graph *g, ib_tensor *out, const ib_quantizer *q)
{
    IB_ASSERT(out->dtype == IB_CODES, "codes are what has a quantization");
    IB_ASSERT(q->qmin >= -(1 << (q->bits - 1)) && q->qmax < 1 << (q->bits - 1),
              "bounds of codes are within their bits");
    float *scale = ib_graph_numbers(g, sizeof *scale);
    if (!scale)
        return IB_ENOMEM;
    *scale = q->scale;
    out->q = (ib_qparams){
        .bits = q->bits, .qmin = q->qmin, .qmax = q->qmax, .zero_point = q->zero, .n_scales = 1, .scale = scale};
    return IB_OK;
}

ib_status ib_see(ib_graph *g, const ib_node *n, ib_quantizer *q, ib_act act, float lo, float hi)
{
    if (g->mode == IB_TRAIN && q->see) {
        if (!(isfinite(lo) && isfinite(hi)))
            return ib_fail(IB_ENUMERIC, "values reach from %g to %g", lo, hi), ib_op_refuse(n);
        if (act != IB_ACT_NONE) {
            lo = lo > 0 ? lo : 0;
            hi = hi > 0 ? hi : 0;
        }
        if (act == IB_ACT_RELU6 && hi > 6)
            hi = 6;
        q->see(q, lo, hi);
    }
    const ib_status status = ib_quantizer_refresh(q);
    return status ? status : ib_quantizer_check(q) ? ib_op_refuse(n) : IB_OK;
}

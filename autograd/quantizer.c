/* quantizer.c - see quantizer.h */
#include "autograd/quantizer.h"

#include <math.h>

#define K(g) (&(g)->dev->k)

void ib_act_bounds(const ib_quantizer *q, ib_act act, int *lo, int *hi)
{
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

ib_status ib_quantizer_refresh(ib_quantizer *q)
{
    if (!q->param)
        return IB_OK;
    const float p = ib_f32(q->param)[0];
    q->scale = q->learned == IB_PACT ? p / (float)(q->qmax - q->qmin) : expf(p);
    if (q->learned == IB_PACT)
        q->zero = q->qmin;
    if (!(q->scale > 1e-30f && q->scale < 1e30f))
        return ib_fail(IB_ENUMERIC, "the learned scale of '%s' became %g", ib_tensor_name(q->param), q->scale);
    return IB_OK;
}

void ib_quantizer_set_range(ib_quantizer *q, float lo, float hi, int symmetric)
{
    lo = lo < 0 ? lo : 0;
    hi = hi > 0 ? hi : 0;
    q->scale = 1.0f;
    q->zero = lo < 0 || symmetric ? 0 : q->qmin;
    if (!(hi - lo > 1e-20f))
        return;
    if (symmetric) {
        const float top = -lo > hi ? -lo : hi;
        q->scale = top / (float)q->qmax;
        return;
    }
    q->scale = (hi - lo) / (float)(q->qmax - q->qmin);
    const float zero = rintf((float)q->qmin - lo / q->scale);
    q->zero = zero < (float)q->qmin ? q->qmin : zero > (float)q->qmax ? q->qmax : (int)zero;
}

ib_status ib_set_codes(ib_graph *g, ib_tensor *out, const ib_quantizer *q)
{
    float *scale = ib_graph_alloc(g, sizeof *scale);
    if (!scale)
        return IB_ENOMEM;
    *scale = q->scale;
    out->q = (ib_qparams){.bits = q->bits, .qmin = q->qmin, .qmax = q->qmax, .zero_point = q->zero, .n_scales = 1, .scale = scale};
    return IB_OK;
}

ib_status ib_see(ib_graph *g, const ib_node *n, ib_quantizer *q, ib_act act, float lo, float hi)
{
    if (g->mode == IB_TRAIN && q->see) {
        if (!(isfinite(lo) && isfinite(hi)))
            return ib_op_fail(n, "values reach from %g to %g", lo, hi), ib_fail(IB_ENUMERIC, "%s", ib_error());
        if (act != IB_ACT_NONE) {
            lo = lo > 0 ? lo : 0;
            hi = hi > 0 ? hi : 0;
        }
        if (act == IB_ACT_RELU6 && hi > 6)
            hi = 6;
        q->see(q, lo, hi);
    }
    return ib_quantizer_refresh(q);
}

/* LSQ on t = ln s: dt = g s sum dy (...), g = 1 / sqrt(N QP), N elements of one sample, QP codes above zero. */
void ib_learn_scale(ib_graph *g, ib_quantizer *q, ib_act act, int64_t batch, int64_t size, float *x, const float *dy)
{
    if (!q->param || !q->param->needs_grad)
        return;
    const float top = ib_passes_below(q, act);
    if (act != IB_ACT_NONE)
        K(g)->clamp(x, x, size, 0, top);
    if (q->learned == IB_PACT) {
        q->param->grad[0] += (float)K(g)->pact_grad(x, dy, size, top);
    } else if (q->learned == IB_LSQ) {
        const double positive = q->qmax > q->zero ? q->qmax - q->zero : 1, factor = 1.0 / sqrt((double)(size / batch) * positive);
        q->param->grad[0] += (float)(factor * q->scale * K(g)->lsq_grad(x, dy, size, q->scale, q->zero, q->qmin, q->qmax));
    }
}

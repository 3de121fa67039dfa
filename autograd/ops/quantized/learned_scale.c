/* learned_scale.c - scales that are learned by gradient: of activations (LSQ, PACT) and of weights (LSQ). LSQ learns
 * t = ln s, so that a scale stays positive (Esser et al., arXiv:1902.08153); PACT learns the largest real value alpha
 * (Choi et al., arXiv:1805.06085). */
#include <math.h>

#include "arithmetic/real.h"
#include "autograd/quantizer.h"
#include "base/assert.h"

/* dt = g s sum dy (q - x / s), outside of the range q alone, g = 1 / sqrt(N Q), for the N = n values of a sample or
 * channel and Q codes above zero */
static float lsq_gradient(ib_graph *g, const ib_affine *codes, int64_t n, int64_t size, const float *x, const float *dy)
{
    const double positive = codes->qmax > codes->zero ? codes->qmax - codes->zero : 1,
                 factor = 1.0 / sqrt((double)n * positive);
    return (float)(factor * codes->scale * K(g)->lsq_grad(g->dev, x, dy, size, codes));
}

/* ---- of activations ---- */

void ib_quantizer_learn_from(ib_quantizer *q)
{
    if (q->learned == IB_PACT)
        ib_f32(q->param)[0] = q->scale * (float)(q->qmax - q->qmin);
    else if (q->learned == IB_LSQ)
        ib_f32(q->param)[0] = ib_log_nearest(q->scale);
}

ib_status ib_quantizer_refresh(ib_quantizer *q)
{
    if (!q->param)
        return IB_OK;
    const float p = ib_f32(q->param)[0];
    q->scale = q->learned == IB_PACT ? p / (float)(q->qmax - q->qmin) : ib_exp_nearest(p);
    if (q->learned == IB_PACT)
        q->zero = q->qmin;
    if (!(q->scale > 1e-30f && q->scale < 1e30f))
        return ib_fail(IB_ENUMERIC, "the learned scale of '%s' became %g", ib_tensor_name(q->param), q->scale);
    return IB_OK;
}

/* N: the elements of one sample */
void ib_learn_scale(ib_graph *g, ib_quantizer *q, ib_act act, int64_t batch, int64_t size, float *x, const float *dy)
{
    if (!q->param || !q->param->needs_grad)
        return;
    const float top = ib_passes_below(q, act);
    IB_ASSERT(batch > 0 && size % batch == 0, "samples are of one size");
    if (act != IB_ACT_NONE)
        K(g)->clamp(g->dev, x, x, size, 0, top);
    if (q->learned == IB_PACT) {
        q->param->grad[0] += (float)K(g)->pact_grad(g->dev, x, dy, size, top);
    } else if (q->learned == IB_LSQ) {
        const ib_affine codes = {.scale = q->scale, .zero = q->zero, .qmin = q->qmin, .qmax = q->qmax};
        q->param->grad[0] += lsq_gradient(g, &codes, size / batch, size, x, dy);
    }
}

/* ---- of weights: t[channels], or [1] for all ---- */

void ib_weight_scales_learn_from(ib_tensor *ln_scale, const float *scale)
{
    for (int64_t c = 0; c < ln_scale->size; c++)
        ib_f32(ln_scale)[c] = ib_log_nearest(scale[c]);
}

void ib_weight_scales(const ib_tensor *ln_scale, float *scale)
{
    for (int64_t c = 0; c < ln_scale->size; c++)
        scale[c] = ib_exp_nearest(ib_f32(ln_scale)[c]);
}

/* N: the weights of one channel */
void ib_learn_weight_scales(ib_graph *g, const ib_tensor *w, const ib_qparams *q, const float *dy, float *dt)
{
    const int64_t part = w->size / q->n_scales;
    for (int64_t c = 0; c < q->n_scales; c++) {
        const ib_affine codes = {.scale = q->scale[c], .qmin = q->qmin, .qmax = q->qmax};
        dt[c] += lsq_gradient(g, &codes, part, part, ib_f32(w) + c * part, dy + c * part);
    }
}

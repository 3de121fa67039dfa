/* lsq_pact.c - scales that are learned by gradient: of activations (LSQ, PACT) and of weights (LSQ);
 * backends/cpu/kernels/constants/quantizers.c has the formulas. */
#include <math.h>

#include "autograd/quantizer.h"
#include "base/assert.h"

/* LSQ: ln(scale); PACT: scale (qmax - qmin) */
void ib_quantizer_learn_from(ib_device *dev, const ib_quantizer *q)
{
    if (q->learned == IB_PACT) {
        dev->v.fill(dev, q->param->data, 0, sizeof(float));
        dev->k.axpy(dev, q->param->data, &q->state->scale, 1, (float)(q->qmax - q->qmin));
    } else if (q->learned == IB_LSQ) {
        dev->k.log_scales(dev, &q->state->scale, q->param->data, 1);
    }
}

static ib_affine codes_of(const ib_tensor *t)
{
    return (ib_affine){.scale = t->q.scale, .zero = t->q.zero, .qmin = t->q.qmin, .qmax = t->q.qmax};
}

void ib_learn_scale(ib_graph *g, const ib_node *n, const ib_quantizer *q, ib_act act, float *x)
{
    const int64_t size = n->out->size, sample = size / n->out->shape[0];
    const ib_affine codes = codes_of(n->out);
    if (!q->param || !q->param->needs_grad)
        return;
    IB_ASSERT(size == sample * n->out->shape[0], "samples are of one size");
    if (q->learned == IB_PACT) { /* act(x) is at the level where x is */
        K(g)->pact_grad(g->dev, x, n->out->grad, size, &codes, q->param->grad);
        return;
    }
    if (act != IB_ACT_NONE)
        K(g)->clamp(g->dev, x, x, size, 0, act == IB_ACT_RELU6 ? 6.0f : INFINITY);
    K(g)->lsq_grad(g->dev, 1, size, &codes,
                   &(ib_lsq_grads){.x = x, .dy = n->out->grad, .values = sample, .dt = q->param->grad});
}

void ib_learn_weight_scales(ib_graph *g, const ib_node *n, float *dw, float *dt)
{
    const ib_affine codes = codes_of(n->out);
    const int64_t rows = n->out->q.n_scales, cols = n->out->size / rows;
    K(g)->lsq_grad(g->dev, rows, cols, &codes,
                   &(ib_lsq_grads){.x = ib_f32(n->in[0]), .dy = n->out->grad, .values = cols, .dt = dt, .dx = dw});
}

/* quantizer.c - see quantizer.h */
#include "autograd/quantizer.h"

#include "base/assert.h"

ib_quantizer_state ib_quantizer_read(ib_device *dev, const ib_quantizer *q)
{
    ib_quantizer_state s;
    ib_block_read(dev, &s, q->state, sizeof s);
    return s;
}

void ib_quantizer_write(ib_device *dev, const ib_quantizer *q, const ib_quantizer_state *s)
{
    ib_block_write(dev, q->state, s, sizeof *s);
}

ib_status ib_scale_check(float scale)
{
    if (ib_usable_scale(scale))
        return IB_OK;
    return ib_fail(IB_ENUMERIC, "its range makes a step of %g, %s than fp32 holds", scale, scale < 1 ? "less" : "more");
}

/* Of a result, in the step's numbers. */
typedef struct codes {
    float scale;
    int32_t zero;
    float range[2];
} codes;

float *ib_set_codes(ib_graph *g, const ib_node *n, const ib_quantizer *q)
{
    IB_ASSERT(n->out->dtype == IB_CODES, "codes are what has a quantization");
    IB_ASSERT(q->qmin >= -(1 << (q->bits - 1)) && q->qmax < 1 << (q->bits - 1) && q->qmin < q->qmax && q->qmax > 0,
              "bounds of codes are within their bits");
    codes *c = ib_graph_numbers(g, sizeof *c);
    if (!c || (q->param && ib_graph_use(g, q->param)))
        return NULL;
    n->out->q = (ib_qparams){
        .bits = q->bits, .qmin = q->qmin, .qmax = q->qmax, .n_scales = 1, .scale = &c->scale, .zero = &c->zero};
    return c->range;
}

ib_status ib_see(ib_graph *g, const ib_node *n, const ib_quantizer *q, ib_act act, const float *range)
{
    const int watches = ib_watches(g, q);
    ib_following p = {.lo = watches ? range : NULL,
                      .hi = range + 1,
                      .act = act,
                      .how = q->follows,
                      .symmetric = q->symmetric,
                      .averaging = q->averaging,
                      .qmin = q->qmin,
                      .qmax = q->qmax,
                      .learned = q->learned,
                      .param = q->param ? ib_f32(q->param) : NULL,
                      .state = q->state,
                      .scale = (float *)(uintptr_t)n->out->q.scale,
                      .zero = (int32_t *)(uintptr_t)n->out->q.zero,
                      .at = ib_site_of(g, n)};
    if (q->param && ib_site_apart(g, "", ib_tensor_name(q->param), &p.param_at))
        return IB_ENOMEM;
    K(g)->follow(g->dev, &p);
    return IB_OK;
}

ib_result_codes ib_result_of(const ib_node *n, const ib_quantizer *q, ib_act act)
{
    const ib_qparams *codes = &n->out->q;
    return (ib_result_codes){.scale = codes->scale,
                             .zero = codes->zero,
                             .qmin = codes->qmin,
                             .qmax = codes->qmax,
                             .profile = q->profile,
                             .act = act,
                             .learned = q->learned};
}

ib_status ib_put_scale(ib_graph *g, float scale, int zero, const float **put_scale, const int32_t **put_zero)
{
    codes *put = ib_graph_numbers(g, sizeof *put);
    if (!put)
        return IB_ENOMEM;
    V(g)->upload(g->dev, put, &(codes){.scale = scale, .zero = zero}, sizeof *put);
    *put_scale = &put->scale;
    *put_zero = &put->zero;
    return IB_OK;
}

/* int_pool.c - max and average pooling of codes. */
#include "arithmetic/requant.h"
#include "autograd/quantizer.h"

static ib_status max_forward(ib_graph *g, ib_node *n)
{
    ib_window s;
    ib_pool_window(n, &s);
    if (g->mode == IB_TRAIN && !(n->saved[0] = ib_graph_numbers(g, (size_t)n->out->size * sizeof(int32_t))))
        return IB_ENOMEM;
    K(g)->qmaxpool(g->dev, &s, ib_codes(n->in[0]), ib_codes(n->out), n->saved[0]);
    return IB_OK;
}

const ib_op ib_op_qmax_pool = {.name = "qmax_pool",
                               .takes_codes = 1,
                               .attrs_bytes = sizeof(ib_q_attrs),
                               .n_required = 1,
                               .shape = ib_pool_shape,
                               .forward = max_forward,
                               .backward = ib_max_pool_backward};

ib_tensor *ib_qmax_pool(ib_graph *g, ib_tensor *x, const ib_pool_opts *opts)
{
    return IB_APPLY(g, &ib_op_qmax_pool, (&(ib_q_attrs){.pool = *opts}), x);
}

/* acc = sum (x - zero); y = clamp(requant(acc, s_in (1 / window) / s_out) + zero_out) */
static ib_status avg_forward(ib_graph *g, ib_node *n)
{
    ib_window s;
    ib_pool_window(n, &s);
    const ib_tensor *x = n->in[0];
    const ib_q_attrs *a = n->attrs;
    ib_product_constants *c = n->saved[1] = ib_graph_alloc(g, sizeof *c);
    float *range = ib_set_codes(g, n, a->out);
    if (!c || !range || (g->mode == IB_TRAIN && !(n->saved[0] = ib_graph_numbers(g, (size_t)(n->out->size + 7) / 8))))
        return IB_ENOMEM;
    *c = (ib_product_constants){.outputs = 1,
                                .area = s.kh * s.kw,
                                .in_scale = x->q.scale,
                                .acc_scale = ib_graph_numbers(g, sizeof *c->acc_scale),
                                .factor = ib_graph_numbers(g, sizeof *c->factor),
                                .lo = ib_graph_numbers(g, 2 * sizeof *c->lo),
                                .at = ib_site_of(g, n)};
    const ib_mark mark = ib_graph_mark(g);
    int32_t *acc = ib_graph_numbers(g, (size_t)n->out->size * sizeof *acc);
    if (!c->acc_scale || !c->factor || !c->lo || !acc)
        return IB_ENOMEM;
    c->hi = c->lo + 1;
    K(g)->product_steps(g->dev, c);
    K(g)->qavgpool(g->dev, &s, ib_codes(x), x->q.zero, acc);
    const ib_planes all = {1, 1, n->out->size};
    if (ib_watches(g, a->out))
        K(g)->acc_range(g->dev, &all, acc, c->acc_scale, range, range + 1);
    if (ib_see(g, n, a->out, IB_ACT_NONE, range))
        return IB_ENOMEM;
    c->out = ib_result_of(n, a->out, IB_ACT_NONE);
    K(g)->product_factors(g->dev, c);
    K(g)->requant(g->dev, &all, acc,
                  &(ib_epilogue){.scale = c->factor,
                                 .profile = ib_rounding(a->out->profile),
                                 .zero = c->out.zero,
                                 .lo = c->lo,
                                 .hi = c->hi,
                                 .codes = ib_codes(n->out),
                                 .mask = n->saved[0]});
    if (g->mode == IB_TRAIN && a->out->learned)
        n->saved[2] = acc;
    else
        ib_graph_release(g, mark);
    return IB_OK;
}

static ib_status avg_backward(ib_graph *g, ib_node *n)
{
    ib_window s;
    ib_pool_window(n, &s);
    const ib_q_attrs *a = n->attrs;
    const ib_product_constants *c = n->saved[1];
    ib_status failed = IB_OK;
    float *dx = ib_grad_of(g, n->in[0], &failed);
    const ib_mark mark = ib_graph_mark(g);
    float *dz = ib_graph_numbers(g, (size_t)n->out->size * sizeof *dz);
    if (failed || !dz)
        return IB_ENOMEM;
    if (n->saved[2]) {
        K(g)->acc_real(g->dev, &(ib_planes){1, 1, n->out->size}, n->saved[2], c->acc_scale, dz);
        ib_learn_scale(g, n, a->out, IB_ACT_NONE, dz);
    }
    K(g)->where(g->dev, n->out->grad, n->saved[0], dz, n->out->size);
    if (dx)
        K(g)->avgpool_grad(g->dev, &s, dz, dx);
    ib_graph_release(g, mark);
    return IB_OK;
}

const ib_op ib_op_qavg_pool = {.name = "qavg_pool",
                               .takes_codes = 1,
                               .attrs_bytes = sizeof(ib_q_attrs),
                               .n_required = 1,
                               .shape = ib_pool_shape,
                               .forward = avg_forward,
                               .backward = avg_backward};

ib_tensor *ib_qavg_pool(ib_graph *g, ib_tensor *x, const ib_pool_opts *opts, ib_quantizer *out)
{
    return IB_APPLY(g, &ib_op_qavg_pool, (&(ib_q_attrs){.pool = *opts, .out = out}), x);
}

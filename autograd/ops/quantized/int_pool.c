/* int_pool.c - max and average pooling of codes. */
#include <string.h>

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
    ib_qproduct_const *c = n->saved[1] = ib_graph_alloc(g, sizeof *c);
    if (!c || !(c->scale = ib_graph_numbers(g, sizeof *c->scale)) ||
        !(c->acc_scale = ib_graph_numbers(g, sizeof *c->acc_scale)))
        return IB_ENOMEM;
    if (g->mode == IB_TRAIN && !(n->saved[0] = ib_graph_numbers(g, (size_t)(n->out->size + 7) / 8)))
        return IB_ENOMEM;
    const ib_mark mark = ib_graph_mark(g);
    int32_t *acc = ib_graph_numbers(g, (size_t)n->out->size * sizeof *acc);
    if (!acc)
        return IB_ENOMEM;
    K(g)->qavgpool(g->dev, &s, ib_codes(x), x->q.zero_point, acc);
    c->bias = NULL;
    c->acc_scale[0] = x->q.scale[0] / (float)(s.kh * s.kw);
    const ib_planes all = {1, 1, n->out->size};
    float lo = 0, hi = 0;
    if (g->mode == IB_TRAIN && a->out->see)
        K(g)->acc_range(g->dev, &all, acc, c->acc_scale, &lo, &hi);
    const ib_status status = ib_see(g, n, a->out, IB_ACT_NONE, lo, hi);
    if (status)
        return status;
    /* as a product with ones of step 1 / window, so that runtimes without such a pooling can say it as a convolution */
    const float one = 1.0f / (float)(s.kh * s.kw);
    if (ib_check_step(n, -1, x->q.scale[0], one) || ib_factor_of(n, x->q.scale[0], one, a->out, &c->scale[0]))
        return ib_error_status();
    c->lo = a->out->qmin;
    c->hi = a->out->qmax;
    c->rounding = ib_rounding(a->out->profile);
    K(g)->requant(g->dev, &all, acc,
                  &(ib_epilogue){.scale = c->scale,
                                 .profile = c->rounding,
                                 .zero = a->out->zero,
                                 .lo = c->lo,
                                 .hi = c->hi,
                                 .codes = ib_codes(n->out),
                                 .mask = n->saved[0]});
    if (g->mode == IB_TRAIN && a->out->learned)
        n->saved[2] = acc;
    else
        ib_graph_release(g, mark);
    return ib_set_codes(g, n->out, a->out);
}

static ib_status avg_backward(ib_graph *g, ib_node *n)
{
    ib_window s;
    ib_pool_window(n, &s);
    const ib_q_attrs *a = n->attrs;
    const ib_qproduct_const *c = n->saved[1];
    ib_status failed = IB_OK;
    float *dx = ib_grad_of(g, n->in[0], &failed);
    const ib_mark mark = ib_graph_mark(g);
    float *dz = ib_graph_numbers(g, (size_t)n->out->size * sizeof *dz);
    if (failed || !dz)
        return IB_ENOMEM;
    if (n->saved[2]) {
        K(g)->acc_real(g->dev, &(ib_planes){1, 1, n->out->size}, n->saved[2], c->acc_scale, dz);
        ib_learn_scale(g, a->out, IB_ACT_NONE, s.n, n->out->size, dz, n->out->grad);
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

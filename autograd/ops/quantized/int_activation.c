/* int_activation.c - quantize, dequantize, lookup and concatenation of codes. */
#include "arithmetic/requant.h"
#include "autograd/attrs.h"
#include "autograd/quantizer.h"

/* ---- quantize: q = clamp(round(x / s) + zero); saved[0]: clip mask ---- */

static ib_status quantize_shape(ib_node *n, ib_tensor *out)
{
    if (n->in[0]->dtype != IB_F32)
        return ib_op_fail(n, "the input is codes already");
    out->dtype = IB_CODES;
    return ib_tensor_set_shape(out, n->in[0]->ndim, n->in[0]->shape);
}

static ib_status quantize_forward(ib_graph *g, ib_node *n)
{
    const ib_quantizer *q = ((const ib_q_attrs *)n->attrs)->out;
    const ib_tensor *x = n->in[0];
    float *range = ib_set_codes(g, n, q);
    if (!range || (g->mode == IB_TRAIN && !(n->saved[0] = ib_graph_numbers(g, (size_t)(x->size + 7) / 8))))
        return IB_ENOMEM;
    if (ib_watches(g, q))
        K(g)->min_max(g->dev, ib_f32(x), x->size, range, range + 1);
    if (ib_see(g, n, q, IB_ACT_NONE, range))
        return IB_ENOMEM;
    const ib_affine codes = {.scale = n->out->q.scale,
                             .zero = n->out->q.zero,
                             .qmin = q->qmin,
                             .qmax = q->qmax,
                             .half_away = ib_rounding(q->profile) != ISOBIT_FP32_RNE};
    K(g)->quantize(g->dev, ib_f32(x), x->size, &codes, ib_codes(n->out), n->saved[0]);
    if (n->saved[0] && q->learned == IB_PACT)
        K(g)->pact_passes(g->dev, ib_f32(x), x->size, &codes, n->saved[0]);
    return IB_OK;
}

static ib_status quantize_backward(ib_graph *g, ib_node *n)
{
    const ib_quantizer *q = ((const ib_q_attrs *)n->attrs)->out;
    ib_status failed = IB_OK;
    ib_pass_inside(g, n, n->in[0], &failed);
    if (q->learned)
        ib_learn_scale(g, n, q, IB_ACT_NONE, ib_f32(n->in[0]));
    return failed;
}

const ib_op ib_op_quantize = {.name = "quantize",
                              .attrs_bytes = sizeof(ib_q_attrs),
                              .n_required = 1,
                              .shape = quantize_shape,
                              .forward = quantize_forward,
                              .backward = quantize_backward};

ib_tensor *ib_quantize(ib_graph *g, ib_tensor *x, ib_quantizer *q)
{
    return IB_APPLY(g, &ib_op_quantize, (&(ib_q_attrs){.out = q}), x);
}

/* ---- dequantize ---- */

static ib_status dequantize_shape(ib_node *n, ib_tensor *out)
{
    if (n->in[0]->dtype != IB_CODES)
        return ib_op_fail(n, "the input is not codes");
    return ib_tensor_set_shape(out, n->in[0]->ndim, n->in[0]->shape);
}

static ib_status dequantize_forward(ib_graph *g, ib_node *n)
{
    const ib_coded x = ib_coded_of(n->in[0]);
    K(g)->dequantize(g->dev, &x, n->out->size, ib_f32(n->out));
    return IB_OK;
}

static ib_status pass_gradient(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    float *dx = ib_grad_of(g, n->in[0], &failed);
    if (dx)
        K(g)->axpy(g->dev, dx, n->out->grad, n->out->size, 1.0f);
    return failed;
}

const ib_op ib_op_dequantize = {.name = "dequantize",
                                .takes_codes = 1,
                                .n_required = 1,
                                .shape = dequantize_shape,
                                .forward = dequantize_forward,
                                .backward = pass_gradient};

ib_tensor *ib_dequantize(ib_graph *g, ib_tensor *x)
{
    return IB_APPLY(g, &ib_op_dequantize, NULL, x);
}

/* ---- lookup: y = table[x]; saved[1]: table and slopes ---- */

static ib_status lookup_shape(ib_node *n, ib_tensor *out)
{
    if (n->in[0]->dtype != IB_CODES)
        return ib_op_fail(n, "the input is not codes");
    out->dtype = IB_CODES;
    out->q = n->in[0]->q;
    return ib_tensor_set_shape(out, n->in[0]->ndim, n->in[0]->shape);
}

static ib_status lookup_forward(ib_graph *g, ib_node *n)
{
    const ib_lookup_attrs *a = n->attrs;
    const ib_tensor *x = n->in[0];
    ib_qparams *q = &n->out->q;
    ib_lookup_const *c = n->saved[1] = ib_graph_numbers(g, sizeof *c);
    if (!c || (a->out_scale > 0 && ib_put_scale(g, a->out_scale, a->out_zero, &q->scale, &q->zero)))
        return IB_ENOMEM;
    const ib_result_codes r = {.scale = q->scale, .zero = q->zero, .qmin = q->qmin, .qmax = q->qmax, .act = a->act};
    K(g)->lookup_table(g->dev, x->q.scale, x->q.zero, a->f, &r, c->table, c->slope);
    K(g)->lookup(g->dev, c->table, ib_codes(x), ib_codes(n->out), x->size);
    return IB_OK;
}

static ib_status lookup_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    float *dx = ib_grad_of(g, n->in[0], &failed);
    if (dx)
        K(g)->lookup_grad(g->dev, ((ib_lookup_const *)n->saved[1])->slope, ib_codes(n->in[0]), n->out->grad, dx,
                          n->out->size);
    return failed;
}

const ib_op ib_op_lookup = {.name = "lookup",
                            .takes_codes = 1,
                            .attrs_bytes = sizeof(ib_lookup_attrs),
                            .n_required = 1,
                            .shape = lookup_shape,
                            .forward = lookup_forward,
                            .backward = lookup_backward};

ib_tensor *ib_lookup(ib_graph *g, ib_tensor *x, const ib_lookup_attrs *attrs)
{
    return IB_APPLY(g, &ib_op_lookup, attrs, x);
}

/* ---- qconcat: each input through its own change of scale; saved[1]: a table an input ---- */

static ib_status qconcat_shape(ib_node *n, ib_tensor *out)
{
    const ib_status status = ib_op_concat.shape(
        &(ib_node){.op = n->op,
                   .in = {n->in[0], n->in[1], n->in[2], n->in[3], n->in[4], n->in[5], n->in[6], n->in[7]},
                   .n_in = n->n_in,
                   .attrs = &(ib_concat_attrs){((const ib_q_attrs *)n->attrs)->axis},
                   .scope = n->scope},
        out);
    out->dtype = IB_CODES;
    return status;
}

static ib_status qconcat_forward(ib_graph *g, ib_node *n)
{
    const ib_q_attrs *a = n->attrs;
    const int64_t row = ib_run_of(n->out, a->axis), outer = n->out->size / row;
    float *range = ib_set_codes(g, n, a->out);
    ib_lookup_const *c = n->saved[1] = ib_graph_numbers(g, (size_t)n->n_in * sizeof *c);
    if (!range || !c)
        return IB_ENOMEM;
    V(g)->fill(g->dev, range, 0, 2 * sizeof *range);
    for (int i = 0; i < n->n_in && ib_watches(g, a->out); i++) { /* what the codes of the inputs can stand for */
        const ib_coded x = ib_coded_of(n->in[i]);
        K(g)->code_range(g->dev, &x, n->in[i]->size, n->in[i]->q.qmin, n->in[i]->q.qmax, range, range + 1);
    }
    if (ib_see(g, n, a->out, IB_ACT_NONE, range))
        return IB_ENOMEM;
    const ib_result_codes r = ib_result_of(n, a->out, IB_ACT_NONE);
    int64_t at = 0;
    for (int i = 0; i < n->n_in; i++) {
        const ib_tensor *x = n->in[i];
        const int64_t run = ib_run_of(x, a->axis);
        K(g)->lookup_table(g->dev, x->q.scale, x->q.zero, IB_IDENTITY, &r, c[i].table, c[i].slope);
        for (int64_t o = 0; o < outer; o++)
            K(g)->lookup(g->dev, c[i].table, ib_codes(x) + o * run, ib_codes(n->out) + o * row + at, run);
        at += run;
    }
    return IB_OK;
}

static ib_status qconcat_backward(ib_graph *g, ib_node *n)
{
    const ib_q_attrs *a = n->attrs;
    const ib_lookup_const *c = n->saved[1];
    const int64_t row = ib_run_of(n->out, a->axis), outer = n->out->size / row;
    ib_status failed = IB_OK;
    int64_t at = 0;
    for (int i = 0; i < n->n_in; i++) {
        const int64_t run = ib_run_of(n->in[i], a->axis);
        float *dx = ib_grad_of(g, n->in[i], &failed);
        for (int64_t o = 0; dx && o < outer; o++)
            K(g)->lookup_grad(g->dev, c[i].slope, ib_codes(n->in[i]) + o * run, n->out->grad + o * row + at,
                              dx + o * run, run);
        at += run;
    }
    return failed;
}

const ib_op ib_op_qconcat = {.name = "qconcat",
                             .takes_codes = 1,
                             .attrs_bytes = sizeof(ib_q_attrs),
                             .n_required = 2,
                             .shape = qconcat_shape,
                             .forward = qconcat_forward,
                             .backward = qconcat_backward};

ib_tensor *ib_qconcat(ib_graph *g, ib_tensor *const *x, int n, int axis, ib_quantizer *out)
{
    return ib_apply(g, &ib_op_qconcat, x, n, &(ib_q_attrs){.out = out, .axis = axis});
}

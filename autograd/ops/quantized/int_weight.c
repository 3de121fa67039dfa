/* int_weight.c - weights become codes, with scales that suit the product's accumulator. */
#include "autograd/quantizer.h"

/* quantize_weight: codes of w[O,...] for a product with this bias; saved[0]: clip mask of scales by `mse` */

static ib_status quantize_weight_shape(ib_node *n, ib_tensor *out)
{
    const ib_weight_attrs *a = n->attrs;
    const ib_tensor *w = n->in[0];
    const ib_format *f = ib_format_for_bits(a->bits);
    if (!f)
        return IB_EINVAL;
    if (a->group_size < 0 || a->group_size % 4)
        return ib_op_fail(n, "groups of %d weights: a multiple of 4 is needed", a->group_size);
    out->dtype = IB_CODES;
    out->q = (ib_qparams){.bits = a->bits,
                          .qmin = -f->qmax,
                          .qmax = f->qmax,
                          .n_scales = a->per_channel || a->group_size ? (int)w->shape[0] : 1};
    return ib_tensor_set_shape(out, w->ndim, w->shape);
}

/* The operator's scales, from what w's rows gave. */
static ib_weight_scaling scaling_of(const ib_graph *g, const ib_node *n, float *scale)
{
    const ib_weight_attrs *a = n->attrs;
    const ib_tensor *w = n->in[0], *b = n->in[2];
    return (ib_weight_scaling){.w = ib_f32(w),
                               .size = w->size,
                               .count = n->out->q.n_scales,
                               .scale = scale,
                               .in_scale = a->in_scale,
                               .bias = b ? ib_f32(b) : NULL,
                               .n_bias = b ? b->size : 0,
                               .act = a->act,
                               .at = ib_site_of(g, n)};
}

static ib_status quantize_groups(ib_graph *g, ib_node *n, float *scale)
{
    const ib_weight_attrs *a = n->attrs;
    const ib_tensor *w = n->in[0];
    ib_qparams *q = &n->out->q;
    const int64_t rows = w->shape[0], cols = w->size / rows;
    q->group_size = a->group_size;
    q->n_groups = (int)((cols + a->group_size - 1) / a->group_size);
    uint8_t *factor = ib_graph_numbers(g, (size_t)(rows * q->n_groups));
    ib_weight_scaling s = scaling_of(g, n, scale);
    if (!factor || !(s.chosen = ib_graph_numbers(g, (size_t)rows * sizeof *s.chosen)))
        return IB_ENOMEM;
    q->group_factor = factor;
    const ib_weight_codes codes = {.w = ib_f32(w),
                                   .qmax = q->qmax,
                                   .scale = scale,
                                   .group_size = a->group_size,
                                   .factor = factor,
                                   .q = ib_codes(n->out),
                                   .mask = n->saved[0]};
    K(g)->quantize_groups(g->dev, rows, cols, &codes);
    K(g)->abs_max_rows(g->dev, ib_f32(w), rows, cols, s.chosen);
    K(g)->weight_scales(g->dev, &s);
    K(g)->requantize_groups(g->dev, rows, cols, &codes, s.chosen);
    return IB_OK;
}

static ib_status quantize_weight_forward(ib_graph *g, ib_node *n)
{
    const ib_weight_attrs *a = n->attrs;
    const ib_tensor *w = n->in[0], *learned = n->in[1];
    ib_qparams *q = &n->out->q;
    const int64_t rows = w->shape[0], cols = w->size / rows;
    float *scale = ib_graph_numbers(g, (size_t)q->n_scales * sizeof *scale);
    if (!(q->scale = scale))
        return IB_ENOMEM;
    /* scales from the largest weights clip nothing: the gradient goes straight through */
    if (!learned && !a->mse)
        n->out->passes = n->in[0];
    else if (!learned && g->mode == IB_TRAIN && !(n->saved[0] = ib_graph_numbers(g, (size_t)(w->size + 7) / 8)))
        return IB_ENOMEM;
    if (a->group_size)
        return quantize_groups(g, n, scale);
    const int64_t parts = q->n_scales, part = w->size / parts;
    ib_weight_scaling s = scaling_of(g, n, scale);
    if (learned)
        K(g)->exp_scales(g->dev, ib_f32(learned), scale, parts);
    else if (a->mse)
        K(g)->mse_scale_rows(g->dev, ib_f32(w), parts, part, q->qmax, scale);
    else {
        K(g)->abs_max_rows(g->dev, ib_f32(w), parts, part, scale);
        s.qmax = q->qmax;
    }
    K(g)->weight_scales(g->dev, &s);
    K(g)->quantize_rows(g->dev, rows, cols,
                        &(ib_weight_codes){.w = ib_f32(w),
                                           .qmax = q->qmax,
                                           .scale = scale,
                                           .n_scales = q->n_scales,
                                           .q = ib_codes(n->out),
                                           .mask = n->saved[0]});
    return IB_OK;
}

/* dw += dy inside the range; with the gradients of learned scales: lsq_pact.c */
static ib_status quantize_weight_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    if (!n->in[1]) {
        if (!n->out->passes)
            ib_pass_inside(g, n, n->in[0], &failed);
        return failed;
    }
    float *dw = ib_grad_of(g, n->in[0], &failed), *dt = ib_grad_of(g, n->in[1], &failed);
    if (dw || dt)
        ib_learn_weight_scales(g, n, dw, dt);
    return failed;
}

const ib_op ib_op_quantize_weight = {.name = "quantize_weight",
                                     .attrs_bytes = sizeof(ib_weight_attrs),
                                     .n_required = 1,
                                     .shape = quantize_weight_shape,
                                     .forward = quantize_weight_forward,
                                     .backward = quantize_weight_backward};

ib_tensor *ib_quantize_weight(ib_graph *g, ib_tensor *w, ib_tensor *ln_scale, const ib_weight_attrs *attrs)
{
    return IB_APPLY(g, &ib_op_quantize_weight, attrs, w, ln_scale);
}

ib_tensor *ib_quantize_weight_for(ib_graph *g, ib_tensor *w, ib_tensor *ln_scale, const ib_weight_attrs *attrs,
                                  const ib_tensor *x, ib_tensor *bias, ib_act act)
{
    ib_weight_attrs a = *attrs;
    if (!x)
        return NULL;
    a.in_scale = x->q.scale;
    a.act = act;
    return IB_APPLY(g, &ib_op_quantize_weight, &a, w, ln_scale, bias);
}

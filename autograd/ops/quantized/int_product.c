/* int_product.c - linear and convolution of codes.
 *   acc[.,o] = sum_k w[o,k] (x[.,k] - zero) + bias[o]          int32, exact
 *   y = clamp(requant(acc, s_in s_w[o] / s_out) + zero_out)    the profile's rounding
 * Backward on the real values: dz = dy where y was not clamped and the activation's
 * slope is not 0, then as in fp32 with the dequantized operands. */
#include "arithmetic/requant.h"
#include "autograd/quantizer.h"

static int is_conv(const ib_node *n)
{
    return n->op == &ib_op_qconv2d;
}

/* A linear layer is the window of a 1x1 image. */
static ib_status window(const ib_node *n, ib_window *s)
{
    const ib_tensor *x = n->in[0], *w = n->in[1];
    const ib_qproduct_attrs *a = n->attrs;
    if (x->dtype != IB_CODES || w->dtype != IB_CODES)
        return ib_op_fail(n, "both operands must be codes");
    if (!is_conv(n))
        return ib_linear_window_of(n, s);
    ib_tensor pixel = *x; /* a row is an image of one pixel */
    if (x->ndim == 2)
        ib_tensor_set_shape(&pixel, 4, (int64_t[]){x->shape[0], x->shape[1], 1, 1});
    return ib_conv_window_of(n, &pixel, &a->conv, s);
}

static ib_status product_shape(ib_node *n, ib_tensor *out)
{
    ib_window s;
    const ib_status status = window(n, &s);
    if (status)
        return status;
    const int64_t k = s.ic / s.groups * s.kh * s.kw, factor = n->in[1]->q.group_size ? 15 : 1;
    if (k * 255 * n->in[1]->q.qmax * factor > INT32_MAX / 2)
        return ib_op_fail(n, "sums of %lld products of %d-bit codes may exceed 32 bits", (long long)k,
                          n->in[1]->q.bits);
    out->dtype = IB_CODES;
    if (n->in[0]->ndim == 4)
        return ib_tensor_set_shape(out, 4, (int64_t[]){s.n, s.oc, s.oh, s.ow});
    return ib_tensor_set_shape(out, 2, (int64_t[]){s.n, s.oc});
}

static ib_qweights weights_of(const ib_tensor *w)
{
    return (ib_qweights){ib_codes(w), w->q.group_factor, w->q.group_size, w->q.n_groups, w->q.bits};
}

/* Accumulators, or (r) codes. */
static int32_t *accumulate(ib_graph *g, const ib_window *s, const ib_tensor *x, const ib_tensor *w, const int32_t *bias,
                           const ib_epilogue *r)
{
    const ib_qweights weights = weights_of(w);
    const int conv = w->ndim == 4;
    int32_t *acc = ib_graph_numbers(g, (size_t)(s->n * s->oc * s->oh * s->ow) * sizeof *acc);
    const ib_mark mark = ib_graph_mark(g);
    float *scratch = ib_graph_numbers(
        g, (size_t)(conv ? V(g)->qconv2d_words(g->dev, s) : V(g)->qlinear_words(g->dev, s->n, s->ic, s->oc)) *
               sizeof *scratch);
    if (!acc || !scratch)
        return NULL;
    const ib_qproduct p = {
        .x = ib_codes(x), .in_zero = x->q.zero, .w = &weights, .bias = bias, .r = r, .acc = acc, .scratch = scratch};
    if (conv)
        K(g)->qconv2d(g->dev, s, &p);
    else
        K(g)->qlinear(g->dev, s->n, s->ic, s->oc, &p);
    ib_graph_release(g, mark);
    return acc;
}

/* Room for a product's constants, which are complete but for the result. */
static ib_product_constants *constants_of(ib_graph *g, const ib_node *n, int64_t outputs, int has_top)
{
    const ib_tensor *x = n->in[0], *w = n->in[1], *b = n->in[2];
    ib_product_constants *c = ib_graph_alloc(g, sizeof *c);
    if (!c)
        return NULL;
    *c = (ib_product_constants){.outputs = outputs,
                                .in_scale = x->q.scale,
                                .w_scale = w->q.scale,
                                .n_w_scales = w->q.n_scales,
                                .bias = b ? ib_f32(b) : NULL,
                                .acc_scale = ib_graph_numbers(g, (size_t)outputs * sizeof *c->acc_scale),
                                .bias_code = ib_graph_numbers(g, (size_t)outputs * sizeof *c->bias_code),
                                .factor = ib_graph_numbers(g, (size_t)outputs * sizeof *c->factor),
                                .lo = ib_graph_numbers(g, 2 * sizeof *c->lo),
                                .top = has_top ? ib_graph_numbers(g, (size_t)outputs * sizeof *c->top) : NULL,
                                .at = ib_site_of(g, n)};
    if (!c->acc_scale || !c->bias_code || !c->factor || !c->lo || (has_top && !c->top))
        return NULL;
    c->hi = c->lo + 1;
    return c;
}

/* saved: [0] clip mask (training), [1] constants, [2] accumulators (learned scale, training) */
static ib_status product_forward(ib_graph *g, ib_node *n)
{
    ib_window s;
    window(n, &s);
    const ib_tensor *x = n->in[0], *w = n->in[1];
    const ib_qproduct_attrs *a = n->attrs;
    const ib_planes planes = {s.n, s.oc, s.oh * s.ow};
    const int trains = g->mode == IB_TRAIN;
    ib_product_constants *c = n->saved[1] = constants_of(g, n, s.oc, trains && a->act != IB_ACT_NONE);
    float *range = ib_set_codes(g, n, a->out);
    if (!c || !range || (trains && !(n->saved[0] = ib_graph_numbers(g, (size_t)(n->out->size + 7) / 8))))
        return IB_ENOMEM;
    K(g)->product_steps(g->dev, c);
    const ib_mark mark = ib_graph_mark(g);
    const int watched = ib_watches(g, a->out), kept = trains && a->out->learned;
    int32_t *acc = watched || kept ? accumulate(g, &s, x, w, c->bias_code, NULL) : NULL;
    if ((watched || kept) && !acc)
        return IB_ENOMEM;
    if (watched)
        K(g)->acc_range(g->dev, &planes, acc, c->acc_scale, range, range + 1);
    if (ib_see(g, n, a->out, a->act, range))
        return IB_ENOMEM;
    c->out = ib_result_of(n, a->out, a->act);
    K(g)->product_factors(g->dev, c);
    const ib_epilogue r = {.scale = c->factor,
                           .profile = ib_rounding(a->out->profile),
                           .zero = c->out.zero,
                           .lo = c->lo,
                           .hi = c->hi,
                           .codes = ib_codes(n->out),
                           .mask = n->saved[0],
                           .top = c->top};
    if (acc)
        K(g)->requant(g->dev, &planes, acc, &r);
    else if (!accumulate(g, &s, x, w, c->bias_code, &r))
        return IB_ENOMEM;
    if (kept)
        n->saved[2] = acc;
    else
        ib_graph_release(g, mark);
    return IB_OK;
}

/* The weights as real numbers, for dx. */
static float *real_weights(ib_graph *g, const ib_tensor *w)
{
    const ib_qweights weights = weights_of(w);
    float *real = ib_graph_numbers(g, (size_t)w->size * sizeof *real);
    if (real)
        K(g)->dequantize_rows(g->dev, &weights, w->shape[0], w->size / w->shape[0], w->q.scale, w->q.n_scales, real);
    return real;
}

/* Where gradients of a product go, and whether there is nothing yet (ib_grad_fresh). */
typedef struct product_grads {
    float *dx, *dw, *db;
    int fresh_x, fresh_w;
} product_grads;

/* Gradients through y = w x with real operands; mask: what of dy counts, or NULL. */
static ib_status linear_grads(ib_graph *g, const ib_node *n, const uint8_t *mask, const product_grads *d)
{
    const ib_tensor *x = n->in[0], *y = n->out;
    const int64_t samples = y->shape[0], rows = y->shape[1], cols = x->shape[1];
    float *dz = mask ? ib_graph_numbers(g, (size_t)y->size * sizeof *dz) : y->grad,
          *wr = d->dx ? real_weights(g, n->in[1]) : NULL, *xr = x->data;
    if (!dz || (d->dx && !wr))
        return IB_ENOMEM;
    if (mask)
        K(g)->where(g->dev, y->grad, mask, dz, y->size);
    if (d->dw && x->dtype == IB_CODES) {
        if (!(xr = ib_graph_numbers(g, (size_t)x->size * sizeof *xr)))
            return IB_ENOMEM;
        K(g)->dequantize(g->dev, &(ib_coded){ib_codes(x), x->q.scale, x->q.zero}, x->size, xr);
    }
    if (d->dx)
        K(g)->gemm(g->dev, 0, 0, samples, cols, rows, dz, wr, d->fresh_x ? 0.0f : 1.0f, d->dx);
    if (d->dw)
        K(g)->gemm(g->dev, 1, 0, rows, cols, samples, dz, xr, d->fresh_w ? 0.0f : 1.0f, d->dw);
    if (d->db)
        K(g)->col_sum(g->dev, dz, samples, rows, d->db);
    return IB_OK;
}

/* dw is one to add to. */
static ib_status conv_grads(ib_graph *g, const ib_node *n, const ib_window *s, const product_grads *d)
{
    const ib_tensor *x = n->in[0];
    float *scratch = ib_graph_numbers(g, (size_t)V(g)->conv2d_grads_words(g->dev, s) * sizeof *scratch),
          *wr = d->dx ? real_weights(g, n->in[1]) : NULL;
    if (!scratch || (d->dx && !wr))
        return IB_ENOMEM;
    ib_conv_grads what = {
        .w = wr, .dy = n->out->grad, .mask = n->saved[0], .dx = d->dx, .dw = d->dw, .db = d->db, .sets_dx = d->fresh_x};
    if (x->dtype == IB_CODES) {
        what.codes = ib_codes(x);
        what.x_scale = x->q.scale;
        what.x_zero = x->q.zero;
    } else {
        what.x = x->data;
    }
    K(g)->conv2d_grads(g->dev, s, &what, scratch);
    return IB_OK;
}

static ib_status product_backward(ib_graph *g, ib_node *n)
{
    ib_window s;
    window(n, &s);
    const ib_qproduct_attrs *a = n->attrs;
    const ib_product_constants *c = n->saved[1];
    ib_status failed = IB_OK; /* gradients outlive the mark below, so they are made before it */
    const int is_conv = n->in[1]->ndim == 4;
    product_grads d = {0};
    d.dx = ib_grad_fresh(g, n->in[0], &d.fresh_x, &failed);
    d.dw = is_conv ? ib_grad_of(g, n->in[1], &failed) : ib_grad_fresh(g, n->in[1], &d.fresh_w, &failed);
    d.db = ib_grad_of(g, n->in[2], &failed);
    if (failed)
        return failed;
    const ib_mark mark = ib_graph_mark(g);
    if (n->saved[2]) {
        float *real = ib_graph_numbers(g, (size_t)n->out->size * sizeof *real);
        if (!real)
            return IB_ENOMEM;
        K(g)->acc_real(g->dev, &(ib_planes){s.n, s.oc, s.oh * s.ow}, n->saved[2], c->acc_scale, real);
        ib_learn_scale(g, n, a->out, a->act, real);
        ib_graph_release(g, mark);
    }
    const ib_status status = is_conv ? conv_grads(g, n, &s, &d) : linear_grads(g, n, n->saved[0], &d);
    ib_graph_release(g, mark);
    return status;
}

const ib_op ib_op_qlinear = {.name = "qlinear",
                             .takes_codes = 1,
                             .attrs_bytes = sizeof(ib_qproduct_attrs),
                             .n_required = 2,
                             .shape = product_shape,
                             .forward = product_forward,
                             .backward = product_backward};
const ib_op ib_op_qconv2d = {.name = "qconv2d",
                             .takes_codes = 1,
                             .attrs_bytes = sizeof(ib_qproduct_attrs),
                             .n_required = 2,
                             .shape = product_shape,
                             .forward = product_forward,
                             .backward = product_backward};

ib_tensor *ib_qlinear(ib_graph *g, ib_tensor *x, ib_tensor *w, ib_tensor *b, ib_act act, ib_quantizer *out)
{
    return IB_APPLY(g, &ib_op_qlinear, (&(ib_qproduct_attrs){out, act, {0}}), x, w, b);
}

ib_tensor *ib_qconv2d(ib_graph *g, ib_tensor *x, ib_tensor *w, ib_tensor *b, const ib_conv_opts *conv, ib_act act,
                      ib_quantizer *out)
{
    return IB_APPLY(g, &ib_op_qconv2d, (&(ib_qproduct_attrs){out, act, *conv}), x, w, b);
}

/* ---- qlinear_dynamic: y = s_x[row] s_w[o] (w . q(x)) + b ---- */

static ib_status dynamic_shape(ib_node *n, ib_tensor *out)
{
    const ib_tensor *x = n->in[0], *w = n->in[1];
    char sx[64], sw[64];
    if (x->dtype != IB_F32 || w->dtype != IB_CODES || x->ndim != 2 || w->ndim != 2 || x->shape[1] != w->shape[1])
        return ib_op_fail(n, "%s x %s': inner sizes differ or the weight is not codes",
                          ib_tensor_shape_text(x, sx, sizeof sx), ib_tensor_shape_text(w, sw, sizeof sw));
    return ib_tensor_set_shape(out, 2, (int64_t[]){x->shape[0], w->shape[0]});
}

static ib_status dynamic_forward(ib_graph *g, ib_node *n)
{
    const ib_tensor *x = n->in[0], *w = n->in[1], *b = n->in[2];
    const int64_t rows = x->shape[0], k = x->shape[1], out = w->shape[0];
    const ib_window s = ib_window_of_rows(rows, k, out);
    const ib_mark mark = ib_graph_mark(g);
    float *scale = ib_graph_numbers(g, (size_t)rows * sizeof *scale);
    int32_t *no_bias = ib_graph_numbers(g, (size_t)out * sizeof *no_bias);
    ib_tensor q = *x;
    q.dtype = IB_CODES;
    q.q = (ib_qparams){.bits = 8, .qmin = -127, .qmax = 127, .n_scales = 1};
    if (!scale || !no_bias || !(q.data = ib_graph_numbers(g, (size_t)x->size)))
        return IB_ENOMEM;
    V(g)->fill(g->dev, no_bias, 0, (size_t)out * sizeof *no_bias);
    K(g)->abs_max_rows(g->dev, ib_f32(x), rows, k, scale);
    K(g)->row_steps(g->dev, rows, scale, ib_site_of(g, n));
    for (int64_t i = 0; i < rows; i++)
        K(g)->quantize(g->dev, ib_f32(x) + i * k, k, &(ib_affine){.scale = scale + i, .qmin = -127, .qmax = 127},
                       ib_codes(&q) + i * k, NULL);
    int32_t *acc = accumulate(g, &s, &q, w, no_bias, NULL);
    if (!acc)
        return IB_ENOMEM;
    K(g)->acc_rows(g->dev, rows, out, acc, scale, w->q.scale, w->q.n_scales, b ? ib_f32(b) : NULL, ib_f32(n->out));
    ib_graph_release(g, mark);
    return IB_OK;
}

static ib_status dynamic_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    product_grads d = {0};
    d.dx = ib_grad_fresh(g, n->in[0], &d.fresh_x, &failed);
    d.dw = ib_grad_fresh(g, n->in[1], &d.fresh_w, &failed);
    d.db = ib_grad_of(g, n->in[2], &failed);
    const ib_mark mark = ib_graph_mark(g);
    const ib_status status = failed ? failed : linear_grads(g, n, NULL, &d);
    ib_graph_release(g, mark);
    return status;
}

const ib_op ib_op_qlinear_dynamic = {.name = "qlinear_dynamic",
                                     .takes_codes = 1,
                                     .n_required = 2,
                                     .shape = dynamic_shape,
                                     .forward = dynamic_forward,
                                     .backward = dynamic_backward};

ib_tensor *ib_qlinear_dynamic(ib_graph *g, ib_tensor *x, ib_tensor *w, ib_tensor *b)
{
    return IB_APPLY(g, &ib_op_qlinear_dynamic, NULL, x, w, b);
}

/* forms.c - what each operator becomes in integers (rows of forms.def). The operators that it puts in, with the
 * straight-through gradients: fake-quantize, products of codes, folding of batch norms, LSQ and PACT, are those of
 * autograd/ops/quantized/. */
#include <math.h>
#include <string.h>

#include "autograd/attrs.h"
#include "qat/plan.h"

static int always(const ib_node *n)
{
    (void)n;
    return 1;
}

static int is_leaf(const ib_tensor *t)
{
    return t && t->node < 0 && !t->from_data;
}

/* A product with a parameter or constant, whose input is a value. */
static int has_weight(const ib_node *n)
{
    return n->in[0]->from_data && is_leaf(n->in[1]) && (n->n_in < 3 || !n->in[2] || is_leaf(n->in[2]));
}

/* Two values of one shape, or a value and a constant that keeps its shape. */
static int is_elementwise(const ib_node *n)
{
    const ib_tensor *a = n->in[0], *b = n->in[1], *x = a->from_data ? a : b;
    return a->from_data && b->from_data
               ? a->ndim == b->ndim && !memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof *a->shape)
               : n->out->ndim == x->ndim && n->out->size == x->size;
}

/* Values, and constants of as many dimensions, for each sample the same. */
static int joins_values(const ib_node *n)
{
    for (int i = 0; i < n->n_in; i++)
        if (!n->in[i]->from_data && n->in[i]->shape[0] != 1)
            return 0;
    return 1;
}

int ib_has_params(const ib_node *n)
{
    return n->in[1]->node < 0 && n->in[1]->name && n->in[2]->node < 0 && n->in[2]->name;
}

ib_tensor *ib_step_weight(ib_graph *g, const ib_step *s, ib_tensor **bias)
{
    ib_tensor *w = s->leaf[1];
    *bias = s->n_in > 2 ? s->leaf[2] : NULL;
    if (!s->gamma)
        return w;
    *bias = ib_fold_bias(g, s->gamma, s->beta, *bias, s->mean, s->var, s->eps);
    return *bias ? ib_fold_weight(g, w, s->gamma, s->var, s->eps) : NULL;
}

/* The same in codes, for codes x. */
static ib_tensor *weight_codes(ib_graph *g, ib_step *s, const ib_tensor *x, ib_tensor **bias)
{
    ib_tensor *w = ib_step_weight(g, s, bias);
    return ib_quantize_weight_for(g, w, s->ln_scale, &s->weight, x, *bias, s->act);
}

static ib_tensor *run_linear(ib_graph *g, ib_step *s, ib_tensor **in)
{
    ib_tensor *bias, *w = weight_codes(g, s, in[0], &bias);
    return ib_qlinear(g, in[0], w, bias, s->act, &s->out);
}

static ib_tensor *run_conv2d(ib_graph *g, ib_step *s, ib_tensor **in)
{
    ib_tensor *bias, *w = weight_codes(g, s, in[0], &bias);
    return ib_qconv2d(g, in[0], w, bias, s->attrs, s->act, &s->out);
}

/* A batch norm by itself is a depthwise 1x1 convolution; its weight of ones is leaf[1]. */
static ib_tensor *run_batch_norm(ib_graph *g, ib_step *s, ib_tensor **in)
{
    ib_tensor *x = in[0];
    ib_tensor *w = ib_fold_weight(g, s->leaf[1], s->gamma, s->var, s->eps);
    ib_tensor *bias = ib_fold_bias(g, s->gamma, s->beta, NULL, s->mean, s->var, s->eps);
    if (!x || !bias)
        return NULL;
    const ib_conv_opts depthwise = {1, 1, 0, 0, (int)x->shape[1]};
    return ib_qconv2d(g, x, ib_quantize_weight_for(g, w, s->ln_scale, &s->weight, x, bias, s->act), bias, &depthwise,
                      s->act, &s->out);
}

/* x c or x + c for a constant c by channel: a depthwise 1x1 convolution with weights c, or with ones and bias c. */
static ib_tensor *run_by_channel(ib_graph *g, ib_step *s, ib_tensor *x, ib_tensor *c, int is_mul)
{
    const int64_t channels = x->shape[1], shape[] = {channels, 1, 1, 1};
    ib_tensor *w = is_mul ? ib_constant_by_channel(g, c, x, 4, shape) : ib_constant_filled(g, 4, shape, 1),
              *bias = is_mul ? NULL : ib_constant_by_channel(g, c, x, 1, shape);
    if (!w || (!is_mul && !bias))
        return NULL;
    w->from_data = 0;
    const ib_weight_attrs by_channel = {.bits = 8, .per_channel = 1};
    w = ib_quantize_weight_for(g, w, NULL, &by_channel, x, bias, s->act);
    return ib_qconv2d(g, x, w, bias, &(ib_conv_opts){1, 1, 0, 0, (int)channels}, s->act, &s->out);
}

static ib_tensor *run_binary(ib_graph *g, ib_step *s, ib_tensor **in, int is_mul)
{
    ib_tensor *a = in[0], *b = in[1];
    if (!a || !b)
        return NULL;
    if (a->dtype == IB_F32 || b->dtype == IB_F32) { /* what is no codes is a constant */
        ib_tensor *x = a->dtype == IB_F32 ? b : a, *c = a->dtype == IB_F32 ? a : b;
        if (ib_is_by_channel(c, x))
            return run_by_channel(g, s, x, c, is_mul);
        a = x;
        b = ib_constant_codes(g, c, x->ndim, x->shape, &s->out);
    }
    return (is_mul ? ib_qmul : ib_qadd)(g, a, b, s->act, &s->out);
}

static ib_tensor *run_add(ib_graph *g, ib_step *s, ib_tensor **in)
{
    return run_binary(g, s, in, 0);
}

static ib_tensor *run_mul(ib_graph *g, ib_step *s, ib_tensor **in)
{
    return run_binary(g, s, in, 1);
}

static ib_tensor *run_max_pool(ib_graph *g, ib_step *s, ib_tensor **in)
{
    return ib_qmax_pool(g, in[0], s->attrs);
}

static ib_tensor *run_avg_pool(ib_graph *g, ib_step *s, ib_tensor **in)
{
    return ib_qavg_pool(g, in[0], s->attrs, &s->out);
}

static ib_tensor *run_concat(ib_graph *g, ib_step *s, ib_tensor **in)
{
    ib_tensor *codes[IB_MAX_INPUTS];
    int64_t batch = 1;
    for (int i = 0; i < s->n_in; i++)
        batch = in[i] && in[i]->dtype == IB_CODES ? in[i]->shape[0] : batch;
    for (int i = 0; i < s->n_in; i++) {
        codes[i] = in[i];
        if (in[i] && in[i]->dtype == IB_F32) {
            int64_t shape[IB_MAX_DIMS];
            memcpy(shape, in[i]->shape, sizeof shape);
            shape[0] = batch;
            codes[i] = ib_constant_codes(g, in[i], in[i]->ndim, shape, &s->out);
        }
        if (!codes[i])
            return NULL;
    }
    return ib_qconcat(g, codes, s->n_in, ((const ib_concat_attrs *)s->attrs)->axis, &s->out);
}

static ib_tensor *run_reshape(ib_graph *g, ib_step *s, ib_tensor **in)
{
    return ib_apply(g, &ib_op_reshape, in, 1, s->attrs);
}

static ib_tensor *run_flatten_hwc(ib_graph *g, ib_step *s, ib_tensor **in)
{
    (void)s;
    return ib_flatten_hwc(g, in[0]);
}

static ib_tensor *run_dropout(ib_graph *g, ib_step *s, ib_tensor **in)
{
    return ib_qdropout(g, in[0], ((const ib_dropout_attrs *)s->attrs)->p);
}

static ib_tensor *run_relu(ib_graph *g, ib_step *s, ib_tensor **in)
{
    (void)s;
    return ib_lookup(g, in[0], &(ib_lookup_attrs){.act = IB_ACT_RELU});
}

static ib_tensor *run_relu6(ib_graph *g, ib_step *s, ib_tensor **in)
{
    (void)s;
    return ib_lookup(g, in[0], &(ib_lookup_attrs){.act = IB_ACT_RELU6});
}

/* The results lie in [0, 1) and [-1, 1): the scale follows from the number of codes, as in TFLite. */
static ib_tensor *run_sigmoid(ib_graph *g, ib_step *s, ib_tensor **in)
{
    (void)s;
    if (!in[0])
        return NULL;
    const ib_qparams *q = &in[0]->q;
    return ib_lookup(g, in[0], &(ib_lookup_attrs){IB_SIGMOID, IB_ACT_NONE, ldexpf(1.0f, -q->bits), q->qmin});
}

static ib_tensor *run_tanh(ib_graph *g, ib_step *s, ib_tensor **in)
{
    (void)s;
    if (!in[0])
        return NULL;
    return ib_lookup(g, in[0], &(ib_lookup_attrs){IB_TANH, IB_ACT_NONE, ldexpf(1.0f, 1 - in[0]->q.bits), 0});
}

#define FORM(op, name, accepts, own_scale, fuses_act)                                                                  \
    const ib_form ib_form_##op = {name, &ib_op_##op, own_scale, fuses_act, accepts, run_##op};
#include "qat/forms.def"
#undef FORM

const ib_form *ib_form_for(const ib_node *n)
{
    static const ib_form *const forms[] = {
#define FORM(op, name, accepts, own_scale, fuses_act) &ib_form_##op,
#include "qat/forms.def"
#undef FORM
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (forms[i]->op == n->op)
            return forms[i]->accepts(n) ? forms[i] : NULL;
    return NULL;
}

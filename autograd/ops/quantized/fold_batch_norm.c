/* fold_batch_norm.c - a batch norm folded into weight and bias of the product before it, in fp32: two operators of the
 * tape, so that gradients reach all three. qat/forms.c applies them where qat/plan.c found such a pair. */
#include "autograd/quantizer.h"

/* ---- fold_weight: y[o,:] = w[o,:] gain[o], gain = gamma / sqrt(var + eps); saved[0]: gain ---- */

typedef struct fold_attrs {
    ib_tensor *mean, *var;
    float eps;
} fold_attrs;

static ib_status fold_weight_shape(ib_node *n, ib_tensor *out)
{
    const fold_attrs *a = n->attrs;
    if (n->in[1]->size != n->in[0]->shape[0] || a->var->size != n->in[0]->shape[0])
        return ib_op_fail(n, "batch norm has %lld channels, the layer before it %lld", (long long)n->in[1]->size,
                          (long long)n->in[0]->shape[0]);
    return ib_same_shape(n->in[0], out, 0);
}

/* The statistics, leaves that are no inputs, where the graph computes. */
static ib_status place(ib_graph *g, const fold_attrs *a)
{
    const ib_status status = a->mean ? ib_graph_use(g, a->mean) : IB_OK;
    return status ? status : ib_graph_use(g, a->var);
}

static ib_fold fold_of(const ib_tensor *gamma, const fold_attrs *a)
{
    return (ib_fold){.n = gamma->size, .gamma = ib_f32(gamma), .var = ib_f32(a->var), .eps = a->eps};
}

static float *gain_of(ib_graph *g, const ib_fold *f)
{
    float *gain = ib_graph_numbers(g, (size_t)f->n * sizeof *gain);
    if (gain)
        K(g)->fold_gain(g->dev, f, gain);
    return gain;
}

static ib_status fold_weight_forward(ib_graph *g, ib_node *n)
{
    const ib_tensor *w = n->in[0];
    const ib_status status = place(g, n->attrs);
    if (status)
        return status;
    const ib_fold f = fold_of(n->in[1], n->attrs);
    float *gain = n->saved[0] = gain_of(g, &f);
    if (!gain)
        return IB_ENOMEM;
    V(g)->fill(g->dev, n->out->data, 0, (size_t)w->size * sizeof(float));
    K(g)->scale_rows(g->dev, ib_f32(w), w->shape[0], w->size / w->shape[0], gain, ib_f32(n->out));
    return IB_OK;
}

/* dw += gain dy    dgamma += <w, dy> / sqrt(var + eps), which has no division by gamma */
static ib_status fold_weight_backward(ib_graph *g, ib_node *n)
{
    const ib_fold f = fold_of(n->in[1], n->attrs);
    const ib_tensor *w = n->in[0];
    const int64_t rows = w->shape[0], cols = w->size / rows;
    ib_status failed = IB_OK;
    float *dw = ib_grad_of(g, n->in[0], &failed), *dgamma = ib_grad_of(g, n->in[1], &failed);
    if (dw)
        K(g)->scale_rows(g->dev, n->out->grad, rows, cols, n->saved[0], dw);
    if (dgamma) {
        const ib_mark mark = ib_graph_mark(g);
        float *dot = ib_graph_numbers(g, (size_t)rows * sizeof *dot);
        if (!dot)
            return IB_ENOMEM;
        V(g)->fill(g->dev, dot, 0, (size_t)rows * sizeof *dot);
        K(g)->dot_rows(g->dev, ib_f32(w), n->out->grad, rows, cols, dot);
        K(g)->fold_gain_grad(g->dev, &f, dot, dgamma);
        ib_graph_release(g, mark);
    }
    return failed;
}

static ib_tensor *fold_weight_sample(ib_graph *g, ib_tensor **in)
{
    return ib_fold_weight(g, in[0], in[1], in[2], 1e-3f);
}

const ib_op ib_op_fold_weight = {
    .name = "fold_weight",
    .attrs_bytes = sizeof(fold_attrs),
    .n_required = 2,
    .shape = fold_weight_shape,
    .forward = fold_weight_forward,
    .backward = fold_weight_backward,
    .samples = (const ib_sample[]){
        {"3 channels", 3, {{4, {3, 2, 2, 1}, -1, 1}, {1, {3}, -1, 1}, {1, {3}, 0.5f, 2}}, fold_weight_sample, 0, 1},
        {0}}};

ib_tensor *ib_fold_weight(ib_graph *g, ib_tensor *w, ib_tensor *gamma, ib_tensor *var, float eps)
{
    return IB_APPLY(g, &ib_op_fold_weight, (&(fold_attrs){NULL, var, eps}), w, gamma);
}

/* ---- fold_bias: y = beta + (bias - mean) gain ---- */

static ib_status fold_bias_shape(ib_node *n, ib_tensor *out)
{
    return ib_same_shape(n->in[0], out, 0);
}

/* Complete. */
static ib_fold bias_fold_of(const ib_node *n)
{
    const fold_attrs *a = n->attrs;
    ib_fold f = fold_of(n->in[0], a);
    f.beta = ib_f32(n->in[1]);
    f.bias = n->in[2] ? ib_f32(n->in[2]) : NULL;
    f.mean = ib_f32(a->mean);
    f.gain = n->saved[0];
    return f;
}

static ib_status fold_bias_forward(ib_graph *g, ib_node *n)
{
    const ib_status status = place(g, n->attrs);
    if (status)
        return status;
    ib_fold f = bias_fold_of(n);
    if (!(f.gain = n->saved[0] = gain_of(g, &f)))
        return IB_ENOMEM;
    K(g)->fold_bias(g->dev, &f, ib_f32(n->out));
    return IB_OK;
}

static ib_status fold_bias_backward(ib_graph *g, ib_node *n)
{
    const ib_fold f = bias_fold_of(n);
    ib_status failed = IB_OK;
    float *dgamma = ib_grad_of(g, n->in[0], &failed), *dbeta = ib_grad_of(g, n->in[1], &failed);
    float *dbias = ib_grad_of(g, n->in[2], &failed);
    K(g)->fold_bias_grad(g->dev, &f, n->out->grad, dgamma, dbeta, dbias);
    return failed;
}

static ib_tensor *fold_bias_sample(ib_graph *g, ib_tensor **in)
{
    return ib_fold_bias(g, in[0], in[1], in[2], in[3], in[3], 1e-3f);
}

const ib_op ib_op_fold_bias = {
    .name = "fold_bias",
    .attrs_bytes = sizeof(fold_attrs),
    .n_required = 2,
    .shape = fold_bias_shape,
    .forward = fold_bias_forward,
    .backward = fold_bias_backward,
    .samples = (const ib_sample[]){{"3 channels",
                                    4,
                                    {{1, {3}, -1, 1}, {1, {3}, -1, 1}, {1, {3}, -1, 1}, {1, {3}, 0.5f, 2}},
                                    fold_bias_sample,
                                    0,
                                    1},
                                   {0}}};

ib_tensor *ib_fold_bias(ib_graph *g, ib_tensor *gamma, ib_tensor *beta, ib_tensor *bias, ib_tensor *mean,
                        ib_tensor *var, float eps)
{
    return IB_APPLY(g, &ib_op_fold_bias, (&(fold_attrs){mean, var, eps}), gamma, beta, bias);
}

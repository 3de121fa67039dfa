/* layer_norm.c - layer norm over the last dimension. */
#include <math.h>

#include "autograd/op.h"
#include "base/argument.h"

static ib_status layer_norm_shape(ib_node *n, ib_tensor *out)
{
    const ib_tensor *x = n->in[0];
    if (n->in[1]->size != x->shape[x->ndim - 1] || n->in[2]->size != x->shape[x->ndim - 1])
        return ib_op_fail(n, "rows of %lld but parameters of %lld", (long long)x->shape[x->ndim - 1],
                          (long long)n->in[1]->size);
    return ib_same_shape(x, out, 0);
}

static ib_status layer_norm_forward(ib_graph *g, ib_node *n)
{
    const ib_tensor *x = n->in[0];
    const int64_t cols = x->shape[x->ndim - 1], rows = x->size / cols;
    float *mean = n->saved[0] = ib_graph_numbers(g, (size_t)rows * sizeof(float));
    float *rstd = n->saved[1] = ib_graph_numbers(g, (size_t)rows * sizeof(float));
    if (!mean || !rstd)
        return IB_ENOMEM;
    K(g)->layer_norm(g->dev, rows, cols,
                     &(ib_norm){.x = ib_f32(x),
                                .gamma = ib_f32(n->in[1]),
                                .beta = ib_f32(n->in[2]),
                                .eps = *(float *)n->attrs,
                                .mean = mean,
                                .rstd = rstd,
                                .y = ib_f32(n->out)});
    return IB_OK;
}

static ib_status layer_norm_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    const ib_tensor *x = n->in[0];
    const int64_t cols = x->shape[x->ndim - 1];
    float *dx = ib_grad_of(g, n->in[0], &failed), *dgamma = ib_grad_of(g, n->in[1], &failed);
    float *dbeta = ib_grad_of(g, n->in[2], &failed);
    K(g)->layer_norm_grad(g->dev, x->size / cols, cols,
                          &(ib_norm_grads){.x = ib_f32(x),
                                           .dy = n->out->grad,
                                           .mean = n->saved[0],
                                           .rstd = n->saved[1],
                                           .gamma = ib_f32(n->in[1]),
                                           .dx = dx,
                                           .dgamma = dgamma,
                                           .dbeta = dbeta});
    return failed;
}

static ib_tensor *ln_sample(ib_graph *g, ib_tensor **in)
{
    return ib_layer_norm(g, in[0], in[1], in[2], 0);
}

const ib_op ib_op_layer_norm = {
    .name = "layer_norm",
    .inputs = "x gamma beta",
    .attrs_bytes = sizeof(float),
    .n_required = 3,
    .shape = layer_norm_shape,
    .forward = layer_norm_forward,
    .backward = layer_norm_backward,
    .samples = (const ib_sample[]){
        {"rows of 6", 3, {{2, {3, 6}, -1, 1}, {1, {6}, 0.5f, 1}, {1, {6}, -1, 1}}, ln_sample, 0}, {0}}};

ib_tensor *ib_layer_norm(ib_graph *g, ib_tensor *x, ib_tensor *gamma, ib_tensor *beta, float eps)
{
    IB_TAKE_OR(eps, eps >= 0 && isfinite(eps), NULL, "is %g", eps);
    return IB_APPLY(g, &ib_op_layer_norm, &(float){eps > 0 ? eps : 1e-5f}, x, gamma, beta);
}

/* rms_norm.c - RMS norm over groups of the size of w: rows of x, or heads within them. */
#include <math.h>

#include "autograd/op.h"
#include "base/argument.h"

static ib_status rms_norm_shape(ib_node *n, ib_tensor *out)
{
    if (n->in[0]->shape[n->in[0]->ndim - 1] % n->in[1]->size)
        return ib_op_fail(n, "rows of %lld, but %lld weights", (long long)n->in[0]->shape[n->in[0]->ndim - 1],
                          (long long)n->in[1]->size);
    return ib_same_shape(n->in[0], out, 0);
}

static ib_status rms_norm_forward(ib_graph *g, ib_node *n)
{
    const int64_t cols = n->in[1]->size, rows = n->in[0]->size / cols;
    float *rstd = n->saved[0] = ib_graph_numbers(g, (size_t)rows * sizeof *rstd);
    if (!rstd)
        return IB_ENOMEM;
    K(g)->rms_norm(g->dev, rows, cols,
                   &(ib_norm){.x = ib_f32(n->in[0]),
                              .gamma = ib_f32(n->in[1]),
                              .eps = *(float *)n->attrs,
                              .rstd = rstd,
                              .y = ib_f32(n->out)});
    return IB_OK;
}

static ib_status rms_norm_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    const int64_t cols = n->in[1]->size, rows = n->in[0]->size / cols;
    float *dx = ib_grad_of(g, n->in[0], &failed), *dw = ib_grad_of(g, n->in[1], &failed);
    K(g)->rms_norm_grad(g->dev, rows, cols,
                        &(ib_norm_grads){.x = ib_f32(n->in[0]),
                                         .dy = n->out->grad,
                                         .rstd = n->saved[0],
                                         .gamma = ib_f32(n->in[1]),
                                         .dx = dx,
                                         .dgamma = dw});
    return failed;
}

static ib_tensor *rms_norm_sample(ib_graph *g, ib_tensor **in)
{
    return ib_rms_norm(g, in[0], in[1], 1e-5f);
}

const ib_op ib_op_rms_norm = {
    .name = "rms_norm",
    .inputs = "x w",
    .attrs_bytes = sizeof(float),
    .n_required = 2,
    .shape = rms_norm_shape,
    .forward = rms_norm_forward,
    .backward = rms_norm_backward,
    .samples = (const ib_sample[]){{"rows of 19", 2, {{2, {3, 19}, -1, 1}, {1, {19}, 0.5f, 1}}, rms_norm_sample, 0},
                                   {"heads of 4", 2, {{2, {3, 8}, -1, 1}, {1, {4}, 0.5f, 1}}, rms_norm_sample, 0},
                                   {0}}};

ib_tensor *ib_rms_norm(ib_graph *g, ib_tensor *x, ib_tensor *w, float eps)
{
    IB_TAKE_OR(eps, eps >= 0 && isfinite(eps), NULL, "is %g", eps);
    return IB_APPLY(g, &ib_op_rms_norm, &eps, x, w);
}

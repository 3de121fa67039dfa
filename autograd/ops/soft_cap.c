/* soft_cap.c - cap tanh(x / cap): what is small stays, nothing passes the cap. */
#include <math.h>

#include "autograd/op.h"
#include "base/argument.h"

static ib_status cap_shape(ib_node *n, ib_tensor *out)
{
    return ib_same_shape(n->in[0], out, 0);
}

static ib_status cap_forward(ib_graph *g, ib_node *n)
{
    V(g)->copy(g->dev, ib_f32(n->out), ib_f32(n->in[0]), (size_t)n->out->size * sizeof(float));
    K(g)->soft_cap(g->dev, ib_f32(n->out), n->out->size, *(float *)n->attrs);
    return IB_OK;
}

static ib_status cap_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    float *dx = ib_grad_of(g, n->in[0], &failed);
    const ib_mark mark = ib_graph_mark(g);
    float *dy = ib_graph_numbers(g, (size_t)n->out->size * sizeof *dy);
    if (failed || !dy)
        return IB_ENOMEM;
    V(g)->copy(g->dev, dy, n->out->grad, (size_t)n->out->size * sizeof *dy);
    K(g)->soft_cap_grad(g->dev, ib_f32(n->out), n->out->size, *(float *)n->attrs, dy);
    if (dx)
        K(g)->axpy(g->dev, dx, dy, n->out->size, 1.0f);
    ib_graph_release(g, mark);
    return IB_OK;
}

static ib_tensor *cap_sample(ib_graph *g, ib_tensor **in)
{
    return ib_soft_cap(g, in[0], 1.5f);
}

const ib_op ib_op_soft_cap = {.name = "soft_cap",
                              .inputs = "x",
                              .attrs_bytes = sizeof(float),
                              .n_required = 1,
                              .shape = cap_shape,
                              .forward = cap_forward,
                              .backward = cap_backward,
                              .samples = (const ib_sample[]){{"1.5", 1, {{2, {3, 7}, -3, 3}}, cap_sample, 0}, {0}}};

ib_tensor *ib_soft_cap(ib_graph *g, ib_tensor *x, float cap)
{
    IB_TAKE_OR(cap, cap > 0 && isfinite(cap), NULL, "is %g", cap);
    return IB_APPLY(g, &ib_op_soft_cap, &cap, x);
}

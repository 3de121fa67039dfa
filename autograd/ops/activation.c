/* activation.c - relu, relu6, sigmoid, tanh, softmax. */
#include <math.h>

#include "autograd/op.h"

static ib_status same(ib_node *n, ib_tensor *out)
{
    return ib_same_shape(n->in[0], out, 0);
}

/* Defines forward, backward, samples, descriptor and public function of y = f(x). */
/* sets: the backward call can set dx, where it is fresh. */
#define UNARY(op, range, forward_call, sets, backward_call)                                                            \
    static ib_status op##_forward(ib_graph *g, ib_node *n)                                                             \
    {                                                                                                                  \
        const ib_tensor *x = n->in[0], *y = n->out;                                                                    \
        forward_call;                                                                                                  \
        return IB_OK;                                                                                                  \
    }                                                                                                                  \
    static ib_status op##_backward(ib_graph *g, ib_node *n)                                                            \
    {                                                                                                                  \
        ib_status failed = IB_OK;                                                                                      \
        const ib_tensor *x = n->in[0], *y = n->out;                                                                    \
        const float *dy = n->out->grad;                                                                                \
        int fresh = 0;                                                                                                 \
        float *dx = sets ? ib_grad_fresh(g, n->in[0], &fresh, &failed) : ib_grad_of(g, n->in[0], &failed);             \
        (void)x, (void)y, (void)fresh;                                                                                 \
        if (dx)                                                                                                        \
            backward_call;                                                                                             \
        return failed;                                                                                                 \
    }                                                                                                                  \
    static ib_tensor *op##_sample(ib_graph *g, ib_tensor **in)                                                         \
    {                                                                                                                  \
        return ib_##op(g, in[0]);                                                                                      \
    }                                                                                                                  \
    const ib_op ib_op_##op = {.name = #op,                                                                             \
                              .inputs = "x",                                                                           \
                              .n_required = 1,                                                                         \
                              .shape = same,                                                                           \
                              .forward = op##_forward,                                                                 \
                              .backward = op##_backward,                                                               \
                              .samples =                                                                               \
                                  (const ib_sample[]){{"2d", 1, {{2, {3, 5}, -(range), range}}, op##_sample, 0},       \
                                                      {"4d", 1, {{4, {2, 2, 3, 3}, -(range), range}}, op##_sample, 0}, \
                                                      {0}}};                                                           \
    ib_tensor *ib_##op(ib_graph *g, ib_tensor *x)                                                                      \
    {                                                                                                                  \
        return IB_APPLY(g, &ib_op_##op, NULL, x);                                                                      \
    }

UNARY(relu, 1, K(g)->clamp(g->dev, ib_f32(x), ib_f32(y), x->size, 0.0f, INFINITY), 1,
      K(g)->clamp_grad(g->dev, ib_f32(x), dy, dx, x->size, 0.0f, INFINITY, !fresh))
UNARY(relu6, 9, K(g)->clamp(g->dev, ib_f32(x), ib_f32(y), x->size, 0.0f, 6.0f), 1,
      K(g)->clamp_grad(g->dev, ib_f32(x), dy, dx, x->size, 0.0f, 6.0f, !fresh))
UNARY(sigmoid, 3, K(g)->sigmoid(g->dev, ib_f32(x), ib_f32(y), x->size), 0,
      K(g)->sigmoid_grad(g->dev, ib_f32(y), dy, dx, x->size))
UNARY(tanh, 2, K(g)->tanh(g->dev, ib_f32(x), ib_f32(y), x->size), 0,
      K(g)->tanh_grad(g->dev, ib_f32(y), dy, dx, x->size))
UNARY(softmax, 2, K(g)->softmax(g->dev, ib_f32(x), ib_f32(y), x->size / x->shape[x->ndim - 1], x->shape[x->ndim - 1]),
      0, K(g)->softmax_grad(g->dev, ib_f32(y), dy, dx, x->size / x->shape[x->ndim - 1], x->shape[x->ndim - 1]))

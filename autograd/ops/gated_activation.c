/* gated_activation.c - gated activations (SwiGLU, GEGLU, ReGLU), y = f(gate) up, and those without a gate,
 * y = f(x). */
#include "autograd/op.h"
#include "base/argument.h"

static ib_status glu_shape(ib_node *n, ib_tensor *out)
{
    const int kind = *(int *)n->attrs;
    if (kind < 0 || kind > 3)
        return ib_op_fail(n, "a gate of kind %d; there are 0 to 3", kind);
    if (n->in[1] && n->in[0]->size != n->in[1]->size)
        return ib_op_fail(n, "a gate of %lld for %lld values", (long long)n->in[0]->size, (long long)n->in[1]->size);
    return ib_same_shape(n->in[0], out, 0);
}

static ib_status glu_forward(ib_graph *g, ib_node *n)
{
    const float *up = n->in[1] ? ib_f32(n->in[1]) : NULL;
    K(g)->glu(g->dev, ib_f32(n->in[0]), up, n->out->size, *(int *)n->attrs, ib_f32(n->out));
    return IB_OK;
}

static ib_status glu_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    float *dgate = ib_grad_of(g, n->in[0], &failed), *dup = ib_grad_of(g, n->in[1], &failed);
    const float *up = n->in[1] ? ib_f32(n->in[1]) : NULL;
    K(g)->glu_grad(g->dev, ib_f32(n->in[0]), up, n->out->grad, n->out->size, *(int *)n->attrs, dgate, dup);
    return failed;
}

static ib_tensor *swiglu_sample(ib_graph *g, ib_tensor **in)
{
    return ib_glu(g, in[0], in[1], 0);
}
static ib_tensor *geglu_sample(ib_graph *g, ib_tensor **in)
{
    return ib_glu(g, in[0], in[1], 1);
}
static ib_tensor *exact_geglu_sample(ib_graph *g, ib_tensor **in)
{
    return ib_glu(g, in[0], in[1], 2);
}
static ib_tensor *reglu_sample(ib_graph *g, ib_tensor **in)
{
    return ib_glu(g, in[0], in[1], 3);
}

static ib_tensor *gelu_sample(ib_graph *g, ib_tensor **in)
{
    return ib_activation(g, in[0], 1);
}

const ib_op ib_op_glu = {
    .name = "glu",
    .inputs = "gate up",
    .attrs_bytes = sizeof(int),
    .n_required = 1,
    .shape = glu_shape,
    .forward = glu_forward,
    .backward = glu_backward,
    .samples = (const ib_sample[]){{"silu", 2, {{2, {3, 7}, -3, 3}, {2, {3, 7}, -1, 1}}, swiglu_sample, 0},
                                   {"gelu", 2, {{2, {3, 7}, -3, 3}, {2, {3, 7}, -1, 1}}, geglu_sample, 0},
                                   {"exact gelu", 2, {{2, {3, 7}, -3, 3}, {2, {3, 7}, -1, 1}}, exact_geglu_sample, 0},
                                   {"relu", 2, {{2, {3, 7}, -3, 3}, {2, {3, 7}, -1, 1}}, reglu_sample, 0},
                                   {"no gate", 1, {{2, {3, 7}, -3, 3}}, gelu_sample, 0},
                                   {0}}};

ib_tensor *ib_glu(ib_graph *g, ib_tensor *gate, ib_tensor *up, int kind)
{
    IB_GIVEN(up);
    return IB_APPLY(g, &ib_op_glu, &kind, gate, up);
}

ib_tensor *ib_activation(ib_graph *g, ib_tensor *x, int kind)
{
    IB_GIVEN(x);
    IB_TAKE_OR(kind, kind >= 0 && kind <= 3, NULL, "is %d; there are 0 to 3", kind);
    return IB_APPLY(g, &ib_op_glu, &kind, x, NULL);
}

/* broadcast.c - add and mul with NumPy's broadcasting. */
#include "autograd/op.h"

/* Aligns shapes at the last dimension; strides are 0 where a dimension of 1 is repeated. */
static ib_status broadcast(const ib_node *n, const ib_tensor *a, const ib_tensor *b, ib_bcast *s, int *ndim)
{
    char sa[64], sb[64];
    int64_t stride_a = 1, stride_b = 1;
    *ndim = a->ndim > b->ndim ? a->ndim : b->ndim;
    for (int i = 0; i < IB_MAX_DIMS; i++) {
        const int at = IB_MAX_DIMS - 1 - i;
        const int64_t da = i < a->ndim ? a->shape[a->ndim - 1 - i] : 1,
                      db = i < b->ndim ? b->shape[b->ndim - 1 - i] : 1;
        if (da != db && da != 1 && db != 1)
            return ib_op_fail(n, "%s and %s do not broadcast", ib_tensor_shape_text(a, sa, sizeof sa),
                              ib_tensor_shape_text(b, sb, sizeof sb));
        s->shape[at] = da > db ? da : db;
        s->a[at] = da == 1 && db > 1 ? 0 : stride_a;
        s->b[at] = db == 1 && da > 1 ? 0 : stride_b;
        stride_a *= da;
        stride_b *= db;
    }
    s->flat = a->size == b->size && stride_a == s->shape[0] * s->shape[1] * s->shape[2] * s->shape[3];
    return IB_OK;
}

static ib_status binary_shape(ib_node *n, ib_tensor *out)
{
    ib_bcast s;
    int ndim;
    const ib_status status = broadcast(n, n->in[0], n->in[1], &s, &ndim);
    return status ? status : ib_tensor_set_shape(out, ndim, s.shape + IB_MAX_DIMS - ndim);
}

static ib_status add_forward(ib_graph *g, ib_node *n)
{
    ib_bcast s;
    int ndim;
    broadcast(n, n->in[0], n->in[1], &s, &ndim);
    K(g)->add(g->dev, &s, ib_f32(n->in[0]), ib_f32(n->in[1]), ib_f32(n->out));
    return IB_OK;
}

static ib_status mul_forward(ib_graph *g, ib_node *n)
{
    ib_bcast s;
    int ndim;
    broadcast(n, n->in[0], n->in[1], &s, &ndim);
    K(g)->mul(g->dev, &s, ib_f32(n->in[0]), ib_f32(n->in[1]), ib_f32(n->out));
    return IB_OK;
}

/* add: da += dy, db += dy;  mul: da += dy b, db += dy a; summed over repeated dimensions */
static ib_status binary_backward(ib_graph *g, ib_node *n)
{
    const int is_mul = n->op == &ib_op_mul;
    for (int i = 0; i < 2; i++) {
        ib_bcast s;
        int ndim;
        ib_status failed = IB_OK;
        float *d = ib_grad_of(g, n->in[i], &failed);
        if (failed)
            return failed;
        broadcast(n, n->in[i], n->in[1 - i], &s, &ndim);
        if (d)
            K(g)->reduce_to(g->dev, &s, n->out->grad, is_mul ? ib_f32(n->in[1 - i]) : NULL, d);
    }
    return IB_OK;
}

static ib_tensor *add_sample(ib_graph *g, ib_tensor **in)
{
    return ib_add(g, in[0], in[1]);
}
static ib_tensor *mul_sample(ib_graph *g, ib_tensor **in)
{
    return ib_mul(g, in[0], in[1]);
}

#define BINARY(op, function)                                                                                           \
    const ib_op ib_op_##op = {                                                                                         \
        .name = #op,                                                                                                   \
        .inputs = "a b",                                                                                               \
        .n_required = 2,                                                                                               \
        .shape = binary_shape,                                                                                         \
        .forward = op##_forward,                                                                                       \
        .backward = binary_backward,                                                                                   \
        .samples =                                                                                                     \
            (const ib_sample[]){{"same shape", 2, {{4, {2, 3, 2, 2}, -1, 1}, {4, {2, 3, 2, 2}, -1, 1}}, function, 0},  \
                                {"channel", 2, {{4, {2, 3, 2, 2}, -1, 1}, {3, {3, 1, 1}, -1, 1}}, function, 0},        \
                                {"row and column", 2, {{2, {1, 4}, -1, 1}, {2, {3, 1}, -1, 1}}, function, 0},          \
                                {0}}};
BINARY(add, add_sample)
BINARY(mul, mul_sample)

ib_tensor *ib_add(ib_graph *g, ib_tensor *a, ib_tensor *b)
{
    return IB_APPLY(g, &ib_op_add, NULL, a, b);
}

ib_tensor *ib_mul(ib_graph *g, ib_tensor *a, ib_tensor *b)
{
    return IB_APPLY(g, &ib_op_mul, NULL, a, b);
}

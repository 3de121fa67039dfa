/* columns.c - some columns of each row: `count` runs of `size` columns, `step` apart, from `offset` on. */
#include "autograd/attrs.h"
#include "autograd/op.h"

static ib_status columns_shape(ib_node *n, ib_tensor *out)
{
    const ib_columns_attrs *a = n->attrs;
    const ib_tensor *x = n->in[0];
    if (x->ndim != 2 || a->offset < 0 || a->size < 1 || a->count < 1 || a->step < a->size ||
        a->offset + (a->count - 1) * a->step + a->size > x->shape[1])
        return ib_op_fail(n, "%lld runs of %lld columns, %lld apart, from %lld on, of %lld", (long long)a->count,
                          (long long)a->size, (long long)a->step, (long long)a->offset,
                          (long long)x->shape[x->ndim - 1]);
    return ib_tensor_set_shape(out, 2, (int64_t[]){x->shape[0], a->count * a->size});
}

static ib_status columns_forward(ib_graph *g, ib_node *n)
{
    const ib_columns_attrs *a = n->attrs;
    const ib_tensor *x = n->in[0];
    const ib_strides s = {
        {x->shape[0], a->count, a->size}, {x->shape[1], a->step, 1}, {a->count * a->size, a->size, 1}};
    K(g)->copy_strided(g->dev, &s, ib_f32(x) + a->offset, sizeof(float), ib_f32(n->out));
    return IB_OK;
}

static ib_status columns_backward(ib_graph *g, ib_node *n)
{
    const ib_columns_attrs *a = n->attrs;
    const ib_tensor *x = n->in[0];
    ib_status failed = IB_OK;
    const ib_strides s = {
        {x->shape[0], a->count, a->size}, {a->count * a->size, a->size, 1}, {x->shape[1], a->step, 1}};
    float *dx = ib_grad_of(g, n->in[0], &failed);
    if (dx)
        K(g)->add_strided(g->dev, &s, n->out->grad, dx + a->offset);
    return failed;
}

static ib_tensor *run_sample(ib_graph *g, ib_tensor **in)
{
    return IB_APPLY(g, &ib_op_columns, (&(ib_columns_attrs){2, 3, 3, 1}), in[0]);
}
static ib_tensor *spread_sample(ib_graph *g, ib_tensor **in)
{
    return IB_APPLY(g, &ib_op_columns, (&(ib_columns_attrs){1, 2, 4, 2}), in[0]);
}

const ib_op ib_op_columns = {.name = "columns",
                             .inputs = "x",
                             .attrs_bytes = sizeof(ib_columns_attrs),
                             .n_required = 1,
                             .shape = columns_shape,
                             .forward = columns_forward,
                             .backward = columns_backward,
                             .samples = (const ib_sample[]){{"a run", 1, {{2, {3, 7}, -1, 1}}, run_sample, 0},
                                                            {"spread", 1, {{2, {3, 7}, -1, 1}}, spread_sample, 0},
                                                            {0}}};

/* to_device.c - a copy on another device of the tape. */
#include "autograd/op.h"
#include "base/argument.h"

typedef struct ib_device_attrs {
    ib_device *dev;
} ib_device_attrs;

static ib_status copy_shape(ib_node *n, ib_tensor *out)
{
    const ib_device_attrs *a = n->attrs;
    ib_side *to = ib_side_of(out->graph, a->dev);
    if (!to)
        return ib_error_status();
    ib_graph_turn(out->graph, to);
    out->side = to;
    out->dev = ib_home(to->dev);
    return ib_same_shape(n->in[0], out, 0);
}

/* Device memory of two devices: by way of the host's, unless one is that. Waits for `from` if it is late. */
static ib_status cross(ib_device *from, const void *x, ib_device *to, void *y, size_t bytes)
{
    void *between = NULL;
    if (from->is_host)
        to->v.upload(to, y, x, bytes);
    else if (to->is_host)
        from->v.download(from, y, x, bytes);
    else if ((between = ib_block_copied(from, NULL, x, bytes)))
        to->v.upload(to, y, between, bytes);
    else
        return IB_ENOMEM;
    ib_free(between);
    return IB_OK;
}

static ib_status copy_forward(ib_graph *g, ib_node *n)
{
    const ib_tensor *x = n->in[0];
    ib_sides_tell(g, x->side, n->out->side);
    return cross(x->side->dev, x->data, n->out->side->dev, n->out->data, (size_t)x->size * sizeof(float));
}

/* dx += dy */
static ib_status copy_backward(ib_graph *g, ib_node *n)
{
    ib_tensor *x = n->in[0];
    const ib_side *there = n->out->side;
    const size_t bytes = (size_t)x->size * sizeof(float);
    ib_status failed = IB_OK;
    int fresh;
    ib_sides_tell(g, there, x->side);
    ib_graph_turn(g, x->side);
    float *dx = ib_grad_fresh(g, x, &fresh, &failed);
    if (!dx)
        return failed;
    if (fresh)
        return cross(there->dev, n->out->grad, g->dev, dx, bytes);
    const ib_mark mark = ib_graph_mark(g);
    float *dy = ib_graph_numbers(g, bytes);
    failed = dy ? cross(there->dev, n->out->grad, g->dev, dy, bytes) : IB_ENOMEM;
    if (!failed)
        K(g)->axpy(g->dev, dx, dy, x->size, 1.0f);
    ib_graph_release(g, mark);
    return failed;
}

/* Across and back: of tests, to the device itself. */
static ib_tensor *copy_sample(ib_graph *g, ib_tensor **in)
{
    return ib_apply(g, &ib_op_to_device, (ib_tensor *[]){ib_relu(g, in[0])}, 1, &(ib_device_attrs){g->dev});
}

const ib_op ib_op_to_device = {.name = "to_device",
                               .inputs = "x",
                               .attrs_bytes = sizeof(ib_device_attrs),
                               .n_required = 1,
                               .shape = copy_shape,
                               .forward = copy_forward,
                               .backward = copy_backward,
                               .samples =
                                   (const ib_sample[]){{"a copy", 1, {{2, {3, 5}, -1, 1}}, copy_sample, 0}, {0}}};

ib_tensor *ib_to_device(ib_graph *g, ib_tensor *x, ib_device *dev)
{
    IB_NEED_OR(g, NULL);
    IB_GIVEN(x);
    IB_NEED_OR(dev, NULL);
    if (x->step && x->side->dev == dev)
        return x;
    IB_TAKE_OR(x, x->step, NULL, "is no result of %s: a parameter lies where it is used first", "a step");
    return IB_APPLY(g, &ib_op_to_device, &(ib_device_attrs){dev}, x);
}

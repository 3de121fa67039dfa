/* dropout.c - dropout of fp32 values and of codes; saved[0]: one bit an element, NULL where nothing was dropped. */
#include "autograd/attrs.h"
#include "autograd/quantizer.h"
#include "base/argument.h"

/* ---- dropout: y = x / (1 - p) where kept ---- */

static ib_status dropout_shape(ib_node *n, ib_tensor *out)
{
    const float p = ((const ib_dropout_attrs *)n->attrs)->p;
    if (!(p >= 0 && p < 1))
        return ib_op_fail(n, "probability %g is not in [0, 1)", p);
    return ib_same_shape(n->in[0], out, 0);
}

static ib_status dropout_forward(ib_graph *g, ib_node *n)
{
    const float p = ((const ib_dropout_attrs *)n->attrs)->p;
    const ib_tensor *x = n->in[0];
    if (g->mode != IB_TRAIN || p == 0) {
        V(g)->copy(g->dev, n->out->data, x->data, (size_t)x->size * sizeof(float));
        return IB_OK;
    }
    uint8_t *mask = n->saved[0] = ib_graph_numbers(g, (size_t)(x->size + 7) / 8);
    if (!mask)
        return IB_ENOMEM;
    K(g)->dropout_mask(g->dev, mask, x->size, p, (ib_rng){g->seed, g->step << 16 | g->draws++});
    V(g)->fill(g->dev, n->out->data, 0, (size_t)x->size * sizeof(float));
    K(g)->masked_add(g->dev, ib_f32(x), mask, ib_f32(n->out), x->size, 1.0f / (1.0f - p));
    return IB_OK;
}

static ib_status dropout_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    const float p = ((const ib_dropout_attrs *)n->attrs)->p;
    float *dx = ib_grad_of(g, n->in[0], &failed);
    if (dx && n->saved[0])
        K(g)->masked_add(g->dev, n->out->grad, n->saved[0], dx, n->out->size, 1.0f / (1.0f - p));
    else if (dx)
        K(g)->axpy(g->dev, dx, n->out->grad, n->out->size, 1.0f);
    return failed;
}

static ib_tensor *dropout_sample(ib_graph *g, ib_tensor **in)
{
    return ib_dropout(g, in[0], 0.3f);
}

const ib_op ib_op_dropout = {.name = "dropout",
                             .inputs = "x",
                             .attrs_bytes = sizeof(ib_dropout_attrs),
                             .n_required = 1,
                             .shape = dropout_shape,
                             .forward = dropout_forward,
                             .backward = dropout_backward,
                             .samples =
                                 (const ib_sample[]){{"p 0.3", 1, {{2, {4, 9}, -1, 1}}, dropout_sample, 0}, {0}}};

ib_tensor *ib_dropout(ib_graph *g, ib_tensor *x, float p)
{
    IB_TAKE_OR(p, p >= 0 && p < 1, NULL, "is %g, which is not in [0, 1)", p);
    return IB_APPLY(g, &ib_op_dropout, &(ib_dropout_attrs){p}, x);
}

/* ---- qdropout: a dropped code is the zero point, the scale grows by 1 / (1 - p) ---- */

static ib_status qdropout_shape(ib_node *n, ib_tensor *out)
{
    return n->in[0]->dtype == IB_CODES ? ib_same_shape(n->in[0], out, 1) : ib_op_fail(n, "the input is not codes");
}

static ib_status qdropout_forward(ib_graph *g, ib_node *n)
{
    const float p = ((const ib_dropout_attrs *)n->attrs)->p;
    const ib_tensor *x = n->in[0];
    if (g->mode != IB_TRAIN || p == 0 || g->dropout_off) {
        V(g)->copy(g->dev, n->out->data, x->data, (size_t)x->size);
        return IB_OK;
    }
    uint8_t *mask = n->saved[0] = ib_graph_numbers(g, (size_t)(x->size + 7) / 8);
    float *scale = ib_graph_numbers(g, sizeof *scale);
    if (!mask || !scale)
        return IB_ENOMEM;
    K(g)->dropout_mask(g->dev, mask, x->size, p, (ib_rng){g->seed, g->step << 16 | g->draws++});
    K(g)->drop_codes(g->dev, ib_codes(x), mask, x->size, x->q.zero, ib_codes(n->out));
    K(g)->divide(g->dev, x->q.scale, 1, 1.0f - p, scale);
    n->out->q.scale = scale;
    return IB_OK;
}

const ib_op ib_op_qdropout = {.name = "qdropout",
                              .takes_codes = 1,
                              .attrs_bytes = sizeof(ib_dropout_attrs),
                              .n_required = 1,
                              .shape = qdropout_shape,
                              .forward = qdropout_forward,
                              .backward = dropout_backward};

ib_tensor *ib_qdropout(ib_graph *g, ib_tensor *x, float p)
{
    return IB_APPLY(g, &ib_op_qdropout, &(ib_dropout_attrs){p}, x);
}

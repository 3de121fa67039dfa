/* shape.c - reshape and flattening (fp32 and codes), concat. */
#include "autograd/attrs.h"
#include "autograd/op.h"
#include "base/argument.h"

/* The result shares the input's data. */
static ib_status reshape_shape(ib_node *n, ib_tensor *out)
{
    const ib_tensor *x = n->in[0];
    ib_reshape_attrs a = *(const ib_reshape_attrs *)n->attrs;
    char text[64];
    if (!a.shape[0])
        a.shape[0] = x->shape[0];
    const ib_status status = ib_tensor_set_shape(out, a.ndim, a.shape);
    if (status)
        return status;
    if (out->size != x->size)
        return ib_op_fail(n, "%s has %lld elements, the new shape %lld", ib_tensor_shape_text(x, text, sizeof text),
                          (long long)x->size, (long long)out->size);
    out->dtype = x->dtype;
    out->q = x->q;
    out->data = x->data;
    return IB_OK;
}

static ib_status nothing(ib_graph *g, ib_node *n)
{
    (void)g, (void)n;
    return IB_OK;
}

static ib_status reshape_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    float *dx = ib_grad_of(g, n->in[0], &failed);
    if (dx)
        K(g)->axpy(g->dev, dx, n->out->grad, n->out->size, 1.0f);
    return failed;
}

static ib_tensor *reshape_sample(ib_graph *g, ib_tensor **in)
{
    return ib_reshape(g, in[0], 3, (int64_t[]){0, 2, 3});
}

const ib_op ib_op_reshape = {.name = "reshape",
                             .inputs = "x",
                             .takes_codes = 1,
                             .attrs_bytes = sizeof(ib_reshape_attrs),
                             .n_required = 1,
                             .shape = reshape_shape,
                             .forward = nothing,
                             .backward = reshape_backward,
                             .samples =
                                 (const ib_sample[]){{"6 to 2x3", 1, {{2, {3, 6}, -1, 1}}, reshape_sample, 0}, {0}}};

ib_tensor *ib_reshape(ib_graph *g, ib_tensor *x, int ndim, const int64_t *shape)
{
    ib_reshape_attrs a = {.ndim = ndim};
    IB_NEED_OR(shape, NULL);
    IB_TAKE_OR(ndim, ndim >= 1 && ndim <= IB_MAX_DIMS, NULL, "is %d, 1 to %d are possible", ndim, IB_MAX_DIMS);
    for (int d = 0; d < ndim; d++)
        a.shape[d] = shape[d];
    return IB_APPLY(g, &ib_op_reshape, &a, x);
}

ib_tensor *ib_flatten(ib_graph *g, ib_tensor *x)
{
    IB_GIVEN(x);
    return ib_reshape(g, x, 2, (int64_t[]){0, x->size / x->shape[0]});
}

/* ---- flatten_hwc: y[n, p C + c] = x[n, c, p], p the place in the image; rows are what they are ---- */

static ib_status flatten_shape(ib_node *n, ib_tensor *out)
{
    const ib_tensor *x = n->in[0];
    if (x->ndim < 2)
        return ib_op_fail(n, "the input has no channels");
    const ib_status status = ib_same_shape(x, out, 1);
    return status ? status : ib_tensor_set_shape(out, 2, (int64_t[]){x->shape[0], x->size / x->shape[0]});
}

static ib_status flatten_forward(ib_graph *g, ib_node *n)
{
    const ib_tensor *x = n->in[0];
    const int64_t row = n->out->shape[1], channels = x->shape[1], area = row / channels;
    const ib_strides s = {{x->shape[0], area, channels}, {row, 1, area}, {row, channels, 1}};
    K(g)->copy_strided(g->dev, &s, x->data, (int)ib_dtype_bytes(x->dtype), n->out->data);
    return IB_OK;
}

static ib_status flatten_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    const int64_t row = n->out->shape[1], channels = n->in[0]->shape[1], area = row / channels;
    const ib_strides s = {{n->out->shape[0], channels, area}, {row, 1, channels}, {row, area, 1}};
    float *dx = ib_grad_of(g, n->in[0], &failed);
    if (dx)
        K(g)->add_strided(g->dev, &s, n->out->grad, dx);
    return failed;
}

static ib_tensor *flatten_sample(ib_graph *g, ib_tensor **in)
{
    return ib_flatten_hwc(g, in[0]);
}

const ib_op ib_op_flatten_hwc = {.name = "flatten_hwc",
                                 .inputs = "x",
                                 .takes_codes = 1,
                                 .n_required = 1,
                                 .shape = flatten_shape,
                                 .forward = flatten_forward,
                                 .backward = flatten_backward,
                                 .samples =
                                     (const ib_sample[]){{"image", 1, {{4, {2, 3, 2, 4}, -1, 1}}, flatten_sample, 0},
                                                         {"row", 1, {{2, {2, 5}, -1, 1}}, flatten_sample, 0},
                                                         {0}}};

ib_tensor *ib_flatten_hwc(ib_graph *g, ib_tensor *x)
{
    return IB_APPLY(g, &ib_op_flatten_hwc, NULL, x);
}

/* ---- concat: along `axis`, outer x (sizes of that axis) x inner ---- */

static ib_status concat_shape(ib_node *n, ib_tensor *out)
{
    const int axis = ((const ib_concat_attrs *)n->attrs)->axis;
    const ib_tensor *first = n->in[0];
    int64_t shape[IB_MAX_DIMS] = {0}, total = 0;
    char sa[64], sb[64];
    if (axis < 1 || axis >= first->ndim)
        return ib_op_fail(n, "axis %d of %s", axis, ib_tensor_shape_text(first, sa, sizeof sa));
    for (int i = 0; i < n->n_in; i++) {
        const ib_tensor *x = n->in[i];
        if (!x)
            return IB_EINVAL;
        for (int d = 0; d < first->ndim; d++)
            if (x->ndim != first->ndim || (d != axis && x->shape[d] != first->shape[d]))
                return ib_op_fail(n, "%s and %s differ beyond axis %d", ib_tensor_shape_text(first, sa, sizeof sa),
                                  ib_tensor_shape_text(x, sb, sizeof sb), axis);
        total += x->shape[axis];
    }
    for (int d = 0; d < first->ndim; d++)
        shape[d] = d == axis ? total : first->shape[d];
    return ib_tensor_set_shape(out, first->ndim, shape);
}

static ib_status concat_forward(ib_graph *g, ib_node *n)
{
    const int axis = ((const ib_concat_attrs *)n->attrs)->axis;
    const int64_t row = ib_run_of(n->out, axis), outer = n->out->size / row;
    int64_t at = 0;
    for (int i = 0; i < n->n_in; i++) {
        const int64_t run = ib_run_of(n->in[i], axis);
        const ib_strides s = {{outer, 1, run}, {run, 0, 1}, {row, 0, 1}};
        K(g)->copy_strided(g->dev, &s, ib_f32(n->in[i]), sizeof(float), ib_f32(n->out) + at);
        at += run;
    }
    return IB_OK;
}

static ib_status concat_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    const int axis = ((const ib_concat_attrs *)n->attrs)->axis;
    const int64_t row = ib_run_of(n->out, axis), outer = n->out->size / row;
    int64_t at = 0;
    for (int i = 0; i < n->n_in; i++) {
        const int64_t run = ib_run_of(n->in[i], axis);
        const ib_strides s = {{outer, 1, run}, {row, 0, 1}, {run, 0, 1}};
        float *dx = ib_grad_of(g, n->in[i], &failed);
        if (dx)
            K(g)->add_strided(g->dev, &s, n->out->grad + at, dx);
        at += run;
    }
    return failed;
}

static ib_tensor *concat_sample(ib_graph *g, ib_tensor **in)
{
    return ib_concat(g, in, 3, 1);
}

const ib_op ib_op_concat = {
    .name = "concat",
    .inputs = "x",
    .attrs_bytes = sizeof(ib_concat_attrs),
    .n_required = 2,
    .shape = concat_shape,
    .forward = concat_forward,
    .backward = concat_backward,
    .samples = (const ib_sample[]){
        {"three", 3, {{4, {2, 1, 2, 2}, -1, 1}, {4, {2, 3, 2, 2}, -1, 1}, {4, {2, 2, 2, 2}, -1, 1}}, concat_sample, 0},
        {0}}};

ib_tensor *ib_concat(ib_graph *g, ib_tensor *const *x, int n, int axis)
{
    IB_NEED_OR(g, NULL);
    IB_NEED_OR(x, NULL);
    IB_TAKE_OR(n, n >= 2 && n <= IB_MAX_INPUTS, NULL, "is %d, 2 to %d are possible", n, IB_MAX_INPUTS);
    for (int i = 0; i < n; i++)
        IB_GIVEN(x[i]);
    return ib_apply(g, &ib_op_concat, x, n, &(ib_concat_attrs){axis});
}

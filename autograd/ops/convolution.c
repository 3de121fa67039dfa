/* convolution.c - conv2d. */
#include "autograd/op.h"
#include "base/argument.h"

ib_status ib_conv_window_of(const ib_node *n, const ib_tensor *x, const ib_conv_opts *o, ib_window *s)
{
    const ib_tensor *w = n->in[1], *b = n->in[2];
    char sx[64], sw[64];
    if (w->ndim != 4)
        return ib_op_fail(n, "weight is %s, [O,C/groups,kh,kw] is needed", ib_tensor_shape_text(w, sw, sizeof sw));
    *s = (ib_window){.oc = w->shape[0],
                     .kh = (int)w->shape[2],
                     .kw = (int)w->shape[3],
                     .sh = o->stride_h,
                     .sw = o->stride_w,
                     .ph = o->pad_h,
                     .pw = o->pad_w,
                     .groups = o->groups};
    const ib_status status = ib_window_of(n, x, s);
    if (status)
        return status;
    if (w->shape[1] * o->groups != x->shape[1] || w->shape[0] % o->groups)
        return ib_op_fail(n, "input %s, weight %s, groups %d do not fit", ib_tensor_shape_text(x, sx, sizeof sx),
                          ib_tensor_shape_text(w, sw, sizeof sw), o->groups);
    if (b && b->size != w->shape[0])
        return ib_op_fail(n, "bias has %lld elements for %lld outputs", (long long)b->size, (long long)w->shape[0]);
    return IB_OK;
}

static ib_status window(const ib_node *n, ib_window *s)
{
    return ib_conv_window_of(n, n->in[0], n->attrs, s);
}

static ib_status conv2d_shape(ib_node *n, ib_tensor *out)
{
    ib_window s;
    const ib_status status = window(n, &s);
    return status ? status : ib_tensor_set_shape(out, 4, (int64_t[]){s.n, s.oc, s.oh, s.ow});
}

static ib_status conv2d_forward(ib_graph *g, ib_node *n)
{
    ib_window s;
    window(n, &s);
    const ib_mark mark = ib_graph_mark(g);
    float *scratch = ib_graph_numbers(g, (size_t)V(g)->conv2d_words(g->dev, &s) * sizeof *scratch);
    if (!scratch)
        return IB_ENOMEM;
    K(g)->conv2d(g->dev, &s, ib_f32(n->in[0]), ib_f32(n->in[1]), n->in[2] ? ib_f32(n->in[2]) : NULL, ib_f32(n->out),
                 scratch);
    ib_graph_release(g, mark);
    return IB_OK;
}

/* dx += w^T * dy    dw += dy * x    db += sum of dy, the products being (transposed) convolutions */
static ib_status conv2d_backward(ib_graph *g, ib_node *n)
{
    ib_window s;
    window(n, &s);
    ib_status failed = IB_OK;
    int fresh;
    float *dx = ib_grad_fresh(g, n->in[0], &fresh, &failed), *dw = ib_grad_of(g, n->in[1], &failed);
    float *db = ib_grad_of(g, n->in[2], &failed);
    const ib_mark mark = ib_graph_mark(g);
    float *scratch = ib_graph_numbers(g, (size_t)V(g)->conv2d_grads_words(g->dev, &s) * sizeof *scratch);
    if (!scratch)
        return IB_ENOMEM;
    K(g)->conv2d_grads(g->dev, &s,
                       &(ib_conv_grads){.x = ib_f32(n->in[0]),
                                        .w = ib_f32(n->in[1]),
                                        .dy = n->out->grad,
                                        .dx = dx,
                                        .dw = dw,
                                        .db = db,
                                        .sets_dx = fresh},
                       scratch);
    ib_graph_release(g, mark);
    return failed;
}

static ib_tensor *plain(ib_graph *g, ib_tensor **in)
{
    return ib_conv2d(g, in[0], in[1], in[2], NULL);
}
static ib_tensor *strided(ib_graph *g, ib_tensor **in)
{
    return ib_conv2d(g, in[0], in[1], in[2], &(ib_conv_opts){.stride_h = 2, .stride_w = 3, .pad_h = 1, .pad_w = 2});
}
static ib_tensor *grouped(ib_graph *g, ib_tensor **in)
{
    return ib_conv2d(g, in[0], in[1], in[2], &(ib_conv_opts){.pad_h = 1, .pad_w = 1, .groups = 2});
}
static ib_tensor *depthwise(ib_graph *g, ib_tensor **in)
{
    return ib_conv2d(g, in[0], in[1], in[2],
                     &(ib_conv_opts){.stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1, .groups = 3});
}

const ib_op ib_op_conv2d = {
    .name = "conv2d",
    .inputs = "x w b",
    .attrs_bytes = sizeof(ib_conv_opts),
    .n_required = 2,
    .shape = conv2d_shape,
    .forward = conv2d_forward,
    .backward = conv2d_backward,
    .samples = (const ib_sample[]){
        {"plain", 3, {{4, {2, 3, 5, 6}, -1, 1}, {4, {4, 3, 3, 2}, -1, 1}, {1, {4}, -1, 1}}, plain, 0},
        {"1x1", 3, {{4, {2, 3, 4, 4}, -1, 1}, {4, {2, 3, 1, 1}, -1, 1}, {1, {2}, -1, 1}}, plain, 0},
        {"stride, padding", 3, {{4, {2, 2, 7, 8}, -1, 1}, {4, {3, 2, 3, 5}, -1, 1}, {1, {3}, -1, 1}}, strided, 0},
        {"groups", 3, {{4, {1, 4, 4, 5}, -1, 1}, {4, {6, 2, 3, 3}, -1, 1}, {1, {6}, -1, 1}}, grouped, 0},
        {"depthwise", 3, {{4, {2, 3, 5, 6}, -1, 1}, {4, {3, 1, 3, 3}, -1, 1}, {1, {3}, -1, 1}}, depthwise, 0},
        {0}}};

ib_tensor *ib_conv2d(ib_graph *g, ib_tensor *x, ib_tensor *w, ib_tensor *b, const ib_conv_opts *opts)
{
    if (opts) {
        IB_TAKE_OR(opts->stride_h, opts->stride_h >= 0, NULL, "is %d", opts->stride_h);
        IB_TAKE_OR(opts->stride_w, opts->stride_w >= 0, NULL, "is %d", opts->stride_w);
        IB_TAKE_OR(opts->pad_h, opts->pad_h >= 0 && opts->pad_h <= 1 << 16, NULL, "is %d", opts->pad_h);
        IB_TAKE_OR(opts->pad_w, opts->pad_w >= 0 && opts->pad_w <= 1 << 16, NULL, "is %d", opts->pad_w);
        IB_TAKE_OR(opts->groups, opts->groups >= 0, NULL, "is %d", opts->groups);
    }
    ib_conv_opts o = opts ? *opts : (ib_conv_opts){0};
    o.stride_h = o.stride_h ? o.stride_h : 1;
    o.stride_w = o.stride_w ? o.stride_w : 1;
    o.groups = o.groups ? o.groups : 1;
    return IB_APPLY(g, &ib_op_conv2d, &o, x, w, b);
}

/* pooling.c - max, average and global average pooling, and what pooling of codes (int_pool.c) has in common with it. */
#include "autograd/op.h"
#include "base/argument.h"

ib_status ib_pool_window(const ib_node *n, ib_window *w)
{
    const ib_tensor *x = n->in[0];
    ib_pool_opts o = *(const ib_pool_opts *)n->attrs;
    if (!o.kernel_h && !o.kernel_w && x->ndim == 4) {
        o.kernel_h = (int)x->shape[2];
        o.kernel_w = (int)x->shape[3];
    }
    if ((o.pad_h && o.pad_h >= o.kernel_h) || (o.pad_w && o.pad_w >= o.kernel_w))
        return ib_op_fail(n, "padding %dx%d is not smaller than the kernel %dx%d", o.pad_h, o.pad_w, o.kernel_h,
                          o.kernel_w);
    *w = (ib_window){.oc = x->ndim == 4 ? x->shape[1] : 1,
                     .kh = o.kernel_h,
                     .kw = o.kernel_w,
                     .sh = o.stride_h ? o.stride_h : o.kernel_h,
                     .sw = o.stride_w ? o.stride_w : o.kernel_w,
                     .ph = o.pad_h,
                     .pw = o.pad_w,
                     .groups = 1};
    return ib_window_of(n, x, w);
}

ib_status ib_pool_shape(ib_node *n, ib_tensor *out)
{
    ib_window s;
    if (n->op->takes_codes && n->in[0]->dtype != IB_CODES)
        return ib_op_fail(n, "the input is not codes");
    if (ib_pool_window(n, &s))
        return ib_error_status();
    out->dtype = n->in[0]->dtype;
    out->q = n->in[0]->q;
    return ib_tensor_set_shape(out, 4, (int64_t[]){s.n, s.oc, s.oh, s.ow});
}

static ib_status max_pool_forward(ib_graph *g, ib_node *n)
{
    ib_window s;
    ib_pool_window(n, &s);
    if (g->mode == IB_TRAIN && !(n->saved[0] = ib_graph_numbers(g, (size_t)n->out->size * sizeof(int32_t))))
        return IB_ENOMEM;
    K(g)->maxpool(g->dev, &s, ib_f32(n->in[0]), ib_f32(n->out), n->saved[0]);
    return IB_OK;
}

ib_status ib_max_pool_backward(ib_graph *g, ib_node *n)
{
    ib_window s;
    ib_status failed = IB_OK;
    ib_pool_window(n, &s);
    float *dx = ib_grad_of(g, n->in[0], &failed);
    if (dx)
        K(g)->maxpool_grad(g->dev, &s, n->out->grad, n->saved[0], dx);
    return failed;
}

static ib_status avg_pool_forward(ib_graph *g, ib_node *n)
{
    ib_window s;
    ib_pool_window(n, &s);
    K(g)->avgpool(g->dev, &s, ib_f32(n->in[0]), ib_f32(n->out));
    return IB_OK;
}

static ib_status avg_pool_backward(ib_graph *g, ib_node *n)
{
    ib_window s;
    ib_status failed = IB_OK;
    ib_pool_window(n, &s);
    float *dx = ib_grad_of(g, n->in[0], &failed);
    if (dx)
        K(g)->avgpool_grad(g->dev, &s, n->out->grad, dx);
    return failed;
}

static ib_tensor *max_sample(ib_graph *g, ib_tensor **in)
{
    return ib_max_pool(g, in[0], &(ib_pool_opts){.kernel_h = 2, .kernel_w = 2});
}
static ib_tensor *max_padded(ib_graph *g, ib_tensor **in)
{
    return ib_max_pool(
        g, in[0], &(ib_pool_opts){.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 1, .pad_h = 1, .pad_w = 1});
}
static ib_tensor *avg_sample(ib_graph *g, ib_tensor **in)
{
    return ib_avg_pool(
        g, in[0], &(ib_pool_opts){.kernel_h = 3, .kernel_w = 2, .stride_h = 1, .stride_w = 2, .pad_h = 1, .pad_w = 1});
}
static ib_tensor *global_sample(ib_graph *g, ib_tensor **in)
{
    return ib_global_avg_pool(g, in[0]);
}

const ib_op ib_op_max_pool = {
    .name = "max_pool",
    .inputs = "x",
    .attrs_bytes = sizeof(ib_pool_opts),
    .n_required = 1,
    .shape = ib_pool_shape,
    .forward = max_pool_forward,
    .backward = ib_max_pool_backward,
    .samples = (const ib_sample[]){{"2x2", 1, {{4, {2, 2, 4, 6}, -9, 9}}, max_sample, 0},
                                   {"overlap, padding", 1, {{4, {1, 2, 5, 5}, -9, 9}}, max_padded, 0},
                                   {0}}};
const ib_op ib_op_avg_pool = {.name = "avg_pool",
                              .inputs = "x",
                              .attrs_bytes = sizeof(ib_pool_opts),
                              .n_required = 1,
                              .shape = ib_pool_shape,
                              .forward = avg_pool_forward,
                              .backward = avg_pool_backward,
                              .samples =
                                  (const ib_sample[]){{"3x2", 1, {{4, {2, 2, 4, 5}, -1, 1}}, avg_sample, 0},
                                                      {"global", 1, {{4, {2, 3, 3, 2}, -1, 1}}, global_sample, 0},
                                                      {0}}};

/* Kernel 0x0 is the whole image; of one alone 0 is nothing. */
static ib_status check(const ib_pool_opts *opts, const char *function)
{
    const int whole = !opts->kernel_h && !opts->kernel_w, h = opts->kernel_h, w = opts->kernel_w;
    IB_TAKE_FOR(function, opts->kernel_h, whole || h > 0, IB_EINVAL, "is %d", h);
    IB_TAKE_FOR(function, opts->kernel_w, whole || w > 0, IB_EINVAL, "is %d", w);
    IB_TAKE_FOR(function, opts->stride_h, opts->stride_h >= 0, IB_EINVAL, "is %d", opts->stride_h);
    IB_TAKE_FOR(function, opts->stride_w, opts->stride_w >= 0, IB_EINVAL, "is %d", opts->stride_w);
    IB_TAKE_FOR(function, opts->pad_h, opts->pad_h >= 0 && (whole || opts->pad_h < h), IB_EINVAL,
                "is %d, the kernel %dx%d", opts->pad_h, h, w);
    IB_TAKE_FOR(function, opts->pad_w, opts->pad_w >= 0 && (whole || opts->pad_w < w), IB_EINVAL,
                "is %d, the kernel %dx%d", opts->pad_w, h, w);
    return IB_OK;
}

ib_tensor *ib_max_pool(ib_graph *g, ib_tensor *x, const ib_pool_opts *opts)
{
    if (opts && check(opts, __func__))
        return NULL;
    return IB_APPLY(g, &ib_op_max_pool, opts, x);
}

ib_tensor *ib_avg_pool(ib_graph *g, ib_tensor *x, const ib_pool_opts *opts)
{
    if (opts && check(opts, __func__))
        return NULL;
    return IB_APPLY(g, &ib_op_avg_pool, opts, x);
}

ib_tensor *ib_global_avg_pool(ib_graph *g, ib_tensor *x)
{
    IB_GIVEN(x);
    return ib_avg_pool(g, x, &(ib_pool_opts){0});
}

/* fake_quantize.c - quantization simulated in fp32, for research and as the check of the integer operators. */
#include <math.h>

#include "autograd/quantizer.h"
#include "base/argument.h"

typedef struct fq_attrs {
    float scale;
    int zero, qmin, qmax;
} fq_attrs;

typedef struct clamp_attrs {
    float lo, hi;
} clamp_attrs;

static ib_status same(ib_node *n, ib_tensor *out)
{
    return ib_same_shape(n->in[0], out, 0);
}

static ib_status fq_shape(ib_node *n, ib_tensor *out)
{
    const fq_attrs *a = n->attrs;
    if (!(a->scale > 0) || a->qmin >= a->qmax || a->qmin < -128 || a->qmax > 127)
        return ib_op_fail(n, "scale %g, range %d..%d", a->scale, a->qmin, a->qmax);
    return same(n, out);
}

/* y = dequantize(quantize(x)); saved: the clip mask */
static ib_status fq_forward(ib_graph *g, ib_node *n)
{
    const fq_attrs *a = n->attrs;
    const int64_t size = n->out->size;
    if (!(n->saved[0] = ib_graph_numbers(g, (size_t)(size + 7) / 8)))
        return IB_ENOMEM;
    const ib_mark mark = ib_graph_mark(g);
    int8_t *q = ib_graph_numbers(g, (size_t)size);
    if (!q)
        return IB_ENOMEM;
    ib_affine codes = {.qmin = a->qmin, .qmax = a->qmax};
    if (ib_put_scale(g, a->scale, a->zero, &codes.scale, &codes.zero))
        return IB_ENOMEM;
    K(g)->quantize(g->dev, ib_f32(n->in[0]), size, &codes, q, n->saved[0]);
    K(g)->dequantize(g->dev, &(ib_coded){q, codes.scale, codes.zero}, size, ib_f32(n->out));
    ib_graph_release(g, mark);
    return IB_OK;
}

static ib_status fq_backward(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    ib_pass_inside(g, n, n->in[0], &failed);
    return failed;
}

static ib_status round_forward(ib_graph *g, ib_node *n)
{
    K(g)->round(g->dev, ib_f32(n->in[0]), ib_f32(n->out), n->out->size);
    return IB_OK;
}

static ib_status clamp_forward(ib_graph *g, ib_node *n)
{
    const clamp_attrs *a = n->attrs;
    K(g)->clamp(g->dev, ib_f32(n->in[0]), ib_f32(n->out), n->out->size, a->lo, a->hi);
    return IB_OK;
}

static ib_status through(ib_graph *g, ib_node *n)
{
    ib_status failed = IB_OK;
    float *dx = ib_grad_of(g, n->in[0], &failed);
    if (dx)
        K(g)->axpy(g->dev, dx, n->out->grad, n->out->size, 1.0f);
    return failed;
}

static ib_tensor *fq_sample(ib_graph *g, ib_tensor **in)
{
    return ib_fake_quantize(g, in[0], 0.25f, 1, -8, 7);
}
static ib_tensor *round_sample(ib_graph *g, ib_tensor **in)
{
    return ib_ste_round(g, in[0]);
}
static ib_tensor *clamp_sample(ib_graph *g, ib_tensor **in)
{
    return ib_ste_clamp(g, in[0], -1, 1);
}

const ib_op ib_op_fake_quantize = {.name = "fake_quantize",
                                   .inputs = "x",
                                   .attrs_bytes = sizeof(fq_attrs),
                                   .n_required = 1,
                                   .shape = fq_shape,
                                   .forward = fq_forward,
                                   .backward = fq_backward,
                                   .samples =
                                       (const ib_sample[]){{"4 bit", 1, {{2, {4, 7}, -3, 3}}, fq_sample, 1}, {0}}};
const ib_op ib_op_ste_round = {.name = "ste_round",
                               .inputs = "x",
                               .n_required = 1,
                               .shape = same,
                               .forward = round_forward,
                               .backward = through,
                               .samples = (const ib_sample[]){{"2d", 1, {{2, {4, 7}, -3, 3}}, round_sample, 1}, {0}}};
const ib_op ib_op_ste_clamp = {.name = "ste_clamp",
                               .inputs = "x",
                               .attrs_bytes = sizeof(clamp_attrs),
                               .n_required = 1,
                               .shape = same,
                               .forward = clamp_forward,
                               .backward = through,
                               .samples = (const ib_sample[]){{"2d", 1, {{2, {4, 7}, -3, 3}}, clamp_sample, 1}, {0}}};

ib_tensor *ib_fake_quantize(ib_graph *g, ib_tensor *x, float scale, int zero, int qmin, int qmax)
{
    IB_GIVEN(x);
    IB_TAKE_OR(scale, scale > 0 && isfinite(scale), NULL, "is %g", scale);
    IB_TAKE_OR(qmin, qmin >= -128 && qmin <= 127, NULL, "is %d, -128 to 127 are possible", qmin);
    IB_TAKE_OR(qmax, qmax > qmin && qmax <= 127, NULL, "is %d, %d to 127 are possible", qmax, qmin + 1);
    IB_TAKE_OR(zero, zero >= qmin && zero <= qmax, NULL, "is %d, which is not in %d..%d", zero, qmin, qmax);
    return IB_APPLY(g, &ib_op_fake_quantize, (&(fq_attrs){scale, zero, qmin, qmax}), x);
}

ib_tensor *ib_ste_round(ib_graph *g, ib_tensor *x)
{
    return IB_APPLY(g, &ib_op_ste_round, NULL, x);
}

ib_tensor *ib_ste_clamp(ib_graph *g, ib_tensor *x, float lo, float hi)
{
    IB_TAKE_OR(lo, lo <= hi, NULL, "is %g, hi is %g", lo, hi);
    return IB_APPLY(g, &ib_op_ste_clamp, (&(clamp_attrs){lo, hi}), x);
}

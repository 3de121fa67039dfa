/* int_weight.c - weights become codes, with scales that suit the product's accumulator. */
#include <float.h>
#include <math.h>

#include "autograd/quantizer.h"

/* quantize_weight: codes of w[O,...] for a product with this bias; saved[0]: clip mask, if anything can be clipped */

static ib_status quantize_weight_shape(ib_node *n, ib_tensor *out)
{
    const ib_weight_attrs *a = n->attrs;
    const ib_tensor *w = n->in[0];
    const ib_format *f = ib_format_for_bits(a->bits);
    if (!f)
        return IB_EINVAL;
    if (a->group_size < 0 || a->group_size % 4)
        return ib_op_fail(n, "groups of %d weights: a multiple of 4 is needed", a->group_size);
    out->dtype = IB_CODES;
    out->q = (ib_qparams){.bits = a->bits,
                          .qmin = -f->qmax,
                          .qmax = f->qmax,
                          .n_scales = a->per_channel || a->group_size ? (int)w->shape[0] : 1};
    return ib_tensor_set_shape(out, w->ndim, w->shape);
}

/* Where |bias| / (in_scale scale) would exceed the accumulator's room, the scale grows until it does not: the bias
 * decides such a channel, and the steps of its weights are small beside it. One scale for all channels can grow for a
 * bias that the results show; where a ReLU hides a large negative one, the other channels would lose their weights
 * to it. */
static ib_status raise_scales(const ib_node *n, float *scale, int count)
{
    const ib_weight_attrs *a = n->attrs;
    const ib_tensor *b = n->in[2];
    for (int64_t o = 0; b && a->in_scale > 0 && o < b->size; o++) {
        const float bias = ib_f32(b)[o];
        float *s = &scale[count == 1 ? 0 : o];
        /* less the rounding of fp32 steps */
        const double least = fabs((double)bias) / ((double)a->in_scale * (IB_MAX_BIAS - 256));
        if (!isfinite(bias))
            return ib_fail(IB_ENUMERIC, "the bias of output %lld is %g", (long long)o, bias), ib_op_refuse(n);
        if (!(least > *s))
            continue;
        if (count == 1 && b->size > 1 && bias < 0 && a->act != IB_ACT_NONE && least > 4 * (double)*s) {
            ib_fail(IB_ENUMERIC,
                    "the bias of output %lld, %g, exceeds 32 bits in steps of one weight scale for all: choose "
                    "a scale per channel",
                    (long long)o, bias);
            return ib_op_refuse(n);
        }
        *s = (float)least;
    }
    return IB_OK;
}

static int is_empty(const ib_tensor *w, int64_t c, int count)
{
    const int64_t part = w->size / count;
    const float *x = ib_f32(w) + c * part;
    for (int64_t i = 0; i < part; i++)
        if (x[i] != 0)
            return 0;
    return 1;
}

/* Channels of zeros alone say nothing but their bias: a scale that leaves less than 2^16 of the accumulator's steps to
 * it shrinks. (One scale of several channels: to the largest bias.) */
static void suit_empty(const ib_node *n, float *scale, int count)
{
    const ib_weight_attrs *a = n->attrs;
    const ib_tensor *b = n->in[2];
    const int64_t shared = b && count == 1 ? b->size : 1;
    for (int64_t c = 0; b && a->in_scale > 0 && c < count; c++) {
        float bias = 0;
        for (int64_t o = 0; o < shared; o++)
            bias = fmaxf(bias, fabsf(ib_f32(b)[c + o]));
        const float wanted = fmaxf(fmaxf(bias * 0x1p-16f, 2 * FLT_MIN) / a->in_scale, FLT_MIN);
        if (bias > 0 && wanted < scale[c] && is_empty(n->in[0], c, count))
            scale[c] = wanted;
    }
}

/* A channel keeps its own scale, however small beside the others'. One of zeros, which must not be divided by, gets
 * 2^-12 of the largest; and so does one whose step of the accumulator fp32 cannot hold while the largest is 2^24 of
 * what it can: that is 0 in fp32 too. */
static ib_status check_scales(const ib_node *n, float *scale, int count)
{
    const ib_weight_attrs *a = n->attrs;
    const float step = a->in_scale > 0 ? a->in_scale : 1;
    float top = 0;
    for (int c = 0; c < count; c++) {
        if (!isfinite(scale[c]))
            return ib_fail(IB_ENUMERIC, "weights of channel %d are not finite", c), ib_op_refuse(n);
        top = scale[c] > top ? scale[c] : top;
    }
    const int visible = step * top >= 0x1p24f * FLT_MIN;
    const float rest = top == 0 ? 1.0f : visible ? top * 0x1p-12f : top;
    for (int c = 0; c < count; c++) {
        if (visible ? step * scale[c] < FLT_MIN : is_empty(n->in[0], c, count))
            scale[c] = rest;
        if (scale[c] == 0)
            return ib_fail(IB_ENUMERIC, "the steps of channel %d's weights are less than fp32 holds", c),
                   ib_op_refuse(n);
    }
    suit_empty(n, scale, count);
    return raise_scales(n, scale, count);
}

/* The codes and factors of row r at a larger scale than quantize_groups chose, by its formula. */
static void requantize_groups(const ib_tensor *w, ib_qparams *q, int64_t r, int8_t *codes)
{
    const int64_t cols = w->size / w->shape[0];
    uint8_t *factor = (uint8_t *)q->group_factor + r * q->n_groups;
    for (int64_t first = 0; first < cols; first += q->group_size, factor++) {
        const int64_t end = first + q->group_size < cols ? first + q->group_size : cols;
        float top = 0;
        for (int64_t i = first; i < end; i++)
            top = fmaxf(top, fabsf(ib_f32(w)[r * cols + i]));
        const float f = ceilf(top / (float)q->qmax / q->scale[r] - 1e-4f);
        *factor = (uint8_t)(f < 1 ? 1 : f > 15 ? 15 : f); /* at most 15 but for rounding: the scale only grew */
        for (int64_t i = r * cols + first; i < r * cols + end; i++) {
            const float v = rintf(ib_f32(w)[i] / (q->scale[r] * *factor));
            codes[i] = (int8_t)fminf(fmaxf(v, (float)-q->qmax), (float)q->qmax);
        }
    }
}

static ib_status quantize_groups(ib_graph *g, ib_node *n)
{
    const ib_weight_attrs *a = n->attrs;
    const ib_tensor *w = n->in[0];
    ib_qparams *q = &n->out->q;
    const int64_t rows = w->shape[0], cols = w->size / rows;
    q->group_size = a->group_size;
    q->n_groups = (int)((cols + a->group_size - 1) / a->group_size);
    uint8_t *factor = ib_graph_numbers(g, (size_t)(rows * q->n_groups));
    float *chosen = ib_graph_numbers(g, (size_t)rows * sizeof *chosen);
    if (!factor || !chosen)
        return IB_ENOMEM;
    q->group_factor = factor;
    K(g)->quantize_groups(g->dev, rows, cols,
                          &(ib_weight_codes){.w = ib_f32(w),
                                             .qmax = q->qmax,
                                             .scale = q->scale,
                                             .group_size = a->group_size,
                                             .factor = factor,
                                             .q = ib_codes(n->out),
                                             .mask = n->saved[0]});
    K(g)->abs_max_rows(g->dev, ib_f32(w), rows, cols, chosen);
    for (int64_t r = 0; r < rows; r++) /* the scale of a row of zeros is no measure for the others */
        chosen[r] = q->scale[r] = chosen[r] > 0 || !isfinite(chosen[r]) ? q->scale[r] : 0;
    const ib_status status = check_scales(n, q->scale, q->n_scales);
    for (int64_t r = 0; r < rows && !status; r++)
        if (q->scale[r] > chosen[r])
            requantize_groups(w, q, r, ib_codes(n->out));
    return status;
}

static ib_status quantize_weight_forward(ib_graph *g, ib_node *n)
{
    const ib_weight_attrs *a = n->attrs;
    const ib_tensor *w = n->in[0], *learned = n->in[1];
    ib_qparams *q = &n->out->q;
    const int64_t rows = w->shape[0], cols = w->size / rows;
    if (!(q->scale = ib_graph_numbers(g, (size_t)q->n_scales * sizeof(float))))
        return IB_ENOMEM;
    /* scales from the largest weights clip nothing: the gradient goes straight through */
    if (!learned && !a->mse)
        n->out->passes = n->in[0];
    else if (g->mode == IB_TRAIN && !(n->saved[0] = ib_graph_numbers(g, (size_t)(w->size + 7) / 8)))
        return IB_ENOMEM;
    if (a->group_size)
        return quantize_groups(g, n);
    const int64_t parts = q->n_scales, part = w->size / parts;
    if (learned)
        ib_weight_scales(learned, q->scale);
    else if (a->mse)
        K(g)->mse_scale_rows(g->dev, ib_f32(w), parts, part, q->qmax, q->scale);
    else {
        K(g)->abs_max_rows(g->dev, ib_f32(w), parts, part, q->scale);
        for (int64_t c = 0; c < parts; c++)
            q->scale[c] /= (float)q->qmax;
    }
    const ib_status status = check_scales(n, q->scale, q->n_scales);
    if (status)
        return status;
    K(g)->quantize_rows(g->dev, rows, cols,
                        &(ib_weight_codes){.w = ib_f32(w),
                                           .qmax = q->qmax,
                                           .scale = q->scale,
                                           .n_scales = q->n_scales,
                                           .q = ib_codes(n->out),
                                           .mask = n->saved[0]});
    return IB_OK;
}

/* dw += dy inside the range; the scales' share: learned_scale.c */
static ib_status quantize_weight_backward(ib_graph *g, ib_node *n)
{
    const ib_tensor *w = n->in[0];
    ib_status failed = IB_OK;
    float *dw = ib_grad_of(g, n->in[0], &failed), *dt = ib_grad_of(g, n->in[1], &failed);
    if (dw && !n->out->passes)
        K(g)->grad_where(g->dev, n->out->grad, n->saved[0], dw, w->size);
    if (dt)
        ib_learn_weight_scales(g, w, &n->out->q, n->out->grad, dt);
    return failed;
}

const ib_op ib_op_quantize_weight = {.name = "quantize_weight",
                                     .attrs_bytes = sizeof(ib_weight_attrs),
                                     .n_required = 1,
                                     .shape = quantize_weight_shape,
                                     .forward = quantize_weight_forward,
                                     .backward = quantize_weight_backward};

ib_tensor *ib_quantize_weight(ib_graph *g, ib_tensor *w, ib_tensor *ln_scale, const ib_weight_attrs *attrs)
{
    return IB_APPLY(g, &ib_op_quantize_weight, attrs, w, ln_scale);
}

ib_tensor *ib_quantize_weight_for(ib_graph *g, ib_tensor *w, ib_tensor *ln_scale, const ib_weight_attrs *attrs,
                                  const ib_tensor *x, ib_tensor *bias, ib_act act)
{
    ib_weight_attrs a = *attrs;
    if (!x)
        return NULL;
    a.in_scale = x->q.scale[0];
    a.act = act;
    return IB_APPLY(g, &ib_op_quantize_weight, &a, w, ln_scale, bias);
}

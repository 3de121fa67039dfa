/* import_onnx_shapes.c - operators of an ONNX graph that work element by element, and those that only turn shapes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/op.h"
#include "export/import_onnx.h"
#include "tensor/alloc.h"
#include "tensor/error.h"

static ib_status simple(ib_importer *m, const char *op)
{
    const ib_symbol *x = ib_import_value(m, 0);
    char in[16];
    if (!x)
        return ib_error_status();
    const ib_symbol was = *x;
    if (was.pad[0] || was.pad[1] || was.pad[2] || was.pad[3])
        return ib_import_refuse(m, "a Pad before it");
    ib_symbol *s = ib_import_line(m, op, ib_import_of(in, &was), was.ndim, was.shape, "");
    if (!s)
        return IB_ENOMEM;
    s->channels_last = was.channels_last;
    memcpy(s->flat, was.flat, sizeof s->flat);
    return IB_OK;
}
ib_status ib_import_relu(ib_importer *m)
{
    return simple(m, "relu");
}
ib_status ib_import_sigmoid(ib_importer *m)
{
    return simple(m, "sigmoid");
}
ib_status ib_import_tanh(ib_importer *m)
{
    return simple(m, "tanh");
}
ib_status ib_import_softmax(ib_importer *m)
{
    const ib_symbol *x = ib_import_value(m, 0);
    if (!x)
        return ib_error_status();
    const int64_t axis = ib_import_integer(m, "axis", -1);
    return x->ndim == 2 && (axis == -1 || axis == 1) ? simple(m, "softmax") : ib_import_refuse(m, "a softmax over other than the last of two dimensions");
}

ib_status ib_import_clip(ib_importer *m)
{
    float bound[2] = {ib_import_real(m, "min", -INFINITY), ib_import_real(m, "max", INFINITY)};
    for (size_t i = 1; i < 3; i++) {
        float *x = i < m->node->n_input && *m->node->input[i] ? ib_import_parameter(m, i, 1) : NULL;
        if (i < m->node->n_input && *m->node->input[i] && !x)
            return ib_error_status();
        if (x)
            bound[i - 1] = *x;
        ib_free(x);
    }
    if (bound[0] == 0 && bound[1] == 6)
        return simple(m, "relu6");
    return bound[0] == 0 && bound[1] >= 3e38f ? simple(m, "relu") : ib_import_refuse(m, "a clamp to %g .. %g; ReLU and ReLU6 are possible", bound[0], bound[1]);
}

static ib_status binary(ib_importer *m, const char *op)
{
    const ib_symbol *a = ib_import_value(m, 0), *b = a ? ib_import_value(m, 1) : NULL;
    char in[40];
    if (!b)
        return ib_error_status();
    if (a->ndim != b->ndim || memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof *a->shape) || a->channels_last != b->channels_last)
        return ib_import_refuse(m, "two inputs of different shapes");
    const ib_symbol was = *a;
    snprintf(in, sizeof in, "%d,%d", a->value, b->value);
    ib_symbol *s = ib_import_line(m, op, in, was.ndim, was.shape, "");
    if (!s)
        return IB_ENOMEM;
    s->channels_last = was.channels_last;
    return IB_OK;
}
/* The line before is a scale and shift whose result only this node reads: then both are one. */
static int continues(const ib_importer *m, const ib_symbol *x)
{
    if (!m->affine || m->affine != m->steps || x->value != m->steps)
        return 0;
    const char *name = m->affine_result;
    return ib_import_reader(m, &name) == m->node;
}

/* Factors or terms by channel, `count` of them for `channels`, into the line before. */
static void join(const ib_importer *m, const float *v, int64_t count, int64_t channels, float sign, int product)
{
    float *gamma = m->weights[m->n_weights - 4].values, *beta = m->weights[m->n_weights - 3].values;
    for (int64_t i = 0; i < channels; i++) {
        const float own = sign * v[count == 1 ? 0 : i];
        gamma[i] *= product ? own : 1;
        beta[i] = product ? beta[i] * own : beta[i] + own;
    }
}

/* A line of its own: gamma 1, beta 0, mean 0, variance 1 */
static ib_status unit_batch_norm(ib_importer *m, const ib_symbol *was, int64_t channels)
{
    static const char *const names[] = {"gamma", "beta", "running_mean", "running_var"};
    const float eps = 1e-5f, value[] = {1, 0, 0, 1 - eps};
    char in[16], text[64];
    snprintf(text, sizeof text, "in=%lld eps=%.9g", (long long)channels, eps);
    ib_symbol *s = ib_import_line(m, "batch_norm", ib_import_of(in, was), was->ndim, was->shape, text);
    if (!s)
        return IB_ENOMEM;
    s->channels_last = was->channels_last;
    memcpy(s->flat, was->flat, sizeof s->flat);
    for (int k = 0; k < 4; k++) {
        float *p = ib_alloc((size_t)channels * sizeof *p);
        if (!p)
            return IB_ENOMEM;
        for (int64_t i = 0; i < channels; i++)
            p[i] = value[k];
        if (ib_import_keep(m, names[k], p, channels))
            return ib_error_status();
    }
    return IB_OK;
}

/* y = x scale + shift by channel, with a constant of one element or one a channel, as a batch norm of mean 0 and variance 1 */
static ib_status by_channel(ib_importer *m, size_t constant_input, float sign, int product)
{
    const ib_symbol *x = ib_import_value(m, !constant_input), *c = ib_import_input(m, constant_input);
    int64_t n = 0;
    if (!x)
        return ib_error_status();
    const ib_symbol was = *x;
    const int64_t channels = was.shape[1], size = ib_import_count(c->constant);
    /* a vector lies along the last dimension, and so must the channels */
    int along = size == 1;
    for (size_t d = 0; d < c->constant->n_dims && !along; d++)
        along = c->constant->dims[d] == channels && c->constant->n_dims - d == (was.ndim == 2 || was.channels_last ? 1u : 3u);
    if (!along || (size != 1 && size != channels))
        return ib_import_refuse(m, "a constant of %lld elements for %lld channels", (long long)size, (long long)channels);
    float *v = ib_import_reals(m, c->constant, &n);
    ib_status status = !v ? ib_error_status() : continues(m, &was) ? ib_import_name(m, &was, m->node->output[0]) : unit_batch_norm(m, &was, channels);
    if (!status) {
        join(m, v, size, channels, sign, product);
        m->affine = m->steps;
        m->affine_result = m->node->output[0];
    }
    ib_free(v);
    return status;
}

static ib_status with_constant(ib_importer *m, const char *op, float sign, int product)
{
    for (size_t i = 0; i < 2; i++) {
        const ib_symbol *c = ib_import_input(m, i);
        if (c && c->constant)
            return i || sign > 0 ? by_channel(m, i, sign, product) : ib_import_refuse(m, "a constant less its input");
    }
    return sign > 0 ? binary(m, op) : ib_import_refuse(m, "the difference of two results");
}
ib_status ib_import_add(ib_importer *m)
{
    return with_constant(m, "add", 1, 0);
}
ib_status ib_import_sub(ib_importer *m)
{
    return with_constant(m, "sub", -1, 0);
}
ib_status ib_import_mul(ib_importer *m)
{
    return with_constant(m, "mul", 1, 1);
}

ib_status ib_import_concat(ib_importer *m)
{
    char in[200] = "", text[20];
    int64_t shape[4] = {0}, axis = ib_import_integer(m, "axis", 1);
    int ndim = 0;
    for (size_t i = 0; i < m->node->n_input; i++) {
        const ib_symbol *x = ib_import_value(m, i);
        if (!x)
            return ib_error_status();
        axis = axis < 0 ? axis + x->ndim : axis;
        if (i && x->ndim != ndim)
            return ib_import_refuse(m, "inputs of different shapes");
        ndim = x->ndim;
        if (x->channels_last || axis < 1 || axis >= ndim || i >= IB_MAX_INPUTS)
            return ib_import_refuse(m, "axis %lld", (long long)axis);
        for (int d = 0; d < ndim; d++)
            shape[d] = d == axis ? shape[d] + x->shape[d] : x->shape[d];
        snprintf(in + strlen(in), sizeof in - strlen(in), "%s%d", i ? "," : "", x->value);
    }
    if (m->node->n_input < 2)
        return ib_import_refuse(m, "fewer than two inputs");
    snprintf(text, sizeof text, "axis=%lld", (long long)axis);
    return ib_import_line(m, "concat", in, ndim, shape, text) ? IB_OK : IB_ENOMEM;
}

/* The result is the input under another name. */
ib_status ib_import_same(ib_importer *m)
{
    const ib_symbol *x = ib_import_input(m, 0);
    if (!x || !m->node->n_output)
        return ib_import_refuse(m, "its input is not known");
    return ib_import_name(m, x, m->node->output[0]);
}

static ib_status to_rows(ib_importer *m, const ib_symbol *x)
{
    const ib_symbol was = *x;
    char in[16];
    const int64_t k = was.shape[1] * was.shape[2] * was.shape[3];
    if (was.ndim == 2)
        return ib_import_same(m);
    ib_symbol *s = ib_import_line(m, "flatten", ib_import_of(in, &was), 2, (int64_t[]){1, k}, "");
    if (!s)
        return IB_ENOMEM;
    if (was.channels_last && was.shape[2] * was.shape[3] > 1)
        memcpy(s->flat, was.shape + 1, sizeof s->flat);
    return IB_OK;
}

ib_status ib_import_flatten(ib_importer *m)
{
    const ib_symbol *x = ib_import_value(m, 0);
    if (!x)
        return ib_error_status();
    return ib_import_integer(m, "axis", 1) == 1 ? to_rows(m, x) : ib_import_refuse(m, "an axis other than 1");
}

ib_status ib_import_reshape(ib_importer *m)
{
    int64_t to[IB_MAX_INTEGERS];
    const ib_symbol *x = ib_import_value(m, 0);
    const int n = ib_import_list_of(m, "shape", 1, to);
    if (!x)
        return ib_error_status();
    for (int i = 1; i < n; i++)
        if (to[i] < -1 || to[i] > (n > 2 ? 1 << 20 : 1 << 24)) /* their product stays in range */
            return ib_import_refuse(m, "a shape that moves the batch, or of a size out of range");
    if (n == 2 && (to[1] == -1 || to[1] == x->shape[1] * (x->ndim == 4 ? x->shape[2] * x->shape[3] : 1)))
        return to_rows(m, x);
    /* a gray image between N,H,W,1 and N,1,H,W */
    if (n == 4 && x->ndim == 4 && x->shape[1] == 1 && to[2] * to[1] * to[3] == x->shape[2] * x->shape[3]) {
        const ib_status status = ib_import_same(m);
        if (!status)
            m->symbols[m->n_symbols - 1].channels_last = to[3] == 1 && to[1] == x->shape[2] && x->shape[2] != 1;
        return status;
    }
    return ib_import_refuse(m, "a shape other than rows");
}

ib_status ib_import_squeeze(ib_importer *m)
{
    const ib_symbol *x = ib_import_value(m, 0);
    if (!x)
        return ib_error_status();
    return x->ndim == 4 && x->shape[2] * x->shape[3] == 1 ? to_rows(m, x) : ib_import_refuse(m, "other than an image of one pixel");
}

ib_status ib_import_transpose(ib_importer *m)
{
    int64_t p[IB_MAX_INTEGERS];
    const ib_symbol *x = ib_import_value(m, 0);
    if (!x)
        return ib_error_status();
    const int n = ib_import_list_of(m, "perm", 99, p), last = n == 4 && p[0] == 0 && p[1] == 2 && p[2] == 3 && p[3] == 1, first = n == 4 && p[0] == 0 && p[1] == 3 && p[2] == 1 && p[3] == 2;
    if (x->ndim != 4 || (!last && !first) || x->channels_last != first)
        return ib_import_refuse(m, "an order other than between N,C,H,W and N,H,W,C");
    const ib_status status = ib_import_same(m);
    if (!status)
        m->symbols[m->n_symbols - 1].channels_last = last;
    return status;
}

ib_status ib_import_pad(ib_importer *m)
{
    int64_t p[IB_MAX_INTEGERS];
    const ib_symbol *x = ib_import_value(m, 0);
    const Onnx__AttributeProto *mode = ib_import_attribute(m, "mode");
    const int n = ib_import_list_of(m, "pads", 1, p);
    if (!x)
        return ib_error_status();
    float *v = m->node->n_input > 2 && *m->node->input[2] ? ib_import_parameter(m, 2, 1) : NULL;
    const float filling = v ? *v : ib_import_real(m, "value", 0);
    ib_free(v);
    const int c = x->channels_last ? 3 : 1, r = x->channels_last ? 1 : 2;
    if (x->ndim != 4 || n != 8 || p[0] || p[c] || p[4] || p[4 + c] || filling != 0 || (mode && mode->has_s && (mode->s.len != 8 || memcmp(mode->s.data, "constant", 8))))
        return ib_import_refuse(m, "other than zeroes around an image");
    for (int i = 0; i < 8; i++)
        if (p[i] < 0 || p[i] > 4096)
            return ib_import_refuse(m, "padding of %lld", (long long)p[i]);
    const ib_status status = ib_import_same(m);
    const int64_t add[4] = {p[r], p[r + 1], p[4 + r], p[5 + r]};
    for (int i = 0; !status && i < 4; i++)
        m->symbols[m->n_symbols - 1].pad[i] += add[i];
    return status;
}

ib_status ib_import_constant(ib_importer *m)
{
    const Onnx__AttributeProto *a = ib_import_attribute(m, "value");
    ib_symbol *s = a && a->t && m->node->n_output ? ib_import_define(m, m->node->output[0]) : NULL;
    if (!s)
        return ib_import_refuse(m, "a constant that is no tensor");
    s->constant = a->t;
    return IB_OK;
}

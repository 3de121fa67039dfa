/* import_onnx_elements.c - operators of an ONNX graph that work element by element. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/op.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "import/operators/import_onnx_operators.h"

static ib_status simple(ib_importer *m, const char *op)
{
    const ib_symbol *x = ib_import_value(m, 0);
    char in[16];
    if (!x)
        return ib_error_status();
    const ib_symbol was = *x;
    return ib_import_line(m, op, ib_import_of(in, &was), was.ndim, was.shape, "") ? IB_OK : IB_ENOMEM;
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
    const int64_t axis = ib_import_integer(m, "axis", m->opset < 13 ? 1 : -1);
    return x->ndim == 2 && (axis == -1 || axis == 1)
               ? simple(m, "softmax")
               : ib_import_refuse(m, "a softmax over other than the last of two dimensions");
}

ib_status ib_import_clip(ib_importer *m)
{
    float bound[2] = {ib_import_real(m, "min", -INFINITY), ib_import_real(m, "max", INFINITY)};
    for (size_t i = 1; i < 3; i++) {
        const int given = i < m->node->n_input && *m->node->input[i];
        float *x = given ? ib_import_parameter(m, i, 1) : NULL;
        if (given && !x)
            return ib_error_status();
        if (x)
            bound[i - 1] = *x;
        ib_free(x);
    }
    if (bound[0] == 0 && bound[1] == 6)
        return simple(m, "relu6");
    return bound[0] == 0 && bound[1] >= FLT_MAX
               ? simple(m, "relu")
               : ib_import_refuse(m, "a clamp to %.9g .. %.9g; 0 .. 6 and 0 without end can be had", bound[0],
                                  bound[1]);
}

static ib_status binary(ib_importer *m, const char *op)
{
    const ib_symbol *a = ib_import_value(m, 0), *b = a ? ib_import_value(m, 1) : NULL;
    char in[40];
    if (!b)
        return ib_error_status();
    if (a->ndim != b->ndim || memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof *a->shape) ||
        a->channels_last != b->channels_last)
        return ib_import_refuse(m, "two inputs of different shapes or orders");
    const ib_symbol was = *a;
    ib_snprintf(in, sizeof in, "%d,%d", a->value, b->value);
    return ib_import_line(m, op, in, was.ndim, was.shape, "") ? IB_OK : IB_ENOMEM;
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
    ib_snprintf(text, sizeof text, "in=%lld eps=%.9g", (long long)channels, eps);
    ib_symbol *s = ib_import_line(m, "batch_norm", ib_import_of(in, was), was->ndim, was->shape, text);
    if (!s)
        return IB_ENOMEM;
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

/* y = x scale + shift by channel, with a constant of one element or one a channel, as a batch norm of mean 0 and
 * variance 1 */
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
        along = c->constant->dims[d] == channels &&
                c->constant->n_dims - d == (was.ndim == 2 || was.channels_last ? 1u : 3u);
    if (!along || (size != 1 && size != channels) || c->constant->n_dims > (size_t)was.ndim)
        return ib_import_refuse(m, "a constant of %lld elements for %lld channels", (long long)size,
                                (long long)channels);
    float *v = ib_import_reals(m, c, &n);
    ib_status status = !v                   ? ib_error_status()
                       : continues(m, &was) ? ib_import_name(m, &was, m->node->output[0])
                                            : unit_batch_norm(m, &was, channels);
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
    int ndim = 0, last = 0;
    if (m->node->n_input < 2 || m->node->n_input > IB_MAX_INPUTS)
        return ib_import_refuse(m, "%zu inputs, where 2 to %d can be had", m->node->n_input, IB_MAX_INPUTS);
    for (size_t i = 0; i < m->node->n_input; i++) {
        const ib_symbol *x = ib_import_value(m, i);
        if (!x)
            return ib_error_status();
        if (!i) {
            ndim = x->ndim;
            last = x->channels_last;
            axis += axis < 0 ? ndim : 0;
            if (axis < 1 || axis >= ndim)
                return ib_import_refuse(m, "along axis %lld of %d dimensions", (long long)axis, ndim);
            axis = last ? (axis == 3 ? 1 : axis + 1) : axis;
        }
        for (int d = 1; d < ndim; d++)
            if (x->ndim != ndim || x->channels_last != last || (i && d != axis && x->shape[d] != shape[d]))
                return ib_import_refuse(m, "inputs of different shapes or orders");
        for (int d = 0; d < ndim; d++)
            shape[d] = d == axis ? shape[d] + x->shape[d] : x->shape[d];
        ib_snprintf(in + strlen(in), sizeof in - strlen(in), "%s%d", i ? "," : "", x->value);
    }
    ib_snprintf(text, sizeof text, "axis=%lld", (long long)axis);
    return ib_import_line(m, "concat", in, ndim, shape, text) ? IB_OK : IB_ENOMEM;
}

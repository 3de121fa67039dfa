/* import_onnx_products.c - convolutions, dense layers, norms, pooling of an ONNX graph. */
#include <float.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "import/operators/import_onnx_operators.h"

/* An attribute's text, `otherwise` where it is missing. */
static int says(const ib_importer *m, const char *name, const char *value)
{
    const IbOnnx__AttributeProto *a = ib_import_attribute(m, name);
    return a && a->s.len == strlen(value) && !memcmp(a->s.data, value, a->s.len);
}

/* pads (top, left, bottom, right) of a window over x, auto_pad resolved, and waiting zeroes added */
static ib_status pads_of(const ib_importer *m, const ib_symbol *x, const int64_t *kernel, const int64_t *stride,
                         int64_t *pads)
{
    const ib_status status = ib_import_integers(m, "pads", 4, 0, pads);
    if (status)
        return status;
    const int upper = says(m, "auto_pad", "SAME_UPPER"), lower = says(m, "auto_pad", "SAME_LOWER");
    if ((upper || lower || says(m, "auto_pad", "VALID")) && (pads[0] || pads[1] || pads[2] || pads[3]))
        return ib_import_refuse(m, "has both auto_pad and pads");
    for (int d = 0; d < 2 && (upper || lower); d++) {
        const int64_t in = x->shape[2 + d] + x->pad[d] + x->pad[2 + d], out = (in + stride[d] - 1) / stride[d];
        const int64_t whole = (out - 1) * stride[d] + kernel[d] - in, total = whole > 0 ? whole : 0;
        pads[d] = upper ? total / 2 : total - total / 2;
        pads[2 + d] = total - pads[d];
    }
    for (int d = 0; d < 4; d++)
        if ((pads[d] += x->pad[d]) > kernel[d % 2] + 8) /* or a small file asks for a large image */
            return ib_import_refuse(m, "padding of %lld around a window of %lld", (long long)pads[d],
                                    (long long)kernel[d % 2]);
    return IB_OK;
}

static ib_status is_image(const ib_importer *m, const ib_symbol *x)
{
    return x->ndim == 4 ? IB_OK : ib_import_refuse(m, "its input is no image of channels, rows and columns");
}

ib_status ib_import_conv(ib_importer *m)
{
    const ib_symbol *x = ib_import_value(m, 0), *w = ib_import_input(m, 1);
    int64_t stride[2], pads[4], said[2], n;
    if (!x || is_image(m, x))
        return ib_error_status();
    if (!w || !w->constant || w->constant->n_dims != 4)
        return ib_import_refuse(m, "its weight is no constant of four dimensions");
    const int64_t *d = w->constant->dims, oc = d[0], icg = d[1], kernel[2] = {d[2], d[3]},
                  groups = ib_import_integer(m, "group", 1);
    if (oc < 1 || icg < 1 || kernel[0] < 1 || kernel[1] < 1)
        return ib_import_refuse(m, "an empty weight");
    if (ib_import_integers(m, "strides", 2, 1, stride))
        return ib_error_status();
    if (stride[0] < 1 || stride[1] < 1)
        return ib_import_refuse(m, "strides %lld, %lld", (long long)stride[0], (long long)stride[1]);
    if (pads_of(m, x, kernel, stride, pads))
        return ib_error_status();
    if (ib_import_attribute(m, "kernel_shape") &&
        (ib_import_integers(m, "kernel_shape", 2, 1, said) || memcmp(said, kernel, sizeof said)))
        return ib_import_refuse(m, "its kernel_shape is not that of its weight, %lld,%lld", (long long)kernel[0],
                                (long long)kernel[1]);
    if (groups < 1 || groups > oc || icg > x->shape[1] || icg * groups != x->shape[1] || oc % groups)
        return ib_import_refuse(m, "%lld channels do not fit %lld groups of %lld", (long long)x->shape[1],
                                (long long)groups, (long long)icg);
    const ib_symbol *b = ib_import_input(m, 2);
    if (b && (!b->constant || b->constant->n_dims != 1 || b->constant->dims[0] != oc))
        return ib_import_refuse(m, "its bias is no constant of %lld elements", (long long)oc);
    float *given = ib_import_reals(m, w, &n);
    if (!given)
        return ib_error_status();
    /* uneven padding: rows of zeroes at the kernel's side that has less */
    const int64_t most[2] = {pads[0] > pads[2] ? pads[0] : pads[2], pads[1] > pads[3] ? pads[1] : pads[3]};
    const int64_t before[2] = {most[0] - pads[0], most[1] - pads[1]}, after[2] = {most[0] - pads[2], most[1] - pads[3]};
    const int64_t kh = kernel[0] + before[0] + after[0], kw = kernel[1] + before[1] + after[1];
    float *wide = ib_alloc((size_t)(oc * icg * kh * kw) * sizeof *wide + 1);
    for (int64_t i = 0; wide && i < oc * icg; i++)
        for (int64_t y = 0; y < kernel[0]; y++)
            memcpy(wide + (i * kh + y + before[0]) * kw + before[1], given + (i * kernel[0] + y) * kernel[1],
                   (size_t)kernel[1] * sizeof *wide);
    ib_free(given);
    const int64_t h = (x->shape[2] + 2 * most[0] - kh) / stride[0] + 1,
                  v = (x->shape[3] + 2 * most[1] - kw) / stride[1] + 1;
    if (!wide || x->shape[2] + 2 * most[0] < kh || x->shape[3] + 2 * most[1] < kw) {
        ib_free(wide);
        return wide ? ib_import_refuse(m, "its kernel is larger than its input") : IB_ENOMEM;
    }
    if ((double)(icg * kh * kw) * (double)h * (double)v > 1 << 27) { /* what a thread unfolds at the levels that do */
        ib_free(wide);
        return ib_import_refuse(m, "%lld outputs of %lld factors each are too large an image", (long long)(h * v),
                                (long long)(icg * kh * kw));
    }
    char in[16], text[200];
    const int bias = b != NULL;
    ib_snprintf(text, sizeof text,
                "in=%lld out=%lld kh=%lld kw=%lld sh=%lld sw=%lld ph=%lld pw=%lld groups=%lld bias=%d",
                (long long)(icg * groups), (long long)oc, (long long)kh, (long long)kw, (long long)stride[0],
                (long long)stride[1], (long long)most[0], (long long)most[1], (long long)groups, bias);
    m->products += (double)(oc * icg * kh * kw) * (double)h * (double)v;
    if (!ib_import_line(m, "conv", ib_import_of(in, x), 4, (int64_t[]){1, oc, h, v}, text)) {
        ib_free(wide);
        return IB_ENOMEM;
    }
    if (ib_import_keep(m, "weight", wide, oc * icg * kh * kw))
        return ib_error_status();
    float *values = bias ? ib_import_parameter(m, 2, oc) : NULL;
    return !bias ? IB_OK : values ? ib_import_keep(m, "bias", values, oc) : ib_error_status();
}

/* y = x W (+ b): transposed: W is [out,in]; the weight's columns follow H,W,C where the row before did */
static ib_status dense(ib_importer *m, const ib_symbol *x, const ib_symbol *w, int transposed, size_t bias_input,
                       const char *result)
{
    int64_t n = 0;
    char in[16], text[100];
    if (!w || !w->constant || w->constant->n_dims != 2)
        return ib_import_refuse(m, "its weight is no constant matrix");
    const int64_t out = w->constant->dims[transposed ? 0 : 1], k = w->constant->dims[transposed ? 1 : 0];
    if (x->ndim != 2 || x->shape[1] != k)
        return ib_import_refuse(m, "rows of %lld for a weight of %lld inputs",
                                (long long)(x->ndim == 2 ? x->shape[1] : -1), (long long)k);
    const ib_symbol *c = bias_input == (size_t)-1 ? NULL : ib_import_input(m, bias_input);
    if (c && (!c->constant || !ib_import_is_row(c->constant, out)))
        return ib_import_refuse(m, "what it adds ('%s') is no constant row of %lld", m->node->input[bias_input],
                                (long long)out);
    float *given = ib_import_reals(m, w, &n), *rows = given ? ib_alloc((size_t)n * sizeof *rows + 1) : NULL;
    const int64_t channels = x->flat[0], area = x->flat[1] * x->flat[2];
    for (int64_t o = 0; rows && o < out; o++)
        for (int64_t i = 0; i < k; i++) {
            const int64_t from =
                channels ? i % area * channels + i / area : i; /* element i of C,H,W lies there in H,W,C */
            rows[o * k + i] = given[transposed ? o * k + from : from * out + o];
        }
    ib_free(given);
    if (!rows)
        return ib_error_status();
    const int bias = bias_input != (size_t)-1;
    ib_snprintf(text, sizeof text, "in=%lld out=%lld bias=%d", (long long)k, (long long)out, bias);
    ib_symbol *s = ib_import_line(m, "linear", ib_import_of(in, x), 2, (int64_t[]){1, out}, text);
    if (!s) {
        ib_free(rows);
        return IB_ENOMEM;
    }
    s->name = result;
    if (ib_import_keep(m, "weight", rows, n))
        return ib_error_status();
    float *b = bias ? ib_import_parameter(m, bias_input, out) : NULL;
    return !bias ? IB_OK : b ? ib_import_keep(m, "bias", b, out) : ib_error_status();
}

ib_status ib_import_gemm(ib_importer *m)
{
    const ib_symbol *x = ib_import_value(m, 0);
    if (!x)
        return ib_error_status();
    return dense(m, x, ib_import_input(m, 1), ib_import_integer(m, "transB", 0) != 0,
                 m->node->n_input > 2 && *m->node->input[2] ? 2 : (size_t)-1, m->node->output[0]);
}

ib_status ib_import_matmul(ib_importer *m)
{
    const ib_symbol *x = ib_import_value(m, 0), *w = ib_import_input(m, 1);
    if (!x)
        return ib_error_status();
    const char *result = m->node->output[0];
    const IbOnnx__NodeProto *next = ib_import_reader(m, &result), *own = m->node;
    if (next && next->op_type && !strcmp(next->op_type, "Add") && next->n_input == 2 && next->n_output) {
        const size_t other = !strcmp(next->input[0], result);
        size_t at = m->at;
        while (m->g->node[at] != next)
            at++;
        const ib_symbol *b = ib_import_find(m, next->input[other]);
        if (b && b->constant && w && w->constant && w->constant->n_dims == 2 &&
            ib_import_is_row(b->constant, w->constant->dims[1])) {
            IbOnnx__NodeProto joint = *own; /* the two as one node; the Add is passed by when it comes */
            char *inputs[3] = {own->input[0], own->input[1], next->input[other]};
            joint.input = inputs;
            joint.n_input = 3;
            m->node = &joint;
            const ib_status status = dense(m, x, w, 0, 2, next->output[0]);
            m->node = own;
            m->joined[at] = 1;
            return status || result == own->output[0] ? status
                                                      : ib_import_name(m, ib_import_find(m, next->output[0]),
                                                                       own->output[0]); /* for what lies between */
        }
    }
    return dense(m, x, w, 0, (size_t)-1, own->output[0]);
}

ib_status ib_import_batch_norm(ib_importer *m)
{
    static const char *const names[] = {"gamma", "beta", "running_mean", "running_var"};
    const ib_symbol *x = ib_import_value(m, 0);
    char in[16], text[64];
    if (!x)
        return ib_error_status();
    const ib_symbol was = *x;
    const int64_t channels = was.shape[1];
    for (size_t i = 1; i < 5; i++) {
        const ib_symbol *p = ib_import_input(m, i);
        if (!p || !p->constant || p->constant->n_dims != 1 || p->constant->dims[0] != channels)
            return ib_import_refuse(m, "input %zu ('%s') is no constant of %lld elements", i, m->node->input[i],
                                    (long long)channels);
    }
    float eps = ib_import_real(m, "epsilon", 1e-5f);
    const int none = eps == 0;
    eps = none ? FLT_TRUE_MIN : eps; /* ib_batch_norm takes 0 for 1e-5; added to a variance the least number is
                                        nothing */
    ib_snprintf(text, sizeof text, "in=%lld eps=%.9g", (long long)channels, eps);
    if (!ib_import_line(m, "batch_norm", ib_import_of(in, &was), was.ndim, was.shape, text))
        return IB_ENOMEM;
    for (size_t i = 0; i < 4; i++) {
        float *p = ib_import_parameter(m, i + 1, channels);
        for (int64_t c = 0; p && i == 3 && c < channels; c++)
            if (p[c] < 0 || (none && p[c] == 0)) {
                ib_import_refuse(m, "the variance of channel %lld is %g%s", (long long)c, p[c],
                                 none ? ", epsilon 0" : "");
                ib_free(p);
                return ib_error_status();
            }
        if (!p || ib_import_keep(m, names[i], p, channels))
            return ib_error_status();
    }
    return IB_OK;
}

static ib_status pool(ib_importer *m, const char *op)
{
    const ib_symbol *x = ib_import_value(m, 0);
    const int average = *op == 'a';
    int64_t kernel[2], stride[2], pads[4];
    char in[16], text[120];
    if (!x || is_image(m, x) || ib_import_integers(m, "kernel_shape", 2, 1, kernel) ||
        ib_import_integers(m, "strides", 2, 1, stride))
        return ib_error_status();
    if (kernel[0] < 1 || kernel[1] < 1 || stride[0] < 1 || stride[1] < 1)
        return ib_import_refuse(m, "an empty window");
    if (pads_of(m, x, kernel, stride, pads))
        return ib_error_status();
    if (pads[0] != pads[2] || pads[1] != pads[3])
        return ib_import_refuse(m, "uneven padding %lld,%lld,%lld,%lld", (long long)pads[0], (long long)pads[1],
                                (long long)pads[2], (long long)pads[3]);
    const int own = pads[0] > x->pad[0] || pads[1] > x->pad[1] || pads[2] > x->pad[2] || pads[3] > x->pad[3];
    if (average && own && !ib_import_integer(m, "count_include_pad", 0))
        return ib_import_refuse(m, "an average that leaves padding out; count_include_pad 1 can be had");
    int64_t shape[4] = {1, x->shape[1]};
    const int up = ib_import_integer(m, "ceil_mode", 0) != 0;
    for (int d = 0; d < 2; d++) {
        const int64_t span = x->shape[2 + d] + 2 * pads[d] - kernel[d];
        if (span < 0 || (up && span % stride[d]))
            return ib_import_refuse(m, span < 0 ? "its window is larger than its input"
                                                : "ceil_mode with windows that reach beyond the image");
        shape[2 + d] = span / stride[d] + 1;
    }
    ib_snprintf(text, sizeof text, "kh=%lld kw=%lld sh=%lld sw=%lld ph=%lld pw=%lld", (long long)kernel[0],
                (long long)kernel[1], (long long)stride[0], (long long)stride[1], (long long)pads[0],
                (long long)pads[1]);
    return ib_import_line(m, op, ib_import_of(in, x), 4, shape, text) ? IB_OK : IB_ENOMEM;
}
ib_status ib_import_max_pool(ib_importer *m)
{
    return pool(m, "max_pool");
}
ib_status ib_import_avg_pool(ib_importer *m)
{
    return pool(m, "avg_pool");
}

ib_status ib_import_global_pool(ib_importer *m)
{
    const ib_symbol *x = ib_import_value(m, 0);
    char in[16];
    if (!x || is_image(m, x))
        return ib_error_status();
    return ib_import_line(m, "global_avg_pool", ib_import_of(in, x), 4, (int64_t[]){1, x->shape[1], 1, 1}, "")
               ? IB_OK
               : IB_ENOMEM;
}

/* The mean over rows and columns */
ib_status ib_import_reduce_mean(ib_importer *m)
{
    int64_t axes[IB_MAX_INTEGERS];
    const ib_symbol *x = ib_import_value(m, 0);
    if (!x)
        return ib_error_status();
    const ib_symbol was = *x;
    const int n = ib_import_list_of(m, "axes", 1, axes), r = was.channels_last ? 1 : 2;
    for (int i = 0; i < n; i++)
        axes[i] += axes[i] < 0 ? 4 : 0;
    if (was.ndim != 4 || n != 2 || !((axes[0] == r && axes[1] == r + 1) || (axes[0] == r + 1 && axes[1] == r)))
        return ib_import_refuse(m, "a mean over other than rows and columns");
    const IbOnnx__NodeProto *own = m->node;
    const int keeps = ib_import_integer(m, "keepdims", 1) != 0;
    char *none[] = {(char *)""};
    char in[16];
    const IbOnnx__NodeProto pixel = {
        .op_type = own->op_type, .name = (char *)ib_import_node_name(own), .n_output = 1, .output = none};
    m->node = keeps ? own : &pixel;
    ib_symbol *s =
        ib_import_line(m, "global_avg_pool", ib_import_of(in, &was), 4, (int64_t[]){1, was.shape[1], 1, 1}, "");
    m->node = own;
    if (s && keeps) {
        s->channels_last = was.channels_last;
        s->last_by = was.last_by;
    } else if (s) {
        s = ib_import_line(m, "flatten", ib_import_of(in, s), 2, (int64_t[]){1, was.shape[1]}, "");
    }
    return s ? IB_OK : IB_ENOMEM;
}

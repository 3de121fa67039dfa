/* import_onnx.c - a float ONNX network as a network of ours: its operators as text (layers/wired.h), its weights as parameters.
 *
 * What has no counterpart is turned into what has: a Pad before a product or pooling goes into its padding, uneven padding of a
 * convolution into rows and columns of zeroes in its kernel, MatMul and the Add behind it into a linear layer, transposes at
 * the entrance (N,H,W,C) and before a flatten into the order of weights. Anything else is named with its node. */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/program.h"
#include "export/text.h"
#include "files/file.h"
#include "layers/wired.h"
#include "onnx.pb-c.h"

enum { MAX_WEIGHTS = 4096 };

/* What a name stands for: a value of the network, or a constant. */
typedef struct symbol {
    const char *name;
    int value;                 /* of the network; -1: a constant */
    const Onnx__TensorProto *constant;
    int64_t shape[4];          /* of the value, [1,C,H,W] or [1,K] */
    int ndim;
    int64_t pad[4];            /* zeroes waiting for the operator behind: top, left, bottom, right */
    int channels_last;         /* a transpose to N,H,W,C is waiting */
    int64_t flat[3];           /* a row that was C,H,W and is to be taken as H,W,C; 0: no */
} symbol;

/* A parameter to fill when the network stands. */
typedef struct weight {
    char *name;
    float *values;
    int64_t n;
} weight;

typedef struct importer {
    const Onnx__GraphProto *g;
    const char *path;
    symbol *symbols;
    int n_symbols, room;
    ib_text text;
    int steps;
    weight weights[MAX_WEIGHTS];
    int n_weights;
    const Onnx__NodeProto *node; /* at work */
    char label[100];
} importer;

static ib_status refuse(const importer *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
static ib_status refuse(const importer *m, const char *format, ...)
{
    char why[300];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return ib_fail(IB_EUNSUPPORTED, "%s: node '%s' (%s): %s", m->path, m->node->name ? m->node->name : "", m->node->op_type ? m->node->op_type : "?", why);
}

/* ---- symbols ---- */

static const symbol *find(const importer *m, const char *name)
{
    for (int i = m->n_symbols - 1; name && i >= 0; i--)
        if (!strcmp(m->symbols[i].name, name))
            return &m->symbols[i];
    return NULL;
}

static symbol *define(importer *m, const char *name)
{
    if (m->n_symbols == m->room) {
        symbol *grown = ib_realloc(m->symbols, (size_t)m->room * sizeof *grown, (size_t)(2 * m->room + 64) * sizeof *grown);
        if (!grown)
            return NULL;
        m->symbols = grown;
        m->room = 2 * m->room + 64;
    }
    symbol *s = &m->symbols[m->n_symbols++];
    *s = (symbol){.name = name, .value = -1};
    return s;
}

/* ---- attributes and constants ---- */

static const Onnx__AttributeProto *attribute(const importer *m, const char *name)
{
    for (size_t i = 0; i < m->node->n_attribute; i++)
        if (m->node->attribute[i]->name && !strcmp(m->node->attribute[i]->name, name))
            return m->node->attribute[i];
    return NULL;
}

static int64_t integer(const importer *m, const char *name, int64_t otherwise)
{
    const Onnx__AttributeProto *a = attribute(m, name);
    return a && a->has_i ? a->i : otherwise;
}

static float real(const importer *m, const char *name, float otherwise)
{
    const Onnx__AttributeProto *a = attribute(m, name);
    return a && a->has_f ? a->f : otherwise;
}

/* n integers of an attribute; all `otherwise` if it is missing */
static ib_status integers(const importer *m, const char *name, int n, int64_t otherwise, int64_t *to)
{
    const Onnx__AttributeProto *a = attribute(m, name);
    for (int i = 0; i < n; i++)
        to[i] = a && a->n_ints == (size_t)n ? a->ints[i] : otherwise;
    if (a && a->n_ints != (size_t)n)
        return refuse(m, "%s has %zu values, not %d", name, a->n_ints, n);
    for (int i = 0; i < n; i++)
        if (to[i] < 0 || to[i] > 4096)
            return refuse(m, "%s is %lld", name, (long long)to[i]);
    return IB_OK;
}

static int64_t count(const Onnx__TensorProto *t)
{
    int64_t n = 1;
    for (size_t i = 0; i < t->n_dims; i++) {
        if (t->dims[i] < 0 || (t->dims[i] && n > ((int64_t)1 << 32) / t->dims[i]))
            return -1;
        n *= t->dims[i];
    }
    return n;
}

/* The elements as fp32 (or from int64), yours to free; NULL if they are not there. */
static float *reals(const importer *m, const Onnx__TensorProto *t, int64_t *n)
{
    *n = count(t);
    const size_t width = t->data_type == 1 || t->data_type == 6 ? 4 : t->data_type == 7 || t->data_type == 11 ? 8 : 0;
    const size_t stored = t->has_raw_data ? (width ? t->raw_data.len / width : 0) : t->data_type == 1 ? t->n_float_data : t->data_type == 6 ? t->n_int32_data
                          : t->data_type == 7 ? t->n_int64_data : t->data_type == 11 ? t->n_double_data : 0;
    if (!width || *n < 0 || stored != (size_t)*n || (t->has_raw_data && t->raw_data.len % width))
        return ib_fail_null(IB_EUNSUPPORTED, "%s: constant '%s' of type %d holds %zu elements for %lld%s", m->path, t->name ? t->name : "", t->data_type, stored,
                            (long long)*n, t->n_external_data ? " (its data lie in another file: save the model in one)" : "");
    float *x = ib_alloc((size_t)*n * sizeof *x + 1);
    for (int64_t i = 0; x && i < *n; i++) {
        if (t->data_type == 1) {
            if (t->has_raw_data)
                memcpy(x + i, t->raw_data.data + 4 * i, 4);
            else
                x[i] = t->float_data[i];
        } else if (t->data_type == 7) {
            int64_t v = 0;
            if (t->has_raw_data)
                memcpy(&v, t->raw_data.data + 8 * i, 8);
            else
                v = t->int64_data[i];
            x[i] = (float)v;
        } else if (t->data_type == 6) {
            int32_t v = 0;
            if (t->has_raw_data)
                memcpy(&v, t->raw_data.data + 4 * i, 4);
            else
                v = t->int32_data[i];
            x[i] = (float)v;
        } else {
            double v = 0;
            if (t->has_raw_data)
                memcpy(&v, t->raw_data.data + 8 * i, 8);
            else
                v = t->double_data[i];
            x[i] = (float)v;
        }
    }
    return x;
}

static const symbol *input(const importer *m, size_t i)
{
    return i < m->node->n_input && *m->node->input[i] ? find(m, m->node->input[i]) : NULL;
}

/* Input i, a value; or NULL with an error. */
static const symbol *value(const importer *m, size_t i)
{
    const symbol *s = input(m, i);
    if (!s || s->value < 0) {
        refuse(m, "input %zu ('%s') is no result of an earlier node", i, i < m->node->n_input ? m->node->input[i] : "");
        return NULL;
    }
    return s;
}

/* ---- writing the network ---- */

/* A name for a line: the result's, with what a path cannot hold replaced; numbered, so that no two are equal. */
static const char *label(importer *m, const char *op)
{
    const char *s = m->node->name && *m->node->name ? m->node->name : op;
    snprintf(m->label, sizeof m->label, "n%d_%.80s", m->steps + 1, *s == '/' ? s + 1 : s);
    for (char *c = m->label; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_')
            *c = '_';
    return m->label;
}

/* One line; its result is the node's. Shape of the result in ndim, shape. */
static symbol *line(importer *m, const char *op, const char *inputs, int ndim, const int64_t *shape, const char *attributes)
{
    symbol *s = m->node->n_output ? define(m, m->node->output[0]) : NULL;
    if (!s)
        return NULL;
    ib_text_add(&m->text, "%s %s %s%s%s\n", label(m, op), op, inputs, *attributes ? " " : "", attributes);
    s->value = ++m->steps;
    s->ndim = ndim;
    memcpy(s->shape, shape, (size_t)ndim * sizeof *shape);
    return s;
}

static ib_status keep(importer *m, const char *parameter, float *values, int64_t n)
{
    weight *w = &m->weights[m->n_weights];
    if (m->n_weights == MAX_WEIGHTS || !(w->name = ib_format_text("%s.%s", m->label, parameter))) {
        ib_free(values);
        return m->n_weights == MAX_WEIGHTS ? refuse(m, "more than %d parameters", MAX_WEIGHTS) : IB_ENOMEM;
    }
    w->values = values;
    w->n = n;
    m->n_weights++;
    return IB_OK;
}

/* The constant that input i is, as `n` reals. */
static float *parameter(importer *m, size_t i, int64_t n)
{
    const symbol *s = input(m, i);
    int64_t have = 0;
    float *x = s && s->constant ? reals(m, s->constant, &have) : NULL;
    if (x && have == n)
        return x;
    if (!s || !s->constant)
        refuse(m, "input %zu is no constant", i);
    else if (x)
        refuse(m, "input %zu has %lld elements, not %lld", i, (long long)have, (long long)n);
    ib_free(x);
    return NULL;
}

static char *of(char *buf, const symbol *s)
{
    sprintf(buf, "%d", s->value);
    return buf;
}

/* ---- operators ---- */

/* pads (top, left, bottom, right) of a window over x, auto_pad resolved, waiting zeroes added */
static ib_status pads_of(const importer *m, const symbol *x, const int64_t *kernel, const int64_t *stride, int64_t *pads)
{
    const Onnx__AttributeProto *automatic = attribute(m, "auto_pad");
    const char *way = automatic && automatic->has_s && automatic->s.len ? (const char *)automatic->s.data : "NOTSET";
    const size_t length = automatic && automatic->has_s ? automatic->s.len : 6;
    const ib_status status = integers(m, "pads", 4, 0, pads);
    if (status)
        return status;
    const int upper = length == 10 && !memcmp(way, "SAME_UPPER", 10), lower = length == 10 && !memcmp(way, "SAME_LOWER", 10);
    for (int d = 0; d < 2 && (upper || lower); d++) {
        const int64_t in = x->shape[2 + d], out = (in + stride[d] - 1) / stride[d], whole = (out - 1) * stride[d] + kernel[d] - in, total = whole > 0 ? whole : 0;
        pads[d] = upper ? total / 2 : total - total / 2;
        pads[2 + d] = total - pads[d];
    }
    for (int d = 0; d < 4; d++)
        pads[d] += x->pad[d];
    return IB_OK;
}

static ib_status is_image(const importer *m, const symbol *x)
{
    return x->ndim == 4 && !x->channels_last ? IB_OK : refuse(m, "its input is no image of channels, rows and columns");
}

static ib_status conv(importer *m)
{
    const symbol *x = value(m, 0), *w = input(m, 1);
    int64_t stride[2], dilation[2], pads[4], n;
    if (!x || is_image(m, x))
        return ib_error_status();
    if (!w || !w->constant || w->constant->n_dims != 4)
        return refuse(m, "its weight is no constant of four dimensions");
    const int64_t *d = w->constant->dims, oc = d[0], icg = d[1], kernel[2] = {d[2], d[3]}, groups = integer(m, "group", 1);
    if (integers(m, "strides", 2, 1, stride) || integers(m, "dilations", 2, 1, dilation) || kernel[0] < 1 || kernel[1] < 1 || pads_of(m, x, kernel, stride, pads))
        return ib_error_status() ? ib_error_status() : IB_EUNSUPPORTED;
    if (dilation[0] != 1 || dilation[1] != 1)
        return refuse(m, "dilation %lld, %lld", (long long)dilation[0], (long long)dilation[1]);
    if (groups < 1 || icg * groups != x->shape[1] || oc % groups || stride[0] < 1 || stride[1] < 1)
        return refuse(m, "%lld channels do not fit %lld groups of %lld", (long long)x->shape[1], (long long)groups, (long long)icg);
    float *given = reals(m, w->constant, &n);
    if (!given)
        return ib_error_status();
    /* uneven padding: rows of zeroes at the kernel's side that has less */
    const int64_t most[2] = {pads[0] > pads[2] ? pads[0] : pads[2], pads[1] > pads[3] ? pads[1] : pads[3]};
    const int64_t before[2] = {most[0] - pads[0], most[1] - pads[1]}, after[2] = {most[0] - pads[2], most[1] - pads[3]};
    const int64_t kh = kernel[0] + before[0] + after[0], kw = kernel[1] + before[1] + after[1];
    float *wide = ib_alloc((size_t)(oc * icg * kh * kw) * sizeof *wide + 1);
    for (int64_t i = 0; wide && i < oc * icg; i++)
        for (int64_t y = 0; y < kernel[0]; y++)
            memcpy(wide + (i * kh + y + before[0]) * kw + before[1], given + (i * kernel[0] + y) * kernel[1], (size_t)kernel[1] * sizeof *wide);
    ib_free(given);
    const int64_t h = (x->shape[2] + 2 * most[0] - kh) / stride[0] + 1, v = (x->shape[3] + 2 * most[1] - kw) / stride[1] + 1;
    if (!wide || x->shape[2] + 2 * most[0] < kh || x->shape[3] + 2 * most[1] < kw) {
        ib_free(wide);
        return wide ? refuse(m, "its kernel is larger than its input") : IB_ENOMEM;
    }
    char in[16], text[200];
    const int bias = m->node->n_input > 2 && *m->node->input[2];
    snprintf(text, sizeof text, "in=%lld out=%lld kh=%lld kw=%lld sh=%lld sw=%lld ph=%lld pw=%lld groups=%lld bias=%d", (long long)(icg * groups), (long long)oc,
             (long long)kh, (long long)kw, (long long)stride[0], (long long)stride[1], (long long)most[0], (long long)most[1], (long long)groups, bias);
    if (!line(m, "conv", of(in, x), 4, (int64_t[]){1, oc, h, v}, text)) {
        ib_free(wide);
        return IB_ENOMEM;
    }
    if (keep(m, "weight", wide, oc * icg * kh * kw))
        return ib_error_status();
    float *b = bias ? parameter(m, 2, oc) : NULL;
    return !bias ? IB_OK : b ? keep(m, "bias", b, oc) : ib_error_status();
}

/* y = x W (+ b): transposed: W is [out,in]; the weight's columns follow H,W,C where the row before did */
static ib_status dense(importer *m, const symbol *x, const symbol *w, int transposed, size_t bias_input, const char *result)
{
    int64_t n = 0;
    char in[16], text[100];
    if (!w || !w->constant || w->constant->n_dims != 2)
        return refuse(m, "its weight is no constant matrix");
    const int64_t out = w->constant->dims[transposed ? 0 : 1], k = w->constant->dims[transposed ? 1 : 0];
    if (x->ndim != 2 || x->shape[1] != k)
        return refuse(m, "rows of %lld for a weight of %lld inputs", (long long)(x->ndim == 2 ? x->shape[1] : -1), (long long)k);
    float *given = reals(m, w->constant, &n), *rows = given ? ib_alloc((size_t)n * sizeof *rows + 1) : NULL;
    const int64_t channels = x->flat[0], area = x->flat[1] * x->flat[2];
    for (int64_t o = 0; rows && o < out; o++)
        for (int64_t i = 0; i < k; i++) {
            const int64_t from = channels ? i % area * channels + i / area : i; /* element i of C,H,W lies there in H,W,C */
            rows[o * k + i] = given[transposed ? o * k + from : from * out + o];
        }
    ib_free(given);
    if (!rows)
        return ib_error_status();
    const int bias = bias_input != (size_t)-1;
    snprintf(text, sizeof text, "in=%lld out=%lld bias=%d", (long long)k, (long long)out, bias);
    symbol *s = line(m, "linear", of(in, x), 2, (int64_t[]){1, out}, text);
    if (!s) {
        ib_free(rows);
        return IB_ENOMEM;
    }
    s->name = result;
    if (keep(m, "weight", rows, n))
        return ib_error_status();
    float *b = bias ? parameter(m, bias_input, out) : NULL;
    return !bias ? IB_OK : b ? keep(m, "bias", b, out) : ib_error_status();
}

static ib_status gemm(importer *m)
{
    const symbol *x = value(m, 0);
    if (!x)
        return ib_error_status();
    if (real(m, "alpha", 1) != 1 || real(m, "beta", 1) != 1 || integer(m, "transA", 0))
        return refuse(m, "alpha, beta or transA");
    return dense(m, x, input(m, 1), integer(m, "transB", 0) != 0, m->node->n_input > 2 && *m->node->input[2] ? 2 : (size_t)-1, m->node->output[0]);
}

/* The only node that reads a name; NULL if there are more or none. */
static const Onnx__NodeProto *reader(const importer *m, const char *name)
{
    const Onnx__NodeProto *found = NULL;
    for (size_t i = 0; i < m->g->n_node; i++)
        for (size_t j = 0; j < m->g->node[i]->n_input; j++)
            if (!strcmp(m->g->node[i]->input[j], name)) {
                if (found)
                    return NULL;
                found = m->g->node[i];
            }
    return found;
}

static ib_status matmul(importer *m)
{
    const symbol *x = value(m, 0), *w = input(m, 1);
    if (!x)
        return ib_error_status();
    const Onnx__NodeProto *next = reader(m, m->node->output[0]), *own = m->node;
    if (next && next->op_type && !strcmp(next->op_type, "Add") && next->n_input == 2 && next->n_output) {
        const size_t other = !strcmp(next->input[0], own->output[0]);
        const symbol *b = find(m, next->input[other]);
        if (b && b->constant && w && w->constant && w->constant->n_dims == 2 && count(b->constant) == w->constant->dims[1]) {
            Onnx__NodeProto joint = *own; /* the two as one node; the Add is passed by when it comes, as its result is known */
            char *inputs[3] = {own->input[0], own->input[1], next->input[other]};
            joint.input = inputs;
            joint.n_input = 3;
            m->node = &joint;
            const ib_status status = dense(m, x, w, 0, 2, next->output[0]);
            m->node = own;
            return status;
        }
    }
    return dense(m, x, w, 0, (size_t)-1, own->output[0]);
}

static ib_status batch_norm(importer *m)
{
    static const char *const names[] = {"gamma", "beta", "running_mean", "running_var"};
    const symbol *x = value(m, 0);
    char in[16], text[64];
    if (!x)
        return ib_error_status();
    const symbol was = *x;
    const int64_t channels = was.shape[1];
    if (was.channels_last)
        return refuse(m, "its channels lie last");
    snprintf(text, sizeof text, "in=%lld eps=%.9g", (long long)channels, real(m, "epsilon", 1e-5f));
    if (!line(m, "batch_norm", of(in, &was), was.ndim, was.shape, text))
        return IB_ENOMEM;
    for (size_t i = 0; i < 4; i++) {
        float *p = parameter(m, i + 1, channels);
        if (!p || keep(m, names[i], p, channels))
            return ib_error_status();
    }
    return IB_OK;
}

static ib_status pool(importer *m, const char *op)
{
    const symbol *x = value(m, 0);
    const int average = *op == 'a';
    int64_t kernel[2], stride[2], pads[4];
    char in[16], text[120];
    if (!x || is_image(m, x) || integers(m, "kernel_shape", 2, 1, kernel) || integers(m, "strides", 2, 1, stride) || pads_of(m, x, kernel, stride, pads))
        return ib_error_status() ? ib_error_status() : IB_EUNSUPPORTED;
    if (kernel[0] < 1 || kernel[1] < 1 || stride[0] < 1 || stride[1] < 1)
        return refuse(m, "an empty window");
    if (pads[0] != pads[2] || pads[1] != pads[3])
        return refuse(m, "uneven padding %lld,%lld,%lld,%lld", (long long)pads[0], (long long)pads[1], (long long)pads[2], (long long)pads[3]);
    if (average && (pads[0] || pads[1]) && !integer(m, "count_include_pad", 0))
        return refuse(m, "an average that leaves padding out");
    if (!average && (x->pad[0] || x->pad[1]))
        return refuse(m, "a Pad with zeroes before it");
    int64_t shape[4] = {1, x->shape[1]};
    for (int d = 0; d < 2; d++) {
        const int64_t span = x->shape[2 + d] + 2 * pads[d] - kernel[d];
        if (span < 0 || (integer(m, "ceil_mode", 0) && span % stride[d]))
            return refuse(m, span < 0 ? "its window is larger than its input" : "ceil_mode with windows that reach beyond the image");
        shape[2 + d] = span / stride[d] + 1;
    }
    snprintf(text, sizeof text, "kh=%lld kw=%lld sh=%lld sw=%lld ph=%lld pw=%lld", (long long)kernel[0], (long long)kernel[1], (long long)stride[0],
             (long long)stride[1], (long long)pads[0], (long long)pads[1]);
    return line(m, op, of(in, x), 4, shape, text) ? IB_OK : IB_ENOMEM;
}
static ib_status max_pool(importer *m)
{
    return pool(m, "max_pool");
}
static ib_status avg_pool(importer *m)
{
    return pool(m, "avg_pool");
}

static ib_status global_pool(importer *m)
{
    const symbol *x = value(m, 0);
    char in[16];
    if (!x || is_image(m, x))
        return ib_error_status();
    return line(m, "global_avg_pool", of(in, x), 4, (int64_t[]){1, x->shape[1], 1, 1}, "") ? IB_OK : IB_ENOMEM;
}

/* The integers of attribute or constant input `name`, at most 8; their number, or -1. */
static int list_of(const importer *m, const char *name, size_t i, int64_t *to)
{
    const Onnx__AttributeProto *a = attribute(m, name);
    const symbol *s = input(m, i);
    int64_t n = 0;
    if (a && a->n_ints <= 8) {
        for (size_t j = 0; j < a->n_ints; j++)
            to[j] = a->ints[j];
        return (int)a->n_ints;
    }
    float *x = s && s->constant && count(s->constant) <= 8 ? reals(m, s->constant, &n) : NULL;
    for (int64_t j = 0; x && j < n; j++)
        to[j] = (int64_t)x[j];
    ib_free(x);
    return x ? (int)n : -1;
}

/* The mean over rows and columns */
static ib_status reduce_mean(importer *m)
{
    int64_t axes[8];
    const symbol *x = value(m, 0);
    const int n = list_of(m, "axes", 1, axes);
    if (!x)
        return ib_error_status();
    const int last = x->channels_last ? 1 : 2;
    if (x->ndim != 4 || n != 2 || (axes[0] + 4) % 4 != last || (axes[1] + 4) % 4 != last + 1)
        return refuse(m, "a mean over other than rows and columns");
    char in[16];
    const int64_t channels = x->shape[1];
    symbol *s = line(m, "global_avg_pool", of(in, x), 4, (int64_t[]){1, channels, 1, 1}, "");
    if (!s)
        return IB_ENOMEM;
    if (!integer(m, "keepdims", 1)) {
        const char *name = s->name;
        s->name = "";
        char own[16];
        snprintf(own, sizeof own, "%d", s->value);
        if (!(s = line(m, "flatten", own, 2, (int64_t[]){1, channels}, "")))
            return IB_ENOMEM;
        s->name = name;
    }
    return IB_OK;
}

static ib_status simple(importer *m, const char *op)
{
    const symbol *x = value(m, 0);
    char in[16];
    if (!x)
        return ib_error_status();
    const symbol was = *x;
    if (was.pad[0] || was.pad[1] || was.pad[2] || was.pad[3])
        return refuse(m, "a Pad before it");
    symbol *s = line(m, op, of(in, &was), was.ndim, was.shape, "");
    if (!s)
        return IB_ENOMEM;
    s->channels_last = was.channels_last;
    memcpy(s->flat, was.flat, sizeof s->flat);
    return IB_OK;
}
static ib_status relu(importer *m)
{
    return simple(m, "relu");
}
static ib_status sigmoid(importer *m)
{
    return simple(m, "sigmoid");
}
static ib_status tanh_(importer *m)
{
    return simple(m, "tanh");
}
static ib_status softmax(importer *m)
{
    const symbol *x = value(m, 0);
    if (!x)
        return ib_error_status();
    const int64_t axis = integer(m, "axis", -1);
    return x->ndim == 2 && (axis == -1 || axis == 1) ? simple(m, "softmax") : refuse(m, "a softmax over other than the last of two dimensions");
}

static ib_status clip(importer *m)
{
    float bound[2] = {real(m, "min", -INFINITY), real(m, "max", INFINITY)};
    for (size_t i = 1; i < 3; i++) {
        float *x = i < m->node->n_input && *m->node->input[i] ? parameter(m, i, 1) : NULL;
        if (i < m->node->n_input && *m->node->input[i] && !x)
            return ib_error_status();
        if (x)
            bound[i - 1] = *x;
        ib_free(x);
    }
    if (bound[0] == 0 && bound[1] == 6)
        return simple(m, "relu6");
    return bound[0] == 0 && bound[1] >= 3e38f ? simple(m, "relu") : refuse(m, "a clamp to %g .. %g; ReLU and ReLU6 are possible", bound[0], bound[1]);
}

static ib_status binary(importer *m, const char *op)
{
    const symbol *a = value(m, 0), *b = a ? value(m, 1) : NULL;
    char in[40];
    if (!b)
        return ib_error_status();
    if (a->ndim != b->ndim || memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof *a->shape) || a->channels_last != b->channels_last)
        return refuse(m, "two inputs of different shapes");
    const symbol was = *a;
    snprintf(in, sizeof in, "%d,%d", a->value, b->value);
    symbol *s = line(m, op, in, was.ndim, was.shape, "");
    if (!s)
        return IB_ENOMEM;
    s->channels_last = was.channels_last;
    return IB_OK;
}
static ib_status add(importer *m)
{
    return binary(m, "add");
}
static ib_status mul(importer *m)
{
    return binary(m, "mul");
}

static ib_status concat(importer *m)
{
    char in[200] = "", text[20];
    int64_t shape[4] = {0}, axis = integer(m, "axis", 1);
    int ndim = 0;
    for (size_t i = 0; i < m->node->n_input; i++) {
        const symbol *x = value(m, i);
        if (!x)
            return ib_error_status();
        axis = axis < 0 ? axis + x->ndim : axis;
        if (i && x->ndim != ndim)
            return refuse(m, "inputs of different shapes");
        ndim = x->ndim;
        if (x->channels_last || axis < 1 || axis >= ndim || i >= IB_MAX_INPUTS)
            return refuse(m, "axis %lld", (long long)axis);
        for (int d = 0; d < ndim; d++)
            shape[d] = d == axis ? shape[d] + x->shape[d] : x->shape[d];
        snprintf(in + strlen(in), sizeof in - strlen(in), "%s%d", i ? "," : "", x->value);
    }
    if (m->node->n_input < 2)
        return refuse(m, "fewer than two inputs");
    snprintf(text, sizeof text, "axis=%lld", (long long)axis);
    return line(m, "concat", in, ndim, shape, text) ? IB_OK : IB_ENOMEM;
}

/* The result is the input under another name. */
static ib_status same(importer *m)
{
    const symbol *x = input(m, 0);
    if (!x || !m->node->n_output)
        return refuse(m, "its input is not known");
    const symbol was = *x;
    symbol *s = define(m, m->node->output[0]);
    if (!s)
        return IB_ENOMEM;
    const char *name = s->name;
    *s = was;
    s->name = name;
    return IB_OK;
}

static ib_status to_rows(importer *m, const symbol *x)
{
    const symbol was = *x;
    char in[16];
    const int64_t k = was.shape[1] * was.shape[2] * was.shape[3];
    if (was.ndim == 2)
        return same(m);
    symbol *s = line(m, "flatten", of(in, &was), 2, (int64_t[]){1, k}, "");
    if (!s)
        return IB_ENOMEM;
    if (was.channels_last && was.shape[2] * was.shape[3] > 1)
        memcpy(s->flat, was.shape + 1, sizeof s->flat);
    return IB_OK;
}

static ib_status flatten(importer *m)
{
    const symbol *x = value(m, 0);
    if (!x)
        return ib_error_status();
    return integer(m, "axis", 1) == 1 ? to_rows(m, x) : refuse(m, "an axis other than 1");
}

static ib_status reshape(importer *m)
{
    int64_t to[8];
    const symbol *x = value(m, 0);
    const int n = list_of(m, "shape", 1, to);
    if (!x)
        return ib_error_status();
    if (n == 2 && (to[1] == -1 || to[1] == x->shape[1] * (x->ndim == 4 ? x->shape[2] * x->shape[3] : 1)))
        return to_rows(m, x);
    /* a gray image between N,H,W,1 and N,1,H,W */
    if (n == 4 && x->ndim == 4 && x->shape[1] == 1 && to[2] * to[1] * to[3] == x->shape[2] * x->shape[3]) {
        const ib_status status = same(m);
        if (!status)
            m->symbols[m->n_symbols - 1].channels_last = to[3] == 1 && to[1] == x->shape[2] && x->shape[2] != 1;
        return status;
    }
    return refuse(m, "a shape other than rows");
}

static ib_status squeeze(importer *m)
{
    const symbol *x = value(m, 0);
    if (!x)
        return ib_error_status();
    return x->ndim == 4 && x->shape[2] * x->shape[3] == 1 ? to_rows(m, x) : refuse(m, "other than an image of one pixel");
}

static ib_status transpose(importer *m)
{
    int64_t p[8];
    const symbol *x = value(m, 0);
    if (!x)
        return ib_error_status();
    const int n = list_of(m, "perm", 99, p), last = n == 4 && p[0] == 0 && p[1] == 2 && p[2] == 3 && p[3] == 1, first = n == 4 && p[0] == 0 && p[1] == 3 && p[2] == 1 && p[3] == 2;
    if (x->ndim != 4 || (!last && !first) || x->channels_last != first)
        return refuse(m, "an order other than between N,C,H,W and N,H,W,C");
    const ib_status status = same(m);
    if (!status)
        m->symbols[m->n_symbols - 1].channels_last = last;
    return status;
}

static ib_status pad(importer *m)
{
    int64_t p[8];
    const symbol *x = value(m, 0);
    const Onnx__AttributeProto *mode = attribute(m, "mode");
    const int n = list_of(m, "pads", 1, p);
    if (!x)
        return ib_error_status();
    float *v = m->node->n_input > 2 && *m->node->input[2] ? parameter(m, 2, 1) : NULL;
    const float filling = v ? *v : real(m, "value", 0);
    ib_free(v);
    const int c = x->channels_last ? 3 : 1, r = x->channels_last ? 1 : 2;
    if (x->ndim != 4 || n != 8 || p[0] || p[c] || p[4] || p[4 + c] || filling != 0 || (mode && mode->has_s && (mode->s.len != 8 || memcmp(mode->s.data, "constant", 8))))
        return refuse(m, "other than zeroes around an image");
    for (int i = 0; i < 8; i++)
        if (p[i] < 0 || p[i] > 4096)
            return refuse(m, "padding of %lld", (long long)p[i]);
    const ib_status status = same(m);
    const int64_t add[4] = {p[r], p[r + 1], p[4 + r], p[5 + r]};
    for (int i = 0; !status && i < 4; i++)
        m->symbols[m->n_symbols - 1].pad[i] += add[i];
    return status;
}

static ib_status constant(importer *m)
{
    const Onnx__AttributeProto *a = attribute(m, "value");
    symbol *s = a && a->t && m->node->n_output ? define(m, m->node->output[0]) : NULL;
    if (!s)
        return refuse(m, "a constant that is no tensor");
    s->constant = a->t;
    return IB_OK;
}

static const struct {
    const char *op;
    ib_status (*take)(importer *m);
} table[] = {{"Conv", conv}, {"Gemm", gemm}, {"MatMul", matmul}, {"BatchNormalization", batch_norm}, {"Relu", relu}, {"Clip", clip}, {"MaxPool", max_pool},
             {"AveragePool", avg_pool}, {"GlobalAveragePool", global_pool}, {"ReduceMean", reduce_mean}, {"Add", add}, {"Mul", mul}, {"Flatten", flatten},
             {"Reshape", reshape}, {"Squeeze", squeeze}, {"Transpose", transpose}, {"Softmax", softmax}, {"Sigmoid", sigmoid}, {"Tanh", tanh_},
             {"Concat", concat}, {"Pad", pad}, {"Constant", constant}, {"Identity", same}, {"Dropout", same}, {"Cast", same}};

static ib_status take_node(importer *m, const Onnx__NodeProto *n)
{
    size_t i = 0;
    m->node = n;
    if (!n->op_type || !n->n_output || (n->domain && *n->domain && strcmp(n->domain, "ai.onnx")))
        return refuse(m, "an operator of another domain or without result");
    if (find(m, n->output[0])) /* an Add that went into its MatMul */
        return IB_OK;
    while (i < sizeof table / sizeof *table && strcmp(table[i].op, n->op_type))
        i++;
    return i < sizeof table / sizeof *table ? table[i].take(m) : refuse(m, "is not supported");
}

/* The graph's one input that is no constant: [N,C,H,W], [N,H,W,C] (then the first node is a transpose), or [N,K]. */
static ib_status take_input(importer *m, ib_input_info *info)
{
    const Onnx__ValueInfoProto *in = NULL;
    for (size_t i = 0; i < m->g->n_input; i++)
        if (m->g->input[i]->name && !find(m, m->g->input[i]->name)) {
            if (in)
                return ib_fail(IB_EUNSUPPORTED, "%s: has two inputs, '%s' and '%s'", m->path, in->name, m->g->input[i]->name);
            in = m->g->input[i];
        }
    const Onnx__TensorShapeProto *shape = in && in->type && in->type->tensor_type ? in->type->tensor_type->shape : NULL;
    if (!shape || (shape->n_dim != 4 && shape->n_dim != 2))
        return ib_fail(IB_EUNSUPPORTED, "%s: its input has no shape of two or four dimensions", m->path);
    int64_t d[4] = {1, 1, 1, 1};
    for (size_t i = 1; i < shape->n_dim; i++)
        if (!shape->dim[i]->has_dim_value || (d[i] = shape->dim[i]->dim_value) < 1 || d[i] > 1 << 20)
            return ib_fail(IB_EUNSUPPORTED, "%s: dimension %zu of its input '%s' is not fixed", m->path, i, in->name);
    if (shape->n_dim == 4 && d[1] * d[2] * d[3] > 1 << 24)
        return ib_fail(IB_EUNSUPPORTED, "%s: an input of %lldx%lldx%lld", m->path, (long long)d[1], (long long)d[2], (long long)d[3]);
    symbol *s = define(m, in->name);
    if (!s)
        return IB_ENOMEM;
    s->value = 0;
    s->ndim = 4;
    const int last = shape->n_dim == 4 && d[3] <= 4 && d[1] > 4;
    memcpy(s->shape, last ? (int64_t[]){1, d[3], d[1], d[2]} : d, sizeof s->shape);
    s->channels_last = last;
    *info = (ib_input_info){.c = (int)s->shape[1], .h = (int)s->shape[2], .w = (int)s->shape[3], .std = 1};
    if (shape->n_dim == 2) { /* rows: an image of K pixels, taken as a row at once */
        char own[] = "0";
        const Onnx__NodeProto none = {.op_type = "Flatten", .name = "rows", .n_output = 1, .output = (char *[]){(char *)in->name}};
        m->node = &none;
        s->name = "";
        return line(m, "flatten", own, 2, (int64_t[]){1, d[1]}, "") ? IB_OK : IB_ENOMEM;
    }
    return IB_OK;
}

static ib_layer *build(importer *m, ib_input_info *info)
{
    ib_text_add(&m->text, "isobit network 1\n");
    for (size_t i = 0; i < m->g->n_initializer; i++) {
        symbol *s = m->g->initializer[i]->name ? define(m, m->g->initializer[i]->name) : NULL;
        if (!s)
            return NULL;
        s->constant = m->g->initializer[i];
    }
    if (take_input(m, info))
        return NULL;
    for (size_t i = 0; i < m->g->n_node; i++)
        if (take_node(m, m->g->node[i]))
            return NULL;
    const symbol *out = m->g->n_output && m->g->output[0]->name ? find(m, m->g->output[0]->name) : NULL;
    if (!out || out->value != m->steps || m->g->n_output > 1)
        return ib_fail_null(IB_EUNSUPPORTED, "%s: its output is not the last operator's result, or there are several", m->path);
    info->classes = (int)(out->shape[1] * (out->ndim == 4 ? out->shape[2] * out->shape[3] : 1));
    ib_layer *net = m->text.failed ? NULL : ib_wired_network(m->text.s);
    if (!net || ib_layer_init(net, 0)) {
        ib_layer_free(net);
        return NULL;
    }
    ib_layer_set_input(net, info);
    for (int i = 0; i < m->n_weights; i++) {
        ib_tensor *t = ib_param_find(net, m->weights[i].name);
        if (!t || ib_tensor_size(t) != m->weights[i].n) {
            ib_fail(IB_EFORMAT, "%s: parameter '%s' does not fit", m->path, m->weights[i].name);
            ib_layer_free(net);
            return NULL;
        }
        memcpy(t->data, m->weights[i].values, (size_t)t->size * sizeof(float));
    }
    return net;
}

ib_layer *ib_import_onnx(const char *path)
{
    size_t size;
    unsigned char *bytes = ib_file_read(path, &size);
    if (!bytes)
        return NULL;
    Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, size, bytes);
    ib_free(bytes);
    importer *m = model ? ib_alloc(sizeof *m) : NULL;
    ib_layer *net = NULL;
    if (!model)
        ib_fail(IB_EFORMAT, "%s: is no ONNX model", path);
    else if (m && !model->graph)
        ib_fail(IB_EFORMAT, "%s: holds no graph", path);
    else if (m) {
        ib_input_info info;
        m->g = model->graph;
        m->path = path;
        net = build(m, &info);
    }
    for (int i = 0; m && i < m->n_weights; i++) {
        ib_free(m->weights[i].name);
        ib_free(m->weights[i].values);
    }
    if (m) {
        ib_free(m->symbols);
        ib_free(m->text.s);
    }
    ib_free(m);
    if (model)
        onnx__model_proto__free_unpacked(model, NULL);
    return net;
}

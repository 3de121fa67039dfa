/* import_onnx_node.c - names, attributes and constants of a node, and the line that it becomes. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "import/import_onnx.h"
#include "program/program.h"
#include "tensor/alloc.h"
#include "tensor/error.h"
#include "tensor/number.h"

ib_status ib_import_refuse(const ib_importer *m, const char *format, ...)
{
    char why[300];
    va_list args;
    va_start(args, format);
    ib_vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return ib_fail(IB_EUNSUPPORTED, "%s: node '%s' (%s): %s", m->path, ib_import_node_name(m->node),
                   m->node->op_type ? m->node->op_type : "?", why);
}

const char *ib_import_node_name(const IbOnnx__NodeProto *n)
{
    return n->name && *n->name ? n->name : n->n_output ? n->output[0] : "";
}

int ib_import_is_joined(const ib_importer *m)
{
    return m->joined[m->at];
}

/* ---- symbols ---- */

const ib_symbol *ib_import_find(const ib_importer *m, const char *name)
{
    for (int i = m->n_symbols - 1; name && i >= 0; i--)
        if (!strcmp(m->symbols[i].name, name))
            return &m->symbols[i];
    return NULL;
}

ib_symbol *ib_import_result(ib_importer *m)
{
    for (int i = m->n_symbols - 1; i >= 0; i--)
        if (!strcmp(m->symbols[i].name, m->node->output[0]))
            return &m->symbols[i];
    return NULL;
}

ib_symbol *ib_import_define(ib_importer *m, const char *name)
{
    if (m->n_symbols == m->room) {
        ib_symbol *grown =
            ib_realloc(m->symbols, (size_t)m->room * sizeof *grown, (size_t)(2 * m->room + 64) * sizeof *grown);
        if (!grown)
            return NULL;
        m->symbols = grown;
        m->room = 2 * m->room + 64;
    }
    ib_symbol *s = &m->symbols[m->n_symbols++];
    *s = (ib_symbol){.name = name, .value = -1};
    return s;
}

ib_status ib_import_name(ib_importer *m, const ib_symbol *x, const char *name)
{
    const ib_symbol was = *x;
    ib_symbol *s = ib_import_define(m, name);
    if (!s)
        return IB_ENOMEM;
    *s = was;
    s->name = name;
    return IB_OK;
}

/* ---- attributes and constants ---- */

const IbOnnx__AttributeProto *ib_import_attribute(const ib_importer *m, const char *name)
{
    for (size_t i = 0; i < m->node->n_attribute; i++)
        if (m->node->attribute[i]->name && !strcmp(m->node->attribute[i]->name, name))
            return m->node->attribute[i];
    return NULL;
}

int64_t ib_import_integer(const ib_importer *m, const char *name, int64_t otherwise)
{
    const IbOnnx__AttributeProto *a = ib_import_attribute(m, name);
    return a ? a->i : otherwise;
}

float ib_import_real(const ib_importer *m, const char *name, float otherwise)
{
    const IbOnnx__AttributeProto *a = ib_import_attribute(m, name);
    return a ? a->f : otherwise;
}

/* n integers of an attribute; all `otherwise` if it is missing */
ib_status ib_import_integers(const ib_importer *m, const char *name, int n, int64_t otherwise, int64_t *to)
{
    const IbOnnx__AttributeProto *a = ib_import_attribute(m, name);
    for (int i = 0; i < n; i++)
        to[i] = a && a->n_ints == (size_t)n ? a->ints[i] : otherwise;
    if (a && a->n_ints != (size_t)n)
        return ib_import_refuse(m, "%s has %zu values, not %d", name, a->n_ints, n);
    for (int i = 0; i < n; i++)
        if (to[i] < 0 || to[i] > 4096)
            return ib_import_refuse(m, "%s is %lld", name, (long long)to[i]);
    return IB_OK;
}

int64_t ib_import_count(const IbOnnx__TensorProto *t)
{
    int64_t n = 1;
    for (size_t i = 0; i < t->n_dims; i++) {
        if (t->dims[i] < 0 || (t->dims[i] && n > ((int64_t)1 << 32) / t->dims[i]))
            return -1;
        n *= t->dims[i];
    }
    return n;
}

/* The elements as fp32: of float32, or of what a Cast to it has before it. */
float *ib_import_reals(const ib_importer *m, const ib_symbol *s, int64_t *n)
{
    const IbOnnx__TensorProto *t = s->constant;
    *n = ib_import_count(t);
    const int type = t->data_type;
    const size_t width = type == 1 || type == 6 ? 4 : type == 7 || type == 11 ? 8 : 0;
    const size_t listed = type == 1   ? t->n_float_data
                          : type == 6 ? t->n_int32_data
                          : type == 7 ? t->n_int64_data
                                      : t->n_double_data;
    const size_t stored = t->has_raw_data && width ? t->raw_data.len / width : listed;
    if (s->type != 1 || !width)
        return ib_fail_null(IB_EUNSUPPORTED, "%s: constant '%s' is of type %d where float32 (1) is needed", m->path,
                            s->name, s->type);
    if (*n < 0 || stored != (size_t)*n || (t->has_raw_data && (t->raw_data.len % width || listed)))
        return ib_fail_null(IB_EFORMAT, "%s: constant '%s' holds %zu elements for %lld", m->path, s->name, stored,
                            (long long)*n);
    const void *const lists[] = {t->float_data, t->int32_data, t->int64_data,
                                 t->double_data}; /* where they are not raw */
    const uint8_t *from = t->has_raw_data ? t->raw_data.data : lists[type == 1 ? 0 : type == 6 ? 1 : type == 7 ? 2 : 3];
    float *x = ib_alloc((size_t)*n * sizeof *x + 1);
    for (int64_t i = 0; x && i < *n; i++, from += width) {
        union {
            float f;
            int32_t i;
            int64_t l;
            double d;
        } v;
        memcpy(&v, from, width);
        x[i] = type == 1 ? v.f : type == 6 ? (float)v.i : type == 7 ? (float)v.l : (float)v.d;
        if (type == 11 && isinf(x[i]) && isfinite(v.d)) {
            ib_fail(IB_ENUMERIC, "%s: constant '%s': %g is beyond single precision", m->path, s->name, v.d);
            ib_free(x);
            return NULL;
        }
    }
    return x;
}

IbOnnx__TensorProto *ib_import_new_constant(ib_importer *m, const IbOnnx__TensorProto *from, size_t n_dims,
                                            const int64_t *dims)
{
    const IbOnnx__TensorProto none = {.data_type = 1};
    if (m->n_reshaped == IB_MAX_WEIGHTS) {
        ib_import_refuse(m, "more than %d constants", IB_MAX_WEIGHTS);
        return NULL;
    }
    IbOnnx__TensorProto *t = ib_copy(from ? from : &none, sizeof *t);
    if (!t)
        return NULL;
    t->n_dims = n_dims;
    t->dims = NULL;
    m->reshaped[m->n_reshaped++] = t;
    return !n_dims || (t->dims = ib_copy(dims, n_dims * sizeof *dims)) ? t : NULL;
}

int ib_import_is_row(const IbOnnx__TensorProto *t, int64_t n)
{
    return ib_import_count(t) == n && ((t->n_dims == 1 && t->dims[0] == n) || (t->n_dims == 2 && t->dims[1] == n));
}

const ib_symbol *ib_import_input(const ib_importer *m, size_t i)
{
    return i < m->node->n_input && *m->node->input[i] ? ib_import_find(m, m->node->input[i]) : NULL;
}

/* Input i, a value; or NULL with an error. */
const ib_symbol *ib_import_value(const ib_importer *m, size_t i)
{
    const ib_symbol *s = ib_import_input(m, i);
    if (!s || s->value < 0) {
        ib_import_refuse(m, "input %zu ('%s') is no result of an earlier node", i,
                         i < m->node->n_input ? m->node->input[i] : "");
        return NULL;
    }
    return s;
}

/* ---- writing the network ---- */

/* A layer's name: what it is, and its number among its kind. */
static const char *label(ib_importer *m, const char *op)
{
    static const char *const names[][2] = {{"conv", "conv"},        {"linear", "fc"},        {"batch_norm", "bn"},
                                           {"max_pool", "maxpool"}, {"avg_pool", "avgpool"}, {"global_avg_pool", "gap"},
                                           {"relu6", "clip"}};
    size_t i = 0;
    while (i < sizeof names / sizeof *names && strcmp(names[i][0], op))
        i++;
    const char *name = i < sizeof names / sizeof *names ? names[i][1] : op;
    int k = 0;
    while (m->kinds[k].name && strcmp(m->kinds[k].name, name))
        k++;
    m->kinds[k].name = name;
    ib_snprintf(m->label, sizeof m->label, "%s%d", name, ++m->kinds[k].count);
    return m->label;
}

/* One line; its result is the node's. Shape of the result in ndim, shape. */
ib_symbol *ib_import_line(ib_importer *m, const char *op, const char *inputs, int ndim, const int64_t *shape,
                          const char *attributes)
{
    ib_symbol *s = m->node->n_output ? ib_import_define(m, m->node->output[0]) : NULL;
    if (!s)
        return NULL;
    ib_strbuf_add(&m->text, "%s %s %s%s%s # ", label(m, op), op, inputs, *attributes ? " " : "", attributes);
    for (const char *c = ib_import_node_name(m->node); *c; c++)
        ib_strbuf_add(&m->text, "%c", (unsigned char)*c < ' ' ? '_' : *c);
    ib_strbuf_add(&m->text, "\n");
    double elements = 1;
    for (int d = 1; d < ndim; d++)
        elements *= (double)shape[d];
    m->elements += elements;
    s->value = ++m->steps;
    s->ndim = ndim;
    memcpy(s->shape, shape, (size_t)ndim * sizeof *shape);
    return s;
}

ib_status ib_import_keep(ib_importer *m, const char *parameter, float *values, int64_t n)
{
    ib_imported_weight *w = &m->weights[m->n_weights];
    if (m->n_weights == IB_MAX_WEIGHTS || !(w->name = ib_format_text("%s.%s", m->label, parameter))) {
        ib_free(values);
        return m->n_weights == IB_MAX_WEIGHTS ? ib_import_refuse(m, "more than %d parameters", IB_MAX_WEIGHTS)
                                              : IB_ENOMEM;
    }
    w->values = values;
    w->n = n;
    m->n_weights++;
    return IB_OK;
}

/* The constant that input i is, as `n` reals. */
float *ib_import_parameter(ib_importer *m, size_t i, int64_t n)
{
    const ib_symbol *s = ib_import_input(m, i);
    int64_t have = 0;
    float *x = s && s->constant ? ib_import_reals(m, s, &have) : NULL;
    if (x && have == n)
        return x;
    if (!s || !s->constant)
        ib_import_refuse(m, "input %zu is no constant", i);
    else if (x)
        ib_import_refuse(m, "input %zu has %lld elements, not %lld", i, (long long)have, (long long)n);
    ib_free(x);
    return NULL;
}

static const IbOnnx__NodeProto *next_reader(const ib_importer *m, const char *name)
{
    const IbOnnx__NodeProto *found = NULL;
    for (size_t i = 0; i < m->g->n_output; i++)
        if (m->g->output[i]->name && !strcmp(m->g->output[i]->name, name))
            return NULL;
    for (size_t i = 0; i < m->g->n_node; i++)
        for (size_t j = 0; j < m->g->node[i]->n_input; j++)
            if (!strcmp(m->g->node[i]->input[j], name)) {
                if (found)
                    return NULL;
                found = m->g->node[i];
            }
    return found;
}

const IbOnnx__NodeProto *ib_import_reader(const ib_importer *m, const char **name)
{
    const IbOnnx__NodeProto *n = next_reader(m, *name);
    for (size_t i = 0; i < m->g->n_node; i++) { /* a damaged graph may go in circles */
        if (!n || !n->op_type || n->n_output != 1 || (strcmp(n->op_type, "Cast") && strcmp(n->op_type, "Identity")))
            return n;
        *name = n->output[0];
        n = next_reader(m, *name);
    }
    return NULL;
}

char *ib_import_of(char *buf, const ib_symbol *s)
{
    ib_snprintf(buf, 16, "%d", s->value);
    return buf;
}

int ib_import_list_of(const ib_importer *m, const char *name, size_t i, int64_t *to)
{
    const IbOnnx__AttributeProto *a = ib_import_attribute(m, name);
    if (!a || a->n_ints > IB_MAX_INTEGERS)
        return ib_import_integers_of(m, i, to);
    for (size_t j = 0; j < a->n_ints; j++)
        to[j] = a->ints[j];
    return (int)a->n_ints;
}

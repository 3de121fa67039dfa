/* import_onnx_lines.c - the lines of the network that nodes become (layers/wired.h), and their parameters. */
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "import/graph/importer.h"

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

char *ib_import_of(char *buf, const ib_symbol *s)
{
    ib_snprintf(buf, 16, "%d", s->value);
    return buf;
}

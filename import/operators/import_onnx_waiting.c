/* import_onnx_waiting.c - what waits on a value: zeroes of a Pad, the order of a transpose, the order of flattened
 * rows. An operator sees what its row takes; all else is resolved here, before the operator's function runs. */
#include <string.h>

#include "import/operators/import_onnx_operators.h"

int ib_import_is_padded(const ib_symbol *x)
{
    return x->pad[0] || x->pad[1] || x->pad[2] || x->pad[3];
}

ib_status ib_import_resolve(ib_importer *m, const ib_onnx_operator *o)
{
    for (size_t i = 0; i < m->node->n_input; i++) {
        const ib_symbol *x = ib_import_input(m, i);
        if (!x || x->value < 0)
            continue;
        if (!(o->takes & IB_PADDING) && ib_import_is_padded(x))
            return ib_import_refuse(m,
                                    "its input '%s' has the zeroes of Pad '%s' around it, which Conv and AveragePool "
                                    "can take and this cannot",
                                    m->node->input[i], x->pad_by);
        m->refuted |= !(o->takes & IB_CHANNELS_LAST) && x->channels_last && x->last_by == m->input_by;
        if (!(o->takes & IB_CHANNELS_LAST) && x->channels_last)
            return ib_import_refuse(m,
                                    "its input '%s' is in the order N,H,W,C by %s; put a Transpose to N,C,H,W between",
                                    m->node->input[i], x->last_by);
        if (!(o->takes & IB_ROWS) && x->flat[0])
            return ib_import_refuse(m, "its input '%s' is flattened in the order H,W,C", m->node->input[i]);
    }
    return IB_OK;
}

/* The first input that is a value of the network; NULL: none. */
static const ib_symbol *first_value(const ib_importer *m)
{
    for (size_t i = 0; i < m->node->n_input; i++) {
        const ib_symbol *x = ib_import_input(m, i);
        if (x && x->value >= 0)
            return x;
    }
    return NULL;
}

ib_status ib_import_take(ib_importer *m, const ib_onnx_operator *o)
{
    const ib_status status = ib_import_resolve(m, o);
    const ib_symbol *x = first_value(m);
    const ib_symbol was = x ? *x : (ib_symbol){0};
    if (status || o->take(m))
        return ib_error_status();
    ib_symbol *s = ib_import_result(m);
    if (!s || !x)
        return IB_OK;
    if ((o->passes & IB_PADDING) && ib_import_is_padded(&was)) {
        memcpy(s->pad, was.pad, sizeof s->pad);
        s->pad_by = was.pad_by;
    }
    if ((o->passes & IB_CHANNELS_LAST) && was.channels_last) {
        s->channels_last = 1;
        s->last_by = was.last_by;
    }
    if ((o->passes & IB_ROWS) && was.flat[0])
        memcpy(s->flat, was.flat, sizeof s->flat);
    return IB_OK;
}

/* Whether all that reads a row can be told its order: products, by that of their weights, at the end of operators that
 * pass it on. */
static int rows_may_wait(const ib_importer *m, const char *name, size_t depth)
{
    int readers = 0;
    for (size_t i = 0; i < m->g->n_output; i++)
        if (m->g->output[i]->name && !strcmp(m->g->output[i]->name, name))
            return 0;
    for (size_t i = 0; i < m->g->n_node; i++) {
        const IbOnnx__NodeProto *n = m->g->node[i];
        for (size_t j = 0; j < n->n_input; j++) {
            const ib_onnx_operator *o =
                strcmp(n->input[j], name) || !n->op_type ? NULL : ib_onnx_operator_of(n->op_type);
            if (strcmp(n->input[j], name))
                continue;
            if (j || !o || !(o->takes & IB_ROWS) || !n->n_output || depth > m->g->n_node)
                return 0;
            if ((o->passes & IB_ROWS) && !rows_may_wait(m, n->output[0], depth + 1))
                return 0;
            readers++;
        }
    }
    return readers > 0;
}

int ib_import_rows_may_wait(const ib_importer *m, const char *name)
{
    return rows_may_wait(m, name, 0);
}

int ib_import_view(const ib_symbol *x, int64_t *dims)
{
    const int64_t rows = x->shape[2] + x->pad[0] + x->pad[2], columns = x->shape[3] + x->pad[1] + x->pad[3];
    const int64_t first[4] = {IB_BATCH, x->shape[1], rows, columns}, last[4] = {IB_BATCH, rows, columns, x->shape[1]};
    for (int i = 0; i < x->ndim; i++)
        dims[i] = x->channels_last ? last[i] : first[i];
    return x->ndim;
}

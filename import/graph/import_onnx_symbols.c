/* import_onnx_symbols.c - what the names of a graph stand for. */
#include <string.h>

#include "base/alloc.h"
#include "import/graph/importer.h"

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

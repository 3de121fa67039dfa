/* import_onnx_node.c - what a node says: its name, its attributes, who reads its results; and why it is refused. */
#include <stdarg.h>
#include <string.h>

#include "base/error.h"
#include "base/number.h"
#include "import/graph/importer.h"

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

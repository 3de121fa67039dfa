/* import_onnx_check.c - a node against its row of the table: whatever the row does not speak of is refused here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "import/operators/import_onnx_operators.h"

static int is_of(int opset, int from, int until)
{
    return opset >= from && (!until || opset < until);
}

static const ib_onnx_attribute *row_of(const ib_importer *m, const ib_onnx_operator *o, const char *name)
{
    for (const ib_onnx_attribute *a = o->attributes; a->name; a++)
        if (!strcmp(a->name, name) && is_of(m->opset, a->from, a->until))
            return a;
    return NULL;
}

/* The number-th word of a list with blanks between; NULL behind the last. */
static const char *word(const char *list, int number, size_t *length)
{
    while (number-- && list)
        if ((list = strchr(list, ' ')))
            list++;
    *length = list ? strcspn(list, " ") : 0;
    return list;
}

static int is_among(const char *values, const IbOnnx__AttributeProto *a, int64_t i)
{
    size_t n;
    for (int k = 0; word(values, k, &n); k++) {
        const char *w = word(values, k, &n);
        if (a->type == IB_ONNX__ATTRIBUTE_PROTO__TYPE__STRING  ? a->s.len == n && !memcmp(a->s.data, w, n)
            : a->type == IB_ONNX__ATTRIBUTE_PROTO__TYPE__FLOAT ? a->f == ib_strtof(w, NULL)
                                                               : i == strtoll(w, NULL, 10))
            return 1;
    }
    return 0;
}

/* The value as it stands in a message. */
static void say(const IbOnnx__AttributeProto *a, int64_t i, char *buf, size_t size)
{
    if (a->type == IB_ONNX__ATTRIBUTE_PROTO__TYPE__STRING)
        ib_snprintf(buf, size, "'%.*s'", a->s.len < 40 ? (int)a->s.len : 40, a->s.data ? (const char *)a->s.data : "");
    else if (a->type == IB_ONNX__ATTRIBUTE_PROTO__TYPE__FLOAT)
        ib_snprintf(buf, size, "%g", a->f);
    else
        ib_snprintf(buf, size, "%lld", (long long)i);
}

static ib_status check_value(const ib_importer *m, const ib_onnx_attribute *row, const IbOnnx__AttributeProto *a)
{
    const int list = a->type == IB_ONNX__ATTRIBUTE_PROTO__TYPE__INTS;
    const char *dash = row->note ? ": " : "", *note = row->note ? row->note : "";
    if (*row->values == '*' || *row->values == '~')
        return IB_OK;
    if (!strcmp(row->values, "-"))
        return ib_import_refuse(m, "attribute %s%s%s", a->name, dash, note);
    for (size_t k = 0; k < (list ? a->n_ints : 1); k++) {
        const int64_t i = list ? a->ints[k] : a->i;
        char value[50];
        say(a, i, value, sizeof value);
        if (!is_among(row->values, a, i))
            return ib_import_refuse(m, "%s is %s, of which only '%s' can be had%s%s", a->name, value, row->values, dash,
                                    note);
    }
    return IB_OK;
}

static ib_status check_attributes(const ib_importer *m, const ib_onnx_operator *o)
{
    const IbOnnx__NodeProto *n = m->node;
    for (size_t i = 0; i < n->n_attribute; i++) {
        const IbOnnx__AttributeProto *a = n->attribute[i];
        const ib_onnx_attribute *row = a->name ? row_of(m, o, a->name) : NULL;
        if (!row)
            return ib_import_refuse(m, "has an attribute '%s', which is none of operator set %d",
                                    a->name ? a->name : "", m->opset);
        if (a->ref_attr_name && *a->ref_attr_name)
            return ib_import_refuse(m, "attribute %s stands for one of a function: inline the functions (onnx.inliner)",
                                    a->name);
        if (a->type != (int32_t)row->type)
            return ib_import_refuse(m, "attribute %s is of type %d, not %d", a->name, a->type, row->type);
        for (size_t j = 0; j < i; j++)
            if (!strcmp(n->attribute[j]->name, a->name))
                return ib_import_refuse(m, "has the attribute %s twice", a->name);
        const ib_status status = check_value(m, row, a);
        if (status)
            return status;
    }
    for (const ib_onnx_attribute *row = o->attributes; row->name; row++)
        if (row->required && is_of(m->opset, row->from, row->until) && !ib_import_attribute(m, row->name))
            return ib_import_refuse(m, "lacks the attribute %s%s%s", row->name, row->note ? ": " : "",
                                    row->note ? row->note : "");
    return IB_OK;
}

/* Slot `number` in this operator set; NULL: there is none. */
static const ib_onnx_slot *slot_of(const ib_importer *m, const ib_onnx_slot *slots, size_t number)
{
    for (const ib_onnx_slot *s = slots; s->name; s++)
        if (is_of(m->opset, s->from, s->until) && ((s->is & IB_SLOT_VARIADIC) || !number--))
            return s;
    return NULL;
}

static ib_status check_inputs(const ib_importer *m, const ib_onnx_operator *o)
{
    const IbOnnx__NodeProto *n = m->node;
    const ib_onnx_slot *s;
    for (size_t i = 0; i < n->n_input; i++) {
        if (!(s = slot_of(m, o->inputs, i)))
            return ib_import_refuse(m, "has an input %zu ('%s'), which operator set %d has not", i, n->input[i],
                                    m->opset);
        const ib_symbol *x = ib_import_input(m, i);
        if (*n->input[i] && !x)
            return ib_import_refuse(m, "input %s ('%s') is no result of an earlier node", s->name, n->input[i]);
        if (x && x->value >= 0 && (s->is & IB_SLOT_KNOWN))
            return ib_import_refuse(m, "input %s ('%s') depends on the network's input; only constants can be had",
                                    s->name, n->input[i]);
    }
    for (size_t i = 0; (s = slot_of(m, o->inputs, i)); i++) {
        if (!(s->is & IB_SLOT_OPTIONAL) && (i >= n->n_input || !*n->input[i]))
            return ib_import_refuse(m, "lacks the input %s", s->name);
        if (s->is & IB_SLOT_VARIADIC)
            break;
    }
    return IB_OK;
}

static int is_read(const ib_importer *m, const char *name)
{
    for (size_t i = 0; i < m->g->n_output; i++)
        if (m->g->output[i]->name && !strcmp(m->g->output[i]->name, name))
            return 1;
    for (size_t i = 0; i < m->g->n_node; i++)
        for (size_t j = 0; j < m->g->node[i]->n_input; j++)
            if (!strcmp(m->g->node[i]->input[j], name))
                return 1;
    return 0;
}

static ib_status check_outputs(const ib_importer *m, const ib_onnx_operator *o)
{
    const IbOnnx__NodeProto *n = m->node;
    for (size_t i = 0; i < n->n_output; i++) {
        const ib_onnx_slot *s = slot_of(m, o->outputs, i);
        if (!s)
            return ib_import_refuse(m, "has an output %zu ('%s'), which operator set %d has not", i, n->output[i],
                                    m->opset);
        if (*n->output[i] && (s->is & IB_SLOT_REFUSED))
            return ib_import_refuse(
                m, "has the output %s ('%s'), which is of training: export the model in evaluation mode", s->name,
                n->output[i]);
        if (*n->output[i] && (s->is & IB_SLOT_UNUSED) && is_read(m, n->output[i]))
            return ib_import_refuse(m, "its output %s ('%s') is read, which has no counterpart", s->name, n->output[i]);
        if (*n->output[i] && ib_import_find(m, n->output[i]) && !ib_import_is_joined(m))
            return ib_import_refuse(m, "its result '%s' is the name of an earlier value", n->output[i]);
    }
    return n->n_output && *n->output[0] ? IB_OK : ib_import_refuse(m, "has no result");
}

ib_status ib_import_check(const ib_importer *m, const ib_onnx_operator *o)
{
    if (m->opset < atoi(o->versions))
        return ib_import_refuse(m, "is older than operator set %d; convert the model to 13 (onnx.version_converter)",
                                atoi(o->versions));
    ib_status status = ib_import_check_fields(m, &m->node->base);
    if (!status)
        status = check_attributes(m, o);
    return status ? status : check_inputs(m, o) ? ib_error_status() : check_outputs(m, o);
}

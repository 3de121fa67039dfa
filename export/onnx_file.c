/* onnx_file.c - see onnx_file.h */
#include "export/onnx_file.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "files/file.h"
#include "onnx.pb-c.h"

struct ib_onnx {
    IbOnnx__ModelProto model;
    IbOnnx__GraphProto graph;
    IbOnnx__OperatorSetIdProto opset, *opsets[1];
    void **owned; /* everything that the messages point to */
    size_t n_owned, room;
    int failed;
};

static void *keep(ib_onnx *o, size_t bytes)
{
    if (o->n_owned == o->room) {
        void **grown = ib_realloc(o->owned, o->room * sizeof *grown, (2 * o->room + 64) * sizeof *grown);
        if (!grown) {
            o->failed = 1;
            return NULL;
        }
        o->owned = grown;
        o->room = 2 * o->room + 64;
    }
    void *p = ib_alloc(bytes + 1);
    if (p)
        o->owned[o->n_owned++] = p;
    else
        o->failed = 1;
    return p;
}

static void *keep_copy(ib_onnx *o, const void *from, size_t bytes)
{
    void *p = keep(o, bytes);
    return p && bytes ? memcpy(p, from, bytes) : p;
}

static char *keep_text(ib_onnx *o, const char *text)
{
    return keep_copy(o, text, strlen(text));
}

/* Appends to a message's list of pointers; lists double, and old ones stay owned. */
static void append(ib_onnx *o, void ***list, size_t *n, void *item)
{
    if (!item)
        return;
    if ((*n & (*n - 1)) == 0) { /* full: sizes are powers of two */
        void **grown = keep(o, (*n ? 2 * *n : 1) * sizeof *grown);
        if (!grown)
            return;
        if (*n)
            memcpy(grown, *list, *n * sizeof *grown);
        *list = grown;
    }
    (*list)[(*n)++] = item;
}

ib_onnx *ib_onnx_new(const char *graph_name)
{
    ib_onnx *o = ib_alloc(sizeof *o);
    if (!o)
        return NULL;
    ib_onnx__model_proto__init(&o->model);
    ib_onnx__graph_proto__init(&o->graph);
    ib_onnx__operator_set_id_proto__init(&o->opset);
    o->opset.domain = keep_text(o, "");
    o->opset.has_version = 1;
    o->opset.version = 21;
    o->opsets[0] = &o->opset;
    o->model.has_ir_version = 1;
    o->model.ir_version = 10;
    o->model.producer_name = keep_text(o, "isobit");
    o->model.producer_version = keep_text(o, ISOBIT_VERSION);
    o->model.graph = &o->graph;
    o->model.n_opset_import = 1;
    o->model.opset_import = o->opsets;
    o->graph.name = keep_text(o, graph_name);
    return o;
}

/* The words of a text as a list. */
static char **words(ib_onnx *o, const char *text, size_t *n)
{
    char *copy = keep_text(o, text), *rest = copy, **list = keep(o, (strlen(text) / 2 + 1) * sizeof *list);
    *n = 0;
    for (char *word; list && copy && (word = strtok_r(rest, " ", &rest));)
        list[(*n)++] = word;
    return list;
}

void ib_onnx_node(ib_onnx *o, const char *op, const char *inputs, const char *outputs)
{
    IbOnnx__NodeProto *n = keep(o, sizeof *n);
    if (!n)
        return;
    ib_onnx__node_proto__init(n);
    n->op_type = keep_text(o, op);
    n->input = words(o, inputs, &n->n_input);
    n->output = words(o, outputs, &n->n_output);
    n->name = n->n_output ? n->output[0] : NULL;
    append(o, (void ***)&o->graph.node, &o->graph.n_node, n);
}

static IbOnnx__AttributeProto *attribute(ib_onnx *o, const char *name, int type)
{
    IbOnnx__AttributeProto *a = keep(o, sizeof *a);
    if (!a || !o->graph.n_node)
        return NULL;
    IbOnnx__NodeProto *n = o->graph.node[o->graph.n_node - 1];
    ib_onnx__attribute_proto__init(a);
    a->name = keep_text(o, name);
    a->has_type = 1;
    a->type = type;
    append(o, (void ***)&n->attribute, &n->n_attribute, a);
    return a;
}

void ib_onnx_attr_int(ib_onnx *o, const char *name, int64_t value)
{
    IbOnnx__AttributeProto *a = attribute(o, name, IB_ONNX__ATTRIBUTE_PROTO__TYPE__INT);
    if (a) {
        a->has_i = 1;
        a->i = value;
    }
}

void ib_onnx_attr_ints(ib_onnx *o, const char *name, int n, const int64_t *values)
{
    IbOnnx__AttributeProto *a = attribute(o, name, IB_ONNX__ATTRIBUTE_PROTO__TYPE__INTS);
    if (a && (a->ints = keep_copy(o, values, (size_t)n * sizeof *values)))
        a->n_ints = (size_t)n;
}

void ib_onnx_constant(ib_onnx *o, const char *name, int type, int ndim, const int64_t *shape, const void *data,
                      size_t bytes)
{
    IbOnnx__TensorProto *t = keep(o, sizeof *t);
    o->failed |= !data;
    if (!t || !data)
        return;
    ib_onnx__tensor_proto__init(t);
    t->name = keep_text(o, name);
    t->has_data_type = 1;
    t->data_type = type;
    t->n_dims = (size_t)ndim;
    t->dims = ndim ? keep_copy(o, shape, (size_t)ndim * sizeof *shape) : NULL;
    t->has_raw_data = 1;
    t->raw_data = (ProtobufCBinaryData){bytes, keep_copy(o, data, bytes)};
    append(o, (void ***)&o->graph.initializer, &o->graph.n_initializer, t);
}

void ib_onnx_value(ib_onnx *o, int output, const char *name, int type, int ndim, const int64_t *shape)
{
    IbOnnx__ValueInfoProto *v = keep(o, sizeof *v);
    IbOnnx__TypeProto *t = keep(o, sizeof *t);
    IbOnnx__TensorTypeProto *tensor = keep(o, sizeof *tensor);
    IbOnnx__TensorShapeProto *s = keep(o, sizeof *s);
    if (!v || !t || !tensor || !s)
        return;
    ib_onnx__value_info_proto__init(v);
    ib_onnx__type_proto__init(t);
    ib_onnx__tensor_type_proto__init(tensor);
    ib_onnx__tensor_shape_proto__init(s);
    for (int d = 0; d < ndim; d++) {
        IbOnnx__Dimension *one = keep(o, sizeof *one);
        if (!one)
            return;
        ib_onnx__dimension__init(one);
        if (d) {
            one->has_dim_value = 1;
            one->dim_value = shape[d];
        } else {
            one->dim_param = keep_text(o, "batch");
        }
        append(o, (void ***)&s->dim, &s->n_dim, one);
    }
    v->name = keep_text(o, name);
    v->type = t;
    t->tensor_type = tensor;
    tensor->has_elem_type = 1;
    tensor->elem_type = type;
    tensor->shape = s;
    if (output)
        append(o, (void ***)&o->graph.output, &o->graph.n_output, v);
    else
        append(o, (void ***)&o->graph.input, &o->graph.n_input, v);
}

void ib_onnx_metadata(ib_onnx *o, const char *key, const char *value)
{
    IbOnnx__StringStringEntryProto *e = keep(o, sizeof *e);
    if (!e)
        return;
    ib_onnx__string_string_entry_proto__init(e);
    e->key = keep_text(o, key);
    e->value = keep_text(o, value);
    append(o, (void ***)&o->model.metadata_props, &o->model.n_metadata_props, e);
}

ib_status ib_onnx_write(ib_onnx *o, const char *path)
{
    const size_t size = o->failed ? 0 : ib_onnx__model_proto__get_packed_size(&o->model);
    uint8_t *bytes = o->failed ? NULL : ib_alloc(size);
    ib_status status = IB_ENOMEM;
    if (bytes) {
        ib_onnx__model_proto__pack(&o->model, bytes);
        status = ib_file_replace(path, bytes, size);
    }
    ib_free(bytes);
    ib_onnx_free(o);
    return status;
}

void ib_onnx_free(ib_onnx *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->n_owned; i++)
        ib_free(o->owned[i]);
    ib_free(o->owned);
    ib_free(o);
}

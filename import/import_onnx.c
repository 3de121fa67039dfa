/* import_onnx.c - a float ONNX network as a network of ours: its operators as text (layers/wired.h), its weights as
 * parameters.
 *
 * operators/import_onnx_table.c says what is understood of each operator; a node is held against it before its function
 * runs, and what waits on its inputs is resolved (operators/import_onnx_waiting.c). What has no counterpart is turned
 * into what has: a Pad before a product or pooling goes into its padding, uneven padding of a convolution into rows and
 * columns of zeroes in its kernel, MatMul and the Add behind it into a linear layer, transposes at the entrance
 * (N,H,W,C) and before a flatten into the order of weights. What computes shapes is computed. Anything else is named
 * with its node. */
#include "import/import_onnx.h"

#include <string.h>

#include <isobit/export.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "files/file.h"
#include "import/operators/import_onnx_operators.h"
#include "layers/wired.h"

static ib_status take_node(ib_importer *m, size_t at)
{
    const IbOnnx__NodeProto *n = m->node = m->g->node[at];
    m->at = at;
    if (n->domain && *n->domain && strcmp(n->domain, "ai.onnx"))
        return ib_import_refuse(m, "is of domain '%.60s', of which no operator is known", n->domain);
    const ib_onnx_operator *o = n->op_type ? ib_onnx_operator_of(n->op_type) : NULL;
    if (!o || (n->overload && *n->overload))
        return ib_import_refuse(m, "is not supported; isobit import --operators lists what is");
    if (ib_import_check(m, o))
        return ib_error_status();
    if (m->joined[at])
        return IB_OK;
    if (ib_import_computes_integers(m))
        return ib_import_compute(m);
    if (ib_import_reshapes_constant(m))
        return ib_import_reshape_constant(m);
    return o->take ? ib_import_take(m, o) : ib_import_refuse(m, "can be had where it computes shapes, not for values");
}

static ib_status is_float(const ib_importer *m, const IbOnnx__ValueInfoProto *v, const char *what)
{
    const IbOnnx__TensorTypeProto *t = v->type ? v->type->tensor_type : NULL;
    return t && t->elem_type == 1
               ? IB_OK
               : ib_fail(IB_EUNSUPPORTED, "%s: its %s '%s' is no tensor of float32 (1) but of type %d", m->path, what,
                         v->name, t ? t->elem_type : 0);
}

/* The graph's one input that is no constant: [N,C,H,W], or [N,H,W,C] if it is tried so, or [N,K]. */
static ib_status take_input(ib_importer *m, ib_input_info *info)
{
    const IbOnnx__ValueInfoProto *in = NULL;
    for (size_t i = 0; i < m->g->n_input; i++)
        if (m->g->input[i]->name && !ib_import_find(m, m->g->input[i]->name)) {
            if (in)
                return ib_fail(IB_EUNSUPPORTED, "%s: has two inputs, '%s' and '%s'", m->path, in->name,
                               m->g->input[i]->name);
            in = m->g->input[i];
        }
    if (!in)
        return ib_fail(IB_EUNSUPPORTED, "%s: has no input that is no constant", m->path);
    if (is_float(m, in, "input"))
        return ib_error_status();
    const IbOnnx__TensorShapeProto *shape = in->type->tensor_type->shape;
    if (!shape || (shape->n_dim != 4 && shape->n_dim != 2))
        return ib_fail(IB_EUNSUPPORTED, "%s: its input '%s' has %zu dimensions, where 4 or 2 can be had", m->path,
                       in->name, shape ? shape->n_dim : 0);
    int64_t d[4] = {1, 1, 1, 1};
    for (size_t i = 1; i < shape->n_dim; i++) {
        if (!shape->dim[i]->has_dim_value)
            return ib_fail(IB_EUNSUPPORTED, "%s: dimension %zu of its input '%s' is not fixed", m->path, i, in->name);
        if ((d[i] = shape->dim[i]->dim_value) < 1 || d[i] > 1 << 20)
            return ib_fail(IB_EUNSUPPORTED, "%s: dimension %zu of its input '%s' is %lld, 1 to %d are possible",
                           m->path, i, in->name, (long long)d[i], 1 << 20);
    }
    if (shape->n_dim == 4 && d[1] * d[2] * d[3] > 1 << 24)
        return ib_fail(IB_EUNSUPPORTED, "%s: an input of %lldx%lldx%lld: 2^24 values are possible", m->path,
                       (long long)d[1], (long long)d[2], (long long)d[3]);
    m->batch = shape->dim[0]->has_dim_value ? shape->dim[0]->dim_value : 0;
    ib_symbol *s = ib_import_define(m, in->name);
    if (!s)
        return IB_ENOMEM;
    s->value = 0;
    s->ndim = 4;
    memcpy(s->shape, m->input_last ? (int64_t[]){1, d[3], d[1], d[2]} : d, sizeof s->shape);
    s->channels_last = m->input_last;
    s->last_by = m->input_by = "the input";
    *info = (ib_input_info){.c = (int)s->shape[1], .h = (int)s->shape[2], .w = (int)s->shape[3], .std = 1};
    if (shape->n_dim == 2) { /* rows: an image of K pixels, taken as a row at once */
        char own[] = "0";
        const IbOnnx__NodeProto rows = {.op_type = "Flatten", .n_output = 1, .output = (char *[]){(char *)in->name}};
        m->node = &rows;
        s->name = "";
        return ib_import_line(m, "flatten", own, 2, (int64_t[]){1, d[1]}, "") ? IB_OK : IB_ENOMEM;
    }
    return IB_OK;
}

/* The graph's one output: the last layer's result, nothing waiting on it. */
static ib_status take_output(ib_importer *m, ib_input_info *info)
{
    if (m->g->n_output != 1 || !m->g->output[0]->name)
        return ib_fail(IB_EUNSUPPORTED, "%s: has %zu outputs, where one can be had", m->path, m->g->n_output);
    const IbOnnx__ValueInfoProto *out = m->g->output[0];
    const ib_symbol *y = ib_import_find(m, out->name);
    if (!y || y->value < 1 || y->value != m->steps)
        return ib_fail(IB_EUNSUPPORTED, "%s: its output '%s' is not the last operator's result", m->path, out->name);
    if (ib_import_is_padded(y))
        return ib_fail(
            IB_EUNSUPPORTED,
            "%s: its output '%s' has the zeroes of Pad '%s' around it, which a layer behind it would have to take",
            m->path, out->name, y->pad_by);
    if (y->channels_last && y->shape[1] > 1 && y->shape[2] * y->shape[3] > 1)
        return ib_fail(IB_EUNSUPPORTED,
                       "%s: its output '%s' is in the order N,H,W,C by %s; put a Transpose to N,C,H,W before it",
                       m->path, out->name, y->last_by);
    if (y->flat[0])
        return ib_fail(IB_EUNSUPPORTED, "%s: its output '%s' is flattened in the order H,W,C", m->path, out->name);
    const int64_t classes = y->shape[1] * (y->ndim == 4 ? y->shape[2] * y->shape[3] : 1);
    if (classes > INT32_MAX)
        return ib_fail(IB_EUNSUPPORTED, "%s: %lld outputs", m->path, (long long)classes);
    info->classes = (int)classes;
    return is_float(m, out, "output");
}

/* The file's name without its folder and end. */
static void add_title(ib_importer *m)
{
    const char *slash = strrchr(m->path, '/'), *name = slash ? slash + 1 : m->path, *dot = strrchr(name, '.');
    ib_strbuf_add(&m->text, "# ");
    for (const char *c = name; *c && (!dot || dot == name || c < dot); c++)
        ib_strbuf_add(&m->text, "%c", (unsigned char)*c < ' ' ? '_' : *c);
    ib_strbuf_add(&m->text, "\n");
}

static ib_layer *network_of(const ib_importer *m, const ib_input_info *info)
{
    ib_layer *net = m->text.failed ? ib_fail_null(IB_ENOMEM, "%s: no memory for its description", m->path)
                                   : ib_wired_network(m->text.s);
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
        ib_tensor_write(t, m->weights[i].values);
    }
    return net;
}

static ib_layer *build(ib_importer *m)
{
    ib_input_info info;
    ib_strbuf_add(&m->text, "isobit network 1\n");
    add_title(m);
    for (size_t i = 0; i < m->g->n_initializer; i++) {
        const IbOnnx__TensorProto *t = m->g->initializer[i];
        if (!t->name || !*t->name || ib_import_find(m, t->name))
            return ib_fail_null(IB_EFORMAT, "%s: constant '%s' has no name or stands twice", m->path,
                                t->name ? t->name : "");
        for (size_t j = 0; j < t->n_dims; j++)
            if (t->dims[j] < 0)
                return ib_fail_null(IB_EFORMAT, "%s: constant '%s' has a dimension of %lld", m->path, t->name,
                                    (long long)t->dims[j]);
        ib_symbol *s = ib_import_define(m, t->name);
        if (!s)
            return NULL;
        s->constant = t;
        s->type = t->data_type;
    }
    if (take_input(m, &info))
        return NULL;
    for (size_t i = 0; i < m->g->n_node; i++)
        if (take_node(m, i))
            return NULL;
    ib_layer *net = take_output(m, &info) ? NULL : network_of(m, &info);
    if (net && ib_import_compare(m, net)) {
        ib_layer_free(net);
        net = NULL;
    }
    return net;
}

static void free_importer(ib_importer *m)
{
    for (int i = 0; m && i < m->n_weights; i++) {
        ib_free(m->weights[i].name);
        ib_free(m->weights[i].values);
    }
    for (int i = 0; m && i < m->n_reshaped; i++) {
        ib_free(m->reshaped[i]->dims);
        ib_free(m->reshaped[i]);
    }
    if (m) {
        ib_free(m->joined);
        ib_free(m->symbols);
        ib_free(m->text.s);
    }
    ib_free(m);
}

/* One reading of the graph's input: *reached is the number of nodes that were understood. */
static ib_layer *attempt(const char *path, ib_device *dev, const IbOnnx__ModelProto *model, int input_last,
                         size_t *reached)
{
    ib_importer *m = ib_alloc(sizeof *m);
    ib_layer *net = NULL;
    if (m) {
        m->g = model->graph;
        m->path = path;
        m->dev = dev;
        m->input_last = input_last;
        m->joined = ib_alloc(m->g->n_node + 1);
        if (m->joined && !ib_import_check_model(m, model))
            net = build(m);
        *reached = m->refuted ? 0 : m->at;
    }
    free_importer(m);
    return net;
}

/* The graph itself says how its input lies: it is taken as N,C,H,W, and if a node cannot be understood so, as N,H,W,C.
 * In each reading every node is followed exactly, so that a reading that comes to the end is right. */
static ib_layer *read_graph(const char *path, ib_device *dev, const IbOnnx__ModelProto *model)
{
    size_t reached = 0, reached_last = 0;
    ib_layer *net = attempt(path, dev, model, 0, &reached);
    if (net || ib_error_status() != IB_EUNSUPPORTED)
        return net;
    char *why = ib_strdup(ib_error());
    if (!(net = attempt(path, dev, model, 1, &reached_last)) && why && reached >= reached_last)
        ib_fail(IB_EUNSUPPORTED, "%s", why);
    ib_free(why);
    return net;
}

ib_layer *ib_import_onnx(const char *path, ib_device *dev)
{
    IB_NEED_OR(path, NULL);
    IB_NEED_OR(dev, NULL);
    size_t size;
    unsigned char *bytes = ib_file_read(path, &size);
    if (!bytes)
        return NULL;
    ProtobufCAllocator memory = ib_import_memory();
    const uint64_t failures = ib_failures();
    IbOnnx__ModelProto *model = ib_onnx__model_proto__unpack(&memory, size, bytes);
    ib_free(bytes);
    ib_layer *net = NULL;
    if (!model && ib_failures() == failures)
        ib_fail(IB_EFORMAT, "%s: is no ONNX model", path);
    else if (!model)
        ib_error_prefix("%s", path);
    else if (!model->graph)
        ib_fail(IB_EFORMAT, "%s: holds no graph", path);
    else if (!ib_import_external(path, model->graph))
        net = read_graph(path, dev, model);
    if (model)
        ib_onnx__model_proto__free_unpacked(model, &memory);
    return net;
}

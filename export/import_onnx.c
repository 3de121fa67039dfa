/* import_onnx.c - a float ONNX network as a network of ours: its operators as text (layers/wired.h), its weights as parameters.
 *
 * What has no counterpart is turned into what has: a Pad before a product or pooling goes into its padding, uneven padding of a
 * convolution into rows and columns of zeroes in its kernel, MatMul and the Add behind it into a linear layer, transposes at
 * the entrance (N,H,W,C) and before a flatten into the order of weights. What computes shapes is computed. Anything else is named
 * with its node. */
#include "export/import_onnx.h"

#include <string.h>

#include <isobit/export.h>

#include "files/file.h"
#include "layers/wired.h"
#include "tensor/alloc.h"
#include "tensor/error.h"

static const struct {
    const char *op;
    ib_status (*take)(ib_importer *m);
} table[] = {{"Conv", ib_import_conv}, {"Gemm", ib_import_gemm}, {"MatMul", ib_import_matmul}, {"BatchNormalization", ib_import_batch_norm}, {"Relu", ib_import_relu}, {"Clip", ib_import_clip}, {"MaxPool", ib_import_max_pool},
             {"AveragePool", ib_import_avg_pool}, {"GlobalAveragePool", ib_import_global_pool}, {"ReduceMean", ib_import_reduce_mean}, {"Add", ib_import_add}, {"Sub", ib_import_sub}, {"Mul", ib_import_mul}, {"Flatten", ib_import_flatten},
             {"Reshape", ib_import_reshape}, {"Squeeze", ib_import_squeeze}, {"Transpose", ib_import_transpose}, {"Softmax", ib_import_softmax}, {"Sigmoid", ib_import_sigmoid}, {"Tanh", ib_import_tanh},
             {"Concat", ib_import_concat}, {"Pad", ib_import_pad}, {"Constant", ib_import_constant}, {"Identity", ib_import_same}, {"Dropout", ib_import_same}, {"Cast", ib_import_same}};

static ib_status take_node(ib_importer *m, const Onnx__NodeProto *n)
{
    size_t i = 0;
    m->node = n;
    if (!n->op_type || !n->n_output || (n->domain && *n->domain && strcmp(n->domain, "ai.onnx")))
        return ib_import_refuse(m, "an operator of another domain or without result");
    if (ib_import_find(m, n->output[0])) /* an Add that went into its MatMul */
        return IB_OK;
    if (ib_import_computes_integers(m))
        return ib_import_compute(m);
    if (ib_import_reshapes_constant(m))
        return ib_import_reshape_constant(m);
    while (i < sizeof table / sizeof *table && strcmp(table[i].op, n->op_type))
        i++;
    return i < sizeof table / sizeof *table ? table[i].take(m) : ib_import_refuse(m, "is not supported");
}

/* The graph's one input that is no constant: [N,C,H,W], [N,H,W,C] (then the first node is a transpose), or [N,K]. */
static ib_status take_input(ib_importer *m, ib_input_info *info)
{
    const Onnx__ValueInfoProto *in = NULL;
    for (size_t i = 0; i < m->g->n_input; i++)
        if (m->g->input[i]->name && !ib_import_find(m, m->g->input[i]->name)) {
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
    ib_symbol *s = ib_import_define(m, in->name);
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
        return ib_import_line(m, "flatten", own, 2, (int64_t[]){1, d[1]}, "") ? IB_OK : IB_ENOMEM;
    }
    return IB_OK;
}

static ib_layer *build(ib_importer *m, ib_input_info *info)
{
    ib_text_add(&m->text, "isobit network 1\n");
    for (size_t i = 0; i < m->g->n_initializer; i++) {
        ib_symbol *s = m->g->initializer[i]->name ? ib_import_define(m, m->g->initializer[i]->name) : NULL;
        if (!s)
            return NULL;
        s->constant = m->g->initializer[i];
    }
    if (take_input(m, info))
        return NULL;
    for (size_t i = 0; i < m->g->n_node; i++)
        if (take_node(m, m->g->node[i]))
            return NULL;
    const ib_symbol *out = m->g->n_output && m->g->output[0]->name ? ib_import_find(m, m->g->output[0]->name) : NULL;
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
    ib_importer *m = model ? ib_alloc(sizeof *m) : NULL;
    ib_layer *net = NULL;
    if (!model)
        ib_fail(IB_EFORMAT, "%s: is no ONNX model", path);
    else if (m && !model->graph)
        ib_fail(IB_EFORMAT, "%s: holds no graph", path);
    else if (m) {
        ib_input_info info;
        m->g = model->graph;
        m->path = path;
        net = ib_import_external(path, model->graph) ? NULL : build(m, &info);
    }
    for (int i = 0; m && i < m->n_weights; i++) {
        ib_free(m->weights[i].name);
        ib_free(m->weights[i].values);
    }
    for (int i = 0; m && i < m->n_reshaped; i++) {
        ib_free(m->reshaped[i]->dims);
        ib_free(m->reshaped[i]);
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

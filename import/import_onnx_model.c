/* import_onnx_model.c - what a model says beside its nodes: operator sets, functions, kinds of tensors that are not
 * read, names that stand twice, fields of a newer format. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "import/import_onnx.h"
#include "import/operators/import_onnx_table.h"

enum { NEWEST_FORMAT = 14 }; /* IR version */

static void *take_memory(void *unused, size_t size)
{
    (void)unused;
    return ib_alloc_raw(size);
}

static void give_memory(void *unused, void *p)
{
    (void)unused;
    ib_free(p);
}

ProtobufCAllocator ib_import_memory(void)
{
    return (ProtobufCAllocator){.alloc = take_memory, .free = give_memory};
}

static ib_status check_operator_set(ib_importer *m, const IbOnnx__ModelProto *model)
{
    int64_t version = 0;
    if (model->ir_version > NEWEST_FORMAT)
        return ib_fail(IB_EUNSUPPORTED, "%s: is of IR version %lld, newer than %d", m->path,
                       (long long)model->ir_version, NEWEST_FORMAT);
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const IbOnnx__OperatorSetIdProto *o = model->opset_import[i];
        if (o->domain && *o->domain && strcmp(o->domain, "ai.onnx"))
            continue; /* its operators are refused where they are used */
        if (version && version != o->version)
            return ib_fail(IB_EFORMAT, "%s: names two operator sets, %lld and %lld", m->path, (long long)version,
                           (long long)o->version);
        version = o->version;
    }
    if (version < 1 || version > IB_ONNX_NEWEST)
        return ib_fail(IB_EUNSUPPORTED,
                       version ? "%s: is of operator set %lld; 1 to %d can be read: export it with one of them"
                               : "%s: names no operator set (opset_import) of ai.onnx",
                       m->path, (long long)version, IB_ONNX_NEWEST);
    m->opset = (int)version;
    return IB_OK;
}

ib_status ib_import_check_model(ib_importer *m, const IbOnnx__ModelProto *model)
{
    const IbOnnx__GraphProto *g = model->graph;
    ib_status status = check_operator_set(m, model);
    if (!status && g->n_sparse_initializer) {
        const IbOnnx__TensorProto *t = g->sparse_initializer[0]->values;
        status = ib_fail(IB_EUNSUPPORTED, "%s: constant '%s' is sparse: write it as a dense tensor", m->path,
                         t && t->name ? t->name : "");
    }
    if (!status && g->n_quantization_annotation)
        status = ib_fail(IB_EUNSUPPORTED, "%s: '%s' is annotated as quantized: import the float model", m->path,
                         g->quantization_annotation[0]->tensor_name ? g->quantization_annotation[0]->tensor_name : "");
    for (size_t i = 0; i < g->n_node && !status; i++)
        for (size_t j = 0; j < model->n_functions && !status; j++) {
            const IbOnnx__FunctionProto *f = model->functions[j];
            const char *own = g->node[i]->domain ? g->node[i]->domain : "", *domain = f->domain ? f->domain : "";
            m->node = g->node[i];
            if (f->name && m->node->op_type && !strcmp(f->name, m->node->op_type) && !strcmp(own, domain))
                status = ib_import_refuse(m, "is a function of the model: inline the functions (onnx.inliner)");
        }
    m->node = NULL;
    return status ? status : ib_import_check_fields(m, &model->base);
}

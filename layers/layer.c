/* layer.c - trees of layers: how they are made, hold each other and end. */
#include "layers/layer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"

ib_layer *ib_layer_new(const ib_layer_class *cls, size_t context_bytes)
{
    IB_NEED_OR(cls, NULL);
    IB_TAKE_OR(cls->kind, cls->kind, NULL, "is %s", "NULL");
    ib_layer *l = ib_alloc(sizeof *l);
    if (!l)
        return NULL;
    l->cls = cls;
    if (context_bytes && !(l->context = ib_alloc(context_bytes))) {
        ib_free(l);
        return NULL;
    }
    return l;
}

static void release(ib_layer *l)
{
    if (l->quantization.free)
        l->quantization.free(l->quantization.plan);
    for (int i = 0; i < l->n_children; i++)
        if (!--l->children[i]->parents)
            release(l->children[i]);
    for (int i = 0; i < l->n_params; i++) {
        ib_tensor_release(l->params[i]->t);
        ib_free(l->params[i]->name);
        ib_free(l->params[i]);
    }
    ib_free(l->children);
    ib_free(l->params);
    ib_free(l->all);
    ib_free(l->context);
    ib_free(l->name);
    ib_free(l->source);
    ib_free(l->path);
    ib_free(l->text);
    ib_schema_free(l->schema);
    ib_free(l);
}

void ib_layer_free(ib_layer *net)
{
    if (net && net->parents)
        ib_fail(IB_EINVAL, "%s: net is layer '%s' of a network, which frees it", __func__, ib_layer_path(net));
    else if (net)
        release(net);
}

void ib_layers_hold(int n, ib_layer *const *layers)
{
    for (int i = 0; i < n; i++)
        if (layers[i])
            layers[i]->parents++;
}

void ib_layers_drop(int n, ib_layer *const *layers)
{
    for (int i = 0; i < n; i++)
        if (layers[i] && !--layers[i]->parents)
            release(layers[i]);
}

void ib_layers_free(int n, ib_layer *const *layers)
{
    ib_layers_hold(n, layers); /* a layer of the list may hold another */
    ib_layers_drop(n, layers);
}

void *ib_layer_context(ib_layer *layer)
{
    IB_NEED_OR(layer, NULL);
    return layer->context;
}

ib_status ib_layer_append(void ***list, int *n, void *item)
{
    void **grown = ib_realloc(*list, (size_t)*n * sizeof *grown, (size_t)(*n + 1) * sizeof *grown);
    if (!grown)
        return IB_ENOMEM;
    grown[(*n)++] = item;
    *list = grown;
    return IB_OK;
}

/* Whether `l` is or holds `sought`. */
static int holds(const ib_layer *l, const ib_layer *sought)
{
    if (l == sought)
        return 1;
    for (int i = 0; i < l->n_children; i++)
        if (holds(l->children[i], sought))
            return 1;
    return 0;
}

static ib_status check_add(const ib_layer *parent, const ib_layer *child)
{
    if (!parent || !child)
        return ib_fail_null_argument("ib_layer_add", parent ? "child" : "parent");
    if (parent->settled || child->settled)
        return ib_fail(IB_ESTATE, "ib_layer_add: %s is of a network that was quantized: build it whole before",
                       parent->settled ? "parent" : "child");
    IB_TAKE_FOR("ib_layer_add", child, !holds(child, parent), IB_EINVAL, "'%s' would hold itself", child->cls->kind);
    return IB_OK;
}

ib_status ib_layer_add(ib_layer *parent, ib_layer *child)
{
    ib_status status = check_add(parent, child);
    if (!status)
        status = ib_layer_append((void ***)&parent->children, &parent->n_children, child);
    if (!status)
        child->parents++;
    else if (!parent || !child || !holds(child, parent))
        ib_layers_free(1, &child);
    return status;
}

const char *ib_layer_name(const ib_layer *layer)
{
    IB_NEED_OR(layer, NULL);
    return layer->name;
}

const char *ib_layer_source(const ib_layer *layer)
{
    IB_NEED_OR(layer, NULL);
    return layer->source;
}

ib_layer *ib_layer_child(ib_layer *layer, int i)
{
    IB_NEED_OR(layer, NULL);
    return i >= 0 && i < layer->n_children ? layer->children[i] : NULL;
}

ib_layer *ib_named(const char *name, ib_layer *layer)
{
    static const char unfit[] = "/\1\2\3\4\5\6\a\b\t\n\v\f\r\16\17\20\21\22\23\24\25\26\27\30\31\32\33\34\35\36\37\177";
    ib_layer *const given[] = {layer};
    IB_NEED_OR(layer, NULL);
    const char *why = !name || !*name        ? "is empty"
                      : layer->path          ? "comes after ib_layer_init()"
                      : strpbrk(name, unfit) ? "holds '/' or a control character, which names cannot have"
                                             : NULL;
    char *copy = why ? NULL : ib_strdup(name);
    if (!name)
        ib_fail_null_argument(__func__, "name");
    else if (why)
        ib_fail(*name && layer->path ? IB_ESTATE : IB_EINVAL, "ib_named: name '%s' %s", name, why);
    if (copy) {
        ib_free(layer->name);
        layer->name = copy;
        return layer;
    }
    ib_layers_free(1, given);
    return NULL;
}

void ib_layer_settle(ib_layer *net)
{
    net->settled = 1;
    for (int i = 0; i < net->n_children; i++)
        ib_layer_settle(net->children[i]);
}

const char *ib_layer_path(const ib_layer *layer)
{
    IB_NEED_OR(layer, "");
    return layer->path ? layer->path : "";
}

/* ---- what a network is given ---- */

ib_status ib_layer_set_input(ib_layer *net, const ib_input_info *info)
{
    IB_NEED(net);
    IB_NEED(info);
    IB_TAKE(info->c, info->c > 0, "is %d", info->c);
    IB_TAKE(info->h, info->h > 0, "is %d", info->h);
    IB_TAKE(info->w, info->w > 0, "is %d", info->w);
    IB_TAKE(info->classes, info->classes >= 0, "is %d", info->classes);
    IB_TAKE(info->raw_max, info->raw_max >= 0, "is %d", info->raw_max);
    IB_TAKE(info->mean, isfinite(info->mean), "is %g", info->mean);
    IB_TAKE(info->std, info->std >= 0 && isfinite(info->std), "is %g", info->std);
    net->input = *info;
    return IB_OK;
}

const ib_input_info *ib_layer_input(const ib_layer *net)
{
    IB_NEED_OR(net, NULL);
    return &net->input;
}

ib_status ib_layer_set_schema(ib_layer *net, const ib_schema *schema)
{
    IB_NEED(net);
    const ib_schema_opts *o = schema ? ib_schema_of(schema) : NULL;
    const int64_t inputs = (int64_t)net->input.c * net->input.h * net->input.w;
    if (o) {
        IB_TAKE(schema, !o->n_columns || ib_schema_inputs(schema) == inputs, "makes %d inputs, the network takes %lld",
                ib_schema_inputs(schema), (long long)inputs);
        IB_TAKE(schema, !o->n_classes || o->n_classes == net->input.classes, "names %d classes, the network has %d",
                o->n_classes, net->input.classes);
    }
    ib_schema *old = net->schema;
    net->schema = ib_schema_hold(schema);
    ib_schema_free(old);
    return IB_OK;
}

const ib_schema *ib_layer_schema(const ib_layer *net)
{
    IB_NEED_OR(net, NULL);
    return net->schema;
}

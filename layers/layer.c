/* layer.c - trees of layers: parameters, names, forward. */
#include "layers/layer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tensor/alloc.h"
#include "tensor/argument.h"

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

/* Appends `item` to a list of pointers. */
static ib_status append(void ***list, int *n, void *item)
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
        status = append((void ***)&parent->children, &parent->n_children, child);
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

ib_tensor *ib_layer_param_new(ib_layer *l, const char *name, int ndim, const int64_t *shape, ib_init init,
                              int64_t fan_in, int trainable)
{
    ib_param *p = ib_alloc(sizeof *p);
    if (!p)
        return NULL;
    p->init = init;
    p->fan_in = fan_in;
    p->trainable = trainable;
    if ((p->name = ib_strdup(name)) && (p->t = ib_tensor_new(IB_F32, ndim, shape, trainable, name)) &&
        !append((void ***)&l->params, &l->n_params, p)) {
        p->t->owned = 1;
        return p->t;
    }
    ib_tensor_release(p->t);
    ib_free(p->name);
    ib_free(p);
    return NULL;
}

ib_tensor *ib_layer_param(ib_layer *layer, const char *name, int ndim, const int64_t *shape, ib_init init,
                          int64_t fan_in, int trainable)
{
    IB_NEED_OR(layer, NULL);
    IB_NEED_OR(name, NULL);
    IB_NEED_OR(shape, NULL);
    IB_TAKE_OR(name, *name, NULL, "is '%s'", name);
    IB_TAKE_OR(init, init >= IB_INIT_ZEROS && init <= IB_INIT_XAVIER_NORMAL, NULL, "is %d, which is no ib_init",
               (int)init);
    IB_TAKE_OR(ndim, ndim > 0 && ndim <= IB_MAX_DIMS, NULL, "is %d, 1 to %d are possible", ndim, IB_MAX_DIMS);
    IB_TAKE_OR(fan_in, fan_in > 0, NULL, "is %lld", (long long)fan_in);
    if (layer->settled)
        return ib_fail_null(IB_ESTATE, "ib_layer_param: layer is of a network that was quantized: add '%s' before",
                            name);
    return ib_layer_param_new(layer, name, ndim, shape, init, fan_in, trainable);
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

/* ---- names ---- */

static void forget_paths(ib_layer *l)
{
    ib_free(l->path);
    l->path = NULL;
    for (int i = 0; i < l->n_children; i++)
        forget_paths(l->children[i]);
}

/* A layer that stands in several places is called by the first. */
static ib_status assign_names(ib_layer *l, const char *path)
{
    if (l->path)
        return IB_OK;
    if (!(l->path = ib_strdup(path)))
        return IB_ENOMEM;
    for (int i = 0; i < l->n_params; i++) {
        char *full = *path ? ib_format_text("%s.%s", path, l->params[i]->name) : ib_strdup(l->params[i]->name);
        if (!full)
            return IB_ENOMEM;
        ib_free(l->params[i]->t->name);
        l->params[i]->t->name = full;
    }
    for (int i = 0; i < l->n_children; i++) {
        ib_layer *c = l->children[i];
        if (!c->name && !(c->name = ib_format_text("%s%d", c->cls->kind, i)))
            return IB_ENOMEM;
        char *full = *path ? ib_format_text("%s.%s", path, c->name) : ib_strdup(c->name);
        if (!full)
            return IB_ENOMEM;
        const ib_status status = assign_names(c, full);
        ib_free(full);
        if (status)
            return status;
    }
    return IB_OK;
}

static ib_status collect(ib_layer *root, ib_layer *l)
{
    for (int i = 0; i < root->n_all && l->n_params; i++)
        if (root->all[i] == l->params[0]) /* it stands in several places */
            return IB_OK;
    for (int i = 0; i < l->n_params; i++)
        if (append((void ***)&root->all, &root->n_all, l->params[i]))
            return IB_ENOMEM;
    for (int i = 0; i < l->n_children; i++)
        if (collect(root, l->children[i]))
            return IB_ENOMEM;
    return IB_OK;
}

ib_status ib_layer_name_new_params(ib_layer *net)
{
    ib_free(net->all);
    net->all = NULL;
    net->n_all = 0;
    if (collect(net, net))
        return IB_ENOMEM;
    for (int i = 0; i < net->n_all; i++)
        for (int j = 0; j < i; j++)
            if (!strcmp(net->all[i]->t->name, net->all[j]->t->name))
                return ib_fail(IB_EINVAL, "two parameters are named '%s'", net->all[i]->t->name);
    return IB_OK;
}

ib_status ib_layer_name_all(ib_layer *net)
{
    forget_paths(net);
    const ib_status status = assign_names(net, "");
    return status ? status : ib_layer_name_new_params(net);
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

/* ---- the list of parameters ---- */

int ib_param_count(const ib_layer *net)
{
    IB_NEED_OR(net, 0);
    return net->n_all;
}

ib_tensor *ib_param_at(const ib_layer *net, int i)
{
    IB_NEED_OR(net, NULL);
    return i >= 0 && i < net->n_all ? net->all[i]->t : NULL;
}

int ib_param_trainable(const ib_layer *net, int i)
{
    IB_NEED_OR(net, 0);
    return i >= 0 && i < net->n_all && net->all[i]->trainable;
}

ib_tensor *ib_param_find(const ib_layer *net, const char *name)
{
    IB_NEED_OR(net, NULL);
    IB_NEED_OR(name, NULL);
    for (int i = 0; i < net->n_all; i++)
        if (!strcmp(net->all[i]->t->name, name))
            return net->all[i]->t;
    return ib_fail_null(IB_EINVAL, "ib_param_find: name '%s' is no parameter's of the network", name);
}

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

/* ---- forward ---- */

static ib_tensor *within(ib_layer *l, ib_graph *g, ib_tensor *x,
                         ib_tensor *(*forward)(ib_layer *, ib_graph *, ib_tensor *))
{
    if (!forward)
        return ib_fail_null(IB_EUNSUPPORTED, "layer of kind '%s': it has no forward", l->cls->kind);
    if (!l->path)
        return ib_fail_null(
            IB_ESTATE, "layer of kind '%s': it has no values: call ib_layer_init() on the network first", l->cls->kind);
    const char *outer = g->scope;
    g->scope = l->path;
    ib_tensor *y = x ? forward(l, g, x) : NULL;
    g->scope = outer;
    return y;
}

ib_tensor *ib_child_forward(ib_layer *l, int i, ib_graph *g, ib_tensor *x)
{
    return within(l->children[i], g, x, l->children[i]->cls->forward);
}

/* A trace records the operators one by one: what quantizes fuses by itself. */
int ib_child_takes_relu(const ib_layer *l, int i, const ib_graph *g)
{
    return g->mode != IB_TRACE && l->children[i]->cls->forward_relu && ib_layer_is_relu(l->children[i + 1]);
}

ib_tensor *ib_child_forward_relu(ib_layer *l, int i, ib_graph *g, ib_tensor *x)
{
    return within(l->children[i], g, x, l->children[i]->cls->forward_relu);
}

static ib_tensor *run(ib_graph *g, ib_layer *net, ib_tensor *x, int integers, const char *function)
{
    if (!g || !net || !x) {
        if (!g || !net || !ib_graph_failed(g)) /* else x is NULL because something has failed already */
            ib_fail_null_argument(function, !g ? "g" : !net ? "net" : "x");
        return NULL;
    }
    if (ib_graph_owns(g, x, function, "x"))
        return NULL;
    return within(net, g, x, integers ? net->quantization.forward : net->cls->forward);
}

ib_tensor *ib_layer_forward_float(ib_graph *g, ib_layer *net, ib_tensor *x)
{
    return run(g, net, x, 0, __func__);
}

ib_tensor *ib_layer_forward(ib_graph *g, ib_layer *net, ib_tensor *x)
{
    return run(g, net, x, net && net->quantization.forward, __func__);
}

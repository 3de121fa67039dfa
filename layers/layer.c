/* layer.c - trees of layers: parameters, names, forward. */
#include "layers/layer.h"

#include <stdio.h>
#include <string.h>

#include "tensor/alloc.h"

ib_layer *ib_layer_new(const ib_layer_class *cls, size_t context_bytes)
{
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

void ib_layer_free(ib_layer *l)
{
    if (!l)
        return;
    if (l->quantization.free)
        l->quantization.free(l->quantization.plan);
    for (int i = 0; i < l->n_children; i++)
        ib_layer_free(l->children[i]);
    for (int i = 0; i < l->n_params; i++) {
        ib_tensor_free(l->params[i]->t);
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
    ib_free(l);
}

void ib_layers_free(int n, ib_layer *const *layers)
{
    for (int i = 0; i < n; i++)
        ib_layer_free(layers[i]);
}

void *ib_layer_context(ib_layer *l)
{
    return l->context;
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

ib_status ib_layer_add(ib_layer *parent, ib_layer *child)
{
    if (!parent || !child || append((void ***)&parent->children, &parent->n_children, child)) {
        ib_layer_free(child);
        return IB_ENOMEM;
    }
    return IB_OK;
}

ib_layer *ib_layer_child(ib_layer *l, int i)
{
    return i >= 0 && i < l->n_children ? l->children[i] : NULL;
}

ib_tensor *ib_layer_param(ib_layer *l, const char *name, int ndim, const int64_t *shape, ib_init init, int64_t fan_in, int trainable)
{
    ib_param *p = ib_alloc(sizeof *p);
    if (!p)
        return NULL;
    p->init = init;
    p->fan_in = fan_in;
    p->trainable = trainable;
    if ((p->name = ib_strdup(name)) && (p->t = ib_tensor_new(IB_F32, ndim, shape, trainable, name)) &&
        !append((void ***)&l->params, &l->n_params, p))
        return p->t;
    ib_tensor_free(p->t);
    ib_free(p->name);
    ib_free(p);
    return NULL;
}

ib_layer *ib_named(const char *name, ib_layer *l)
{
    if (!l)
        return NULL;
    ib_free(l->name);
    if (!(l->name = ib_strdup(name))) {
        ib_layer_free(l);
        return NULL;
    }
    return l;
}

/* ---- names ---- */

static ib_status assign_names(ib_layer *l, const char *path)
{
    ib_free(l->path);
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
    const ib_status status = assign_names(net, "");
    return status ? status : ib_layer_name_new_params(net);
}

const char *ib_layer_path(const ib_layer *l)
{
    return l->path ? l->path : "";
}

/* ---- the list of parameters ---- */

int ib_param_count(const ib_layer *net)
{
    return net->n_all;
}

ib_tensor *ib_param_at(const ib_layer *net, int i)
{
    return i >= 0 && i < net->n_all ? net->all[i]->t : NULL;
}

int ib_param_trainable(const ib_layer *net, int i)
{
    return i >= 0 && i < net->n_all && net->all[i]->trainable;
}

ib_tensor *ib_param_find(const ib_layer *net, const char *name)
{
    for (int i = 0; i < net->n_all; i++)
        if (!strcmp(net->all[i]->t->name, name))
            return net->all[i]->t;
    return ib_fail_null(IB_EINVAL, "the network has no parameter named '%s'", name);
}

void ib_layer_set_input(ib_layer *net, const ib_input_info *info)
{
    net->input = *info;
}

const ib_input_info *ib_layer_input(const ib_layer *net)
{
    return &net->input;
}

/* ---- forward ---- */

static ib_tensor *within(ib_layer *l, ib_graph *g, ib_tensor *x, ib_tensor *(*forward)(ib_layer *, ib_graph *, ib_tensor *))
{
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

ib_tensor *ib_layer_forward_float(ib_graph *g, ib_layer *net, ib_tensor *x)
{
    return within(net, g, x, net->cls->forward);
}

ib_tensor *ib_layer_forward(ib_graph *g, ib_layer *net, ib_tensor *x)
{
    return within(net, g, x, net->quantization.forward ? net->quantization.forward : net->cls->forward);
}

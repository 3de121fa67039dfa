/* layer_params.c - parameters of layers, and the names of both within their network. */
#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "layers/layer.h"

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
        !ib_layer_append((void ***)&l->params, &l->n_params, p)) {
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
        if (ib_layer_append((void ***)&root->all, &root->n_all, l->params[i]))
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

/* container.c - sequential and residual. */
#include <stdio.h>

#include "base/argument.h"
#include "base/number.h"
#include "layers/layer.h"

static ib_tensor *sequential_forward(ib_layer *l, ib_graph *g, ib_tensor *x)
{
    for (int i = 0; i < l->n_children; i++)
        if (i + 1 < l->n_children && ib_child_takes_relu(l, i, g))
            x = ib_child_forward_relu(l, i++, g, x);
        else
            x = ib_child_forward(l, i, g, x);
    return x;
}

static ib_tensor *residual_forward(ib_layer *l, ib_graph *g, ib_tensor *x)
{
    ib_tensor *body = ib_child_forward(l, 0, g, x);
    return ib_add(g, body, l->n_children > 1 ? ib_child_forward(l, 1, g, x) : x);
}

static const ib_layer_class sequential_class = {"seq", sequential_forward};
static const ib_layer_class residual_class = {"res", residual_forward};

/* `function` was given the layers as `names`, or as layers[i]. */
static ib_layer *container(const char *function, const char *const *names, const ib_layer_class *cls, int n,
                           ib_layer *const *layers)
{
    int i = 0;
    for (; i < n && layers[i]; i++)
        ;
    if (i < n) {
        char name[32];
        ib_snprintf(name, sizeof name, "layers[%d]", i);
        ib_fail_null_argument(function, names ? names[i] : name);
    }
    ib_layer *l = i == n ? ib_layer_new(cls, 0) : NULL;
    if (!l) {
        ib_layers_free(n, layers);
        return NULL;
    }
    ib_layers_hold(n, layers); /* a failure leaves them to us */
    ib_status status = IB_OK;
    for (i = 0; i < n && !status; i++)
        status = ib_layer_add(l, layers[i]);
    if (status)
        ib_layer_free(l);
    ib_layers_drop(n, layers);
    return status ? NULL : l;
}

ib_layer *ib_sequential_new(int n, ib_layer *const *layers)
{
    IB_NEED_OR(layers, NULL);
    IB_TAKE_OR(n, n > 0, NULL, "is %d", n);
    return container(__func__, NULL, &sequential_class, n, layers);
}

ib_layer *ib_residual_layer(ib_layer *body)
{
    static const char *const names[] = {"body"};
    return container(__func__, names, &residual_class, 1, &body);
}

ib_layer *ib_residual_projected_layer(ib_layer *body, ib_layer *shortcut)
{
    static const char *const names[] = {"body", "shortcut"};
    return container(__func__, names, &residual_class, 2, (ib_layer *[]){body, shortcut});
}

/* container.c - sequential and residual. */
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

static ib_layer *container(const ib_layer_class *cls, int n, ib_layer *const *layers)
{
    int i = 0;
    for (; i < n && layers[i]; i++)
        ;
    ib_layer *l = i == n ? ib_layer_new(cls, 0) : NULL;
    if (!l) {
        ib_layers_free(n, layers);
        return NULL;
    }
    for (i = 0; i < n; i++)
        if (ib_layer_add(l, layers[i])) {
            ib_layers_free(n - i - 1, layers + i + 1);
            ib_layer_free(l);
            return NULL;
        }
    return l;
}

ib_layer *ib_sequential_new(int n, ib_layer *const *layers)
{
    return container(&sequential_class, n, layers);
}

ib_layer *ib_residual_layer(ib_layer *body)
{
    return container(&residual_class, 1, &body);
}

ib_layer *ib_residual_projected_layer(ib_layer *body, ib_layer *shortcut)
{
    return container(&residual_class, 2, (ib_layer *[]){body, shortcut});
}

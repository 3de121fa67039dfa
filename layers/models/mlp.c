/* mlp.c - a plain multilayer perceptron. */
#include "base/number.h"
#include "layers/model.h"

#include <stdio.h>

ib_layer *ib_model_mlp(int c, int h, int w, int classes)
{
    return ib_mlp_of_sizes(c * h * w, (const int[]){256, 128}, 2, classes);
}

/* Layer number i, named as "fc1". */
static ib_layer *numbered(const char *kind, int i, ib_layer *l)
{
    char name[16];
    ib_snprintf(name, sizeof name, "%s%d", kind, i);
    return ib_named(name, l);
}

/* Adds to a network that may have failed; NULL then. */
static ib_layer *then(ib_layer *net, ib_layer *l)
{
    if (net && l && !ib_layer_add(net, l))
        return net;
    if (!net)
        ib_layer_free(l);
    ib_layer_free(net);
    return NULL;
}

ib_layer *ib_mlp_of_sizes(int in, const int *sizes, int n, int classes)
{
    ib_layer *net = ib_sequential(ib_named("flatten", ib_flatten_layer()));
    for (int i = 0; i < n && net; i++) {
        net = then(net, numbered("fc", i + 1, ib_linear_layer(in, sizes[i])));
        net = net ? then(net, numbered("relu", i + 1, ib_relu_layer())) : NULL;
        in = sizes[i];
    }
    return net ? then(net, numbered("fc", n + 1, ib_linear_layer(in, classes))) : NULL;
}
